// The shortest program. Usage: hello [MODEL]
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"libscout/scout"
)

func main() {
	ctx, name := context.Background(), "scout-tiny"
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	model, err := scout.Load(ctx, name)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	for event, err := range model.Generate(ctx, "Tell me a story about a fox.") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(event.Text)
	}
	fmt.Println()
}
