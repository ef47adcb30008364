// Package v1alpha1 contains the first version of the guestbook API.
// +kubebuilder:object:generate=true
// +groupName=kurun.example
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/conversion"
	"sigs.k8s.io/controller-runtime/pkg/scheme"

	v1 "kurun.example/guestbook/api/v1"
)

var (
	schemeBuilder = &scheme.Builder{GroupVersion: schema.GroupVersion{Group: "kurun.example", Version: "v1alpha1"}}
	// AddToScheme adds the types of this version to a scheme.
	AddToScheme = schemeBuilder.AddToScheme
)

func init() { schemeBuilder.Register(&Guestbook{}, &GuestbookList{}) }

// GuestbookSpec defines the desired state of a Guestbook.
type GuestbookSpec struct {
	// Welcome is called greeting in v1.
	Welcome string `json:"welcome,omitempty"`
	// Limit is called maxEntries in v1.
	Limit int32 `json:"limit,omitempty"`
}

// Guestbook is the schema of the guestbooks API.
// +kubebuilder:object:root=true
type Guestbook struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec GuestbookSpec `json:"spec,omitempty"`
}

// GuestbookList contains a list of Guestbooks.
// +kubebuilder:object:root=true
type GuestbookList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Guestbook `json:"items"`
}

// ConvertTo converts this Guestbook to v1.
func (src *Guestbook) ConvertTo(hub conversion.Hub) error {
	dst := hub.(*v1.Guestbook)
	dst.ObjectMeta = src.ObjectMeta
	dst.Spec = v1.GuestbookSpec{Greeting: src.Spec.Welcome, MaxEntries: src.Spec.Limit}
	return nil
}

// ConvertFrom converts a Guestbook of v1 to this version.
func (dst *Guestbook) ConvertFrom(hub conversion.Hub) error {
	src := hub.(*v1.Guestbook)
	dst.ObjectMeta = src.ObjectMeta
	dst.Spec = GuestbookSpec{Welcome: src.Spec.Greeting, Limit: src.Spec.MaxEntries}
	return nil
}
