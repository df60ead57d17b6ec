package scout

/*
#include "glue.h"
*/
import "C"

import (
	"context"
	"fmt"
	"io"
	"iter"
	"time"
	"unsafe"
)

// Video is a clip: the frames that its options choose, in the order of their times, once. It needs no model. One goroutine at a time takes
// frames; any may cancel or close it.
type Video struct {
	h        *handle
	maxTiles int
}

// VideoOptions say which frames are taken of a clip, and what it may cost. What is 0 is the default: a frame a second.
type VideoOptions struct {
	Count       int           // frames in all, evenly from the beginning on; 0 is by FPS
	FPS         float64       // frames a second, up to 1000, not with Count; 0 is 1. A frame that is chosen twice is taken once
	SceneChange float64       // only frames that differ from the last taken by at least so many percent of the most they could; 0 is all
	Start, End  time.Duration // the part to take, from the clip's start on; an End of 0 is the clip's
	MaxTiles    int           // of a frame in a chat, 1 to 256; 0 is 1
	Orientation int           // 0 turns as the clip says, 1 leaves it as it is stored, 2 to 8 turn as EXIF means by that number
	Threads     int           // of the decoder; 0 is as many as the process may use, at most 8; they change no pixel
	MaxFrames   int           // refuse a choice of more; 0 is 256
	MaxDuration time.Duration // refuse a longer clip; 0 is four hours
	MaxBytes    uint64        // refuse a larger clip; 0 is 4294967296
	MaxPixels   uint64        // refuse a clip with larger frames, before one is decoded; 0 is 35389440
	MaxWork     uint64        // pixels decoded in all, those of frames that are not taken included; 0 is 274877906944
	PluginDir   string        // where the plug-in that reads clips is looked for
}

// Frame is a picture with its time: a part of a message ([Chat.AddFrame]). Any picture will do; those of a [Video] come with their times.
type Frame struct {
	Image    *Image
	Time     time.Duration // when it is shown, from the clip's start on
	MaxTiles int           // of the picture in a chat, 1 to 256; 0 is 1
}

// makeVideo fills in the options and calls f with them.
func makeVideo(options VideoOptions, f func(*C.scout_video_options) C.go_result) (*Video, error) {
	native := new(C.scout_video_options)
	C.scout_video_options_init(native, C.sizeof_scout_video_options)
	for _, given := range []struct {
		name  string
		value int
		to    *C.int32_t
	}{{"count", options.Count, &native.count}, {"max_tiles", options.MaxTiles, &native.max_tiles},
		{"orientation", options.Orientation, &native.orientation}, {"threads", options.Threads, &native.threads},
		{"max_frames", options.MaxFrames, &native.max_frames}} {
		*given.to = C.int32_t(given.value)
		if int(*given.to) != given.value {
			return nil, &Error{StatusArgument, fmt.Sprintf("%s is %d, past 32 bits", given.name, given.value)}
		}
	}
	native.fps, native.scene_change = C.double(options.FPS), C.double(options.SceneChange)
	native.start_us, native.end_us = C.int64_t(options.Start.Microseconds()), C.int64_t(options.End.Microseconds())
	native.max_duration_us = C.int64_t(options.MaxDuration.Microseconds())
	native.max_bytes, native.max_pixels = C.uint64_t(options.MaxBytes), C.uint64_t(options.MaxPixels)
	native.max_work = C.uint64_t(options.MaxWork)
	if options.PluginDir != "" {
		folder, err := cString("plugin_dir", options.PluginDir)
		if err != nil {
			return nil, err
		}
		defer C.free(unsafe.Pointer(folder))
		native.plugin_dir = folder
	}
	pointer, err := made(f(native))
	if err != nil {
		return nil, err
	}
	return &Video{newHandle(pointer, "video", func(p unsafe.Pointer) { C.scout_video_free((*C.scout_video)(p)) },
		func(p unsafe.Pointer) { C.scout_video_cancel((*C.scout_video)(p)) }), options.MaxTiles}, nil
}

// OpenVideo opens an MP4, QuickTime, Matroska or WebM file, which stays open until Close. Its name does not matter. [ErrUnsupported] names
// another container or codec, and says when the library's plug-in for video is missing.
func OpenVideo(path string, options VideoOptions) (*Video, error) {
	text, err := cString("path", path)
	if err != nil {
		return nil, err
	}
	defer C.free(unsafe.Pointer(text))
	return makeVideo(options, func(native *C.scout_video_options) C.go_result { return C.go_video_open(text, native) })
}

