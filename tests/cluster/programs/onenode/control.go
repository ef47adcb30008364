package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"sort"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Below /run, which is the node's own: whoever is inside can ask, and the path is short enough for a
// socket wherever the node's directory lies.
const controlSocket = "/run/kurun/control.sock"

// serveControl answers one line per connection: "restart etcd TERM".
func (s *settings) serveControl(c *children) error {
	if err := os.MkdirAll("/run/kurun", 0o700); err != nil {
		return err
	}
	listener, err := net.Listen("unix", controlSocket)
	if err != nil {
		return err
	}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				log.Printf("control: %v", err)
				return
			}
			go func() {
				defer connection.Close()
				line, _ := bufio.NewReader(connection).ReadString('\n')
				answer, err := c.obey(strings.Fields(line))
				if err != nil {
					answer = "error: " + err.Error() + "\n"
				}
				_, _ = io.WriteString(connection, answer)
			}()
		}
	}()
	return nil
}

func (c *children) obey(words []string) (string, error) {
	if len(words) == 0 {
		return "", errors.New("nothing was asked")
	}
	if words[0] == "list" {
		return c.list(), nil
	}
	if len(words) < 2 {
		return "", fmt.Errorf("usage: onenode %s PROGRAM [SIGNAL]", words[0])
	}
	programs := c.named(words[1])
	if len(programs) == 0 {
		return "", fmt.Errorf("there is no program %q here; list names them", words[1])
	}
	// As if it had crashed. By SIGTERM the API server takes a minute when somebody watches.
	sign := syscall.SIGKILL
	if len(words) > 2 {
		if sign = unix.SignalNum("SIG" + strings.TrimPrefix(words[2], "SIG")); sign == 0 {
			return "", fmt.Errorf("%q is no signal", words[2])
		}
	}
	var text strings.Builder
	for _, p := range programs {
		if words[0] != "resume" {
			c.halt(p, sign)
		}
	}
	for _, p := range programs {
		if words[0] != "halt" {
			if err := c.resume(p); err != nil {
				return "", err
			}
		}
		text.WriteString(c.line(p))
	}
	return text.String(), nil
}

// named finds a program by its name, and both of a pair by the name without the number.
func (c *children) named(name string) []*program {
	c.Lock()
	defer c.Unlock()
	var found []*program
	for _, suffix := range []string{"", "-1", "-2"} {
		if p := c.programs[name+suffix]; p != nil {
			found = append(found, p)
		}
	}
	return found
}

func (c *children) list() string {
	c.Lock()
	var programs []*program
	for _, p := range c.programs {
		programs = append(programs, p)
	}
	c.Unlock()
	sort.Slice(programs, func(a, b int) bool { return programs[a].name < programs[b].name })
	var text strings.Builder
	for _, p := range programs {
		text.WriteString(c.line(p))
	}
	return text.String()
}

func (c *children) line(p *program) string {
	c.Lock()
	defer c.Unlock()
	state := fmt.Sprintf("process %d, for %s", p.process, time.Since(p.started).Round(time.Second))
	if p.process == 0 {
		state = "not running"
	}
	if p.starts > 1 {
		state += fmt.Sprintf(", started %d times", p.starts)
	}
	return fmt.Sprintf("%-24s %s\n", p.name, state)
}

// ask is the other end: it passes the command on to init and prints the answer.
func ask(command string) func([]string) error {
	return func(args []string) error {
		connection, err := net.Dial("unix", controlSocket)
		if err != nil {
			return fmt.Errorf("%w (this works inside the node only)", err)
		}
		defer connection.Close()
		if _, err := fmt.Fprintln(connection, strings.Join(append([]string{command}, args...), " ")); err != nil {
			return err
		}
		answer, err := io.ReadAll(connection)
		if err != nil {
			return err
		}
		if reason, failed := strings.CutPrefix(string(answer), "error: "); failed {
			return errors.New(strings.TrimSpace(reason))
		}
		_, err = os.Stdout.Write(answer)
		return err
	}
}
