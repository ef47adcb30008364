package main

import (
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// etcdDelay, if it exists, holds the milliseconds by which etcd's answers reach the second API server late.
// Tests write it: reads from its caches are then behind what was written through the other one.
const etcdDelay = "/run/kurun/etcd-delay"

// delay forwards connections, and holds back what the server says.
func delay(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: onenode delay ADDRESS SERVER")
	}
	listener, err := net.Listen("tcp", args[0])
	if err != nil {
		return err
	}
	for {
		outer, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer outer.Close()
			inner, err := net.Dial("tcp", args[1])
			if err != nil {
				return
			}
			defer inner.Close()
			go func() {
				_, _ = io.Copy(inner, outer)
				_ = inner.Close()
			}()
			late(outer, inner)
		}()
	}
}

// late copies, each piece as late as the file says when it arrives.
func late(to io.Writer, from io.Reader) {
	type piece struct {
		due  time.Time
		data []byte
	}
	pieces := make(chan piece, 1024)
	go func() {
		defer close(pieces)
		for {
			data := make([]byte, 32<<10)
			n, err := from.Read(data)
			if err != nil {
				return
			}
			text, _ := os.ReadFile(etcdDelay)
			ms, _ := strconv.Atoi(strings.TrimSpace(string(text)))
			pieces <- piece{time.Now().Add(time.Duration(ms) * time.Millisecond), data[:n]}
		}
	}()
	for p := range pieces {
		time.Sleep(time.Until(p.due))
		if _, err := to.Write(p.data); err != nil {
			for range pieces {
			}
			return
		}
	}
}
