package scout

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// Behaviours of clips.

func videoOptionsOf(given map[string]any) (options VideoOptions) {
	for name, value := range given {
		switch n := number(value); name {
		case "count":
			options.Count = int(n)
		case "fps":
			options.FPS = n
		case "scene_change":
			options.SceneChange = n
		case "start_us":
			options.Start = time.Duration(n) * time.Microsecond
		case "end_us":
			options.End = time.Duration(n) * time.Microsecond
		case "orientation":
			options.Orientation = int(n)
		case "max_frames":
			options.MaxFrames = int(n)
		case "max_bytes":
			options.MaxBytes = uint64(n)
		case "max_work":
			options.MaxWork = uint64(n)
		default:
			panic("video option " + name)
		}
	}
	return options
}

// videoOf opens a case's clip. Nothing can be shown of it where the library has no plug-in for video.
func videoOf(t *testing.T, clip string, options VideoOptions) (*Video, error) {
	t.Helper()
	video, err := DecodeVideo([]byte(unescape(clip)), options)
	if errors.Is(err, ErrUnsupported) && strings.Contains(err.Error(), "plug-in") {
		t.Skip("skipped: ", err)
	}
	return video, err
}

// framesOf are the frames that are left.
func framesOf(t *testing.T, video *Video) (frames []Frame, last error) {
	t.Helper()
	for frame, err := range video.Frames(ctx) {
		if err != nil {
			return frames, err
		}
		frames = append(frames, frame)
		t.Cleanup(func() { frame.Image.Close() })
	}
	return frames, nil
}

func init() {
	kinds["video"] = func(t *testing.T, _ *Model, c suiteCase) {
		video := ok[*Video](t)(videoOf(t, c.Clip, videoOptionsOf(c.VideoOption)))
		defer video.Close()
		info := ok[VideoInfo](t)(video.Info())
		same(t, "info", c.Info, []int{info.Width, info.Height, info.Orientation, int(info.Duration.Microseconds()), info.Frames})
		near(t, "frame_rate", []float64{c.FrameRate}, []float32{float32(info.FrameRate)}, 1e-6)
		same(t, "container and codec", []string{c.Container, c.Codec}, []string{info.Container, info.Codec})
		frames := ok[[]Frame](t)(framesOf(t, video))
		same(t, "the end", 0, len(ok[[]Frame](t)(framesOf(t, video))))
		var times []int64
		var sums []int
		for _, frame := range frames {
			times = append(times, frame.Time.Microseconds())
			same(t, "format", "video", ok[ImageInfo](t)(frame.Image.Info()).Format)
			sums = append(sums, checksumOf(ok[[]byte](t)(frame.Image.Tile(0, tileOptionsOf(c.TileOption)))))
		}
		same(t, "times", c.Times, times)
		same(t, "checksums", c.Checksums, sums)
	}
	kinds["error_video"] = func(t *testing.T, model *Model, c suiteCase) {
		var video *Video
		var err error
		if options := videoOptionsOf(c.VideoOption); c.Call == "file" {
			video, err = OpenVideo(c.Path, options)
		} else {
			video, err = videoOf(t, c.Clip, options)
		}
		if err == nil {
			defer video.Close()
			chat := ok[*Chat](t)(model.NewChat())
			defer chat.Close()
			ok[int](t)(0, chat.Begin(User))
			switch c.Call {
			case "next":
				_, err = framesOf(t, video)
			case "cancelled":
				ok[int](t)(0, video.Cancel())
				_, err = video.Next()
			case "closed":
				video.Close()
				_, err = video.Next()
			case "chat":
				_, err = chat.AddVideo(ctx, video)
			case "chat_frame":
				frame := ok[Frame](t)(video.Next())
				defer frame.Image.Close()
				err = chat.AddFrame(frame)
			default:
				t.Fatalf("unknown call %s", c.Call)
			}
		}
		fails(t, statusOf(t, c), unescape(c.Names), err)
	}
}
