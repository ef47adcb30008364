// Copies standard input to standard output, as cat does, and prints the number of bytes to standard error.
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
