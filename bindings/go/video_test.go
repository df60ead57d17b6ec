package scout

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Clips: of files, cancelled and closed under those who take frames, and in a chat with a model that sees.

// clipOf opens the clip of the list of behaviours: 16 x 16 pixels, two seconds, two frames a second.
func clipOf(t *testing.T, options VideoOptions) *Video {
	t.Helper()
	for _, c := range readSuite(t) {
		if c.Name == "video.a_frame_a_second" {
			return ok[*Video](t)(videoOf(t, c.Clip, options))
		}
	}
	t.Fatal("the list has no clip")
	return nil
}

// clipBytes are its file's.
func clipBytes(t *testing.T) []byte {
	t.Helper()
	clipOf(t, VideoOptions{}).Close() // skips where there is no plug-in
	for _, c := range readSuite(t) {
		if c.Name == "video.a_frame_a_second" {
			return []byte(unescape(c.Clip))
		}
	}
	return nil
}

func TestVideoFileAndOptions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clip.txt") // the name does not matter
	ok[int](t)(0, os.WriteFile(path, clipBytes(t), 0o600))
	video := ok[*Video](t)(OpenVideo(path, VideoOptions{FPS: 2, MaxTiles: 3}))
	defer video.Close()
	frames := ok[[]Frame](t)(framesOf(t, video))
	var times []time.Duration
	for _, frame := range frames {
		times = append(times, frame.Time)
		same(t, "tiles", 3, frame.MaxTiles)
	}
	same(t, "times", []time.Duration{0, time.Second / 2, time.Second, 3 * time.Second / 2}, times)
	for name, options := range map[string]VideoOptions{"count is": {Count: 1 << 33}, "start_us is -1": {Start: -time.Microsecond},
		"max_tiles is 257": {MaxTiles: 257}} {
		_, err := OpenVideo(path, options)
		fails(t, StatusArgument, name, err)
	}
	_, err := OpenVideo(path, VideoOptions{PluginDir: "no/such/folder"})
	fails(t, StatusUnsupported, "no/such/folder", err)
	_, err = OpenVideo("a\x00b", VideoOptions{})
	fails(t, StatusArgument, "path", err)
}

func TestVideoClosedAndUsedAfterwards(t *testing.T) {
	video := clipOf(t, VideoOptions{})
	frame := ok[Frame](t)(video.Next())
	defer frame.Image.Close()
	video.Close()
	video.Close()
	same(t, "the picture remains", 16, ok[ImageInfo](t)(frame.Image.Info()).Width)
	_, info := video.Info()
	_, next := video.Next()
	for _, err := range []error{info, next, video.Cancel()} {
		fails(t, StatusState, "the video is closed", err)
	}
}

func TestVideoLoopIsLeftAndGoesOn(t *testing.T) {
	video := clipOf(t, VideoOptions{FPS: 2})
	defer video.Close()
	for frame, err := range video.Frames(ctx) {
		ok[int](t)(0, err)
		frame.Image.Close()
		break
	}
	same(t, "left", 3, len(ok[[]Frame](t)(framesOf(t, video))))
}

func TestVideoContext(t *testing.T) {
	ended, cancel := context.WithCancel(ctx)
	cancel()
	// The end of the context is told by another goroutine: frames may come before.
	video := clipOf(t, VideoOptions{FPS: 1000, MaxFrames: 4000})
	defer video.Close()
	var last error
	for deadline := time.Now().Add(20 * time.Second); last == nil && time.Now().Before(deadline); {
		for frame, err := range video.Frames(ended) {
			if last = err; err == nil {
				frame.Image.Close()
			}
		}
	}
	if last != context.Canceled {
		t.Fatalf("expected the context's error, found %v", last)
	}
	_, err := video.Next()
	fails(t, StatusCancelled, "", err)
}

func TestVideoClosingUnderReaders(t *testing.T) {
	for range 20 {
		video := clipOf(t, VideoOptions{FPS: 1000, MaxFrames: 4000})
		var all sync.WaitGroup
		for range 4 {
			all.Add(1)
			go func() {
				defer all.Done()
				for {
					frame, err := video.Next()
					if err == nil {
						frame.Image.Close()
					} else if errors.Is(err, ErrCancelled) || err.Error() == "scout: the video is closed" {
						return
					} else if !errors.Is(err, ErrState) && err.Error() != "EOF" { // another goroutine is inside, or the end
						t.Error(err)
						return
					}
				}
			}()
		}
		video.Close()
		all.Wait()
	}
}

func TestVideoAsked(t *testing.T) {
	model := ok[*Model](t)(Load(ctx, os.Getenv("SCOUT_SEEING"), WithVision()))
	defer model.Close()
	engine := ok[*Engine](t)(model.NewEngine())
	defer engine.Close()
	frames := ok[[]Frame](t)(framesOf(t, clipOf(t, VideoOptions{})))
	ways := map[string]func(*Chat) error{
		"video": func(chat *Chat) error {
			video := clipOf(t, VideoOptions{})
			defer video.Close()
			same(t, "frames", len(frames), ok[int](t)(chat.AddVideo(ctx, video)))
			return nil
		},
		"frames": func(chat *Chat) (err error) {
			for _, frame := range frames {
				err = errors.Join(err, chat.AddFrame(frame))
			}
			return err
		},
		"by hand": func(chat *Chat) (err error) {
			for _, frame := range frames {
				err = errors.Join(err, chat.AddText(fmt.Sprintf("[%.1f s]", frame.Time.Seconds())), chat.AddImage(frame.Image))
			}
			return err
		},
	}
	shown := map[string]string{}
	for name, add := range ways {
		chat := ok[*Chat](t)(model.NewChat())
		for _, err := range []error{chat.Begin(User), add(chat), chat.AddText("What moves?")} {
			ok[int](t)(0, err)
		}
		r := ok[*Request](t)(engine.Submit(chat, WithMaxTokens(6), WithIgnoreEnd(), WithLogprobs(0)))
		found := fmt.Sprint(ok[[]int32](t)(chat.Tokens()))
		for event, err := range r.Events(ctx) {
			ok[int](t)(0, err)
			found += fmt.Sprint(event.Logprobs)
		}
		shown[name] = found
		r.Close()
		chat.Close()
	}
	same(t, "frames", shown["video"], shown["frames"])
	same(t, "by hand", shown["video"], shown["by hand"])

	chat := ok[*Chat](t)(model.NewChat())
	defer chat.Close()
	ok[int](t)(0, errors.Join(chat.Begin(User), chat.AddText("so")))
	before := ok[[]int32](t)(chat.Tokens())
	costly := clipOf(t, VideoOptions{FPS: 2, MaxWork: 2 * 16 * 16})
	defer costly.Close()
	_, err := chat.AddVideo(ctx, costly)
	fails(t, StatusLimit, "max_work", err)
	same(t, "the message is as before", before, ok[[]int32](t)(chat.Tokens()))
	fails(t, StatusArgument, "no picture", chat.AddFrame(Frame{}))
	fails(t, StatusArgument, "257", chat.AddFrame(Frame{Image: frames[0].Image, MaxTiles: 257}))
}
