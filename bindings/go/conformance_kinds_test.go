package scout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"
)

// What each kind of case shows: bindings/conformance/README.md says it in words.
var kinds = map[string]func(*testing.T, *Model, suiteCase){
	"facts": func(t *testing.T, model *Model, c suiteCase) {
		info := ok[Info](t)(model.Info())
		for name, expected := range c.Fact {
			field := fieldOf(info, name)
			if !field.IsValid() {
				t.Fatalf("Info has no %s", name)
			}
			switch field.Kind() {
			case reflect.String:
				same(t, name, unescape(expected.(string)), field.String())
			case reflect.Bool:
				same(t, name, expected.(float64) != 0, field.Bool())
			case reflect.Float64:
				near(t, name, []float64{1}, []float32{float32(field.Float() / expected.(float64))}, 1e-6)
			case reflect.Uint64:
				same(t, name, uint64(expected.(float64)), field.Uint())
			default:
				same(t, name, int64(expected.(float64)), field.Int())
			}
		}
		for _, row := range c.Layer {
			same(t, "layer", Layer{row[1] != 0, row[2] != 0, row[3] != 0}, ok[Layer](t)(model.Layer(row[0])))
		}
		tensors := ok[[]Tensor](t)(model.Tensors())
		same(t, "tensor_count", c.TensorCount, len(tensors))
		same(t, "first tensor", []any{c.FirstTensor, c.FirstFormat, c.FirstShape}, []any{tensors[0].Name, tensors[0].Format, tensors[0].Shape})
	},
	"statuses": func(t *testing.T, _ *Model, c suiteCase) {
		named := map[string]Status{"OK": StatusOK, "DONE": StatusDone, "AGAIN": StatusAgain, "ERR_ARGUMENT": StatusArgument, "ERR_FORMAT": StatusFormat,
			"ERR_TRUNCATED": StatusTruncated, "ERR_LIMIT": StatusLimit, "ERR_UNSUPPORTED": StatusUnsupported, "ERR_CORRUPT": StatusCorrupt, "ERR_IO": StatusIO,
			"ERR_NO_MEMORY": StatusNoMemory, "ERR_STATE": StatusState, "ERR_DENIED": StatusDenied, "ERR_CANCELLED": StatusCancelled, "ERR_DEVICE": StatusDevice,
			"ERR_INTERNAL": StatusInternal}
		var rows [][3]any
		if err := json.Unmarshal(c.Status, &rows); err != nil {
			t.Fatal(err)
		}
		same(t, "number of codes", len(rows), len(named))
		for _, row := range rows {
			status, known := named[strings.TrimPrefix(row[1].(string), "SCOUT_")]
			if !known {
				t.Fatalf("no constant for %v", row[1])
			}
			same(t, row[1].(string), Status(row[0].(float64)), status)
			same(t, "words", row[2].(string), status.String())
		}
	},
	"encode": func(t *testing.T, model *Model, c suiteCase) {
		var flags EncodeFlags
		if c.Special != 0 {
			flags |= EncodeSpecial
		}
		if c.Bos != 0 {
			flags |= EncodeBOS
		}
		text := unescape(c.Text)
		ids := ok[[]int32](t)(model.Encode(text, flags))
		same(t, "ids", fmt.Sprint(c.IDs), fmt.Sprint(ids))
		same(t, "count", len(ids), ok[int](t)(model.CountTokens(text, flags)))
		if flags == 0 {
			same(t, "decoded", text, ok[string](t)(model.Decode(ids, 0)))
		}
	},
	"decode": func(t *testing.T, model *Model, c suiteCase) {
		var flags DecodeFlags
		if c.Special != 0 {
			flags = DecodeSpecial
		}
		same(t, "bytes", unescape(c.Text), ok[string](t)(model.Decode(c.IDs, flags)))
	},
	"utf16": func(t *testing.T, model *Model, c suiteCase) {
		same(t, "ids", c.Replaced, ok[[]int32](t)(model.Encode(string(utf16.Decode(c.Units)), 0)))
	},
	"token": func(t *testing.T, model *Model, c suiteCase) {
		text, special, err := model.TokenBytes(c.ID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "bytes", unescape(c.Bytes), text)
		same(t, "special", c.Special != 0, special)
		if special {
			same(t, "found by name", c.ID, ok[int32](t)(model.FindToken(text)))
		}
	},
	"stop_tokens": func(t *testing.T, model *Model, c suiteCase) {
		same(t, "ids", c.IDs, ok[[]int32](t)(model.StopTokens()))
	},
	"generate": func(t *testing.T, model *Model, c suiteCase) {
		r := ok[*Request](t)(model.Start(unescape(c.Prompt), requestOptionsOf(c.Option)...))
		defer r.Close()
		events, text := read(t, r)
		same(t, "text", unescape(c.Text), text)
		same(t, "ids", c.IDs, ok[[]int32](t)(r.IDs()))
		last := events[len(events)-1]
		same(t, "stop", Stop(c.Stop), last.Stop)
		same(t, "prompt_tokens", c.PromptTokens, last.PromptTokens)
		spoken, logprobs, best := 0, []float32(nil), []int32(nil)
		for _, event := range events {
			if event.Text != "" {
				spoken++
			}
			logprobs = append(logprobs, event.Logprobs...)
			for _, top := range event.Top {
				same(t, "top_count", c.TopCount, len(top))
				best = append(best, top[0].ID)
			}
		}
		if c.Events != 0 {
			same(t, "events with text", c.Events, spoken)
		}
		if c.Logprobs != nil {
			near(t, "logprobs", c.Logprobs, logprobs, c.Tolerance)
			same(t, "best ids", c.BestIDs, best)
		}
	},
	"same_twice": func(t *testing.T, model *Model, c suiteCase) {
		options := requestOptionsOf(c.Option)
		first := ok[string](t)(ask(model, unescape(c.Prompt), options...))
		same(t, "second answer", first, ok[string](t)(ask(model, unescape(c.Prompt), options...)))
	},
	"chat": func(t *testing.T, model *Model, c suiteCase) {
		roles := map[string]Role{"system": System, "user": User, "assistant": Assistant, "tool": Tool}
		chat := ok[*Chat](t)(model.NewChat())
		defer chat.Close()
		for _, message := range c.Message {
			if err := chat.Add(roles[message[0]], unescape(message[1])); err != nil {
				t.Fatal(err)
			}
		}
		same(t, "messages", len(c.Message), chat.Len())
		same(t, "prompt_ids", c.PromptIDs, ok[[]int32](t)(chat.Tokens()))
	},
	"turns": func(t *testing.T, model *Model, c suiteCase) {
		engine := ok[*Engine](t)(model.NewEngine())
		defer engine.Close()
		chat := ok[*Chat](t)(model.NewChat())
		defer chat.Close()
		for i, question := range c.Question {
			if err := chat.Add(User, unescape(question)); err != nil {
				t.Fatal(err)
			}
			r := ok[*Request](t)(engine.Submit(chat))
			events, text := read(t, r)
			same(t, "answer", unescape(c.Answer[i]), text)
			if last := events[len(events)-1]; last.CachedTokens < 0 || last.CachedTokens > last.PromptTokens {
				t.Fatalf("cached tokens: %d of %d", last.CachedTokens, last.PromptTokens)
			}
			if err := chat.AddAnswer(r); err != nil {
				t.Fatal(err)
			}
			r.Close()
		}
	},
	"cancel": func(t *testing.T, model *Model, c suiteCase) {
		r := ok[*Request](t)(model.Start(unescape(c.Prompt), requestOptionsOf(c.Option)...))
		defer r.Close()
		for range c.AfterEvents {
			ok[Event](t)(r.Next(ctx))
		}
		if c.OtherThread != 0 {
			done := make(chan struct{})
			go func() { runtime.LockOSThread(); r.Cancel(); close(done) }()
			<-done
		} else {
			r.Cancel()
		}
		var last Event
		for event, err := range r.Events(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			last = event
		}
		same(t, "stop", Stop(c.Stop), last.Stop)
		same(t, "status", statusOf(t, c), last.Status)
	},
	"drop": func(t *testing.T, model *Model, c suiteCase) {
		started, taken := time.Now(), 0
		for _, err := range model.Generate(ctx, unescape(c.Prompt), requestOptionsOf(c.Option)...) {
			if err != nil {
				t.Fatal(err)
			}
			if taken++; taken == c.AfterEvents {
				break
			}
		}
		if took := time.Since(started); took > 5*time.Second {
			t.Fatalf("leaving took %v", took)
		}
	},
	"timeout_stepped": func(t *testing.T, model *Model, c suiteCase) {
		engine := ok[*Engine](t)(model.NewEngine(WithStepping()))
		defer engine.Close()
		chat := chatOf(t, model, unescape(c.Prompt))
		r := ok[*Request](t)(engine.Submit(chat))
		shortest := time.Hour // of many: the machine may be busy
		for range 20 {
			started := time.Now()
			if _, err := engine.Next(ctx); !errors.Is(err, ErrAgain) {
				t.Fatalf("before a step: %v", err)
			}
			shortest = min(shortest, time.Since(started))
		}
		if shortest > time.Duration(c.TimeoutMS)*time.Millisecond {
			t.Fatalf("a stepped engine waited %v", shortest)
		}
		for more := true; more; {
			more = ok[bool](t)(engine.Step(10 * time.Millisecond))
		}
		_, text := read(t, r)
		same(t, "text", unescape(c.Text), text)
	},
	"timeout_threaded": func(t *testing.T, model *Model, c suiteCase) {
		engine := ok[*Engine](t)(model.NewEngine())
		defer engine.Close()
		limit, stop := context.WithTimeout(ctx, time.Duration(c.TimeoutMS)*time.Millisecond)
		defer stop()
		started := time.Now()
		if _, err := engine.Next(limit); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("expected a time-out, found %v", err)
		}
		if waited := time.Since(started); waited < time.Duration(c.TimeoutMS-1)*time.Millisecond {
			t.Fatalf("waited %v", waited)
		}
	},
	"load_cancel": func(t *testing.T, _ *Model, c suiteCase) {
		loading := ok[*Loading](t)(LoadStart("scout-tiny"))
		defer loading.Close()
		loading.Cancel()
		model, err := loading.Wait(ctx)
		if err == nil {
			model.Close()
		} else {
			fails(t, StatusCancelled, "", err)
		}
	},
	"load_wait": func(t *testing.T, _ *Model, c suiteCase) {
		loading := ok[*Loading](t)(LoadStart("scout-tiny"))
		defer loading.Close()
		if done, total, err := loading.Progress(); err != nil || done > total {
			t.Fatalf("progress %d of %d, %v", done, total, err)
		}
		model := ok[*Model](t)(loading.Wait(ctx))
		defer model.Close()
		same(t, "text", unescape(c.Text), ok[string](t)(ask(model, unescape(c.Prompt))))
	},
	"score": func(t *testing.T, model *Model, c suiteCase) {
		engine := ok[*Engine](t)(model.NewEngine())
		defer engine.Close()
		scores := ok[*Scores](t)(engine.Score(c.IDs))
		defer scores.Close()
		var found []float32
		for block, err := range scores.Blocks(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, block.Logprobs...)
		}
		same(t, "position 0 is not a number", true, math.IsNaN(float64(found[0])))
		near(t, "logprobs", c.Logprobs, found[1:], c.Tolerance)
	},
	"score_logits": func(t *testing.T, model *Model, c suiteCase) {
		engine := ok[*Engine](t)(model.NewEngine())
		defer engine.Close()
		scores := ok[*Scores](t)(engine.ScoreLogits(c.IDs, c.Positions...))
		defer scores.Close()
		var positions []int64
		var best []int32
		var largest []float32
		for block, err := range scores.Blocks(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			same(t, "vocabulary", c.Vocabulary, block.Vocabulary)
			for i, position := range block.Positions {
				at, row := 0, block.Row(i)
				for id, value := range row {
					if value > row[at] {
						at = id
					}
				}
				positions, best, largest = append(positions, position), append(best, int32(at)), append(largest, row[at])
			}
		}
		same(t, "positions", c.Positions, positions)
		same(t, "best ids", c.BestIDs, best)
		near(t, "logits", c.Logits, largest, c.Tolerance)
	},
	"many": func(t *testing.T, model *Model, c suiteCase) {
		engine := ok[*Engine](t)(model.NewEngine())
		defer engine.Close()
		texts := make([]string, len(c.Prompts)*c.Copies)
		for tag := range texts {
			chat := chatOf(t, model, unescape(c.Prompts[tag%len(c.Prompts)]))
			r := ok[*Request](t)(engine.Submit(chat, WithTag(uint64(tag))))
			chat.Close()
			defer r.Close()
		}
		for ended := 0; ended < len(texts); {
			event := ok[Event](t)(engine.Next(ctx))
			texts[event.Tag] += event.Text
			if event.Last() {
				ended++
			}
		}
		for tag, text := range texts {
			same(t, "text", unescape(c.Texts[tag%len(c.Texts)]), text)
		}
	},
	"two_models": func(t *testing.T, _ *Model, c suiteCase) {
		first, second := loadTiny(t), loadTiny(t)
		defer second.Close()
		for i, prompt := range c.Prompts {
			same(t, "first model", unescape(c.Texts[i]), ok[string](t)(ask(first, unescape(prompt))))
			same(t, "second model", unescape(c.Texts[i]), ok[string](t)(ask(second, unescape(prompt))))
		}
		first.Close()
		same(t, "second model, alone", unescape(c.Texts[0]), ok[string](t)(ask(second, unescape(c.Prompts[0]))))
	},
	"threads": func(t *testing.T, model *Model, c suiteCase) {
		var all sync.WaitGroup
		for i := range c.Threads {
			all.Add(1)
			go func() {
				defer all.Done()
				runtime.LockOSThread()
				text, err := ask(model, unescape(c.Prompts[i%len(c.Prompts)]))
				if err != nil || text != unescape(c.Texts[i%len(c.Texts)]) {
					t.Errorf("thread %d: %q, %v", i, text, err)
				}
			}()
		}
		all.Wait()
	},
	"close_twice": func(t *testing.T, _ *Model, c suiteCase) {
		model := loadTiny(t)
		chat, r := ok[*Chat](t)(model.NewChat()), ok[*Request](t)(model.Start(unescape(c.Prompt)))
		for range 2 {
			for _, thing := range []interface{ Close() error }{model, r, chat} {
				if err := thing.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
	},
	"close_parent_first": func(t *testing.T, _ *Model, c suiteCase) {
		model := loadTiny(t)
		r := ok[*Request](t)(model.Start(unescape(c.Prompt)))
		model.Close()
		_, text := read(t, r)
		same(t, "text", unescape(c.Text), text)
		r.Close()
	},
	"loop": func(t *testing.T, model *Model, c suiteCase) {
		before := 0
		for i := range c.Count {
			if i == c.Count/10 {
				runtime.GC()
				before = residentBytes()
			}
			switch c.What {
			case "chat":
				chatOf(t, model, "Hello!").Close()
			case "request":
				ok[*Request](t)(model.Start("Hello!")).Close()
			case "model":
				loadTiny(t).Close()
			}
		}
		runtime.GC()
		if grown := residentBytes() - before; grown > c.GrowthBytes {
			t.Fatalf("grew by %d bytes, at most %d", grown, c.GrowthBytes)
		}
	},
	"error_load": func(t *testing.T, _ *Model, c suiteCase) {
		path := filepath.Join(t.TempDir(), "model.gguf")
		write := func(name string, data []byte) {
			if err := os.WriteFile(name, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		bundled := ok[[]byte](t)(os.ReadFile(filepath.Join(bindings, "..", "examples", "models", "scout-tiny.gguf")))
		switch {
		case c.File != "":
			write(path, []byte(unescape(c.File)))
		case c.Folder != nil:
			path = filepath.Dir(path)
			for name, contents := range c.Folder {
				write(filepath.Join(path, name), []byte(unescape(contents)))
			}
		case c.ModelHead != 0:
			write(path, bundled[:c.ModelHead])
		case c.ModelFill != nil:
			for i := range c.ModelFill[1] {
				bundled[c.ModelFill[0]+i] = byte(c.ModelFill[2])
			}
			write(path, bundled)
		default:
			path = c.Path
		}
		_, err := Load(ctx, path, loadOptionsOf(c.LoadOption)...)
		fails(t, statusOf(t, c), unescape(c.Names), err)
	},
	"error_generate": func(t *testing.T, model *Model, c suiteCase) {
		_, err := model.Start(unescape(c.Prompt), requestOptionsOf(c.Option)...)
		fails(t, statusOf(t, c), c.Names, err)
	},
	"error_engine": func(t *testing.T, model *Model, c suiteCase) {
		engine := ok[*Engine](t)(model.NewEngine(engineOptionsOf(c.EngineOption)...))
		defer engine.Close()
		_, err := engine.Submit(chatOf(t, model, unescape(c.Prompt)))
		fails(t, statusOf(t, c), c.Names, err)
	},
	"error_full": func(t *testing.T, model *Model, c suiteCase) {
		engine := ok[*Engine](t)(model.NewEngine(append(engineOptionsOf(c.EngineOption), WithStepping())...))
		defer engine.Close()
		chat := chatOf(t, model, unescape(c.Prompt))
		for range c.Most {
			r, err := engine.Submit(chat)
			if err != nil {
				fails(t, statusOf(t, c), "", err)
				return
			}
			defer r.Close()
		}
		t.Fatalf("%d requests fit into a waiting list of %v", c.Most, c.EngineOption)
	},
	"error_call": func(t *testing.T, model *Model, c suiteCase) {
		call, known := calls[c.Call]
		if !known {
			t.Fatalf("unknown call %s", c.Call)
		}
		fails(t, statusOf(t, c), c.Names, call(t, model, c))
	},
}

func statusOf(t *testing.T, c suiteCase) (status Status) {
	if err := json.Unmarshal(c.Status, &status); err != nil {
		t.Fatal(err)
	}
	return status
}

func submitIDs(t *testing.T, model *Model, c suiteCase) error {
	engine := ok[*Engine](t)(model.NewEngine())
	defer engine.Close()
	_, err := engine.SubmitIDs(c.IDs)
	return err
}

var calls = map[string]func(*testing.T, *Model, suiteCase) error{
	"decode_past_vocabulary": func(_ *testing.T, model *Model, c suiteCase) error { _, err := model.Decode(c.IDs, 0); return err },
	"submit_past_vocabulary": submitIDs,
	"submit_nothing":         submitIDs,
	"token_find_unknown":     func(_ *testing.T, model *Model, c suiteCase) error { _, err := model.FindToken(c.Text); return err },
	"second_system_message": func(t *testing.T, model *Model, _ suiteCase) error {
		return chatOf(t, model, "Hi").Add(System, "Late.")
	},
	"chat_text_without_begin": func(t *testing.T, model *Model, _ suiteCase) error {
		return ok[*Chat](t)(model.NewChat()).AddText("Hi")
	},
	"answer_of_unfinished_request": func(t *testing.T, model *Model, _ suiteCase) error {
		r := ok[*Request](t)(model.Start("Hello!", WithIgnoreEnd()))
		defer r.Close()
		return chatOf(t, model, "Hi").AddAnswer(r)
	},
	"step_of_threaded_engine": func(t *testing.T, model *Model, _ suiteCase) error {
		engine := ok[*Engine](t)(model.NewEngine())
		defer engine.Close()
		_, err := engine.Step(0)
		return err
	},
	"layer_past_the_last":  func(_ *testing.T, model *Model, c suiteCase) error { _, err := model.Layer(c.Index); return err },
	"device_past_the_last": func(_ *testing.T, _ *Model, c suiteCase) error { _, err := DeviceAt(c.Index); return err },
	"closed_model": func(t *testing.T, _ *Model, _ suiteCase) error {
		model := loadTiny(t)
		model.Close()
		_, err := model.Start("Hi")
		return err
	},
	"closed_request": func(t *testing.T, model *Model, _ suiteCase) error {
		r := ok[*Request](t)(model.Start("Hi"))
		r.Close()
		_, err := r.Next(ctx)
		return err
	},
}
