package main

import (
	"fmt"
	"net"
	"net/http"
	"time"
)

// waitFor asks until the answer is no error.
func waitFor(what string, limit time.Duration, check func() error) error {
	deadline := time.Now().Add(limit)
	for {
		err := check()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %v for %s: %w", limit, what, err)
		}
		time.Sleep(25 * time.Millisecond)
	}
}

func patiently(what string, check func() error) func() error {
	return func() error { return waitFor(what, 90*time.Second, check) }
}

func dials(address string) func() error { return dialsNetwork("tcp", address) }

func dialsUnix(path string) func() error { return dialsNetwork("unix", path) }

func dialsNetwork(network, address string) func() error {
	return func() error {
		// Short: a Service's address without rules yet leads nowhere, and says nothing.
		connection, err := net.DialTimeout(network, address, 200*time.Millisecond)
		if err != nil {
			return err
		}
		return connection.Close()
	}
}

func plainAnswers(url string) func() error {
	client := &http.Client{Timeout: time.Second}
	return func() error {
		response, err := client.Get(url)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s", url, response.Status)
		}
		return nil
	}
}
