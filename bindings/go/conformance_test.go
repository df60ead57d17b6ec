package scout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// The list of behaviours (bindings/conformance) against this package: one subtest for each case.

type suiteCase struct {
	Name, Kind, Text, Prompt, Path, What, Call, Names, Bytes string

	Fact                                map[string]any
	Layer                               [][4]int
	Status                              json.RawMessage
	TensorCount                         int     `json:"tensor_count"`
	FirstTensor                         string  `json:"first_tensor"`
	FirstFormat                         string  `json:"first_format"`
	FirstShape                          []int64 `json:"first_shape"`
	Special, Bos, Stop, Threads, Copies int
	ID                                  int32
	IDs, Replaced                       []int32
	Units                               []uint16
	Option                              map[string]any
	LoadOption                          map[string]any `json:"load_option"`
	EngineOption                        map[string]any `json:"engine_option"`
	PromptTokens                        int64          `json:"prompt_tokens"`
	PromptIDs                           []int32        `json:"prompt_ids"`
	Events, Count, Most, Index          int
	Logprobs, Logits                    []float64
	TopCount                            int     `json:"top_count"`
	BestIDs                             []int32 `json:"best_ids"`
	Tolerance                           float64
	Message                             [][2]string
	Question, Answer                    []string
	AfterEvents                         int `json:"after_events"`
	OtherThread                         int `json:"other_thread"`
	TimeoutMS                           int `json:"timeout_ms"`
	Positions                           []int64
	Vocabulary                          int
	GrowthBytes                         int `json:"growth_bytes"`
	File                                string
	Folder                              map[string]string
	ModelHead                           int   `json:"model_head"`
	ModelFill                           []int `json:"model_fill"`
	Prompts, Texts                      []string

	Picture, Info, Size, Grid, Checksums []int
	Format                               string
	Stride                               int
	ImageOption                          map[string]any `json:"image_option"`
	TileOption                           map[string]any `json:"tile_option"`
	Part                                 [][2]string

	Clip, Container, Codec string
	FrameRate              float64 `json:"frame_rate"`
	Times                  []int64
	VideoOption            map[string]any `json:"video_option"`
}

const bindings = ".."

func readSuite(t *testing.T) []suiteCase {
	text, err := os.ReadFile(filepath.Join(bindings, "conformance.json"))
	if err != nil {
		t.Fatal(err)
	}
	var document struct{ Cases []map[string]json.RawMessage }
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	var cases []suiteCase
	for _, raw := range document.Cases {
		for _, name := range []string{"prompt", "text"} { // one text in some kinds, a list in others
			if len(raw[name]) > 0 && raw[name][0] == '[' {
				raw[name+"s"] = raw[name]
				delete(raw, name)
			}
		}
		joined, _ := json.Marshal(raw)
		var c suiteCase
		if err := json.Unmarshal(joined, &c); err != nil {
			t.Fatalf("%s: %v", raw["name"], err)
		}
		cases = append(cases, c)
	}
	return cases
}

func unescape(text string) string {
	parts := strings.Split(text, `\x`)
	for i := 1; i < len(parts); i++ {
		b, _ := strconv.ParseUint(parts[i][:2], 16, 8)
		parts[i] = string([]byte{byte(b)}) + parts[i][2:]
	}
	return strings.Join(parts, "")
}

func same(t *testing.T, what string, expected, found any) {
	t.Helper()
	if !reflect.DeepEqual(expected, found) {
		t.Fatalf("%s: expected %.200v, found %.200v", what, expected, found)
	}
}

func near(t *testing.T, what string, expected []float64, found []float32, tolerance float64) {
	t.Helper()
	if len(expected) != len(found) {
		t.Fatalf("%s: expected %d values, found %d", what, len(expected), len(found))
	}
	for i := range expected {
		if !(math.Abs(expected[i]-float64(found[i])) <= tolerance) {
			t.Fatalf("%s %d: expected %g within %g, found %g", what, i, expected[i], tolerance, found[i])
		}
	}
}

func ok[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func fails(t *testing.T, status Status, names string, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("expected status %d, found %v", status, err)
	}
	same(t, "status", status, e.Status)
	if !strings.Contains(e.Message, names) {
		t.Fatalf("message %q does not contain %q", e.Message, names)
	}
	if !errors.Is(err, &Error{Status: status}) {
		t.Fatalf("errors.Is(%v) does not know its own status", err)
	}
}

func number(value any) float64 {
	if text, isText := value.(string); isText {
		if text == "-inf" {
			return math.Inf(-1)
		}
		panic(text)
	}
	return value.(float64)
}

