package scout

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Many goroutines on one model, and what grows. SCOUT_STRESS="GOROUTINES LOOPS" makes it longer.

// settledBytes is what the process holds once what was forgotten is freed.
func settledBytes() int {
	for range 4 {
		runtime.GC()
		time.Sleep(100 * time.Millisecond)
	}
	return residentBytes()
}

func TestStress(t *testing.T) {
	goroutines, loops := 8, 24
	fmt.Sscan(os.Getenv("SCOUT_STRESS"), &goroutines, &loops)
	model := loadTiny(t)
	defer model.Close()
	few := WithMaxTokens(4)
	first := ok[*Request](t)(model.Start("Hello!", few))
	expected := ok[string](t)(first.Text(ctx))
	first.Close()
	kinds := []func(i int) error{
		func(i int) error {
			chat, err := model.NewChat()
			if err != nil {
				return err
			}
			defer chat.Close()
			if err := chat.Add(User, fmt.Sprint("Hello ", i)); err != nil {
				return err
			}
			_, err = chat.Tokens()
			return err
		},
		func(int) error {
			r, err := model.Start("Hello!", few)
			if err != nil {
				return err
			}
			defer r.Close()
			if text, err := r.Text(ctx); err != nil || text != expected {
				return fmt.Errorf("%q, %v", text, err)
			}
			return nil
		},
		func(i int) error { // closed under a reader, or forgotten
			r, err := model.Start("Hello!", endless()...)
			if err != nil {
				return err
			}
			if _, err := r.Next(ctx); err != nil || i%2 == 0 {
				r.Cancel()
				return err
			}
			go r.Close()
			for err == nil {
				_, err = r.Next(ctx)
			}
			if err.Error() == "EOF" || errors.Is(err, ErrState) {
				return nil
			}
			return err
		},
		func(i int) error {
			given := fmt.Sprintf("a\x00b %d é", i)
			ids, err := model.Encode(given, 0)
			if err != nil {
				return err
			}
			if text, err := model.Decode(ids, 0); err != nil || text != given {
				return fmt.Errorf("%q, %v", text, err)
			}
			return nil
		},
		func(i int) error {
			name := fmt.Sprintf("no/such/file-%p-%d", &i, i)
			if _, err := Load(ctx, name); !errors.Is(err, ErrIO) || !strings.Contains(err.Error(), name) {
				return fmt.Errorf("%s: %v", name, err)
			}
			return nil
		},
		func(i int) error { // a picture, closed while it is looked at, or forgotten
			picture, err := imageOf(numbers(i))
			if err != nil {
				return err
			}
			if _, err = picture.Tile(0, small); err != nil || i%2 == 0 {
				return err
			}
			go picture.Close()
			for err == nil {
				_, err = picture.Tile(0, TileOptions{TileSide: 8})
			}
			if errors.Is(err, ErrState) {
				return nil
			}
			return err
		},
		func(i int) error { // an engine that ends while it is read
			engine, err := model.NewEngine(WithContext(256))
			if err != nil {
				return err
			}
			r, err := engine.SubmitText("Hello!", few, WithLogprobs(2))
			if err != nil {
				return err
			}
			defer runtime.KeepAlive(r) // a forgotten request is cancelled, and its events do not come
			if _, err := engine.ScoreLogits([]int32{1, 2, 3}); err != nil {
				return err
			}
			if _, err := engine.Next(ctx); err != nil {
				return err
			}
			go engine.Close()
			for err == nil {
				_, err = engine.Next(ctx)
			}
			if errors.Is(err, ErrState) {
				return nil
			}
			return err
		},
	}
	var failed atomic.Int64
	together := func(from, to int) {
		var all sync.WaitGroup
		for g := range goroutines {
			all.Add(1)
			go func() {
				defer all.Done()
				for i := from + g; i < to+g; i++ {
					if err := kinds[i%len(kinds)](i); err != nil {
						failed.Add(1)
						t.Errorf("kind %d: %v", i%len(kinds), err)
						return
					}
				}
			}()
		}
		all.Wait()
	}
	together(0, loops/2)
	before := settledBytes()
	together(loops/2, loops)
	grown := settledBytes() - before
	fmt.Printf("Go: %d threads, %d loops, %d bytes grown in the second half, %d failed\n", goroutines, goroutines*loops, grown, failed.Load())
	most := 512 << 20 // the most engines that were alive at once: not more with more loops
	if os.Getenv("SCOUT_STRESS_SANITIZED") != "" {
		most = 1 << 30 // the detector's own memory
	}
	if grown > most {
		t.Fatalf("grew by %d bytes", grown)
	}
}
