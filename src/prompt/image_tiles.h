// A picture cut into what a vision tower takes.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "prompt/image_canvas.h"
#include "prompt/image_pixels.h"
#include "prompt/image_resize.h"

namespace scout::prompt {

struct ImageTiles {
  TileGrid grid;
  ImageSize drawn;  // what the picture covers of the canvas; the rest is black
  int64_t side = 0;
  int64_t count = 0;            // T: grid.tiles()
  std::vector<uint8_t> planes;  // [T, 3, side, side]: the grid's tiles row by row, then the whole picture where there are several

  std::span<const uint8_t> tile(int64_t index) const {
    const auto bytes = static_cast<size_t>(3 * side * side);
    return std::span(planes).subspan(static_cast<size_t>(index) * bytes, bytes);
  }
};

// The whole picture of a grid of several tiles is stretched to one tile, whatever its proportions. Throws kArgument for rules out
// of range, kNoMemory. Results do not depend on the number of threads.
ImageTiles MakeTiles(const RgbImage& image, const TileRules& rules, ResizeRule resize = ResizeRule::kTorchvision,
                     ThreadPool* pool = nullptr, int threads = 1);

// What a vision tower computes with, for each of the 256 levels.
enum class Normalisation : uint8_t {
  kBfloat16,  // Hugging Face: level * (1/255), minus mean, over deviation, rounded to bfloat16 at each step
  kFloat32,   // Meta: (level / 255 - mean) / deviation in float32
};
std::array<float, 256> NormalisationTable(Normalisation rule = Normalisation::kBfloat16, float mean = 0.5f, float deviation = 0.5f);

}  // namespace scout::prompt
