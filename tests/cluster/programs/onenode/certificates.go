package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

// authority signs certificates. Its key stays in the node's directory, for tests that want client
// certificates of their own.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         []byte
}

// writeCertificates makes all keys, certificates and kubeconfigs of a node. Every key is P-256:
// making an RSA key takes longer than all of these together.
func (s *settings) writeCertificates() error {
	ca, err := s.authority("ca", "kurun-test-ca")
	if err != nil {
		return err
	}
	front, err := s.authority("front-proxy-ca", "kurun-test-front-proxy-ca")
	if err != nil {
		return err
	}
	if err := s.serviceAccountKey(); err != nil {
		return err
	}
	node := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback, net.ParseIP(nodeAddress), net.ParseIP(nodeAddress6)}
	api := append([]net.IP{net.ParseIP(s.apiService()), net.ParseIP(secondAddress)}, node...)
	apiNames := []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}
	for _, c := range []struct {
		name, user, group string
		signer            *authority
		names             []string
		addresses         []net.IP
		kubeconfig        bool
	}{
		{name: "apiserver", user: "kube-apiserver", signer: ca, names: apiNames, addresses: api},
		{name: "apiserver-kubelet", user: "kube-apiserver-kubelet-client", group: "system:masters", signer: ca},
		{name: "front-proxy", user: "front-proxy-client", signer: front},
		{name: "admin", user: "admin", group: "system:masters", signer: ca, kubeconfig: true},
		{name: "controllers", user: "system:kube-controller-manager", signer: ca, kubeconfig: true},
		{name: "scheduler", user: "system:kube-scheduler", signer: ca, kubeconfig: true},
		{name: "proxy", user: "system:kube-proxy", signer: ca, kubeconfig: true},
		{name: "dns", user: "system:coredns", group: "system:masters", signer: ca, kubeconfig: true},
		{name: "node", user: "system:node:" + nodeName, group: "system:nodes", signer: ca, names: []string{nodeName}, addresses: node, kubeconfig: true},
	} {
		certificate, key, err := c.signer.sign(c.user, c.group, c.names, c.addresses)
		if err != nil {
			return err
		}
		if err := s.writePair(c.name, certificate, key); err != nil {
			return err
		}
		if c.kubeconfig {
			text := kubeconfig(s.Port, ca.pem, certificate, key)
			if err := replaceFile(s.path(c.name+".kubeconfig"), text); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *settings) authority(name, commonName string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := certificate(commonName, "")
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	keyText, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return &authority{parsed, key, text}, s.writePair(name, text, keyText)
}

func (a *authority) sign(user, group string, names []string, addresses []net.IP) (cert, key []byte, err error) {
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := certificate(user, group)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if len(addresses) > 0 {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	template.DNSNames, template.IPAddresses = names, addresses
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, secret.Public(), a.key)
	if err != nil {
		return nil, nil, err
	}
	key, err = encodeKey(secret)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key, err
}

func certificate(user, group string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	name := pkix.Name{CommonName: user}
	if group != "" {
		name.Organization = []string{group}
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      name,
		// An hour back: tests may set a clock that differs.
		NotBefore: time.Now().Add(-time.Hour),
		NotAfter:  time.Now().Add(365 * 24 * time.Hour),
	}
}

// serviceAccountKey makes the key that signs the tokens of ServiceAccounts.
func (s *settings) serviceAccountKey() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	private, err := encodeKey(key)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.path("pki/service-account.key"), private, 0o600); err != nil {
		return err
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	return os.WriteFile(s.path("pki/service-account.pub"), public, 0o600)
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}

func (s *settings) writePair(name string, cert, key []byte) error {
	if err := os.WriteFile(s.path("pki", name+".crt"), cert, 0o600); err != nil {
		return err
	}
	return os.WriteFile(s.path("pki", name+".key"), key, 0o600)
}

// kubeconfig works on the host and inside alike: the address is the same, 127.0.0.1 and the port.
func kubeconfig(port int, ca, cert, key []byte) []byte {
	encode := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: kurun-test
clusters:
- name: kurun-test
  cluster:
    server: https://127.0.0.1:%d
    certificate-authority-data: %s
users:
- name: kurun-test
  user:
    client-certificate-data: %s
    client-key-data: %s
contexts:
- name: kurun-test
  context:
    cluster: kurun-test
    user: kurun-test
`, port, encode(ca), encode(cert), encode(key))
}
