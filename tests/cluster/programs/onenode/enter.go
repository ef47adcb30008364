package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// enter runs a command inside a node, from the same working directory, and ends as it ends. Unlike
// nsenter(1) it passes signals on, and takes the command with it when it is killed itself.
func enter(args []string) error {
	if len(args) < 2 {
		return errors.New("usage: onenode enter DIRECTORY COMMAND…")
	}
	init, _ := recorded(filepath.Join(args[0], "run/init.pid"))
	if init == 0 {
		return fmt.Errorf("no node runs in %s", args[0])
	}
	directory, err := os.Getwd()
	if err != nil {
		return err
	}
	// The namespaces are this thread's from here on; the child is started by it and dies with it.
	runtime.LockOSThread()
	if err := joinNamespaces(init); err != nil {
		return err
	}
	command := exec.Command(filepath.Join(args[0], "bin/onenode"), append([]string{"become"}, args[1:]...)...)
	command.Dir = directory
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2)
	if err := command.Start(); err != nil {
		return err
	}
	go func() {
		terminal := isTerminal(0)
		for s := range signals {
			// A terminal has sent it to the command as well, and a second Ctrl+C means more than one.
			if terminal && (s == syscall.SIGINT || s == syscall.SIGQUIT) {
				continue
			}
			_ = command.Process.Signal(s)
		}
	}()
	err = command.Wait()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		return err
	}
	status := command.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		os.Exit(128 + int(status.Signal()))
	}
	os.Exit(status.ExitStatus())
	return nil
}

// become turns this process into a command that dies with enter. os/exec can ask for that signal, but
// then compares parents, and across PID namespaces the parent is 0: the child would end at once.
func become(args []string) error {
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0, 0, 0); err != nil {
		return err
	}
	path, err := exec.LookPath(args[0])
	if err != nil {
		return err
	}
	return syscall.Exec(path, args, os.Environ())
}

// joinNamespaces moves this thread, and what it starts, to where a process is.
func joinNamespaces(pid int) error {
	// A thread that shares its root and working directory with others cannot change its mounts.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	spaces := map[string]int{"net": unix.CLONE_NEWNET, "pid": unix.CLONE_NEWPID, "mnt": unix.CLONE_NEWNS}
	files := map[string]*os.File{}
	for name := range spaces {
		file, err := os.Open(fmt.Sprintf("/proc/%d/ns/%s", pid, name))
		if err != nil {
			return err
		}
		defer file.Close()
		files[name] = file
	}
	for name, kind := range spaces {
		if err := unix.Setns(int(files[name].Fd()), kind); err != nil {
			return fmt.Errorf("cannot enter the node's %s namespace: %w", name, err)
		}
	}
	return nil
}

func isTerminal(descriptor int) bool {
	_, err := unix.IoctlGetTermios(descriptor, unix.TCGETS)
	return err == nil
}
