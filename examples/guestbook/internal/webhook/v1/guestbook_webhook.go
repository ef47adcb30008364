// Package v1 contains the webhooks of the guestbook API.
package v1

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	guestbookv1 "kurun.example/guestbook/api/v1"
)

const largest = 1000

var log = ctrl.Log.WithName("guestbook-webhook")

// SetupGuestbookWebhookWithManager registers the webhooks of Guestbooks. The one that converts between versions is registered with them.
func SetupGuestbookWebhookWithManager(mgr ctrl.Manager) error {
	return ctrl.NewWebhookManagedBy(mgr).For(&guestbookv1.Guestbook{}).
		WithDefaulter(&defaulter{}).WithValidator(&validator{}).Complete()
}

// +kubebuilder:webhook:path=/mutate-kurun-example-v1-guestbook,mutating=true,failurePolicy=fail,sideEffects=None,groups=kurun.example,resources=guestbooks,verbs=create;update,versions=v1,name=mguestbook-v1.kb.io,admissionReviewVersions=v1

type defaulter struct{}

// Default fills in what a new Guestbook leaves out.
func (*defaulter) Default(_ context.Context, object runtime.Object) error {
	book := object.(*guestbookv1.Guestbook)
	log.Info("Defaulting", "name", book.Name)
	if book.Spec.Greeting == "" {
		book.Spec.Greeting = "Welcome!"
	}
	if book.Spec.MaxEntries == 0 {
		book.Spec.MaxEntries = 100
	}
	return nil
}

// +kubebuilder:webhook:path=/validate-kurun-example-v1-guestbook,mutating=false,failurePolicy=fail,sideEffects=None,groups=kurun.example,resources=guestbooks,verbs=create;update;delete,versions=v1,name=vguestbook-v1.kb.io,admissionReviewVersions=v1

type validator struct{}

// ValidateCreate refuses books that are too large.
func (*validator) ValidateCreate(_ context.Context, object runtime.Object) (admission.Warnings, error) {
	book := object.(*guestbookv1.Guestbook)
	log.Info("Validating", "name", book.Name)
	if book.Spec.MaxEntries < 1 || book.Spec.MaxEntries > largest {
		return nil, fmt.Errorf("spec.maxEntries must be 1 to %d, got %d", largest, book.Spec.MaxEntries)
	}
	return nil, nil
}

// ValidateUpdate refuses books that are too large.
func (v *validator) ValidateUpdate(ctx context.Context, _, object runtime.Object) (admission.Warnings, error) {
	return v.ValidateCreate(ctx, object)
}

// ValidateDelete refuses to delete books with the label keep=yes.
func (*validator) ValidateDelete(_ context.Context, object runtime.Object) (admission.Warnings, error) {
	book := object.(*guestbookv1.Guestbook)
	log.Info("Validating the deletion", "name", book.Name)
	if book.Labels["keep"] == "yes" {
		return nil, fmt.Errorf("guestbook %s is kept: remove its label keep first", book.Name)
	}
	return nil, nil
}