// DecodeVideo opens the bytes of such a file, which are copied.
func DecodeVideo(file []byte, options VideoOptions) (*Video, error) {
	return makeVideo(options, func(native *C.scout_video_options) C.go_result {
		return C.go_video_from_bytes(bytesPointer(file), C.uint64_t(len(file)), native)
	})
}

// VideoInfo is what a clip is.
type VideoInfo struct {
	Width, Height int           // of a frame, once turned, in pixels
	Duration      time.Duration // of the clip
	FrameRate     float64       // frames a second of the clip; 0: it does not say
	Frames        int           // that are chosen; as many come, or fewer
	Orientation   int           // EXIF's number by which frames are turned; 1: they are not
	Container     string        // "MP4", "QuickTime", "Matroska" or "WebM"
	Codec         string        // "H.264", "HEVC", "VP8", "VP9", "AV1" or "MJPEG"
	Decoder       string        // FFmpeg's name of the decoder
	Library       string        // FFmpeg's versions and the licence that its build is under
}

// Info describes the clip.
func (v *Video) Info() (VideoInfo, error) {
	n := new(C.scout_video_info)
	n.struct_size = C.sizeof_scout_video_info
	if _, err := v.h.call(func(p unsafe.Pointer) C.go_result { return C.go_video_get_info((*C.scout_video)(p), n) }); err != nil {
		return VideoInfo{}, err
	}
	return VideoInfo{int(n.width), int(n.height), time.Duration(n.duration_us) * time.Microsecond, float64(n.frame_rate), int(n.frames),
		int(n.orientation), C.GoString(n.container), C.GoString(n.codec), C.GoString(n.decoder), C.GoString(n.library)}, nil
}

// Next is the next frame, whose picture is the caller's to close; [io.EOF] at the end. After a failure every further call fails as the
// first did. [Video.Cancel] ends it.
func (v *Video) Next() (Frame, error) {
	result, err := v.h.call(func(p unsafe.Pointer) C.go_result { return C.go_video_next((*C.scout_video)(p)) })
	if err != nil {
		return Frame{}, err
	}
	if result.value == nil {
		return Frame{}, io.EOF
	}
	return Frame{newImage(result.value), time.Duration(int64(result.number)) * time.Microsecond, v.maxTiles}, nil
}

// Frames are the frames that were not taken yet, until one fails. Their pictures are the caller's to close. When the context ends, the clip
// is cancelled and the last error is the context's.
func (v *Video) Frames(ctx context.Context) iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		defer context.AfterFunc(ctx, func() { v.Cancel() })()
		for {
			frame, err := v.Next()
			if err == io.EOF {
				return
			}
			if err != nil && ctx.Err() != nil {
				err = ctx.Err()
			}
			if !yield(frame, err) || err != nil {
				return
			}
		}
	}
}

// Cancel ends the call under way in another goroutine, soon, and those that follow, with [ErrCancelled].
func (v *Video) Cancel() error {
	_, err := v.h.call(func(p unsafe.Pointer) C.go_result { return C.go_video_cancel((*C.scout_video)(p)) })
	return err
}

// Close frees the clip; the pictures that it gave remain. It may be called twice, and ends what another goroutine waits for.
func (v *Video) Close() error {
	v.h.close()
	return nil
}

// AddFrame adds a frame to the message that Begin began: its time as text, "[1.0 s]", and directly behind it the picture.
func (c *Chat) AddFrame(f Frame) error {
	tiles := C.int32_t(f.MaxTiles)
	if int(tiles) != f.MaxTiles {
		return &Error{StatusArgument, fmt.Sprintf("max_tiles is %d, past 32 bits", f.MaxTiles)}
	}
	if f.Image == nil {
		return &Error{StatusArgument, "the frame has no picture"}
	}
	picture, err := f.Image.h.enter()
	if err != nil {
		return err
	}
	defer f.Image.h.leave(picture)
	_, err = c.h.call(func(p unsafe.Pointer) C.go_result {
		return C.go_chat_add_frame((*C.scout_chat)(p), (*C.scout_image)(picture), C.int64_t(f.Time.Microseconds()), tiles)
	})
	return err
}

// AddVideo adds the frames of a clip that were not taken yet to the message that Begin began, each with its time before it, and gives their
// number. After a failure the message is as before. When the context ends, the clip is cancelled and the error is the context's.
func (c *Chat) AddVideo(ctx context.Context, v *Video) (int, error) {
	clip, err := v.h.enter()
	if err != nil {
		return 0, err
	}
	defer v.h.leave(clip)
	defer context.AfterFunc(ctx, func() { v.Cancel() })()
	result, err := c.h.call(func(p unsafe.Pointer) C.go_result {
		return C.go_chat_add_video((*C.scout_chat)(p), (*C.scout_video)(clip))
	})
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return int(result.number), err
}
