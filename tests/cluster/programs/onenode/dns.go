package main

import "errors"

// dns starts CoreDNS, whose executable must be in the node's bin by now, and returns once names can be resolved.
func dns(args []string) error {
	if len(args) != 1 || args[0] != "resume" && args[0] != "restart" {
		return errors.New("usage: onenode dns resume|restart")
	}
	if err := ask(args[0])([]string{"coredns"}); err != nil {
		return err
	}
	if err := patiently("coredns", plainAnswers("http://127.0.0.1:8181/ready"))(); err != nil {
		return err
	}
	return patiently("kube-proxy to serve "+dnsAddress, dials(dnsAddress+":53"))()
}
