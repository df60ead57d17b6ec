package scout

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"
)

// Closing: twice, never, in the wrong order, under another goroutine's feet; cancelling; contexts. Nothing of this may crash.

func question(t *testing.T) (prompt, answer string) {
	for _, c := range readSuite(t) {
		if c.Name == "generate.question_1" {
			return unescape(c.Prompt), unescape(c.Text)
		}
	}
	t.Fatal("no question")
	return
}

func endless() []RequestOption { return []RequestOption{WithIgnoreEnd(), WithMaxTokens(4000)} }

func TestForgottenThingsAreFreed(t *testing.T) {
	model := loadTiny(t)
	defer model.Close()
	prompt, _ := question(t)
	freed := make(chan struct{}, 1)
	func() {
		r := ok[*Request](t)(model.Start(prompt, endless()...))
		free := r.h.free
		r.h.free = func(p unsafe.Pointer) { free(p); freed <- struct{}{} }
		ok[Event](t)(r.Next(ctx))
	}()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		runtime.GC()
		select {
		case <-freed:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Fatal("a forgotten request is not freed")
}

func TestClosingUnderAReader(t *testing.T) {
	model := loadTiny(t)
	defer model.Close()
	prompt, _ := question(t)
	for range 20 {
		r := ok[*Request](t)(model.Start(prompt, endless()...))
		ok[Event](t)(r.Next(ctx))
		done := make(chan error, 1)
		go func() {
			for {
				if _, err := r.Next(ctx); err != nil {
					done <- err
					return
				}
			}
		}()
		r.Close()
		if err := <-done; !errors.Is(err, ErrState) && err.Error() != "EOF" {
			t.Fatal(err)
		}
	}
}

func TestClosingAnEngineEndsAWait(t *testing.T) {
	model := loadTiny(t)
	defer model.Close()
	engine := ok[*Engine](t)(model.NewEngine())
	done := make(chan error, 1)
	go func() { _, err := engine.Next(ctx); done <- err }()
	time.Sleep(30 * time.Millisecond)
	engine.Close()
	if err := <-done; !errors.Is(err, ErrState) {
		t.Fatal(err)
	}
}

func TestTwoReadersOfOneRequest(t *testing.T) {
	model := loadTiny(t)
	defer model.Close()
	prompt, _ := question(t)
	r := ok[*Request](t)(model.Start(prompt, endless()...))
	defer r.Close()
	var all sync.WaitGroup
	for range 8 {
		all.Add(1)
		go func() {
			defer all.Done()
			for range 50 {
				if _, err := r.Next(ctx); err != nil && !errors.Is(err, ErrState) {
					t.Error(err)
				}
			}
		}()
	}
	all.Wait()
}

func TestAContextEndsGenerating(t *testing.T) {
	model := loadTiny(t)
	defer model.Close()
	prompt, _ := question(t)
	limit, stop := context.WithCancel(ctx)
	defer stop()
	events := 0
	var last error
	for _, err := range model.Generate(limit, prompt, endless()...) {
		if last = err; err == nil {
			if events++; events == 3 {
				stop()
			}
		}
	}
	if !errors.Is(last, context.Canceled) {
		t.Fatalf("the loop ended with %v", last)
	}
	if _, err := Load(limit, "scout-tiny"); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	r := ok[*Request](t)(model.Start(prompt, endless()...))
	defer r.Close()
	if _, err := r.Next(limit); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if _, err := r.Next(ctx); err != nil { // the request went on
		t.Fatal(err)
	}
}

func TestEachGoroutineReadsItsOwnMessage(t *testing.T) {
	var all sync.WaitGroup
	for i := range 16 {
		all.Add(1)
		go func() {
			defer all.Done()
			name := strings.Repeat("x", i+1) + ".gguf"
			for range 50 {
				_, err := Load(ctx, "no/such/folder/"+name)
				if !errors.Is(err, ErrIO) || !strings.Contains(err.Error(), "/"+name) {
					t.Errorf("%v", err)
				}
			}
		}()
	}
	all.Wait()
}

func TestTextWithANul(t *testing.T) {
	model := loadTiny(t)
	defer model.Close()
	if _, err := model.Start("Hi\x00there"); !errors.Is(err, ErrArgument) || !strings.Contains(err.Error(), "byte 2") {
		t.Fatal(err)
	}
	engine := ok[*Engine](t)(model.NewEngine())
	defer engine.Close()
	r := ok[*Request](t)(engine.Submit(chatOf(t, model, "Hi\x00there"), WithMaxTokens(1)))
	defer r.Close()
	ok[string](t)(r.Text(ctx))
}

func TestNilsAreErrors(t *testing.T) {
	var model Model
	if _, err := model.Start("Hi"); !errors.Is(err, ErrArgument) {
		t.Fatal(err)
	}
	if err := model.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestDevices(t *testing.T) {
	devices := ok[[]Device](t)(Devices())
	if devices[len(devices)-1].Name != "ref" && devices[0].Name != "cpu" {
		t.Fatal(devices)
	}
	if Version() == "" || BuildInfo() == "" {
		t.Fatal("no version")
	}
}
