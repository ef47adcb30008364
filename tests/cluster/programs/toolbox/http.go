package main

import (
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"sort"
	"strings"
	"time"
)

type headers http.Header

func (h headers) String() string { return "" }

func (h headers) Set(line string) error {
	name, value, found := strings.Cut(line, ":")
	if !found {
		return fmt.Errorf("%q is no header; write 'Name: value'", line)
	}
	http.Header(h).Add(strings.TrimSpace(name), strings.TrimSpace(value))
	return nil
}

// zeros is a reader of nothing but zeros.
type zeros struct{}

func (zeros) Read(buffer []byte) (int, error) {
	clear(buffer)
	return len(buffer), nil
}

// request makes one request and prints "STATUS TEXT" and the body. Exit code 0 means that a whole
// answer came, whatever its status; 1 that none did, or that it broke off.
func request(args []string) {
	flags := flag.NewFlagSet("http", flag.ExitOnError)
	method := flags.String("X", "", "method; POST with a body, else GET")
	header := headers{}
	flags.Var(header, "H", "header 'Name: value'; may be repeated")
	data := flags.String("d", "", "body")
	size := flags.Int64("zeros", 0, "body of this many zero bytes")
	timeout := flags.Duration("t", 10*time.Second, "limit for all of it")
	showHeaders := flags.Bool("i", false, "print the answer's headers, too")
	discard := flags.Bool("n", false, "print the body's length and the time instead of the body")
	authority := flags.String("ca", "", "file with the certificates to trust for https")
	insecure := flags.Bool("k", false, "trust any certificate")
	_ = flags.Parse(args)
	if flags.NArg() != 1 {
		fail(2, "usage: toolbox http [flags] URL")
	}
	var body io.Reader
	if *data != "" {
		body = strings.NewReader(*data)
	} else if *size > 0 {
		body = io.LimitReader(zeros{}, *size)
	}
	if *method == "" {
		*method = http.MethodGet
		if body != nil {
			*method = http.MethodPost
		}
	}
	call, err := http.NewRequest(*method, flags.Arg(0), body)
	if err != nil {
		fail(2, "http: %v", err)
	}
	call.Header = http.Header(header)
	if host := call.Header.Get("Host"); host != "" {
		call.Host = host
	}
	if *size > 0 {
		call.ContentLength = *size
	}
	client := &http.Client{
		Timeout:       *timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{TLSClientConfig: trust(*authority, *insecure)},
	}
	began := time.Now()
	answer, err := client.Do(call)
	if err != nil {
		fail(1, "http: %v", err)
	}
	defer answer.Body.Close()
	fmt.Println(answer.Status)
	if *showHeaders {
		var names []string
		for name := range answer.Header {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			fmt.Printf("%s: %s\n", name, strings.Join(answer.Header[name], ", "))
		}
		fmt.Println()
	}
	out := io.Writer(os.Stdout)
	if *discard {
		out = io.Discard
	}
	length, err := io.Copy(out, answer.Body)
	if err != nil {
		fail(1, "http: the body broke off after %d bytes: %v", length, err)
	}
	if *discard {
		fmt.Printf("%d bytes in %.3f s\n", length, time.Since(began).Seconds())
	}
}

func trust(file string, insecure bool) *tls.Config {
	config := &tls.Config{InsecureSkipVerify: insecure}
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			fail(2, "http: %v", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			fail(2, "http: %s holds no certificate", file)
		}
	}
	return config
}

// serve answers every request with what it was: "METHOD PATH", the headers, the body.
func serve(args []string) {
	fail(1, "serve: %v", http.ListenAndServe(argument(args, "ADDRESS"), http.HandlerFunc(
		func(answer http.ResponseWriter, call *http.Request) {
			fmt.Fprintf(answer, "%s %s\nHost: %s\n", call.Method, call.URL.RequestURI(), call.Host)
			_ = call.Header.Write(answer)
			fmt.Fprintln(answer)
			_, _ = io.Copy(answer, call.Body)
		})))
}
