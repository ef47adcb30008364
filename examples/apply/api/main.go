// Takes orders and keeps them in memory.
//
//	curl -d '{"item": "tea"}' http://api/orders
//	curl http://api/orders
package main

import (
	"context"
	"encoding/json"
	"flag"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"

	"kurun.example/shop/orders"
)

func main() {
	address := flag.String("listen", ":8080", "where to listen")
	flag.Parse()

	var mutex sync.Mutex
	kept := []orders.Order{}
	reply := func(answer http.ResponseWriter, status int, body any) {
		answer.Header().Set("Content-Type", "application/json")
		answer.WriteHeader(status)
		json.NewEncoder(answer).Encode(body)
	}
	http.HandleFunc("GET /orders", func(answer http.ResponseWriter, request *http.Request) {
		mutex.Lock()
		defer mutex.Unlock()
		reply(answer, http.StatusOK, kept)
	})
	http.HandleFunc("POST /orders", func(answer http.ResponseWriter, request *http.Request) {
		var order orders.Order
		if err := json.NewDecoder(request.Body).Decode(&order); err != nil || order.Item == "" {
			http.Error(answer, `an order looks like {"item": "tea"}`, http.StatusBadRequest)
			return
		}
		mutex.Lock()
		defer mutex.Unlock()
		order.ID, order.Done = len(kept)+1, false
		kept = append(kept, order)
		log.Printf("order %d: %s", order.ID, order.Item)
		reply(answer, http.StatusCreated, order)
	})
	http.HandleFunc("POST /orders/{id}/done", func(answer http.ResponseWriter, request *http.Request) {
		id, _ := strconv.Atoi(request.PathValue("id"))
		mutex.Lock()
		defer mutex.Unlock()
		if id < 1 || id > len(kept) {
			http.Error(answer, "there is no such order", http.StatusNotFound)
			return
		}
		kept[id-1].Done = true
		reply(answer, http.StatusOK, kept[id-1])
	})
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	server := http.Server{Addr: *address}
	go func() {
		<-ctx.Done()
		server.Shutdown(context.Background())
	}()
	log.Printf("listening on %s", *address)
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
}