func requestOptionsOf(given map[string]any) []RequestOption {
	var options []RequestOption
	penalties := [3]float32{1, 0, 0}
	for name, value := range given {
		switch name {
		case "temperature":
			options = append(options, WithTemperature(float32(number(value))))
		case "top_p":
			options = append(options, WithTopP(float32(number(value))))
		case "seed":
			options = append(options, WithSeed(uint64(number(value))))
		case "max_tokens":
			options = append(options, WithMaxTokens(int64(number(value))))
		case "frequency_penalty":
			penalties[1] = float32(number(value))
			options = append(options, WithPenalties(penalties[0], penalties[1], penalties[2]))
		case "logprobs":
			if _, both := given["top_logprobs"]; !both {
				options = append(options, WithLogprobs(0))
			}
		case "top_logprobs":
			options = append(options, WithLogprobs(int(number(value))))
		case "ignore_end":
			options = append(options, WithIgnoreEnd())
		case "include_special":
			options = append(options, WithSpecial())
		case "raw":
			options = append(options, WithRaw())
		case "stop":
			for _, text := range value.([]any) {
				options = append(options, WithStop(unescape(text.(string))))
			}
		case "stop_tokens":
			for _, id := range value.([]any) {
				options = append(options, WithStopTokens(int32(number(id))))
			}
		case "bias":
			for _, pair := range value.([]any) {
				p := pair.([]any)
				options = append(options, WithBias(int32(number(p[0])), float32(number(p[1]))))
			}
		default:
			panic("option " + name)
		}
	}
	return options
}

func loadOptionsOf(given map[string]any) []LoadOption {
	var options []LoadOption
	for name, value := range given {
		switch name {
		case "device":
			options = append(options, WithDevice(value.(string)))
		case "context":
			options = append(options, WithContext(int64(number(value))))
		case "memory_limit_bytes":
			options = append(options, WithMemoryLimit(uint64(number(value))))
		default:
			panic("load option " + name)
		}
	}
	return options
}

func engineOptionsOf(given map[string]any) []EngineOption {
	var options []EngineOption
	for name, value := range given {
		switch name {
		case "context":
			options = append(options, WithContext(int64(number(value))))
		case "max_waiting":
			options = append(options, WithMaxWaiting(int(number(value))))
		case "max_running":
			options = append(options, WithMaxRunning(int(number(value))))
		default:
			panic("engine option " + name)
		}
	}
	return options
}

var ctx = context.Background()

func loadTiny(t testing.TB, options ...LoadOption) *Model {
	t.Helper()
	model, err := Load(ctx, "scout-tiny", options...)
	if err != nil {
		t.Fatal(err)
	}
	return model
}

// read takes all events and holds them to the rules of every answer.
func read(t *testing.T, r *Request) (events []Event, text string) {
	t.Helper()
	var ids []int32
	for event, err := range r.Events(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if !utf8.ValidString(event.Text) {
			t.Fatalf("event text %q is not UTF-8", event.Text)
		}
		if len(events) > 0 && events[len(events)-1].Last() {
			t.Fatal("an event after the last")
		}
		events, text, ids = append(events, event), text+event.Text, append(ids, event.IDs...)
	}
	if len(events) == 0 || !events[len(events)-1].Last() {
		t.Fatal("no last event")
	}
	if _, err := r.Next(ctx); err != io.EOF {
		t.Fatalf("after the end: %v", err)
	}
	same(t, "ids", ok[[]int32](t)(r.IDs()), ids)
	return events, text
}

func ask(model *Model, prompt string, options ...RequestOption) (string, error) {
	r, err := model.Start(prompt, options...)
	if err != nil {
		return "", err
	}
	defer r.Close()
	return r.Text(ctx)
}

func chatOf(t *testing.T, model *Model, text string) *Chat {
	chat := ok[*Chat](t)(model.NewChat())
	if err := chat.Add(User, text); err != nil {
		t.Fatal(err)
	}
	return chat
}

// A field of Info by the member's name in C.
func fieldOf(info Info, name string) reflect.Value {
	plain := strings.ReplaceAll(name, "_", "")
	return reflect.ValueOf(info).FieldByNameFunc(func(field string) bool { return strings.EqualFold(field, plain) })
}

func residentBytes() int {
	text, _ := os.ReadFile("/proc/self/statm")
	pages, _ := strconv.Atoi(strings.Fields(string(text))[1])
	return pages * os.Getpagesize()
}

func TestConformance(t *testing.T) {
	cases := readSuite(t)
	model := loadTiny(t)
	defer model.Close()
	counts := [3]int{}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			defer func() {
				switch {
				case t.Skipped():
					counts[1]++
				case t.Failed():
					counts[2]++
					fmt.Printf("FAILED %s\n", c.Name)
				default:
					counts[0]++
					fmt.Printf("ok %s\n", c.Name)
				}
			}()
			run, known := kinds[c.Kind]
			if !known {
				t.Fatalf("unknown kind %s", c.Kind)
			}
			run(t, model, c)
		})
	}
	fmt.Printf("go: %d ok, %d n/a, %d failed\n", counts[0], counts[1], counts[2])
}
