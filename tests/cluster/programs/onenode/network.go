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
	for _, line := range []string{
		"link set lo up",
		"link add knode0 type bridge",
		"address add " + nodeAddress + "/32 dev knode0",
		"link set knode0 up",
		"route add default dev knode0",
	} {
		if err := run("ip", append([]string{"ip"}, strings.Fields(line)...)...); err != nil {
			return fmt.Errorf("ip %s: %w", line, err)
		}
	}
	for name, value := range map[string]string{
		"ipv4/ip_forward": "1",
		// Connections to and from 127.0.0.1 on the node must not take the API server's port while
		// it restarts.
		"ipv4/ip_local_reserved_ports": strconv.Itoa(s.Port),
	} {
		if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0o644); err != nil {
			return err
		}
	}
	return nil
}
