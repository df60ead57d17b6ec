// A conversation with memory: each turn finds the pages of the turns before it and computes only what is new.
// Usage: chat [MODEL [QUESTION...]]; without questions, one per line of stdin.
package main

import (
	"bufio"
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

// turn asks, prints the answer as it comes, and adds it to the conversation.
func turn(ctx context.Context, engine *scout.Engine, chat *scout.Chat, question string) error {
	fmt.Println(">", question)
	if err := chat.Add(scout.User, question); err != nil { // text can never become control tokens
		return err
	}
	request, err := engine.Submit(chat)
	if err != nil {
		return err
	}
	defer request.Close()
	for event, err := range request.Events(ctx) {
		if err != nil {
			return err
		}
		fmt.Print(event.Text)
		if event.Last() {
			fmt.Printf("\n(%d tokens of the prompt, %d of them remembered)\n", event.PromptTokens, event.CachedTokens)
		}
	}
	return chat.AddAnswer(request) // exactly the tokens that were generated
}

func main() {
	ctx, name := context.Background(), "scout-tiny"
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	model := check(scout.Load(ctx, name))
	defer model.Close()
	engine := check(model.NewEngine())
	defer engine.Close()
	chat := check(model.NewChat())
	defer chat.Close()
	if len(os.Args) > 2 {
		for _, question := range os.Args[2:] {
			check(0, turn(ctx, engine, chat, question))
		}
		return
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		check(0, turn(ctx, engine, chat, lines.Text()))
	}
}
