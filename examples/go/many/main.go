// Many requests at once: they share the engine's steps, and one loop reads them all. Usage: many [MODEL [QUESTION...]]
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"libscout/scout"
)

func check[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	ctx, name := context.Background(), "scout-tiny"
	questions := []string{"Tell me a story about a fox.", "What is 7 plus 5?", "What is 20 minus 8?", "Hello!"}
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	if len(os.Args) > 2 {
		questions = os.Args[2:]
	}
	model := check(scout.Load(ctx, name))
	defer model.Close()
	engine := check(model.NewEngine())
	defer engine.Close()

	for i, question := range questions {
		chat := check(model.NewChat())
		check(0, chat.Add(scout.User, question))
		request := check(engine.Submit(chat, scout.WithTag(uint64(i)), scout.WithMaxTokens(200)))
		chat.Close()
		defer request.Close()
	}
	texts := make([]string, len(questions))
	for open := len(questions); open > 0; {
		event := check(engine.Next(ctx))
		texts[event.Tag] += event.Text
		if event.Last() {
			fmt.Printf("%s\n  %s\n  (%d tokens, waited %v, answered in %v)\n", questions[event.Tag], texts[event.Tag], event.GeneratedTokens,
				event.Queue, event.Prefill+event.Decode)
			open--
		}
	}
}
