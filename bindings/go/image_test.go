package scout

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"
)

// Pictures of the standard library, closing, threads, and a chat with a model that sees.

var small = TileOptions{TileSide: 16}

func numbers(seed int) []int { return []int{40, 30, 3, seed} }

func TestImageOfThePictureTypes(t *testing.T) {
	pixels := samples(40*30*4, 1)
	whole := &image.NRGBA{Pix: pixels, Stride: 160, Rect: image.Rect(0, 0, 40, 30)}
	tile := func(picture image.Image) string {
		i := ok[*Image](t)(ImageOf(picture))
		defer i.Close()
		return string(ok[[]byte](t)(i.Tile(0, small)))
	}
	plain := ok[*Image](t)(NewImage(pixels, 40, 30, 4))
	defer plain.Close()
	same(t, "NRGBA", string(ok[[]byte](t)(plain.Tile(0, small))), tile(whole))

	part := whole.SubImage(image.Rect(7, 5, 31, 29))
	copied := image.NewNRGBA(image.Rect(0, 0, 24, 24))
	opaque := image.NewRGBA(image.Rect(3, 4, 27, 28))
	grey := image.NewGray(image.Rect(0, 0, 24, 24))
	paletted := image.NewPaletted(image.Rect(0, 0, 24, 24), color.Palette{color.Black, color.White, color.NRGBA{200, 10, 30, 255}})
	flat := image.NewNRGBA(paletted.Rect)
	for y := range 24 {
		for x := range 24 {
			c := part.At(7+x, 5+y).(color.NRGBA)
			copied.SetNRGBA(x, y, c)
			opaque.Set(3+x, 4+y, color.NRGBA{c.R, c.G, c.B, 255})
			grey.SetGray(x, y, color.Gray{c.R})
			paletted.SetColorIndex(x, y, c.R%3)
			flat.Set(x, y, paletted.At(x, y))
		}
	}
	same(t, "a part of a picture", tile(copied), tile(part))
	same(t, "RGBA without alpha", tile(copied), tile(opaque)) // alpha is dropped
	levels := ok[*Image](t)(NewImage(grey.Pix, 24, 24, 1))
	defer levels.Close()
	same(t, "Gray", string(ok[[]byte](t)(levels.Tile(0, small))), tile(grey))
	same(t, "Paletted", tile(flat), tile(paletted))
	shown := ok[*image.NRGBA](t)(plain.TileImage(0, small))
	same(t, "shown", ok[[]byte](t)(plain.Tile(0, small))[:3], shown.Pix[:3])
	same(t, "size", image.Pt(16, 16), shown.Rect.Size())
	if _, err := ImageOf(image.NewNRGBA(image.Rect(0, 0, 0, 5))); !errors.Is(err, ErrArgument) {
		t.Fatal(err)
	}
}

func TestImageSizes(t *testing.T) {
	for name, call := range map[string]func() error{
		"width is -1":  func() error { _, err := NewImage(nil, -1, 1, 3); return err },
		"stride is -1": func() error { _, err := NewImageStride(nil, 1, 1, -1, 3); return err },
		"channels is":  func() error { _, err := NewImage(nil, 1, 1, 1<<33+1); return err },
		"tile_side is": func() error { _, err := TilingOfSize(1, 1, TileOptions{TileSide: 1 << 33}); return err },
		"negative":     func() error { _, err := TilingOfSize(1, -1, TileOptions{}); return err },
	} {
		fails(t, StatusArgument, name, call())
	}
}

func TestImageClosedAndUsedAfterwards(t *testing.T) {
	model := loadTiny(t)
	defer model.Close()
	i := ok[*Image](t)(imageOf(numbers(1)))
	i.Close()
	i.Close()
	chat := ok[*Chat](t)(model.NewChat())
	defer chat.Close()
	ok[int](t)(0, chat.Begin(User))
	_, info := i.Info()
	_, tile := i.Tile(0, small)
	_, tokens := i.Tokens(model, small)
	for _, err := range []error{info, tile, tokens, chat.AddImage(i)} {
		fails(t, StatusState, "the image is closed", err)
	}
}

