package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// start makes the node that the settings, given as JSON, describe, unless it is running already. It returns as
// soon as keep has taken over; the file "ready" in the node's directory appears when the node is
// of use, "failed" when it never will be.
func start(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: onenode start SETTINGS")
	}
	s, err := parseSettings([]byte(args[0]))
	if err != nil {
		return err
	}
	unlock, err := lock(s.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	if keeper(s.Dir) != 0 {
		return nil
	}
	if err := clean(s.Dir); err != nil {
		return err
	}
	for _, name := range []string{"bin", "log/pods", "run", "tmp", "pki", "etc/cni"} {
		if err := os.MkdirAll(s.path(name), 0o755); err != nil {
			return err
		}
	}
	if err := s.link(); err != nil {
		return err
	}
	if err := s.write(); err != nil {
		return err
	}
	out, err := os.Create(s.path("log/keep.log"))
	if err != nil {
		return err
	}
	command := exec.Command(s.path("bin/onenode"), "keep", s.Dir)
	command.Dir = "/"
	command.Stdout, command.Stderr = out, out
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := command.Start(); err != nil {
		return err
	}
	// The lock is held until keep can be found: a start right after a killed one must see it.
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	for keeper(s.Dir) == 0 {
		select {
		case err := <-ended:
			said, _ := os.ReadFile(s.path("log/keep.log"))
			return fmt.Errorf("keep ended at once (%v): %s", err, strings.TrimSpace(string(said)))
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

// link gives the node its own names for the programs, so that the caches of builds can be emptied
// while it runs, and so that stop is there even then.
func (s *settings) link() error {
	names := map[string]string{"kubectl": "kubernetes"}
	for name, file := range s.Programs {
		target := s.path("bin", name)
		if err := os.Link(file, target); err != nil {
			content, err := os.ReadFile(file)
			if err == nil {
				err = os.WriteFile(target, content, 0o755)
			}
			if err != nil {
				return err
			}
		}
	}
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"} {
		names[name] = "kubernetes"
	}
	for name, target := range names {
		if err := os.Symlink(target, s.path("bin", name)); err != nil {
			return err
		}
	}
	return nil
}

// stop ends the node of a directory and removes all that it made, the directory too.
func stop(args []string) error {
	if len(args) != 1 || !filepath.IsAbs(args[0]) {
		return errors.New("usage: onenode stop /DIRECTORY")
	}
	unlock, err := lock(args[0])
	if err != nil {
		return err
	}
	defer unlock()
	return clean(args[0])
}

// lock makes sure that nodes are started and ended one at a time, in this directory. The lock lies
// beside the directory, since the directory comes and goes.
func lock(dir string) (func(), error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err != nil {
		return nil, fmt.Errorf("%s.lock: %w", dir, err)
	}
	return func() { file.Close() }, nil
}

// keeper is the process id of the directory's keep, or 0 when it does not run.
func keeper(dir string) int {
	pid, _ := recorded(filepath.Join(dir, "run/keep.pid"))
	return pid
}

// recorded reads a file of a process id, when that process started, and maybe more. The number alone
// may belong to somebody else by now, above all after the machine was started anew: then it is 0.
func recorded(file string) (pid int, more []string) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, nil
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, nil
	}
	pid, err = strconv.Atoi(fields[0])
	if err != nil || startTime(pid) != fields[1] {
		return 0, nil
	}
	return pid, fields[2:]
}

// startTime is when a process started, in ticks since boot; "" for one that is gone, or of which
// nothing is left but the entry that its parent has not read.
func startTime(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The name, second of the fields, may hold spaces and brackets.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 20 || fields[0] == "X" {
		return ""
	}
	// The first thread may have ended while others still let go of memory, files and mounts.
	if threads := fields[17]; fields[0] == "Z" && threads == "1" {
		return ""
	}
	return fields[19]
}
