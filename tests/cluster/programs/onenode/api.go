package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// api speaks to the node's API server as its administrator.
type api struct {
	client *http.Client
	base   string
}

func (s *settings) client(address string) (*api, error) {
	pair, err := tls.LoadX509KeyPair(s.path("pki/admin.crt"), s.path("pki/admin.key"))
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(s.path("pki/ca.crt"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return &api{
		client: &http.Client{
			Timeout:   5 * time.Second,
			Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}},
		},
		base: "https://" + address,
	}, nil
}

func (a *api) get(path string) ([]byte, error) {
	response, err := a.client.Get(a.base + path)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %.200s", path, response.Status, body)
	}
	return body, err
}

func (a *api) answers(path string) func() error {
	return func() error {
		_, err := a.get(path)
		return err
	}
}

// create makes an object; one that is there already is as good.
func (a *api) create(path, object string) error {
	response, err := a.client.Post(a.base+path, "application/yaml", bytes.NewBufferString(object))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusCreated && response.StatusCode != http.StatusConflict {
		return fmt.Errorf("POST %s: %s: %.300s", path, response.Status, body)
	}
	return nil
}

func (a *api) nodeReady() error {
	body, err := a.get("/api/v1/nodes/" + nodeName)
	if err != nil {
		return err
	}
	var node struct {
		Spec struct {
			Taints []struct{ Key string }
		}
		Status struct {
			Conditions []struct{ Type, Status, Message string }
		}
	}
	if err := json.Unmarshal(body, &node); err != nil {
		return err
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == "Ready" && condition.Status != "True" {
			return fmt.Errorf("node %s is not Ready: %s", nodeName, condition.Message)
		}
	}
	// A new node is tainted until the controllers have seen it Ready: no Pod is scheduled before.
	if len(node.Spec.Taints) > 0 || len(node.Status.Conditions) == 0 {
		return fmt.Errorf("node %s has taints %v and %d conditions", nodeName, node.Spec.Taints, len(node.Status.Conditions))
	}
	return nil
}

// createDNS makes the Service that every Pod asks for names. CoreDNS is a process on the node and no
// Pod, so its one endpoint is written by hand.
func (a *api) createDNS() error {
	service := fmt.Sprintf(`
apiVersion: v1
kind: Service
metadata: {name: kube-dns, labels: {k8s-app: kube-dns, kubernetes.io/name: CoreDNS}}
spec:
  clusterIP: %s
  ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53, protocol: TCP}]
`, dnsAddress)
	slice := fmt.Sprintf(`
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: kube-dns, labels: {kubernetes.io/service-name: kube-dns}}
addressType: IPv4
endpoints: [{addresses: [%s], conditions: {ready: true}}]
ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53, protocol: TCP}]
`, nodeAddress)
	const namespace = "/namespaces/kube-system/"
	// The API server makes the namespace by itself, a moment after it says that it is ready.
	return waitFor("the Service of cluster DNS", 30*time.Second, func() error {
		if err := a.create("/api/v1"+namespace+"services", service); err != nil {
			return err
		}
		return a.create("/apis/discovery.k8s.io/v1"+namespace+"endpointslices", slice)
	})
}
