// A picture as the rest of the room wants it: upright, red, green and blue, 8 bits each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "prompt/image_canvas.h"
#include "prompt/image_kernels.h"

namespace scout::prompt {

// Pixels of a caller or a decoder. Rows of `stride` bytes, samples of 8 bits interleaved: 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA.
struct RawPixels {
  const uint8_t* data = nullptr;  // [height, stride], the last row `width * channels`
  uint64_t size = UINT64_MAX;     // bytes that there are, as far as the caller says
  int64_t width = 0, height = 0;
  uint64_t stride = 0;  // 0 = width * channels
  int32_t channels = 0;
};

// What becomes of pixels that are not opaque.
enum class AlphaRule : uint8_t {
  kDrop,   // the colour as it is stored, as Hugging Face does
  kWhite,  // over white, as Meta's own code does
};

struct PixelOptions {
  AlphaRule alpha = AlphaRule::kDrop;
  int orientation = 1;  // EXIF's 1 .. 8: how the picture is to be turned; anything else is 1
  int64_t max_pixels = kDefaultMaxPixels;
};

// Owned. Rows follow each other without a gap, and kTail bytes that may be read follow the last.
class RgbImage {
 public:
  static constexpr size_t kTail = kernels::kTailBytes;

  RgbImage() = default;
  // To be written by the caller, who checked the sizes.
  RgbImage(int64_t width, int64_t height);
  // Of pixels that are there: [height, width, 3], then kTail bytes.
  RgbImage(int64_t width, int64_t height, std::unique_ptr<uint8_t[]> samples)
      : width_(width), height_(height), samples_(std::move(samples)) {}

  int64_t width() const { return width_; }
  int64_t height() const { return height_; }
  ImageSize size() const { return {width_, height_}; }
  size_t bytes() const { return static_cast<size_t>(width_) * static_cast<size_t>(height_) * 3; }
  uint8_t* row(int64_t y) { return samples_.get() + y * width_ * 3; }
  const uint8_t* row(int64_t y) const { return samples_.get() + y * width_ * 3; }

 private:
  int64_t width_ = 0, height_ = 0;
  std::unique_ptr<uint8_t[]> samples_;  // [height, width, 3], then kTail
};

// A copy. Throws kArgument for a NULL pointer, channels outside 1 .. 4, a stride that is smaller than a row or reaches beyond what
// memory can hold; kLimit as CheckImageSize does.
RgbImage MakeRgbImage(const RawPixels& pixels, const PixelOptions& options = {});

}  // namespace scout::prompt
