package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// clean ends whatever is left of a directory's node, at whatever point it broke, and removes its
// traces: processes, control groups, mounts, kernel settings, directories.
func clean(dir string) error {
	s := &settings{Dir: dir}
	if err := endProcesses(dir); err != nil {
		return err
	}
	if err := removeCgroups(s.cgroup()); err != nil {
		return err
	}
	if err := unmountBelow(dir); err != nil {
		return err
	}
	if err := restoreKernel(s.beside("kernel.json")); err != nil {
		return err
	}
	removeMountPoints(s.beside("mountpoints"))
	return removeDirectory(dir)
}

// endProcesses kills the node's processes and waits until they are gone. Killing keep kills init
// (Pdeathsig) and so the whole PID namespace; whoever is left after a second is killed one by one,
// in case that chain was broken.
func endProcesses(dir string) error {
	if pid := keeper(dir); pid != 0 {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	began, left := time.Now(), map[int]string{}
	for {
		for pid, started := range processesOf(dir) {
			left[pid] = started
		}
		for pid, started := range left {
			if startTime(pid) != started {
				delete(left, pid)
			} else if time.Since(began) > time.Second {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		if len(left) == 0 {
			return nil
		}
		if time.Since(began) > 20*time.Second {
			return fmt.Errorf("processes of the node in %s do not end, 20 s after SIGKILL: %v", dir, left)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// processesOf finds keep, init, and all that init ever started, shims and Pods too: they run a
// program of the node's, or in its PID namespace. With each goes when it started.
func processesOf(dir string) map[int]string {
	found := map[int]string{}
	// A namespace's name is given out again later, so it counts only while init is there; init is the
	// last of them to go.
	inside := ""
	if _, more := recorded(filepath.Join(dir, "run/init.pid")); len(more) > 0 {
		inside = more[0]
	}
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		started := startTime(pid)
		if err != nil || pid == os.Getpid() || started == "" {
			continue
		}
		executable, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		namespace, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
		arguments, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		argv := strings.Split(string(arguments), "\x00")
		// Another stop, one that waits for the lock.
		stops := len(argv) > 2 && argv[1] == "stop"
		if namespace != "" && namespace == inside || strings.HasPrefix(executable, dir+"/bin/") && !stops {
			found[pid] = started
		}
	}
	return found
}

// unmountBelow undoes mounts that are seen from here. There should be none: the node's mounts lie in
// its own namespace and end with it.
func unmountBelow(dir string) error {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	defer file.Close()
	var points []string
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) > 4 && strings.HasPrefix(fields[4], dir+"/") {
			points = append(points, fields[4])
		}
	}
	sort.Sort(sort.Reverse(sort.StringSlice(points)))
	for _, point := range points {
		if err := syscall.Unmount(point, syscall.MNT_DETACH); err != nil {
			return fmt.Errorf("umount %s: %w", point, err)
		}
	}
	return nil
}

// removeDirectory leaves the executable that may be running this for last: a stop that is killed
// half way can then be called again.
func removeDirectory(dir string) error {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil
	} else if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Name() != "bin" {
			if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	return os.RemoveAll(dir)
}
