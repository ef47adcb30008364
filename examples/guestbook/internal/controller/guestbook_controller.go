// Package controller contains the controller of Guestbooks.
package controller

import (
	"context"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	guestbookv1 "kurun.example/guestbook/api/v1"
)

// GuestbookReconciler opens Guestbooks.
type GuestbookReconciler struct{ client.Client }

// +kubebuilder:rbac:groups=kurun.example,resources=guestbooks,verbs=get;list;watch
// +kubebuilder:rbac:groups=kurun.example,resources=guestbooks/status,verbs=get;update;patch

// Reconcile opens one Guestbook.
func (r *GuestbookReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var book guestbookv1.Guestbook
	if err := r.Get(ctx, request.NamespacedName, &book); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if book.Status.Open {
		return ctrl.Result{}, nil
	}
	before := client.MergeFrom(book.DeepCopy())
	book.Status.Open = true
	return ctrl.Result{}, client.IgnoreNotFound(r.Status().Patch(ctx, &book, before))
}

// SetupWithManager starts the controller with a manager.
func (r *GuestbookReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).For(&guestbookv1.Guestbook{}).Named("guestbook").Complete(r)
}
