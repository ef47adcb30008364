// Copies what it reads to what it writes, as cat does, and says on standard error how much it was.
//
//	echo hi | kurun run examples/cat/cat.go
package main

import (
	"fmt"
	"io"
	"os"
)

func main() {
	bytes, err := io.Copy(os.Stdout, os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, "cat:", err)
		os.Exit(1)
	}
	fmt.Fprintln(os.Stderr, bytes, "bytes")
}
