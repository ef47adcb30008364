// A web server that is reachable on this machine's localhost.
//
//	kurun run -p 8080:8080 examples/web/main.go
//	curl localhost:8080/you
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	address := flag.String("listen", ":8080", "where to listen")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	host, _ := os.Hostname()
	http.HandleFunc("/", func(answer http.ResponseWriter, request *http.Request) {
		name := cmp.Or(strings.TrimPrefix(request.URL.Path, "/"), "world")
		fmt.Fprintf(answer, "Hello, %s, from %s\n", name, host)
		fmt.Println(request.Method, request.URL.Path)
	})
	server := &http.Server{Addr: *address}
	go func() {
		<-ctx.Done()
		soon, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		server.Shutdown(soon)
	}()
	fmt.Println("listening on", *address)
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		fmt.Fprintln(os.Stderr, "web:", err)
		os.Exit(1)
	}
}
