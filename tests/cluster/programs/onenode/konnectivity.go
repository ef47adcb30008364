package main

// The group that the API server runs as, so that a rule can tell its connections from those of others.
const apiServerGroup = "65500"

const konnectivitySocket = "/run/kurun/konnectivity.sock"

// konnectivityCommands are the command lines of the network proxy's two ends. The agent connects to the server; the API
// server asks the server for connections, and the agent makes them.
func (s *settings) konnectivityCommands() map[string][]string {
	pki := func(name string) string { return s.path("pki", name) }
	return map[string][]string{
		"konnectivity-server": {
			"konnectivity", "server",
			"--mode=grpc",
			"--uds-name=" + konnectivitySocket,
			"--delete-existing-uds-file",
			"--server-port=0",
			"--agent-port=8132",
			"--cluster-ca-cert=" + pki("ca.crt"),
			"--cluster-cert=" + pki("apiserver.crt"),
			"--cluster-key=" + pki("apiserver.key"),
			"--health-port=8134", "--admin-port=8133",
		},
		"konnectivity-agent": {
			"konnectivity", "agent",
			"--ca-cert=" + pki("ca.crt"),
			"--agent-cert=" + pki("node.crt"),
			"--agent-key=" + pki("node.key"),
			"--proxy-server-host=127.0.0.1",
			"--proxy-server-port=8132",
			"--health-server-port=8093", "--admin-server-port=8094",
		},
	}
}

// throughKonnectivity changes the API server's command line so that it goes the proxy's way.
func (s *settings) throughKonnectivity(command []string) []string {
	if s.Topology != konnectivity {
		return command
	}
	command = append(command, "--egress-selector-config-file="+s.path("etc/egress.yaml"))
	return append([]string{"setpriv", "--regid=" + apiServerGroup, "--clear-groups"}, command...)
}

const egressSelector = `apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
- name: cluster
  connection:
    proxyProtocol: GRPC
    transport: {uds: {udsName: ` + konnectivitySocket + `}}
`

// onlyThroughKonnectivity refuses every other connection that the API server makes, except to the loopback addresses
// of etcd and itself.
func (s *settings) onlyThroughKonnectivity(run func(name string, argv ...string) error) error {
	if s.Topology != konnectivity {
		return nil
	}
	return run("iptables", "iptables", "-w", "-A", "OUTPUT", "-m", "owner", "--gid-owner", apiServerGroup,
		"-m", "conntrack", "--ctstate", "NEW", "!", "-d", "127.0.0.0/8", "-j", "REJECT")
}
