// Prints how many orders there are, and ends.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"
	"time"

	"kurun.example/shop/orders"
)

func main() {
	api := flag.String("api", "http://api", "where the API is")
	zone := flag.String("zone", "Europe/Berlin", "the time zone of the report")
	flag.Parse()
	location, err := time.LoadLocation(*zone)
	if err != nil {
		log.Fatal(err)
	}
	client := http.Client{Timeout: 10 * time.Second}
	answer, err := client.Get(*api + "/orders")
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	var all []orders.Order
	if err := json.NewDecoder(answer.Body).Decode(&all); err != nil {
		log.Fatal(err)
	}
	count, done := orders.Count(all)
	fmt.Printf("%s: %d orders, %d done\n", time.Now().In(location).Format("2006-01-02 15:04 MST"), count, done)
}
