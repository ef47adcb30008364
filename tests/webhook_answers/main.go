// Command webhook_answers decides about the answers of webhooks as the API server does, to compare kurun with it.
//
// Each line of standard input is an answer and what it answers, as JSON. Each line of standard output is what the API server makes of it:
// {"error": "why it is not accepted", "allowed": true, "patches": 2}.
//
// The steps are those of k8s.io/apiserver's mutating and validating dispatchers (pkg/admission/plugin/webhook/*/dispatcher.go), and of the
// converter of k8s.io/apiextensions-apiserver, with their own clients.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	admissionv1 "k8s.io/api/admission/v1"
	admissionv1beta1 "k8s.io/api/admission/v1beta1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/conversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	webhookrequest "k8s.io/apiserver/pkg/admission/plugin/webhook/request"
	webhookutil "k8s.io/apiserver/pkg/util/webhook"
	"k8s.io/klog/v2"
)

type answer struct {
	// Conversion says that it answers a ConversionReview.
	Conversion bool
	UID        string
	Version    string
	Mutating   bool
	Operation  string
	Objects    []map[string]any
	Status     int
	Type       string
	// Body has %UID% where the uid of the request belongs: the converter chooses its own.
	Body string
}

type result struct {
	Error   string `json:"error,omitempty"`
	Allowed bool   `json:"allowed"`
	Patches int    `json:"patches"`
}

// now is the answer that the server gives.
var now answer

func serve(w http.ResponseWriter, r *http.Request) {
	var review struct{ Request struct{ UID string } }
	check(json.NewDecoder(r.Body).Decode(&review))
	if now.Type != "" {
		w.Header().Set("Content-Type", now.Type)
	} else {
		w.Header()["Content-Type"] = nil
	}
	w.WriteHeader(now.Status)
	fmt.Fprint(w, replaceUID(now.Body, review.Request.UID))
}

func main() {
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	server := httptest.NewServer(http.HandlerFunc(serve))
	defer server.Close()
	clients, err := webhookutil.NewClientManager(
		[]schema.GroupVersion{admissionv1beta1.SchemeGroupVersion, admissionv1.SchemeGroupVersion},
		admissionv1beta1.AddToScheme, admissionv1.AddToScheme)
	check(err)
	resolver, err := webhookutil.NewDefaultAuthenticationInfoResolver("")
	check(err)
	clients.SetAuthenticationInfoResolver(resolver)
	client, err := clients.HookClient(webhookutil.ClientConfig{Name: "x", URL: server.URL})
	check(err)
	converters, err := conversion.NewCRConverterFactory(nil, func(inner webhookutil.AuthenticationInfoResolver) webhookutil.AuthenticationInfoResolver {
		return inner
	})
	check(err)

	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	out := json.NewEncoder(os.Stdout)
	for in.Scan() {
		now = answer{}
		check(json.Unmarshal(in.Bytes(), &now))
		var found result
		if now.Conversion {
			if err := convert(converters, server.URL); err != nil {
				found.Error = err.Error()
			}
		} else {
			request, response := runtime.Object(&admissionv1.AdmissionReview{Request: &admissionv1.AdmissionRequest{UID: types.UID(now.UID)}}), runtime.Object(&admissionv1.AdmissionReview{})
			if now.Version == "v1beta1" {
				request, response = &admissionv1beta1.AdmissionReview{Request: &admissionv1beta1.AdmissionRequest{UID: types.UID(now.UID)}}, &admissionv1beta1.AdmissionReview{}
			}
			if err := client.Post().Body(request).Do(context.Background()).Into(response); err != nil {
				found.Error = err.Error()
			} else {
				found = decide(response)
			}
		}
		check(out.Encode(found))
	}
	check(in.Err())
}

func decide(response runtime.Object) result {
	verified, err := webhookrequest.VerifyAdmissionResponse(types.UID(now.UID), now.Mutating, response)
	if err != nil {
		return result{Error: err.Error()}
	}
	if !verified.Allowed || len(verified.Patch) == 0 {
		return result{Allowed: verified.Allowed}
	}
	patch, err := jsonpatch.DecodePatch(verified.Patch)
	if err != nil {
		return result{Error: "received undecodable patch in webhook response: " + err.Error()}
	}
	if len(patch) == 0 {
		return result{Allowed: true}
	}
	if now.Operation == "DELETE" {
		return result{Error: "attempted to modify the object, which is not supported for this operation"}
	}
	if verified.PatchType != admissionv1.PatchTypeJSONPatch {
		return result{Error: fmt.Sprintf("unsupported patch type %q", verified.PatchType)}
	}
	if _, err := patch.Apply([]byte(`{"a":1}`)); err != nil {
		return result{Error: "the patch does not apply: " + err.Error()}
	}
	return result{Allowed: true, Patches: len(patch)}
}

func convert(converters *conversion.CRConverterFactory, url string) error {
	crd := &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "books.x.io"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group:    "x.io",
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{Name: "v1", Served: true}, {Name: "v2", Served: true}},
			Conversion: &apiextensionsv1.CustomResourceConversion{
				Strategy: apiextensionsv1.WebhookConverter,
				Webhook: &apiextensionsv1.WebhookConversion{
					ConversionReviewVersions: []string{now.Version},
					ClientConfig:             &apiextensionsv1.WebhookClientConfig{URL: &url},
				},
			},
		},
	}
	converter, _, err := converters.NewConverter(crd)
	check(err)
	list := &unstructured.UnstructuredList{Object: map[string]any{"apiVersion": "x.io/v1", "kind": "BookList"}}
	for _, object := range now.Objects {
		list.Items = append(list.Items, unstructured.Unstructured{Object: object})
	}
	_, err = converter.ConvertToVersion(list, schema.GroupVersion{Group: "x.io", Version: "v2"})
	return err
}

func replaceUID(text, uid string) string {
	out, err := json.Marshal(uid)
	check(err)
	return strings.ReplaceAll(text, "%UID%", string(out[1:len(out)-1]))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
