package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
)

// These belong to the whole machine, and kubelet sets them when it starts (setupKernelTunables);
// everything else that the node sets lies in its own network namespace.
var machineWide = []string{
	"vm/overcommit_memory", "vm/panic_on_oom",
	"kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
}

// saveKernel writes down the values that kubelet is about to change.
func saveKernel(file string) error {
	values := map[string]string{}
	for _, name := range machineWide {
		if text, err := os.ReadFile(filepath.Join("/proc/sys", name)); err == nil {
			values[name] = strings.TrimSpace(string(text))
		}
	}
	text, err := json.MarshalIndent(values, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(file, text)
}

// restoreKernel puts back what saveKernel wrote down, if there is such a file.
func restoreKernel(file string) error {
	text, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return nil
	} else if err != nil {
		return err
	}
	values := map[string]string{}
	if err := json.Unmarshal(text, &values); err != nil {
		return err
	}
	for name, value := range values {
		if err := os.WriteFile(filepath.Join("/proc/sys", name), []byte(value), 0o644); err != nil {
			return err
		}
	}
	return os.Remove(file)
}
