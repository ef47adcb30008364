// Command toolbox is all that the test cluster's one image holds: what Pods of tests do, and the
// first container of every Pod.
//
//	pause                       waits for a signal, reaping
//	sleep SECONDS               as sleep(1)
//	http [flags] URL            a request; see http.go
//	serve ADDRESS               an HTTP server that says what it was asked
//	env [NAME]                  the environment, or one variable
//	resolve NAME                the addresses of a name
//	exit CODE
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) < 2 {
		fail(2, "usage: toolbox pause|sleep|http|serve|env|resolve|exit …")
	}
	args := os.Args[2:]
	switch os.Args[1] {
	case "pause":
		pause()
	case "sleep":
		sleep(args)
	case "http":
		request(args)
	case "serve":
		serve(args)
	case "env":
		environment(args)
	case "resolve":
		resolve(args)
	case "exit":
		code, err := strconv.Atoi(argument(args, "CODE"))
		if err != nil {
			fail(2, "exit: %v", err)
		}
		os.Exit(code)
	default:
		fail(2, "toolbox has no command %q", os.Args[1])
	}
}

// pause is process 1 of its Pod where Pods share a PID namespace, so it reaps.
func pause() {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for s := range signals {
		if s != syscall.SIGCHLD {
			return
		}
		for {
			if pid, _ := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 {
				break
			}
		}
	}
}

// sleep ends on SIGTERM at once: process 1 has no default action, and a Pod would take 30 s to go.
func sleep(args []string) {
	seconds, err := strconv.ParseFloat(argument(args, "SECONDS"), 64)
	if err != nil {
		fail(2, "sleep: %v", err)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	select {
	case <-signals:
		os.Exit(143)
	case <-time.After(time.Duration(seconds * float64(time.Second))):
	}
}

func environment(args []string) {
	if len(args) > 0 {
		value, found := os.LookupEnv(args[0])
		if !found {
			fail(1, "%s is not set", args[0])
		}
		fmt.Println(value)
		return
	}
	fmt.Println(strings.Join(os.Environ(), "\n"))
}

func resolve(args []string) {
	deadline, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(deadline, argument(args, "NAME"))
	if err != nil {
		fail(1, "resolve: %v", err)
	}
	fmt.Println(strings.Join(addresses, "\n"))
}

func argument(args []string, name string) string {
	if len(args) != 1 {
		fail(2, "usage: toolbox %s %s", os.Args[1], name)
	}
	return args[0]
}

func fail(code int, format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(code)
}
