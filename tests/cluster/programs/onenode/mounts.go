package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Directories that CNI (results, addresses given out) and kubelet (links to logs) write to whatever
// their configuration says. Inside, something of the node's own is mounted on them.
var written = []string{"/var/lib/cni", "/var/log/containers"}

// makeMountPoints makes the directories of these that the host lacks, and notes which.
func makeMountPoints(note string) error {
	var made []string
	for _, directory := range written {
		if _, err := os.Stat(directory); os.IsNotExist(err) {
			made = append(made, directory)
		}
	}
	// Noted first: what is noted and was never made does no harm to whoever removes it.
	if err := os.WriteFile(note, []byte(strings.Join(made, "\n")), 0o600); err != nil {
		return err
	}
	for _, directory := range made {
		if err := os.MkdirAll(directory, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// removeMountPoints removes what makeMountPoints made, unless somebody has put something there.
func removeMountPoints(note string) {
	text, _ := os.ReadFile(note)
	for _, directory := range strings.Fields(string(text)) {
		_ = os.Remove(directory)
	}
	_ = os.Remove(note)
}

// mount arranges the node's own view of the file system. It is the host's, but for where its
// programs write outside of their own directory.
func (s *settings) mount() error {
	resolver, err := filepath.EvalSymlinks("/etc/resolv.conf")
	if err != nil {
		resolver = "/etc/resolv.conf"
	}
	// Private first, so that nothing reaches the host; then shared, which Pods with mount
	// propagation need.
	for _, flag := range []uintptr{syscall.MS_PRIVATE, syscall.MS_SHARED} {
		if err := syscall.Mount("", "/", "", syscall.MS_REC|flag, ""); err != nil {
			return fmt.Errorf("cannot set the propagation of mounts: %w", err)
		}
	}
	if err := syscall.Mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("cannot mount /proc: %w", err)
	}
	// Sockets of containerd's shims, iptables' lock, network namespaces: all below /run.
	for _, directory := range append([]string{"/run"}, written...) {
		if err := syscall.Mount("tmpfs", directory, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "mode=0755"); err != nil {
			return fmt.Errorf("cannot mount a tmpfs at %s: %w", directory, err)
		}
	}
	return s.mountResolver(resolver)
}

// mountResolver makes the names of Services resolve for what runs on the node itself.
func (s *settings) mountResolver(file string) error {
	text := []byte("search svc.cluster.local cluster.local\nnameserver " + dnsAddress + "\noptions ndots:3\n")
	if strings.HasPrefix(file, "/run/") {
		// systemd-resolved keeps it there, where there is an empty file system now.
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		return os.WriteFile(file, text, 0o644)
	}
	own := s.path("etc/resolv.conf")
	if err := os.WriteFile(own, text, 0o644); err != nil {
		return err
	}
	if err := syscall.Mount(own, file, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("cannot mount %s at %s: %w", own, file, err)
	}
	return nil
}
