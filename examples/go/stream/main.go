// Streaming that a context ends after a while. Usage: stream [MODEL [DURATION]]
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"libscout/scout"
)

func main() {
	name, limit := "scout-tiny", 500*time.Millisecond
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	if len(os.Args) > 2 {
		var err error
		if limit, err = time.ParseDuration(os.Args[2]); err != nil {
			log.Fatal(err)
		}
	}
	model, err := scout.Load(context.Background(), name)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()

	ctx, stop := context.WithTimeout(context.Background(), limit)
	defer stop()
	for event, err := range model.Generate(ctx, "Tell me a story about a fox.", scout.WithIgnoreEnd()) {
		if errors.Is(err, context.DeadlineExceeded) {
			fmt.Printf("\n(cancelled after %d tokens)\n", event.GeneratedTokens)
			return
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(event.Text)
	}
	fmt.Println("\n(ended)")
}
