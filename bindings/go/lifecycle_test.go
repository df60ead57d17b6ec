package scout

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"syscall"
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

func TestAModelMayLieOnTwoDevices(t *testing.T) {
	prompt, _ := question(t)
	model := loadTiny(t)
	defer model.Close()
	placed, err := Load(ctx, "scout-tiny", WithPlacement("experts=ref; head=ref"))
	if err != nil {
		t.Fatal(err)
	}
	defer placed.Close()
	texts := [2]string{}
	for i, m := range []*Model{model, placed} {
		for event, err := range m.Generate(ctx, prompt, WithMaxTokens(12)) {
			if err != nil {
				t.Fatal(err)
			}
			texts[i] += event.Text
		}
	}
	if texts[0] == "" || texts[0] != texts[1] {
		t.Fatalf("%q and %q", texts[0], texts[1])
	}
	devices := ok[[]ModelDevice](t)(placed.Devices())
	if len(devices) != 2 || devices[1].Name != "ref" || devices[1].WeightBytes == 0 {
		t.Fatal(devices)
	}
	if info := ok[Info](t)(placed.Info()); !strings.HasSuffix(info.Placement, "head=ref") {
		t.Fatal(info.Placement)
	}
	if _, err := Load(ctx, "scout-tiny", WithPlacement("tail=ref")); err == nil || !strings.Contains(err.Error(), "there is no unit") {
		t.Fatal(err)
	}
}

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
	const text = "Who are\x00 you?"
	answer := func(r *Request, err error) string {
		t.Helper()
		defer ok[*Request](t)(r, err).Close()
		return ok[string](t)(r.Text(ctx))
	}
	engine := ok[*Engine](t)(model.DefaultEngine())
	defer engine.Close()
	limit := WithMaxTokens(12)
	want := answer(engine.Submit(chatOf(t, model, text), limit))
	if whole := answer(model.Start("Who are", limit)); want == "" || want == whole {
		t.Fatalf("%q: the text after the NUL changes nothing", want)
	}
	if got := answer(model.Start(text, limit)); got != want {
		t.Fatalf("%q, not %q", got, want)
	}
	if got := answer(engine.SubmitText(text, limit)); got != want {
		t.Fatalf("%q, not %q", got, want)
	}
}

func TestTheDefaultEngineIsTheOneThatGenerates(t *testing.T) {
	model := loadTiny(t)
	prompt, answer := question(t)
	engine := ok[*Engine](t)(model.DefaultEngine())
	before := ok[Stats](t)(engine.Stats())
	r := ok[*Request](t)(model.Start(prompt))
	if text := ok[string](t)(r.Text(ctx)); text != answer {
		t.Fatal(text)
	}
	after := ok[Stats](t)(engine.Stats())
	if made := after.GeneratedTokens - before.GeneratedTokens; made < 1 || made < int64(len(ok[[]int32](t)(r.IDs())))-1 {
		t.Fatalf("the engine made %d tokens", made)
	}
	engine.Close() // of the handle: the model goes on
	again := ok[*Request](t)(model.Start(prompt))
	defer again.Close()
	model.Close()
	if text := ok[string](t)(again.Text(ctx)); text != answer {
		t.Fatal(text)
	}
}

func TestAContextEndsAnEnginesWait(t *testing.T) {
	model := loadTiny(t)
	defer model.Close()
	engine := ok[*Engine](t)(model.NewEngine())
	defer engine.Close()
	for i := range 20 {
		limit, stop := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() { _, err := engine.Next(limit); done <- err }()
		time.Sleep(time.Duration(i) * time.Millisecond / 4)
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	limit, stop := context.WithTimeout(ctx, 5*time.Millisecond)
	defer stop()
	if _, err := engine.Next(limit); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	prompt, _ := question(t)
	r := ok[*Request](t)(engine.SubmitText(prompt, WithTag(7)))
	defer r.Close()
	if event := ok[Event](t)(engine.Next(ctx)); event.Tag != 7 { // what was left of a wake is no event
		t.Fatal(event)
	}
	if _, err := r.Next(ctx); !errors.Is(err, ErrState) { // the engine's reader has it
		t.Fatal(err)
	}
}

func TestDescriptorsAreReadable(t *testing.T) {
	loading := ok[*Loading](t)(LoadStart("scout-tiny"))
	readable(t, loading.Descriptor())
	model := ok[*Model](t)(loading.Wait(ctx))
	loading.Close()
	if loading.Descriptor() != -1 {
		t.Fatal("a closed load has a descriptor")
	}
	defer model.Close()
	engine := ok[*Engine](t)(model.NewEngine())
	defer engine.Close()
	prompt, _ := question(t)
	r := ok[*Request](t)(engine.SubmitText(prompt))
	defer r.Close()
	descriptor := r.Descriptor()
	readable(t, descriptor)
	ok[Event](t)(r.Next(ctx))
	scores := ok[*Scores](t)(engine.Score([]int32{1, 2, 3}))
	defer scores.Close()
	readable(t, scores.Descriptor())
	other := ok[*Request](t)(engine.SubmitText(prompt))
	defer other.Close()
	readable(t, engine.Descriptor())
}

// readable waits until the descriptor is.
func readable(t *testing.T, descriptor int) {
	t.Helper()
	if descriptor < 0 {
		t.Skip("skipped: no descriptors here")
	}
	var set syscall.FdSet
	set.Bits[descriptor/64] = 1 << (descriptor % 64)
	for {
		found, err := syscall.Select(descriptor+1, &set, nil, nil, &syscall.Timeval{Sec: 60})
		if err == syscall.EINTR {
			continue
		}
		if found != 1 || err != nil {
			t.Fatalf("descriptor %d: %d, %v", descriptor, found, err)
		}
		return
	}
}

func TestTheLogIsRead(t *testing.T) {
	if _, err := NextLog(ctx); err != io.EOF {
		t.Fatal(err)
	}
	if err := OpenLog(LogDebug, 100); err != nil {
		t.Fatal(err)
	}
	model := loadTiny(t)
	defer model.Close()
	line := ok[LogLine](t)(NextLog(ctx))
	if line.Level != LogInfo || line.Level.Level() != slog.LevelInfo || !strings.HasPrefix(line.Text, "loaded ") {
		t.Fatal(line)
	}
	limit, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		for {
			if _, err := NextLog(limit); err != nil {
				done <- err
				return
			}
		}
	}()
	stop()
	if err := <-done; err != context.Canceled {
		t.Fatal(err)
	}
	go func() { _, err := NextLog(ctx); done <- err }()
	CloseLog()
	if err := <-done; err != io.EOF {
		t.Fatal(err)
	}
	if err := OpenLog(LogInfo, 1<<20); !errors.Is(err, ErrArgument) {
		t.Fatal(err)
	}
	if StatusLimit.Name() != "SCOUT_ERR_LIMIT" {
		t.Fatal(StatusLimit.Name())
	}
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
