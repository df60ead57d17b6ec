// Antialiased bilinear resizing of 8-bit RGB, equal to Hugging Face's (torchvision) in every pixel, or to PIL's.
//
// Per axis: input size I, output size O, scale = I / O, support = max(scale, 1). Output o has its centre at c = (o + 0.5) * scale
// and takes the inputs of [trunc(c - support + 0.5), trunc(c + support + 0.5)) within the picture, each with the weight max(0, 1 -
// |x - c + 0.5| / support), divided by their sum, in double. First along the rows, rounded to 8 bits, then down the columns; an
// axis that keeps its size is left alone.
//
// Weights are integers of p bits behind the point: w = floor(weight * 2^p + 0.5), pixel = clip((sum + 2^(p-1)) >> p).
// torchvision: p is the largest value up to 22 with which the largest weight of the axis stays below 2^15. PIL: p = 22.
// (Pillow 13 takes the columns first where the height shrinks much more than the width, which moves some pixels by a level; this is
// what every version before it does.)
#pragma once

#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "prompt/image_pixels.h"

namespace scout::prompt {

enum class ResizeRule : uint8_t { kTorchvision, kPil };

// Where finished rows go: row y of the output, [width, 3]. Called by any thread, each row once.
class RowSink {
 public:
  virtual ~RowSink() = default;
  virtual void Row(int64_t y, const uint8_t* rgb) = 0;
};

// The weights of one axis.
struct AxisWeights {
  int64_t taps = 0;  // of each output, padded with weights of 0 to a multiple of 4
  int precision = 0;
  std::vector<int32_t> first;   // [outputs] the first input
  std::vector<int32_t> count;   // [outputs] inputs without the padding
  std::vector<int16_t> narrow;  // [outputs, taps], kTorchvision
  std::vector<int32_t> wide;    // [outputs, taps], kPil
};
AxisWeights MakeAxisWeights(int64_t input, int64_t output, ResizeRule rule);

// Resizes in bands of rows on at most `threads` threads of `pool` (null: on the caller's). Besides the weights each thread holds as
// many rows of the output's width as the columns have taps.
void ResizeImage(const RgbImage& image, ImageSize size, ResizeRule rule, ThreadPool* pool, int threads, RowSink& sink);

}  // namespace scout::prompt
