// What libscout and its plug-in for video say to each other: plain C data, functions that never throw. The contract is a hash of
// this file, so any change of it makes the two sides of different builds refuse each other.
#pragma once

#include <cstdint>

namespace scout::media {

enum VideoContainer : uint32_t { kVideoMov = 0, kVideoMatroska = 1 };

// Values are those of ErrorCode in base/error.h; 0 is success.
using VideoStatus = int32_t;

// What went wrong, as one line; the caller's.
struct VideoMessage {
  char text[480];
};

// The library's services. All of it outlives the decoder; every function may be called from the thread that is inside the table's
// function, `log_*` from any.
struct VideoHost {
  void* context;
  uint64_t size;  // bytes of the clip
  // Fills `to` with bytes [offset, offset + size) of the clip, which are all there. 0 or what went wrong.
  VideoStatus (*read)(void* context, uint64_t offset, uint8_t* to, uint64_t size) noexcept;
  int32_t (*cancelled)(void* context) noexcept;   // 1: end soon
  int32_t (*log_wanted)(int32_t level) noexcept;  // 1: somebody listens to this level (LogLevel of base/log.h)
  void (*log_line)(int32_t level, const char* text, uint64_t text_size) noexcept;
};

struct VideoLimits {
  uint64_t max_pixels;      // of a frame, as stored and as shown
  uint64_t max_work;        // pixels decoded in all
  uint64_t max_read_bytes;  // of the clip in all, read again ones included
  int32_t threads;          // of the decoder, at least 1
  int32_t reserved;         // 0
};

struct VideoHeader {
  uint32_t width, height;  // as shown, before any turning: pixels that are not square have been stretched
  uint32_t orientation;    // EXIF's 1 .. 8
  uint32_t reserved;       // 0
  int64_t duration_us;     // from the first frame's time on
  double frame_rate;       // frames a second on average as the container tells; 0 = it does not
  const char* codec;       // "H.264"; static
  const char* decoder;     // FFmpeg's name of what decodes it; static
};

struct VideoFrame {
  int64_t time_us;  // when it is shown, from the clip's start
};

struct VideoDecoder;

struct VideoTable {
  const char* library;  // "FFmpeg's libavformat 59.27.100, libavcodec ..., licence GPL version 2 or later"; static
  // Reads the container's header, refuses a codec that is not on the list before any decoder is opened, and opens the decoder.
  VideoStatus (*open)(const VideoHost* host, const VideoLimits* limits, VideoContainer container, VideoDecoder** decoder,
                      VideoHeader* header, VideoMessage* message) noexcept;
  // The frame that is shown at a time: the last that is not later; the first where all are later. Seeks to the key frame before it
  // where that lies ahead of what is decoded. After a failure only close may be called.
  VideoStatus (*find)(VideoDecoder* decoder, int64_t time_us, VideoFrame* frame, VideoMessage* message) noexcept;
  // The found frame's pixels, [height, width, 3] of the header's size: sRGB's primaries are not converted to, levels are full
  // range.
  VideoStatus (*pixels)(VideoDecoder* decoder, uint8_t* rgb, VideoMessage* message) noexcept;
  void (*close)(VideoDecoder* decoder) noexcept;
};

}  // namespace scout::media
