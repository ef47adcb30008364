package main

import (
	"errors"
	"fmt"
	"log"
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// initialise is the node's process 1. It returns only when the node cannot be made.
func initialise(args []string) error {
	if len(args) != 1 || os.Getpid() != 1 {
		return errors.New("this is the node's process 1; keep starts it")
	}
	s, err := readSettings(args[0])
	if err != nil {
		return err
	}
	if err := s.bring(); err != nil {
		_ = replaceFile(s.path("failed"), []byte(err.Error()))
		return err
	}
	select {}
}

func (s *settings) bring() error {
	began := time.Now()
	step := func(text string) {
		log.Printf("%5.1f s: %s", time.Since(began).Seconds(), text)
		_ = os.WriteFile(s.path("step"), []byte(text), 0o644)
	}
	for name, value := range map[string]string{
		"PATH":       s.path("bin") + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"TMPDIR":     s.path("tmp"),
		"HOME":       s.path("tmp"),
		"KUBECONFIG": s.path("admin.kubeconfig"),
	} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	c := &children{
		log: func(name string) (*os.File, error) {
			return os.OpenFile(s.path("log", name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		},
		env:      os.Environ(),
		waiting:  map[int]chan syscall.WaitStatus{},
		programs: map[string]*program{},
	}
	c.reap()
	step("mounts and network")
	if err := s.mount(); err != nil {
		return err
	}
	if err := s.network(c.run); err != nil {
		return err
	}
	if err := s.writeConfiguration(); err != nil {
		return err
	}
	if err := s.serveControl(c); err != nil {
		return err
	}
	return s.startPrograms(c, step)
}

// startPrograms starts everything as early as it can do something, and waits until a Pod can run.
func (s *settings) startPrograms(c *children, step func(string)) error {
	commands := s.commands()
	begin := func(names ...string) error {
		for _, name := range names {
			if err := c.keep(name, commands[name]...); err != nil {
				return err
			}
		}
		return nil
	}
	step("etcd and containerd")
	if err := begin("etcd", "containerd"); err != nil {
		return err
	}
	images := make(chan error, 1)
	go func() { images <- s.importImages(c) }()
	if err := waitFor("etcd", 60*time.Second, dials("127.0.0.1:2379")); err != nil {
		return err
	}
	step("kube-apiserver")
	if err := begin(slices.Collect(maps.Keys(s.topologyCommands()))...); err != nil {
		return err
	}
	for _, server := range s.apiServers() {
		if err := begin(server.name); err != nil {
			return err
		}
	}
	for _, server := range s.apiServers() {
		api, err := s.client(net.JoinHostPort(server.address, server.port))
		if err != nil {
			return err
		}
		if err := waitFor(server.name, 90*time.Second, api.answers("/readyz")); err != nil {
			return err
		}
	}
	api, err := s.client(fmt.Sprintf("127.0.0.1:%d", s.Port))
	if err != nil {
		return err
	}
	step("controllers, scheduler, kubelet, proxy")
	if err := begin("kubelet", "kube-controller-manager", "kube-proxy", "kube-scheduler"); err != nil {
		return err
	}
	// CoreDNS is built and started only where something needs names: see dns.
	c.know("coredns", commands["coredns"]...)
	if err := api.createDNS(); err != nil {
		return err
	}
	var all sync.WaitGroup
	failures := make(chan error, 8)
	for name, check := range map[string]func() error{
		"the images":                func() error { return <-images },
		"the node":                  patiently("the node to be Ready", api.nodeReady),
		"default ServiceAccount":    patiently("the default ServiceAccount", api.answers("/api/v1/namespaces/default/serviceaccounts/default")),
		"Service of the API server": patiently("kube-proxy to serve "+s.apiService(), dials(net.JoinHostPort(s.apiService(), "443"))),
	} {
		all.Add(1)
		go func() {
			defer all.Done()
			if err := check(); err != nil {
				failures <- fmt.Errorf("%s: %w", name, err)
				return
			}
			step(name + ": there")
		}()
	}
	all.Wait()
	select {
	case err := <-failures:
		return err
	default:
	}
	step("ready")
	return replaceFile(s.path("ready"), []byte(time.Now().UTC().Format(time.RFC3339)+"\n"))
}

func (s *settings) importImages(c *children) error {
	if err := waitFor("containerd", 60*time.Second, dialsUnix(containerdSocket)); err != nil {
		return err
	}
	for _, archive := range s.Images {
		// containerd listens before all of its plugins are there.
		if err := waitFor("an import of "+archive, 30*time.Second, func() error {
			return c.run("images", "ctr", "--namespace", "k8s.io", "images", "import", archive)
		}); err != nil {
			return err
		}
	}
	return nil
}
