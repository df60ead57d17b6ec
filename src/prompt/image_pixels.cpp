#include "prompt/image_pixels.h"

#include <algorithm>
#include <cstring>

#include "base/checked.h"
#include "base/error.h"

namespace scout::prompt {
namespace {

// The bytes that a caller says there are, for the address of the last one must exist.
void CheckPixels(const RawPixels& pixels, int64_t max_pixels) {
  if (pixels.data == nullptr) Fail(ErrorCode::kArgument, "pixels is NULL");
  if (pixels.channels < 1 || pixels.channels > 4)
    Fail(ErrorCode::kArgument, "channels is ", pixels.channels, ", must be 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA)");
  CheckImageSize(pixels.width, pixels.height, max_pixels);
  const uint64_t row = static_cast<uint64_t>(pixels.width) * static_cast<uint64_t>(pixels.channels);
  if (pixels.stride != 0 && pixels.stride < row)
    Fail(ErrorCode::kArgument, "stride is ", pixels.stride, " bytes, a row of ", pixels.width, " x ", pixels.channels, " needs ",
         row);
  const uint64_t stride = pixels.stride == 0 ? row : pixels.stride;
  uint64_t bytes = 0;
  if (__builtin_mul_overflow(stride, static_cast<uint64_t>(pixels.height - 1), &bytes) ||
      __builtin_add_overflow(bytes, row, &bytes) || bytes > PTRDIFF_MAX)
    Fail(ErrorCode::kArgument, "stride is ", pixels.stride, " bytes: ", pixels.height, " such rows are more than memory can hold");
  if (pixels.size < bytes)
    Fail(ErrorCode::kArgument, "pixels_size is ", pixels.size, " bytes, ", pixels.width, " x ", pixels.height, " with ",
         pixels.channels, " channels and a stride of ", stride, " need ", bytes);
}

uint8_t OverWhite(uint8_t sample, uint8_t alpha) {
  // PIL's paste with a mask: a division by 255 that rounds to nearest.
  const uint32_t sum = uint32_t{sample} * alpha + 255u * (255u - alpha) + 128u;
  return static_cast<uint8_t>((sum + (sum >> 8)) >> 8);
}

// Pixels [x, x + count) of a row as RGB.
template <int kChannels, bool kWhite>
void ConvertRow(const uint8_t* from, int64_t count, uint8_t* to) {
  if constexpr (kChannels == 3) {
    std::memcpy(to, from, static_cast<size_t>(count) * 3);
  } else {
    for (int64_t x = 0; x < count; ++x, from += kChannels, to += 3) {
      for (int c = 0; c < 3; ++c) {
        const uint8_t sample = from[kChannels < 3 ? 0 : c];
        to[c] = kWhite ? OverWhite(sample, from[kChannels - 1]) : sample;
      }
    }
  }
}

using RowConverter = void (*)(const uint8_t*, int64_t, uint8_t*);

RowConverter ConverterOf(int32_t channels, AlphaRule alpha) {
  const bool white = alpha == AlphaRule::kWhite;
  switch (channels) {
    case 1:
      return &ConvertRow<1, false>;
    case 2:
      return white ? &ConvertRow<2, true> : &ConvertRow<2, false>;
    case 3:
      return &ConvertRow<3, false>;
    default:
      return white ? &ConvertRow<4, true> : &ConvertRow<4, false>;
  }
}

// Orientations 5 to 8 swap the axes. Block by block, so that neither side leaves the cache.
void ConvertTurned(const RawPixels& pixels, uint64_t stride, RowConverter convert, int orientation, RgbImage& out) {
  constexpr int64_t kBlock = 64;
  const bool swap = orientation >= 5;
  const bool mirror_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool mirror_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  uint8_t row[kBlock * 3];
  for (int64_t top = 0; top < pixels.height; top += kBlock) {
    for (int64_t left = 0; left < pixels.width; left += kBlock) {
      const int64_t count = std::min(kBlock, pixels.width - left);
      for (int64_t y = top; y < std::min(top + kBlock, pixels.height); ++y) {
        convert(
            pixels.data + static_cast<uint64_t>(y) * stride + static_cast<uint64_t>(left) * static_cast<uint64_t>(pixels.channels),
            count, row);
        const int64_t to_y = mirror_y ? pixels.height - 1 - y : y;
        for (int64_t i = 0; i < count; ++i) {
          const int64_t to_x = mirror_x ? pixels.width - 1 - (left + i) : left + i;
          std::memcpy(swap ? out.row(to_x) + to_y * 3 : out.row(to_y) + to_x * 3, row + i * 3, 3);
        }
      }
    }
  }
}

}  // namespace

RgbImage::RgbImage(int64_t width, int64_t height) : width_(width), height_(height), samples_(new uint8_t[bytes() + kTail]) {
  std::memset(samples_.get() + bytes(), 0, kTail);
}

RgbImage MakeRgbImage(const RawPixels& pixels, const PixelOptions& options) {
  CheckPixels(pixels, options.max_pixels);
  const uint64_t stride =
      pixels.stride == 0 ? static_cast<uint64_t>(pixels.width) * static_cast<uint64_t>(pixels.channels) : pixels.stride;
  const RowConverter convert = ConverterOf(pixels.channels, options.alpha);
  const int orientation = options.orientation >= 1 && options.orientation <= 8 ? options.orientation : 1;
  const bool swap = orientation >= 5;
  RgbImage out(swap ? pixels.height : pixels.width, swap ? pixels.width : pixels.height);
  if (orientation == 1) {
    for (int64_t y = 0; y < pixels.height; ++y) convert(pixels.data + static_cast<uint64_t>(y) * stride, pixels.width, out.row(y));
  } else {
    ConvertTurned(pixels, stride, convert, orientation, out);
  }
  return out;
}

}  // namespace scout::prompt
