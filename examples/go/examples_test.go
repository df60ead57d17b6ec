package examples

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The programs are built and run; what they must answer is in the list of behaviours.

func run(t *testing.T, name string, arguments ...string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), name)
	if out, err := exec.Command("go", "build", "-o", program, "./"+name).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	out, err := exec.Command(program, arguments...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

// refusal is what the list of behaviours says of pictures: why the bundled model sees none, or nothing.
func refusal(t *testing.T) string {
	text, err := os.ReadFile("../../bindings/conformance.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, found, _ := strings.Cut(string(text), "\ncase chat_image.picture_first\n")
	found, _, _ = strings.Cut(found, "\n\n")
	_, found, _ = strings.Cut(found, "\nnames ")
	return found
}

func answers(t *testing.T) (questions, texts []string) {
	text, err := os.ReadFile("../../bindings/conformance.json")
	if err != nil {
		t.Fatal(err)
	}
	var document struct{ Cases []map[string]json.RawMessage }
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	for _, c := range document.Cases {
		if string(c["name"]) == `"many.one_engine"` {
			if json.Unmarshal(c["prompt"], &questions) == nil && json.Unmarshal(c["text"], &texts) == nil {
				return
			}
		}
	}
	t.Fatal("no many.one_engine")
	return
}

func TestHello(t *testing.T) {
	if out := run(t, "hello"); len(out) < 40 {
		t.Fatal(out)
	}
}

func TestChat(t *testing.T) {
	questions, texts := answers(t)
	if out := run(t, "chat", "scout-tiny", questions[0]); !strings.Contains(out, "> "+questions[0]+"\n"+texts[0]+"\n(") {
		t.Fatal(out)
	}
}

func TestStream(t *testing.T) {
	if out := run(t, "stream", "scout-tiny", "50ms"); !strings.Contains(out, "(cancelled after ") {
		t.Fatal(out)
	}
}

func TestMany(t *testing.T) {
	questions, texts := answers(t)
	out := run(t, "many", append([]string{"scout-tiny"}, questions...)...)
	for i := range questions {
		if !strings.Contains(out, questions[i]+"\n  "+texts[i]+"\n") {
			t.Errorf("%s: expected %s in\n%s", questions[i], texts[i], out)
		}
	}
}

func TestPicture(t *testing.T) {
	program := filepath.Join(t.TempDir(), "picture")
	if out, err := exec.Command("go", "build", "-o", program, "./picture").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(program).CombinedOutput()
	if why := refusal(t); why != "" {
		if err == nil || !strings.Contains(string(out), why) {
			t.Fatalf("expected %q, found %v, %s", why, err, out)
		}
		return
	}
	if err != nil || !strings.Contains(string(out), "red") && !strings.Contains(string(out), "circle") {
		t.Fatalf("%v\n%s", err, out)
	}
}
