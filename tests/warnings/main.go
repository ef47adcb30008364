// Reads lists of Warning headers, a JSON list of base64 texts a line, and prints the texts that client-go would show: code 299, not empty.
package main

import (
	"bufio"
	"encoding/json"
	"os"

	"k8s.io/apimachinery/pkg/util/net"
)

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	out := json.NewEncoder(os.Stdout)
	for in.Scan() {
		var encoded [][]byte
		if err := json.Unmarshal(in.Bytes(), &encoded); err != nil {
			panic(err)
		}
		headers := []string{}
		for _, header := range encoded {
			headers = append(headers, string(header))
		}
		texts := []string{}
		warnings, _ := net.ParseWarningHeaders(headers)
		for _, warning := range warnings {
			if warning.Code == 299 && warning.Text != "" {
				texts = append(texts, warning.Text)
			}
		}
		if err := out.Encode(texts); err != nil {
			panic(err)
		}
	}
}
