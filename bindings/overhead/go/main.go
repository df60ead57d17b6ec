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
	"syscall"
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

// rate is tokens per second, and per second of the processor: the best so far.
type rate struct {
	start             time.Time
	used              time.Duration
	tokens            int
	most, ofProcessor float64
}

func processor() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func (r *rate) begin() { r.start, r.used, r.tokens = time.Now(), processor(), 0 }

func (r *rate) end() {
	r.most = max(r.most, float64(r.tokens)/time.Since(r.start).Seconds())
	r.ofProcessor = max(r.ofProcessor, float64(r.tokens)/(processor()-r.used).Seconds())
}

func (r *rate) many(model *scout.Model, count int, options []scout.RequestOption) {
	r.begin()
	engine := need(model.NewEngine())
	requests := ask(engine, count, options)
	for open := count; open > 0; {
		event := need(engine.Next(ctx))
		bytes += len(event.Text)
		r.tokens += len(event.IDs)
		if event.Last() {
			open--
		}
	}
	drop(requests)
	engine.Close()
	r.end()
}

func (r *rate) one(model *scout.Model, count int, options []scout.RequestOption) {
	r.begin()
	for range count {
		for event, err := range model.Generate(ctx, prompt, options...) {
			need(event, err)
			bytes += len(event.Text)
			r.tokens += len(event.IDs)
		}
	}
	r.end()
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
	model := need(scout.Load(ctx, "scout-tiny", scout.WithThreads(1)))
	defer model.Close()
	options := []scout.RequestOption{scout.WithIgnoreEnd(), scout.WithMaxTokens(int64(tokens))}
	var together, alone rate
	cost, events := math.MaxFloat64, 0
	for range rounds {
		var now float64
		now, events = eventCost(model, 64, options)
		cost = min(cost, now)
		together.many(model, count, options)
		alone.one(model, (count+4)/5, options)
	}
	fmt.Printf("event %.1f\nmany %.1f\nmany_processor %.1f\n", cost, together.most, together.ofProcessor)
	fmt.Printf("one %.1f\none_processor %.1f\n", alone.most, alone.ofProcessor)
	fmt.Printf("events %d\nbytes %d\n", events, bytes)
}
