package main

import (
	"errors"
	"net"
	"sync/atomic"
	"time"
)

// balance hands connections to servers in turn, leaving out those that do not accept. It knows nothing of what runs
// over them: a server that has just started gets its share before it is ready.
func balance(args []string) error {
	if len(args) < 2 {
		return errors.New("usage: onenode balance ADDRESS SERVER…")
	}
	listener, err := net.Listen("tcp", args[0])
	if err != nil {
		return err
	}
	servers := args[1:]
	var turn atomic.Uint64
	dial := func() *net.TCPConn {
		first := turn.Add(1)
		for n := range servers {
			server := servers[(first+uint64(n))%uint64(len(servers))]
			if inner, err := net.DialTimeout("tcp", server, time.Second); err == nil {
				return inner.(*net.TCPConn)
			}
		}
		return nil
	}
	for {
		outer, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() { connect(outer.(*net.TCPConn), dial()) }()
	}
}
