// A program that behaves as its arguments say, for the tests of kurun run.
package main

import (
	"bufio"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

func main() {
	switch os.Args[1] {
	case "exit":
		code, _ := strconv.Atoi(os.Args[2])
		os.Exit(code)
	case "panic":
		panic("it panics")
	case "show":
		folder, _ := os.Getwd()
		fmt.Printf("%q\n%q\n%s\n", os.Args[2:], os.Getenv("SHOWN"), folder)
	case "lines":
		lines, _ := strconv.Atoi(os.Args[2])
		stdout, stderr := bufio.NewWriter(os.Stdout), bufio.NewWriter(os.Stderr)
		for i := 0; i < lines; i++ {
			fmt.Fprintf(stdout, "out %045d\n", i)
			fmt.Fprintf(stderr, "err %045d\n", i)
		}
		stdout.Flush()
		stderr.Flush()
	case "eat":
		var eaten [][]byte
		for {
			bite := make([]byte, 8<<20)
			for i := range bite {
				bite[i] = 1
			}
			eaten = append(eaten, bite)
		}
	case "tick":
		for i := 0; ; i++ {
			fmt.Println("tick", i)
			time.Sleep(20 * time.Millisecond)
		}
	case "graceful":
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
		fmt.Println("ready")
		fmt.Println("got", <-signals)
		if len(os.Args) > 2 {
			patience, _ := time.ParseDuration(os.Args[2])
			time.Sleep(patience)
			fmt.Println("bye")
		}
		os.Exit(7)
	case "stubborn":
		signal.Ignore(syscall.SIGINT, syscall.SIGTERM)
		fmt.Println("ready")
		time.Sleep(time.Hour)
	}
}
