package main

import (
	"fmt"
	"net"
	"strings"
)

// The topologies that a node can have; ../../variant.ts has the same.
const (
	// One API server, and IPv4.
	usual = "one-node"
	// Two API servers share one etcd, and every client goes through a TCP balancer.
	twoAPIServers = "two-api-servers"
	// The node, Pods and Services have IPv4 and IPv6.
	dualStack = "dual-stack"
	// The same, with IPv6 as the family of Services that ask for none.
	dualStackIPv6 = "dual-stack-ipv6"
	// The API server reaches Pods, Services and kubelet only through Kubernetes' network proxy.
	konnectivity = "konnectivity"
)

const (
	nodeAddress6 = "fd00:10:200::1"
	serviceCIDR6 = "fd00:10:96::/112"
	podCIDR6     = "fd00:10:244::/64"
	// The second API server's; Endpoints have one port for all addresses.
	secondAddress = "10.200.0.2"
	apiPort       = "6443"
	etcdAddress   = "127.0.0.1:2379"
	// The same etcd, as the second API server reaches it; see delay.
	lateEtcdAddress = "127.0.0.1:2377"
)

func (s *settings) checkTopology() error {
	switch s.Topology {
	case usual, twoAPIServers, dualStack, dualStackIPv6, konnectivity:
		return nil
	}
	return fmt.Errorf("the node's settings: topology is %q; it must be %s",
		s.Topology, strings.Join([]string{usual, twoAPIServers, dualStack, dualStackIPv6, "or " + konnectivity}, ", "))
}

// hasIPv6 says whether the node, its Pods and its Services have addresses of both families.
func (s *settings) hasIPv6() bool {
	return s.Topology == dualStack || s.Topology == dualStackIPv6
}

// families are the values for IPv4 and IPv6 as command lines take them, the first family first.
func (s *settings) families(four, six string) string {
	switch s.Topology {
	case dualStack:
		return four + "," + six
	case dualStackIPv6:
		return six + "," + four
	}
	return four
}

// first is the value of the family that comes first.
func (s *settings) first(four, six string) string {
	value, _, _ := strings.Cut(s.families(four, six), ",")
	return value
}

// apiService is the ClusterIP of the API server's own Service: the first of its range.
func (s *settings) apiService() string {
	return s.first("10.96.0.1", "fd00:10:96::1")
}

// apiServer is a kube-apiserver: its name among the programs, where it listens, and its etcd.
type apiServer struct {
	name, address, port, etcd string
}

// apiServers are the API servers. The only one listens where clients expect it; two listen behind the balancer.
func (s *settings) apiServers() []apiServer {
	if s.Topology != twoAPIServers {
		return []apiServer{{"kube-apiserver", "127.0.0.1", fmt.Sprint(s.Port), etcdAddress}}
	}
	return []apiServer{
		{"kube-apiserver-1", nodeAddress, apiPort, etcdAddress},
		{"kube-apiserver-2", secondAddress, apiPort, lateEtcdAddress},
	}
}

// topologyCommands are the command lines of programs that only some topologies have.
func (s *settings) topologyCommands() map[string][]string {
	switch s.Topology {
	case twoAPIServers:
		balancer := []string{"onenode", "balance", fmt.Sprintf("127.0.0.1:%d", s.Port)}
		for _, server := range s.apiServers() {
			balancer = append(balancer, net.JoinHostPort(server.address, server.port))
		}
		return map[string][]string{
			"balancer":   balancer,
			"etcd-delay": {"onenode", "delay", lateEtcdAddress, etcdAddress},
		}
	case konnectivity:
		return s.konnectivityCommands()
	}
	return nil
}
