// Package greeting knows what to say.
package greeting

import "fmt"

// For greets somebody from a machine.
func For(name, host string) string {
	return fmt.Sprintf("Hello, %s, from %s", name, host)
}
