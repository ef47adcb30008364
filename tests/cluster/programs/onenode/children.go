package main

import (
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// program is one of the node's programs, kept running.
type program struct {
	name string
	argv []string

	halted  bool
	process int
	ended   chan struct{}
	started time.Time
	starts  int
}

// children starts processes and waits for them. As process 1 it waits for everything that loses its
// parent as well, and those two cannot be done apart: so os/exec's own waiting is not used.
type children struct {
	sync.Mutex
	log      func(name string) (*os.File, error)
	env      []string
	waiting  map[int]chan syscall.WaitStatus
	programs map[string]*program
}

// reap starts to collect ended processes. It asks for SIGCHLD before it returns: when the goroutine asked, the first
// ip command could end earlier on a busy machine, and the node waited for it for ever.
func (c *children) reap() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	go c.collect(ended)
}

func (c *children) collect(ended <-chan os.Signal) {
	for range ended {
		c.Lock()
		for {
			var status syscall.WaitStatus
			pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
			if err == syscall.EINTR {
				continue
			}
			if pid <= 0 {
				break
			}
			if waiter := c.waiting[pid]; waiter != nil {
				delete(c.waiting, pid)
				waiter <- status
			}
		}
		c.Unlock()
	}
}

// spawn starts a process; its end comes through the channel. The caller holds the lock, so that
// reap cannot see the end before the process is known.
func (c *children) spawn(logName string, argv []string) (int, <-chan syscall.WaitStatus, error) {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return 0, nil, err
	}
	out, err := c.log(logName)
	if err != nil {
		return 0, nil, err
	}
	defer out.Close()
	process, err := os.StartProcess(path, argv, &os.ProcAttr{
		Dir: "/", Env: c.env, Files: []*os.File{nil, out, out}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return 0, nil, err
	}
	end := make(chan syscall.WaitStatus, 1)
	c.waiting[process.Pid] = end
	return process.Pid, end, nil
}

// run runs a command to its end.
func (c *children) run(logName string, argv ...string) error {
	c.Lock()
	_, end, err := c.spawn(logName, argv)
	c.Unlock()
	if err != nil {
		return err
	}
	if status := <-end; status != 0 {
		return fmt.Errorf("%s ended with %s; see log/%s.log", argv[0], describe(status), logName)
	}
	return nil
}

// know makes a program known without starting it; resume does.
func (c *children) know(name string, argv ...string) *program {
	c.Lock()
	defer c.Unlock()
	p := &program{name: name, argv: argv, halted: true}
	c.programs[name] = p
	return p
}

// keep starts a program, and starts it again a second after it has ended, until it is halted.
func (c *children) keep(name string, argv ...string) error {
	return c.resume(c.know(name, argv...))
}

func (c *children) start(p *program) error {
	pid, end, err := c.spawn(p.name, p.argv)
	if err != nil {
		return fmt.Errorf("cannot start %s: %w", p.name, err)
	}
	p.process, p.started, p.ended = pid, time.Now(), make(chan struct{})
	p.starts++
	go func(ended chan struct{}) {
		status := <-end
		log.Printf("%s (process %d) ended with %s", p.name, pid, describe(status))
		c.Lock()
		p.process = 0
		close(ended)
		c.Unlock()
		time.Sleep(time.Second)
		c.Lock()
		defer c.Unlock()
		if p.process == 0 && !p.halted {
			if err := c.start(p); err != nil {
				log.Print(err)
			}
		}
	}(p.ended)
	return nil
}

// halt ends a program with a signal and does not start it again.
func (c *children) halt(p *program, sign syscall.Signal) {
	c.Lock()
	p.halted = true
	pid, ended := p.process, p.ended
	if pid != 0 {
		_ = syscall.Kill(pid, sign)
	}
	c.Unlock()
	if pid != 0 {
		<-ended
	}
}

// resume starts a halted program.
func (c *children) resume(p *program) error {
	c.Lock()
	defer c.Unlock()
	p.halted = false
	if p.process != 0 {
		return nil
	}
	return c.start(p)
}

func describe(status syscall.WaitStatus) string {
	if status.Signaled() {
		return "signal " + status.Signal().String()
	}
	return fmt.Sprintf("exit code %d", status.ExitStatus())
}
