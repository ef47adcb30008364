package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// network gives the node its address. A bridge without ports carries it, since kernels cut down for
// small machines lack the dummy device. The default route leads nowhere, but without one a
// connection to a Service's address is "unreachable" before kube-proxy's rules see it.
func (s *settings) network(run func(name string, argv ...string) error) error {
	lines := []string{
		"link set lo up",
		"link add knode0 type bridge",
		"address add " + nodeAddress + "/32 dev knode0",
		"link set knode0 up",
		"route add default dev knode0",
	}
	if s.Topology == twoAPIServers {
		lines = append(lines, "address add "+secondAddress+"/32 dev knode0")
	}
	if s.hasIPv6() {
		// On lo: the kernel does not use an IPv6 address of a bridge without ports.
		lines = append(lines, "address add "+nodeAddress6+"/128 dev lo", "-6 route add default dev knode0")
	}
	for _, line := range lines {
		if err := run("ip", append([]string{"ip"}, strings.Fields(line)...)...); err != nil {
			return fmt.Errorf("ip %s: %w", line, err)
		}
	}
	values := map[string]string{
		"ipv4/ip_forward": "1",
		// Connections to and from 127.0.0.1 on the node must not take the API server's port while
		// it restarts.
		"ipv4/ip_local_reserved_ports": strconv.Itoa(s.Port),
	}
	if s.hasIPv6() {
		values["ipv6/conf/all/forwarding"] = "1"
	}
	for name, value := range values {
		if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0o644); err != nil {
			return err
		}
	}
	return s.onlyThroughKonnectivity(run)
}
