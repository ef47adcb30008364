// Command yamux is hashicorp's implementation at the far end of a TCP connection, to test kurun's against.
//
//	yamux ROLE ADDRESS JOB
//
// ROLE is client or server, ADDRESS where to connect. JOBs: echo (send back what each stream brings), drive (open streams, send, check
// what comes back), goaway (say so, then echo what is open), reset (close streams with data unread), lazy (accept nothing).
package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand"
	"net"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/yamux"
)

func main() {
	role, address, job := os.Args[1], os.Args[2], os.Args[3]
	connection, err := net.Dial("tcp", address)
	check(err)
	config := yamux.DefaultConfig()
	config.EnableKeepAlive = false
	config.LogOutput = os.Stderr
	open := yamux.Server
	if role == "client" {
		open = yamux.Client
	}
	session, err := open(connection, config)
	check(err)
	switch job {
	case "echo":
		echo(session)
	case "drive":
		drive(session)
	case "goaway":
		check(session.GoAway())
		echo(session)
	case "reset":
		stream, err := session.AcceptStream()
		check(err)
		_, err = io.ReadFull(stream, make([]byte, 1))
		check(err)
		check(session.Close())
	case "lazy":
		time.Sleep(time.Minute)
	}
}

func echo(session *yamux.Session) {
	for {
		stream, err := session.AcceptStream()
		if err != nil {
			return
		}
		go func() {
			_, err := io.Copy(stream, stream)
			if err != nil {
				fmt.Fprintln(os.Stderr, "echo:", err)
			}
			stream.Close()
		}()
	}
}

// drive opens a hundred streams of up to 3 MB each at once, ends its direction of each and reads the echo to its end.
func drive(session *yamux.Session) {
	_, err := session.Ping()
	check(err)
	var all sync.WaitGroup
	for i := 0; i < 100; i++ {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			data := make([]byte, i*i*300)
			rand.New(rand.NewSource(int64(i))).Read(data)
			stream, err := session.OpenStream()
			check(err)
			go func() {
				_, err := io.Copy(stream, bytes.NewReader(data))
				check(err)
				check(stream.Close())
			}()
			back, err := io.ReadAll(stream)
			check(err)
			if sha256.Sum256(back) != sha256.Sum256(data) {
				check(fmt.Errorf("stream %d came back changed: %d bytes of %d", i, len(back), len(data)))
			}
		}(i)
	}
	all.Wait()
	_, err = session.Ping()
	check(err)
	fmt.Println("all came back")
}

func check(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}
