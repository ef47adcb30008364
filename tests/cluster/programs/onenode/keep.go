package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
)

// keep is the one process of the node on the host. It starts init in new namespaces, forwards
// connections to it, and lives exactly as long as it does.
func keep(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: onenode keep DIRECTORY")
	}
	// init dies with the thread that started it (Pdeathsig), so this one must stay.
	runtime.LockOSThread()
	s, err := readSettings(args[0])
	if err != nil {
		return err
	}
	pid := fmt.Sprintf("%d %s\n", os.Getpid(), startTime(os.Getpid()))
	if err := replaceFile(s.path("run/keep.pid"), []byte(pid)); err != nil {
		return err
	}
	if err := s.host(); err != nil {
		_ = replaceFile(s.path("failed"), []byte(err.Error()))
		return err
	}
	return nil
}

func (s *settings) host() error {
	// The kernel picks the port here, where others listen too; inside it is free anyway.
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.Port = listener.Addr().(*net.TCPAddr).Port
	if err := s.write(); err != nil {
		return err
	}
	if err := s.writeCertificates(); err != nil {
		return err
	}
	if err := saveKernel(s.beside("kernel.json")); err != nil {
		return err
	}
	if err := makeMountPoints(s.beside("mountpoints")); err != nil {
		return err
	}
	if err := makeCgroups(s.cgroup()); err != nil {
		return err
	}
	command := exec.Command(s.path("bin/onenode"), "init", s.Dir)
	command.Dir = "/"
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS,
		Pdeathsig:  syscall.SIGKILL,
	}
	if err := command.Start(); err != nil {
		return fmt.Errorf("cannot make network, PID and mount namespaces: %w (in a container this takes a privileged one)", err)
	}
	init := command.Process.Pid
	if err := s.recordInit(init); err != nil {
		return err
	}
	space, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", init))
	if err != nil {
		return err
	}
	go forward(listener, space, s.Port)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-signals
		_ = command.Process.Kill()
	}()
	signal.Ignore(syscall.SIGHUP)
	if err := command.Wait(); err != nil {
		return fmt.Errorf("init ended: %w", err)
	}
	return nil
}

// recordInit writes what exec and stop look for: the process, when it started, its PID namespace.
func (s *settings) recordInit(pid int) error {
	space, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
	if err != nil {
		return err
	}
	// stop kills all of this namespace: it must not be the host's.
	if own, err := os.Readlink("/proc/self/ns/pid"); err != nil || own == space {
		return fmt.Errorf("init shares the PID namespace of the host, %s (%v)", own, err)
	}
	return replaceFile(s.path("run/init.pid"), fmt.Appendf(nil, "%d %s %s\n", pid, startTime(pid), space))
}