func TestImageForgotten(t *testing.T) {
	freed := make(chan struct{}, 1)
	func() {
		i := ok[*Image](t)(imageOf(numbers(1)))
		free := i.h.free
		i.h.free = func(p unsafe.Pointer) { free(p); freed <- struct{}{} }
	}()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		runtime.GC()
		select {
		case <-freed:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Fatal("a forgotten picture is not freed")
}

func TestImageClosingUnderReaders(t *testing.T) {
	for seed := range 20 {
		i := ok[*Image](t)(imageOf([]int{300, 200, 3, seed}))
		var all sync.WaitGroup
		for range 4 {
			all.Add(1)
			go func() {
				defer all.Done()
				for side := 8; ; side = side%40 + 8 {
					if tile, err := i.Tile(0, TileOptions{TileSide: side}); err != nil {
						if !errors.Is(err, ErrState) {
							t.Error(err)
						}
						return
					} else if len(tile) != 3*side*side {
						t.Error(len(tile))
					}
				}
			}()
		}
		i.Close()
		all.Wait()
	}
}

func TestImageFile(t *testing.T) {
	const path = "../../tests/fixtures/images/files/exif6.png"
	i, err := OpenImage(path)
	if errors.Is(err, ErrUnsupported) && strings.Contains(err.Error(), "plug-in") {
		t.Skip("skipped: ", err)
	}
	i = ok[*Image](t)(i, err)
	defer i.Close()
	decoded := ok[*Image](t)(DecodeImage(ok[[]byte](t)(os.ReadFile(path))))
	defer decoded.Close()
	stored := ok[*Image](t)(OpenImage(path, WithOrientation(1)))
	defer stored.Close()
	info, other := ok[ImageInfo](t)(i.Info()), ok[ImageInfo](t)(stored.Info())
	same(t, "info", ImageInfo{other.Height, other.Width, 6, "PNG"}, info)
	same(t, "tile", ok[[]byte](t)(decoded.Tile(0, small)), ok[[]byte](t)(i.Tile(0, small)))
	_, err = OpenImage(path, WithPluginDir("no/such/folder"))
	fails(t, StatusUnsupported, "no/such/folder", err)
}

func TestImageAsked(t *testing.T) {
	path := os.Getenv("SCOUT_SEEING")
	model := ok[*Model](t)(Load(ctx, path, WithVision()))
	defer model.Close()
	engine := ok[*Engine](t)(model.NewEngine())
	defer engine.Close()
	options := ok[TileOptions](t)(model.TileOptions())
	var answers []string
	for _, seed := range []int{1, 2, 1} {
		i := ok[*Image](t)(imageOf([]int{3 * options.TileSide, options.TileSide, 3, seed}))
		chat := ok[*Chat](t)(model.NewChat())
		for _, err := range []error{chat.Begin(User), chat.AddImage(i), chat.AddText("what?")} {
			if err != nil {
				t.Fatal(err)
			}
		}
		shown := ok[[]int32](t)(i.Tokens(model, options))
		same(t, "tokens", ok[Tiling](t)(i.Tiling(options)).Tokens, len(shown))
		if ids := fmt.Sprint(ok[[]int32](t)(chat.Tokens())); !strings.Contains(ids, strings.Trim(fmt.Sprint(shown), "[]")) {
			t.Fatalf("%v is not in %s", shown, ids)
		}
		i.Close()
		r := ok[*Request](t)(engine.Submit(chat, WithMaxTokens(8), WithIgnoreEnd(), WithLogprobs(0)))
		var found []float32
		for event, err := range r.Events(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, event.Logprobs...)
		}
		answers = append(answers, fmt.Sprint(found))
		r.Close()
		chat.Close()
	}
	same(t, "the same picture", answers[0], answers[2])
	if answers[0] == answers[1] {
		t.Fatal("another picture has the same answer")
	}
	blind := ok[*Model](t)(Load(ctx, path))
	defer blind.Close()
	chat := ok[*Chat](t)(blind.NewChat())
	defer chat.Close()
	i := ok[*Image](t)(imageOf(numbers(1)))
	defer i.Close()
	ok[int](t)(0, chat.Begin(User))
	fails(t, StatusUnsupported, "without its vision tower", chat.AddImage(i))
	_, err := blind.TileOptions()
	fails(t, StatusState, "", err)
}

func TestImageOfTextsAndIDs(t *testing.T) {
	model := ok[*Model](t)(Load(ctx, os.Getenv("SCOUT_SEEING"), WithVision()))
	defer model.Close()
	engine := ok[*Engine](t)(model.NewEngine())
	defer engine.Close()
	i := ok[*Image](t)(imageOf([]int{16, 16, 3, 1}))
	shown := ok[[]int32](t)(i.Tokens(model, ok[TileOptions](t)(model.TileOptions())))
	token := ok[int32](t)(model.FindToken("<|image|>"))
	given := append(ok[[]int32](t)(model.Encode("a", 0)), token)
	expanded := ok[[]int32](t)(model.ExpandPrompt(given, i))
	same(t, "expanded", append(append([]int32(nil), given[:len(given)-1]...), shown...), expanded)
	ids := ok[[]int32](t)(model.PromptTokens("a<|image|>", WithRaw(), WithImages(i)))
	for range 2 {
		r := ok[*Request](t)(engine.SubmitText("a<|image|>", WithRaw(), WithImages(i), WithMaxTokens(4), WithIgnoreEnd()))
		for event, err := range r.Events(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			if event.Last() {
				same(t, "prompt tokens", int64(len(ids)), event.PromptTokens)
			}
		}
		r.Close()
	}
	stats := ok[Stats](t)(engine.Stats())
	same(t, "encoded", []int64{1, 1}, []int64{stats.PicturesEncoded, stats.PictureCacheMisses})
	scores := ok[*Scores](t)(engine.ScoreWith(given, ScoreOptions{Images: []*Image{i}}))
	defer scores.Close()
	rows := 0
	for block, err := range scores.Blocks(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		rows += len(block.Positions)
	}
	same(t, "rows", len(expanded), rows)
	_, err := model.PromptTokens("a", WithRaw(), WithImages(i, i))
	fails(t, StatusArgument, "2", err)
	i.Close()
	_, err = model.Start("what?", WithImages(i))
	fails(t, StatusState, "the image is closed", err)
	for limit, option := range map[uint64]EngineOption{0: WithoutPictureCache(), 1000: WithPictureCacheBytes(1000)} {
		other := ok[*Engine](t)(model.NewEngine(option))
		same(t, "limit", limit, ok[Stats](t)(other.Stats()).PictureCacheLimitBytes)
		other.Close()
	}
}
