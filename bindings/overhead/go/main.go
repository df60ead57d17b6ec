// What ../README.md says, in Go. Usage: overhead REQUESTS TOKENS ROUNDS
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math"
	"os"
	"strconv"
	"time"

	"libscout/scout"
)

const prompt = "Write an email about history."

var (
	ctx   = context.Background()
	bytes int
)

func need[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func ask(engine *scout.Engine, count int, options []scout.RequestOption) []*scout.Request {
	requests := make([]*scout.Request, count)
	for i := range requests {
		requests[i] = need(engine.SubmitText(prompt, options...))
	}
	return requests
}

func drop(requests []*scout.Request) {
	for _, request := range requests {
		request.Close()
	}
}

func many(model *scout.Model, count int, options []scout.RequestOption) float64 {
	start, tokens := time.Now(), 0
	engine := need(model.NewEngine())
	requests := ask(engine, count, options)
	for open := count; open > 0; {
		event := need(engine.Next(ctx))
		bytes += len(event.Text)
		tokens += len(event.IDs)
		if event.Last() {
			open--
		}
	}
	drop(requests)
	engine.Close()
	return float64(tokens) / time.Since(start).Seconds()
}

func one(model *scout.Model, count int, options []scout.RequestOption) float64 {
	start, tokens := time.Now(), 0
	for range count {
		for event, err := range model.Generate(ctx, prompt, options...) {
			need(event, err)
			bytes += len(event.Text)
			tokens += len(event.IDs)
		}
	}
	return float64(tokens) / time.Since(start).Seconds()
}

// All events are ready before the clock starts, so that only the calls are timed.
func eventCost(model *scout.Model, count int, options []scout.RequestOption) (cost float64, events int) {
	engine := need(model.NewEngine(scout.WithStepping()))
	requests := ask(engine, count, options)
	for need(engine.Step(time.Second)) {
	}
	start := time.Now()
	event, err := engine.Next(ctx)
	for ; err == nil; event, err = engine.Next(ctx) {
		bytes += len(event.Text)
		events++
	}
	cost = float64(time.Since(start).Nanoseconds()) / float64(events)
	if !errors.Is(err, scout.ErrAgain) {
		log.Fatal(err)
	}
	drop(requests)
	engine.Close()
	return
}

func main() {
	count, tokens, rounds := need(strconv.Atoi(os.Args[1])), need(strconv.Atoi(os.Args[2])), need(strconv.Atoi(os.Args[3]))
	model := need(scout.Load(ctx, "scout-tiny"))
	defer model.Close()
	options := []scout.RequestOption{scout.WithIgnoreEnd(), scout.WithMaxTokens(int64(tokens))}
	cost, together, alone, events := math.MaxFloat64, 0.0, 0.0, 0
	for range rounds {
		var now float64
		now, events = eventCost(model, 64, options)
		cost = min(cost, now)
		together = max(together, many(model, count, options))
		alone = max(alone, one(model, (count+19)/20, options))
	}
	fmt.Printf("event %.1f\nmany %.1f\none %.1f\n", cost, together, alone)
	fmt.Printf("events %d\nbytes %d\n", events, bytes)
}
