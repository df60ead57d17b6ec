#include "prompt/image_tiles.h"

#include <algorithm>
#include <bit>

#include "base/checked.h"
#include "base/error.h"

namespace scout::prompt {
namespace {

// Takes RGB rows apart into the planes of a row of tiles.
class TileSink final : public RowSink {
 public:
  TileSink(uint8_t* tiles, int64_t side, int64_t columns, int64_t width)
      : tiles_(tiles), side_(side), columns_(columns), width_(width) {}

  void Row(int64_t y, const uint8_t* rgb) override {
    const int64_t plane = side_ * side_;
    uint8_t* tile = tiles_ + (y / side_) * columns_ * 3 * plane + (y % side_) * side_;
    for (int64_t left = 0; left < width_; left += side_, tile += 3 * plane) {
      const int64_t count = std::min(side_, width_ - left);
      const uint8_t* const from = rgb + left * 3;
      uint8_t *const red = tile, *const green = tile + plane, *const blue = tile + 2 * plane;
      for (int64_t x = 0; x < count; ++x) {
        red[x] = from[3 * x];
        green[x] = from[3 * x + 1];
        blue[x] = from[3 * x + 2];
      }
    }
  }

 private:
  uint8_t* tiles_;
  int64_t side_, columns_, width_;
};

// The nearest bfloat16, ties to even. Finite values only.
float ToBfloat16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  bits += 0x7fffu + ((bits >> 16) & 1u);
  return std::bit_cast<float>(bits & 0xffff0000u);
}

}  // namespace

ImageTiles MakeTiles(const RgbImage& image, const TileRules& rules, ResizeRule resize, ThreadPool* pool, int threads) {
  CheckTileRules(rules);
  SCOUT_CHECK(image.width() > 0 && image.height() > 0, "an image without pixels");
  ImageTiles out;
  out.grid = ChooseGrid(image.size(), rules);
  out.drawn = FitOnGrid(image.size(), out.grid, rules);
  out.side = rules.tile_side;
  out.count = out.grid.tiles();
  const uint64_t tile_bytes = 3 * static_cast<uint64_t>(out.side) * static_cast<uint64_t>(out.side);
  out.planes.resize(CheckedMul(static_cast<uint64_t>(out.count), tile_bytes, "tiles"));
  TileSink canvas(out.planes.data(), out.side, out.grid.columns, out.drawn.width);
  ResizeImage(image, out.drawn, resize, pool, threads, canvas);
  if (out.count > 1) {
    TileSink whole(out.planes.data() + static_cast<uint64_t>(out.count - 1) * tile_bytes, out.side, 1, out.side);
    ResizeImage(image, {out.side, out.side}, resize, pool, threads, whole);
  }
  return out;
}

std::array<float, 256> NormalisationTable(Normalisation rule, float mean, float deviation) {
  std::array<float, 256> table = {};
  for (size_t level = 0; level < table.size(); ++level) {
    const auto value = static_cast<float>(level);
    if (rule == Normalisation::kFloat32) {
      table[level] = (value / 255.0f - mean) / deviation;
      continue;
    }
    const float scaled = ToBfloat16(value * (1.0f / 255.0f));
    const float centred = ToBfloat16(scaled - ToBfloat16(mean));
    table[level] = ToBfloat16(centred / ToBfloat16(deviation));
  }
  return table;
}

}  // namespace scout::prompt
