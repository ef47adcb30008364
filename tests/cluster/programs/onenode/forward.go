package main

import (
	"io"
	"log"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// forward hands every connection that listener accepts to 127.0.0.1:port in another network
// namespace. Between two TCP sockets io.Copy is splice(2): the bytes never enter this process.
func forward(listener net.Listener, space *os.File, port int) {
	dials := make(chan chan *net.TCPConn)
	go dialInside(space, port, dials)
	for {
		outer, err := listener.Accept()
		if err != nil {
			log.Printf("forward: accept: %v", err)
			return
		}
		go func() {
			answer := make(chan *net.TCPConn, 1)
			dials <- answer
			connect(outer.(*net.TCPConn), <-answer)
		}()
	}
}

// dialInside owns a thread that has entered the namespace. A socket belongs for good to the
// namespace that its thread was in when it was made, so one thread is enough, and the rest of the
// program never has to know.
func dialInside(space *os.File, port int, dials <-chan chan *net.TCPConn) {
	runtime.LockOSThread()
	if err := unix.Setns(int(space.Fd()), unix.CLONE_NEWNET); err != nil {
		log.Fatalf("forward: cannot enter the node's network namespace: %v", err)
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	for answer := range dials {
		inner, err := net.Dial("tcp4", address)
		if err != nil {
			answer <- nil
			continue
		}
		answer <- inner.(*net.TCPConn)
	}
}

// connect copies both ways. An end of one direction is passed on as one, a broken connection as a
// reset: a client must not take half an answer for a whole one.
func connect(outer, inner *net.TCPConn) {
	if inner == nil {
		_ = outer.SetLinger(0)
		_ = outer.Close()
		return
	}
	var both sync.WaitGroup
	both.Add(2)
	pipe := func(to, from *net.TCPConn) {
		defer both.Done()
		if _, err := io.Copy(to, from); err != nil {
			_ = to.SetLinger(0)
			_ = from.SetLinger(0)
			_ = to.Close()
			_ = from.Close()
			return
		}
		_ = to.CloseWrite()
	}
	go pipe(inner, outer)
	go pipe(outer, inner)
	both.Wait()
	_ = inner.Close()
	_ = outer.Close()
}
