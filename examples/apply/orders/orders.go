// Package orders is what the API and the report share.
package orders

// Order is something that somebody wants.
type Order struct {
	ID   int    `json:"id"`
	Item string `json:"item"`
	Done bool   `json:"done"`
}

// Count says how many orders there are, and how many are done.
func Count(orders []Order) (all, done int) {
	for _, order := range orders {
		if order.Done {
			done++
		}
	}
	return len(orders), done
}
