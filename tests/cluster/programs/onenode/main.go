// Command onenode starts, keeps and ends a Kubernetes of one node in namespaces of its own.
//
//	start     on the host: makes the node's directory and starts keep
//	keep      on the host, for as long as the node lives: forwards 127.0.0.1:PORT into the node
//	init      process 1 of the node: mounts, network, programs; reaps what is left behind
//	enter     on the host: runs a command inside
//	stop      on the host: ends the node and removes all that it made
//	list, restart, halt, resume
//	          inside the node: ask init about its programs
//	balance   inside the node: hands connections to several API servers in turn
//	delay     inside the node: what etcd says reaches one API server later
//	dns       inside the node: starts CoreDNS and waits until it answers
//
// It is an executable apart from the Kubernetes programs so that it starts in milliseconds and can
// be changed without linking those again.
package main

import (
	"fmt"
	"os"
)

func main() {
	commands := map[string]func([]string) error{
		"start": start, "keep": keep, "init": initialise, "enter": enter, "become": become, "stop": stop, "balance": balance, "delay": delay,
		"list": ask("list"), "restart": ask("restart"), "halt": ask("halt"), "resume": ask("resume"), "dns": dns,
	}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: onenode start|enter|stop|list|restart|halt|resume …")
		os.Exit(2)
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "onenode %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}
