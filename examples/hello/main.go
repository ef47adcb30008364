// Greets from the cluster: a program of several files that uses a third-party module.
//
//	kurun run examples/hello -- --name you --times 3
//	kurun run --watch examples/hello
package main

import (
	"fmt"
	"os"

	"github.com/spf13/pflag"
	"kurun.example/hello/greeting"
)

func main() {
	name := pflag.StringP("name", "n", "world", "whom to greet")
	times := pflag.IntP("times", "t", 1, "how often")
	exit := pflag.Int("exit", 0, "the exit code to end with")
	pflag.Parse()
	host, _ := os.Hostname()
	for range *times {
		fmt.Println(greeting.For(*name, host))
	}
	os.Exit(*exit)
}
