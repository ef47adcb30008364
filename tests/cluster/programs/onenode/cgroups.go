package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"
)

const cgroupMount = "/sys/fs/cgroup"

// hierarchies lists the roots of control groups: one for all on cgroup v2, one for each controller
// on v1 (where hybrid machines have v2 beside them, as "unified").
func hierarchies() []string {
	if _, err := os.Stat(filepath.Join(cgroupMount, "cgroup.controllers")); err == nil {
		return []string{cgroupMount}
	}
	entries, _ := os.ReadDir(cgroupMount)
	var roots []string
	for _, entry := range entries {
		if entry.IsDir() {
			roots = append(roots, filepath.Join(cgroupMount, entry.Name()))
		}
	}
	return roots
}

// makeCgroups makes the group below which kubelet puts its own: it insists that the group exists.
func makeCgroups(name string) error {
	roots := hierarchies()
	if len(roots) == 0 {
		return fmt.Errorf("no control groups are mounted at %s; the kubelet cannot do without", cgroupMount)
	}
	for _, root := range roots {
		// On v2 a group has the controllers that its parent hands down, and kubelet takes a group
		// that lacks one as missing. One write each: a controller that is not there fails alone.
		for _, controller := range []string{"cpu", "cpuset", "memory", "pids", "hugetlb", "io"} {
			_ = os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+"+controller), 0o644)
		}
		if err := os.Mkdir(filepath.Join(root, name), 0o755); err != nil && !os.IsExist(err) {
			return err
		}
	}
	return checkControllers(filepath.Join(roots[0], name))
}

// checkControllers says why kubelet would refuse a group of cgroup v2; its own words are that the
// group does not exist.
func checkControllers(group string) error {
	text, err := os.ReadFile(filepath.Join(group, "cgroup.controllers"))
	if os.IsNotExist(err) {
		return nil // v1
	} else if err != nil {
		return err
	}
	for _, needed := range []string{"cpu", "cpuset", "memory", "pids"} {
		if !slices.Contains(strings.Fields(string(text)), needed) {
			return fmt.Errorf("%s has the controllers %q, but kubelet needs %q: %s/cgroup.subtree_control does not take it, "+
				"as in a container whose processes are in its topmost group. Move those to a group below, or use the machine itself",
				group, strings.TrimSpace(string(text)), needed, cgroupMount)
		}
	}
	return nil
}

// removeCgroups removes the group and all below it. A group whose last process was just killed is
// busy for some milliseconds.
func removeCgroups(name string) error {
	deadline := time.Now().Add(10 * time.Second)
	for _, root := range hierarchies() {
		for {
			err := removeGroup(filepath.Join(root, name))
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				return err
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	return nil
}

func removeGroup(top string) error {
	var groups []string
	_ = filepath.WalkDir(top, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			groups = append(groups, path)
		}
		return nil
	})
	sort.Sort(sort.Reverse(sort.StringSlice(groups)))
	for _, group := range groups {
		if err := os.Remove(group); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return nil
}
