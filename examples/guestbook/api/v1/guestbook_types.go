// Package v1 contains version v1 of the guestbook API, which is stored.
// +kubebuilder:object:generate=true
// +groupName=kurun.example
package v1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/scheme"
)

var (
	schemeBuilder = &scheme.Builder{GroupVersion: schema.GroupVersion{Group: "kurun.example", Version: "v1"}}
	// AddToScheme adds the types of this version to a scheme.
	AddToScheme = schemeBuilder.AddToScheme
)

func init() { schemeBuilder.Register(&Guestbook{}, &GuestbookList{}) }

// GuestbookSpec defines the desired state of a Guestbook.
type GuestbookSpec struct {
	// Greeting is shown to guests.
	Greeting string `json:"greeting,omitempty"`
	// MaxEntries is how many entries the book keeps.
	MaxEntries int32 `json:"maxEntries,omitempty"`
}

// GuestbookStatus defines the observed state of a Guestbook.
type GuestbookStatus struct {
	// Open says whether guests can write into the book.
	Open bool `json:"open,omitempty"`
}

// Guestbook is the schema of the guestbooks API.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:storageversion
type Guestbook struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   GuestbookSpec   `json:"spec,omitempty"`
	Status GuestbookStatus `json:"status,omitempty"`
}

// Hub marks v1 as the version that others are converted to and from.
func (*Guestbook) Hub() {}

// GuestbookList contains a list of Guestbooks.
// +kubebuilder:object:root=true
type GuestbookList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Guestbook `json:"items"`
}
