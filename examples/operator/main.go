// A small operator: it lists the Pods of its namespace with the rights of its ServiceAccount, and follows them with --watch.
//
//	kurun run --serviceaccount pod-reader examples/operator -- --watch
//
// The ServiceAccount needs the verbs list and watch on Pods: see rbac.yaml next to this file.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// Where kubelet puts what a Pod needs to know of its ServiceAccount.
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

var podResource = schema.GroupVersionResource{Version: "v1", Resource: "pods"}

func main() {
	watch := flag.Bool("watch", false, "go on with what changes, until it is interrupted")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *watch); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "operator:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, watch bool) error {
	config, err := rest.InClusterConfig()
	if err != nil {
		return err
	}
	namespace, err := os.ReadFile(namespaceFile)
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	pods := client.Resource(podResource).Namespace(strings.TrimSpace(string(namespace)))
	list, err := pods.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, pod := range list.Items {
		fmt.Println(describe(&pod))
	}
	if !watch {
		return nil
	}
	changes, err := pods.Watch(ctx, metav1.ListOptions{ResourceVersion: list.GetResourceVersion()})
	if err != nil {
		return err
	}
	for change := range changes.ResultChan() {
		if pod, ok := change.Object.(*unstructured.Unstructured); ok {
			fmt.Println(change.Type, describe(pod))
		}
	}
	return nil
}

func describe(pod *unstructured.Unstructured) string {
	phase, _, _ := unstructured.NestedString(pod.Object, "status", "phase")
	return fmt.Sprintf("%s %s", pod.GetName(), phase)
}
