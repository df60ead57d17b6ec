// What libscout and its plug-in for pictures say to each other: plain C data, functions that never throw. The contract is a hash of
// this file, so any change of it makes the two sides of different builds refuse each other.
#pragma once

#include <cstdint>

namespace scout::media {

enum MediaFormat : uint32_t { kMediaPng = 0, kMediaJpeg = 1, kMediaWebp = 2, kMediaFormats = 3 };

// Values are those of ErrorCode in base/error.h; 0 is success.
using MediaStatus = int32_t;

struct MediaHeader {
  uint32_t width, height;  // as stored, before any turning
  uint32_t channels;       // of the decoded pixels, 8 bits each: 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA
  uint32_t orientation;    // EXIF's 1 .. 8; 1 where the file does not say, or says anything else
  uint64_t least_bytes;    // a file of this size and format has at least as many; 0 = cannot be told
};

// What went wrong, as one line; the caller's.
struct MediaMessage {
  char text[480];
};

struct MediaDecoder {
  const char* library;  // "libpng 1.6.39"; null: this plug-in was built without the format, and so are the functions
  // Reads no more than the header, and allocates no pixels.
  MediaStatus (*read_header)(const uint8_t* bytes, uint64_t size, MediaHeader* header, MediaMessage* message) noexcept;
  // Decodes into rows of header->width * header->channels bytes, one behind the other. `header` is what read_header gave for these
  // bytes. `memory_bytes`: what the decoder may allocate for itself, as far as its library can be told.
  MediaStatus (*decode)(const uint8_t* bytes, uint64_t size, const MediaHeader* header, uint64_t memory_bytes, uint8_t* pixels,
                        MediaMessage* message) noexcept;
};

struct MediaTable {
  MediaDecoder decoders[kMediaFormats];  // by MediaFormat
};

}  // namespace scout::media
