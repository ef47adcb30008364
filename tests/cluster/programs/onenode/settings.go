package main

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
)

const (
	nodeName    = "one"
	nodeAddress = "10.200.0.1"
	dnsAddress  = "10.96.0.10"
	serviceCIDR = "10.96.0.0/16"
	// As large as a node's share by default, so that the one node takes the whole of it.
	podCIDR = "10.244.0.0/24"
)

// settings are what one node is made of; start writes them, keep and init read them.
type settings struct {
	// Dir is the one place for all that the node writes.
	Dir string `json:"dir"`
	// Key says what the node was made from; who starts it compares.
	Key string `json:"key"`
	// Programs maps names of executables to where they were built.
	Programs map[string]string `json:"programs"`
	// CNI is the directory with the CNI plugins.
	CNI string `json:"cni"`
	// Images are archives to import before the node counts as ready.
	Images []string `json:"images"`
	// PauseImage is the image of every Pod's first container; one of Images has it.
	PauseImage string `json:"pauseImage"`
	// Topology says how the programs are arranged; see topology.go.
	Topology string `json:"topology"`
	// Port is where the API server listens, inside and, through keep, on the host.
	Port int `json:"port"`
}

func readSettings(dir string) (*settings, error) {
	text, err := os.ReadFile(filepath.Join(dir, "node.json"))
	if err != nil {
		return nil, err
	}
	return parseSettings(text)
}

func parseSettings(text []byte) (*settings, error) {
	s := &settings{}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("the node's settings: %w", err)
	}
	if !filepath.IsAbs(s.Dir) {
		return nil, fmt.Errorf("the node's settings: dir is %q; it must be an absolute path", s.Dir)
	}
	return s, s.checkTopology()
}

func (s *settings) write() error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(s.path("node.json"), text)
}

func (s *settings) path(parts ...string) string {
	return filepath.Join(append([]string{s.Dir}, parts...)...)
}

// beside is where that is written down which the host must get back, even when somebody has removed
// the node's directory.
func (s *settings) beside(name string) string {
	return s.Dir + "." + name
}

// cgroup names the control group that holds all Pods; it differs between directories, so that two
// nodes on one machine do not remove each other's.
func (s *settings) cgroup() string {
	sum := fnv.New32a()
	sum.Write([]byte(s.Dir))
	return fmt.Sprintf("kurun-%08x", sum.Sum32())
}

// replaceFile writes a file whole or not at all: readers on the other side poll for it.
func replaceFile(name string, content []byte) error {
	if err := os.WriteFile(name+".new", content, 0o600); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}
