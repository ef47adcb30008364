package main

import (
	"fmt"
	"maps"
)

const containerdSocket = "/run/containerd/containerd.sock"

// commands are the command lines of the node's programs.
func (s *settings) commands() map[string][]string {
	pki := func(name string) string { return s.path("pki", name) }
	config := func(name string) string { return s.path("etc", name) }
	commands := map[string][]string{
		"containerd": {"containerd", "--config", config("containerd.toml")},
		"etcd": {
			"etcd",
			"--data-dir", s.path("etcd"),
			"--listen-client-urls", "http://127.0.0.1:2379",
			"--advertise-client-urls", "http://127.0.0.1:2379",
			"--listen-peer-urls", "http://127.0.0.1:2380",
			"--initial-advertise-peer-urls", "http://127.0.0.1:2380",
			"--initial-cluster", "default=http://127.0.0.1:2380",
			// What a power cut would lose is of no use to anybody.
			"--unsafe-no-fsync",
			"--log-level", "warn",
		},
		"kube-controller-manager": {
			"kube-controller-manager",
			"--kubeconfig=" + s.path("controllers.kubeconfig"),
			"--controllers=*,bootstrapsigner,tokencleaner",
			"--use-service-account-credentials",
			"--service-account-private-key-file=" + pki("service-account.key"),
			"--root-ca-file=" + pki("ca.crt"),
			"--cluster-signing-cert-file=" + pki("ca.crt"),
			"--cluster-signing-key-file=" + pki("ca.key"),
			"--allocate-node-cidrs=true",
			"--cluster-cidr=" + s.families(podCIDR, podCIDR6),
			"--leader-elect=false",
			"--kube-api-qps=100", "--kube-api-burst=200",
		},
		"kube-scheduler": {
			"kube-scheduler",
			"--kubeconfig=" + s.path("scheduler.kubeconfig"),
			"--leader-elect=false",
		},
		"kubelet": {
			"kubelet",
			"--config=" + config("kubelet.yaml"),
			"--kubeconfig=" + s.path("node.kubeconfig"),
			"--hostname-override=" + nodeName,
			"--node-ip=" + s.families(nodeAddress, nodeAddress6),
			"--root-dir=" + s.path("kubelet"),
			"--cert-dir=" + s.path("kubelet/pki"),
		},
		"kube-proxy": {"kube-proxy", "--config=" + config("proxy.yaml")},
		"coredns":    {"coredns", "-conf", config("Corefile")},
	}
	for _, server := range s.apiServers() {
		commands[server.name] = s.throughKonnectivity(s.apiServerCommand(server))
	}
	maps.Copy(commands, s.topologyCommands())
	return commands
}

func (s *settings) apiServerCommand(server apiServer) []string {
	pki := func(name string) string { return s.path("pki", name) }
	command := []string{
		"kube-apiserver",
		"--etcd-servers=http://" + server.etcd,
		"--secure-port=" + server.port,
		"--service-cluster-ip-range=" + s.families(serviceCIDR, serviceCIDR6),
		"--allow-privileged=true",
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--client-ca-file=" + pki("ca.crt"),
		"--tls-cert-file=" + pki("apiserver.crt"),
		"--tls-private-key-file=" + pki("apiserver.key"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + pki("service-account.pub"),
		"--service-account-signing-key-file=" + pki("service-account.key"),
		"--kubelet-client-certificate=" + pki("apiserver-kubelet.crt"),
		"--kubelet-client-key=" + pki("apiserver-kubelet.key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--requestheader-client-ca-file=" + pki("front-proxy-ca.crt"),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + pki("front-proxy.crt"),
		"--proxy-client-key-file=" + pki("front-proxy.key"),
	}
	if s.Topology == twoAPIServers {
		return append(command, "--bind-address="+server.address, "--advertise-address="+server.address)
	}
	return append(command, "--advertise-address="+s.first(nodeAddress, nodeAddress6))
}

// configuration are the files that these command lines name.
func (s *settings) configuration(snapshotter string) map[string]string {
	return map[string]string{
		"containerd.toml": fmt.Sprintf(`version = 2
root = %q
state = "/run/containerd"
# They look for devices and file systems that are not used; "opt" makes /opt/containerd.
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = %q
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  # Without CAP_SYS_RESOURCE no oom score can be lowered, and every Pod fails with "can't get final
  # child's PID from pipe".
  restrict_oom_score_adj = true
  # A profile would be loaded into the host's kernel, and stay.
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = %q
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = %q
    conf_dir = %q
`, s.path("containerd"), containerdSocket, s.PauseImage, snapshotter, s.CNI, s.path("etc/cni")),

		// Routed, no bridge: what a Service's endpoint answers to a Pod beside it must pass
		// netfilter to be translated back, and through a bridge it does so only where the kernel
		// has br_netfilter.
		"cni/10-pods.conflist": fmt.Sprintf(`{
  "cniVersion": "0.4.0",
  "name": "pods",
  "plugins": [
    {
      "type": "ptp",
      "ipam": {
        "type": "host-local",
        "ranges": [%s],
        "routes": [%s]
      }
    },
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
`, s.families(`[{"subnet": "`+podCIDR+`"}]`, `[{"subnet": "`+podCIDR6+`"}]`),
			s.families(`{"dst": "0.0.0.0/0"}`, `{"dst": "::/0"}`)),

		"egress.yaml": egressSelector,

		"kubelet.yaml": fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: %[1]s}}
authorization: {mode: Webhook}
tlsCertFile: %[2]s
tlsPrivateKeyFile: %[3]s
containerRuntimeEndpoint: unix://%[4]s
cgroupDriver: cgroupfs
cgroupRoot: /%[5]s
failCgroupV1: false
failSwapOn: false
clusterDomain: cluster.local
clusterDNS: [%[6]s]
resolvConf: /etc/resolv.conf
podLogsDir: %[7]s
volumePluginDir: %[8]s
serializeImagePulls: false
maxPods: 200
# Nothing can be pulled again, so no image is ever collected, and Pods are put out late.
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 50Mi, nodefs.available: 1%%, imagefs.available: 1%%, nodefs.inodesFree: 1%%}
`, s.path("pki/ca.crt"), s.path("pki/node.crt"), s.path("pki/node.key"), containerdSocket,
			s.cgroup(), dnsAddress, s.path("log/pods"), s.path("kubelet/plugins-exec")),

		"proxy.yaml": fmt.Sprintf(`apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clientConnection: {kubeconfig: %s}
clusterCIDR: %s
hostnameOverride: %s
# These would be written to the whole machine's settings.
conntrack: {maxPerCore: 0, min: 0}
# A test that waits for an endpoint waits for this.
iptables: {minSyncPeriod: 100ms}
`, s.path("proxy.kubeconfig"), s.families(podCIDR, podCIDR6), nodeName),

		// There is no way out of the node, so every other name is answered at once: it does not exist.
		"Corefile": fmt.Sprintf(`cluster.local:53 in-addr.arpa:53 ip6.arpa:53 {
  bind %[1]s
  errors
  ready 127.0.0.1:8181
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    kubeconfig %[2]s
    pods insecure
    ttl 5
  }
}
.:53 {
  bind %[1]s
  template ANY ANY . {
    rcode NXDOMAIN
  }
}
`, nodeAddress, s.path("dns.kubeconfig")),
	}
}
