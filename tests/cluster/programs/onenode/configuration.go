package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// writeConfiguration writes the files that the programs are started with.
func (s *settings) writeConfiguration() error {
	snapshotter := "overlayfs"
	var system unix.Statfs_t
	if err := unix.Statfs(s.Dir, &system); err != nil {
		return err
	}
	if system.Type == unix.OVERLAYFS_SUPER_MAGIC {
		// In a container: an overlay cannot be the upper layer of another.
		snapshotter = "native"
	}
	for name, text := range s.configuration(snapshotter) {
		if err := os.WriteFile(s.path("etc", name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
