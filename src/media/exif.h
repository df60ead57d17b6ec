// The orientation in an EXIF block: which way up a camera was held.
#pragma once

#include <cstddef>
#include <cstdint>

namespace scout::media {

// The value of tag 0x0112 in the first directory of a TIFF header ("II*" or "MM*", without "Exif\0\0"); 1 where there is none,
// where it is not 1 .. 8, or where the block breaks its own rules. Follows no chain of directories, so nothing in the block can
// make it long.
inline uint32_t OrientationOf(const uint8_t* tiff, size_t size) noexcept {
  if (size < 8) return 1;
  const bool little = tiff[0] == 'I' && tiff[1] == 'I';
  if (!little && !(tiff[0] == 'M' && tiff[1] == 'M')) return 1;
  const auto read16 = [&](size_t at) -> uint32_t {
    return little ? tiff[at] | uint32_t{tiff[at + 1]} << 8 : tiff[at + 1] | uint32_t{tiff[at]} << 8;
  };
  const auto read32 = [&](size_t at) -> uint32_t {
    return little ? read16(at) | read16(at + 2) << 16 : read16(at + 2) | read16(at) << 16;
  };
  if (read16(2) != 42) return 1;
  const size_t directory = read32(4);
  if (directory > size - 2) return 1;
  const size_t entries = read16(directory);
  for (size_t i = 0; i < entries; ++i) {
    const size_t at = directory + 2 + 12 * i;
    if (at + 12 > size) return 1;
    if (read16(at) != 0x0112) continue;
    constexpr uint32_t kShort = 3;
    const uint32_t value = read16(at + 8);
    return read16(at + 2) == kShort && read32(at + 4) == 1 && value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}

}  // namespace scout::media
