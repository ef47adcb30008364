// Command kubectl_yaml reads manifests as kubectl 1.34 does, to compare kurun with it.
//
// Each line of standard input is a manifest's bytes in base64. Each line of standard output is the result, as JSON:
// {"documents": [...]} with the objects in order, and "error" with why it was not read to its end.
//
// The steps are those of k8s.io/cli-runtime's FileVisitor and StreamVisitor (pkg/resource/visitor.go); importing these would take client-go.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
)

type result struct {
	Documents []json.RawMessage `json:"documents"`
	Error     string            `json:"error,omitempty"`
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for in.Scan() {
		manifest, err := base64.StdEncoding.DecodeString(in.Text())
		check(err)
		check(encoder.Encode(read(manifest)))
	}
	check(in.Err())
}

func read(manifest []byte) result {
	reader := transform.NewReader(bytes.NewReader(manifest), unicode.BOMOverride(unicode.UTF8.NewDecoder()))
	decoder := yaml.NewYAMLOrJSONDecoder(reader, 4096)
	all := result{Documents: []json.RawMessage{}}
	for {
		document := runtime.RawExtension{}
		if err := decoder.Decode(&document); err != nil {
			if err != io.EOF {
				all.Error = err.Error()
			}
			return all
		}
		raw := bytes.TrimSpace(document.Raw)
		if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
			continue
		}
		all.Documents = append(all.Documents, json.RawMessage(raw))
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
