// A picture in a file's bytes: PNG, JPEG or WebP, told apart by how it begins. The decoders are in the plug-in "media", which is
// opened when the first picture comes; libscout itself is linked with none of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "media/media_table.h"

namespace scout::media {

inline constexpr uint64_t kDefaultMaxFileBytes = uint64_t{256} << 20;

// So many bytes behind the last row may be read: what works in vectors wants them.
inline constexpr uint64_t kPictureTail = 32;

// Pixels of 8 bits, rows one behind the other.
struct Picture {
  int64_t width = 0, height = 0;
  int32_t channels = 0;               // 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA
  std::unique_ptr<uint8_t[]> pixels;  // [height, width, channels], then kPictureTail bytes
};

class MediaFile {
 public:
  // Reads the header, and no more. The bytes are borrowed. Throws kUnsupported for what is none of the three, by its name where it
  // is known (GIF, TIFF, HEIC, SVG, ...), and for a plug-in or a format of it that is missing; kTruncated, kFormat, kLimit.
  // `folder`: where the plug-in lies; empty: beside the library.
  explicit MediaFile(std::span<const uint8_t> bytes, std::string_view folder = {});

  const char* format() const;  // "PNG", "JPEG", "WebP"
  const MediaHeader& header() const { return header_; }

  // To be called once the caller finds the size of the header acceptable: allocates the pixels, and about as much again in the
  // decoder.
  Picture Decode() const;

 private:
  std::span<const uint8_t> bytes_;
  MediaFormat format_;
  const MediaDecoder* decoder_;
  MediaHeader header_ = {};
};

}  // namespace scout::media
