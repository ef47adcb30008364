// Command grpc is both ends of gRPC for tests of what lies between them: Go's implementation, with plain bytes as messages.
//
//	grpc serve [CERTIFICATE KEY]    listens on a free port, prints it, and then how each call of Wait and Flood ended
//	grpc call ADDRESS [CA NAME]     makes every kind of call over one connection, and prints the result of each
package main

import (
	"fmt"
	"os"
)

func main() {
	switch {
	case len(os.Args) == 2 && os.Args[1] == "serve":
		serve("", "")
	case len(os.Args) == 4 && os.Args[1] == "serve":
		serve(os.Args[2], os.Args[3])
	case len(os.Args) == 3 && os.Args[1] == "call":
		callAll(dial(os.Args[2], "", ""))
	case len(os.Args) == 5 && os.Args[1] == "call":
		callAll(dial(os.Args[2], os.Args[3], os.Args[4]))
	default:
		check(fmt.Errorf("serve or call: %q", os.Args))
	}
}

// raw is a codec for plain bytes: the tests are about what carries the messages.
type raw struct{}

func (raw) Name() string { return "raw" }

func (raw) Marshal(message any) ([]byte, error) { return *message.(*[]byte), nil }

func (raw) Unmarshal(data []byte, message any) error {
	*message.(*[]byte) = append([]byte(nil), data...)
	return nil
}

func check(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}
