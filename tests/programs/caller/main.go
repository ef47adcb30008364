// A caller in Go, as the API server is one, for tests.
//
//	caller durations         reads lines, and prints what time.ParseDuration makes of each: nanoseconds, or "-"
//	caller post URL WORKERS  posts over kept-alive connections until its input ends, and prints "N posted" and each kind of error
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

func main() {
	switch os.Args[1] {
	case "durations":
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			if d, err := time.ParseDuration(lines.Text()); err != nil {
				fmt.Println("-")
			} else {
				fmt.Println(int64(d))
			}
		}
	case "post":
		workers, _ := strconv.Atoi(os.Args[3])
		post(os.Args[2], workers)
	}
}

func post(to string, workers int) {
	stop := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(stop)
	}()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}}
	var lock sync.Mutex
	posted, failed := 0, map[string]int{}
	once := func() {
		response, err := client.Post(to, "application/json", strings.NewReader("{}"))
		if err == nil {
			_, err = io.Copy(io.Discard, response.Body)
			response.Body.Close()
		}
		lock.Lock()
		defer lock.Unlock()
		posted++
		var inside *url.Error
		if errors.As(err, &inside) {
			err = inside.Err
		}
		if err != nil {
			failed[err.Error()]++
		} else if response.StatusCode != http.StatusOK {
			failed[response.Status]++
		}
	}
	var done sync.WaitGroup
	for i := 0; i < workers; i++ {
		done.Add(1)
		go func() {
			defer done.Done()
			for {
				select {
				case <-stop:
					return
				default:
					once()
				}
			}
		}()
	}
	done.Wait()
	fmt.Printf("%d posted\n", posted)
	for text, times := range failed {
		fmt.Printf("%d times: %s\n", times, text)
	}
}
