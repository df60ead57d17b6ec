#include "prompt/image_canvas.h"

#include <algorithm>
#include <cmath>

#include "base/checked.h"
#include "base/error.h"

namespace scout::prompt {
namespace {

void NeedRange(int64_t value, int64_t low, int64_t high, std::string_view name) {
  if (value < low || value > high) Fail(ErrorCode::kArgument, name, " is ", value, ", must be ", low, " to ", high);
}

// By which factor an axis changes. An axis that the canvas clips is computed in float32 by Hugging Face, because the clipped length
// comes out of a tensor; any other in double.
struct Factor {
  double value = 0;
  bool single = false;  // float32
};

Factor FactorOf(int64_t target, int64_t length, bool clipped) {
  if (clipped) return {static_cast<double>(static_cast<float>(target) / static_cast<float>(length)), true};
  return {static_cast<double>(target) / static_cast<double>(length), false};
}

// A comparison with a tensor takes place in float32.
bool Less(const Factor& a, const Factor& b) {
  if (a.single || b.single) return static_cast<float>(a.value) < static_cast<float>(b.value);
  return a.value < b.value;
}

int64_t Scaled(int64_t length, const Factor& factor) {
  if (factor.single) return static_cast<int64_t>(std::floor(static_cast<float>(length) * static_cast<float>(factor.value)));
  return static_cast<int64_t>(std::floor(static_cast<double>(length) * factor.value));
}

}  // namespace

void CheckTileRules(const TileRules& rules) {
  NeedRange(rules.tile_side, 1, kMaxTileSide, "tile side");
  NeedRange(rules.max_tiles, 1, kMaxGridTiles, "largest number of tiles");
  NeedRange(rules.patch_tokens, 1, kMaxPatchTokens, "tokens of a tile");
}

void CheckImageSize(int64_t width, int64_t height, int64_t max_pixels) {
  for (const auto& [name, side] : {std::pair{"width", width}, std::pair{"height", height}}) {
    if (side < 1) Fail(ErrorCode::kArgument, "image ", name, " is ", side, ", must be at least 1");
    if (side > kMaxImageSide) Fail(ErrorCode::kLimit, "image ", name, " is ", side, ", at most ", kMaxImageSide);
  }
  const uint64_t pixels = CheckedMul(static_cast<uint64_t>(width), static_cast<uint64_t>(height), "image");
  if (pixels > static_cast<uint64_t>(max_pixels))
    Fail(ErrorCode::kLimit, "image has ", width, " x ", height, " = ", pixels, " pixels, at most ", max_pixels, " (max_pixels)");
}

std::vector<TileGrid> AllGrids(int64_t max_tiles) {
  std::vector<TileGrid> grids;
  for (int64_t rows = 1; rows <= max_tiles; ++rows) {
    for (int64_t columns = 1; rows * columns <= max_tiles; ++columns) grids.push_back({rows, columns});
  }
  return grids;
}

TileGrid ChooseGrid(ImageSize image, const TileRules& rules) {
  const auto scale_of = [&](TileGrid grid) {
    const float by_width = static_cast<float>(rules.tile_side * grid.columns) / static_cast<float>(image.width);
    const float by_height = static_cast<float>(rules.tile_side * grid.rows) / static_cast<float>(image.height);
    return std::min(by_width, by_height);
  };
  TileGrid best;
  float best_scale = scale_of(best);
  const auto better = [&](TileGrid grid, float scale) {
    if (scale == best_scale) return grid.rows * grid.columns < best.rows * best.columns;
    if ((scale >= 1) != (best_scale >= 1)) return scale >= 1;
    return scale >= 1 ? scale < best_scale : scale > best_scale;
  };
  for (const TileGrid grid : AllGrids(rules.max_tiles)) {
    const float scale = scale_of(grid);
    if (!better(grid, scale)) continue;
    best = grid;
    best_scale = scale;
  }
  return best;
}

ImageSize FitOnGrid(ImageSize image, TileGrid grid, const TileRules& rules) {
  const int64_t wanted_width = std::max(image.width, rules.tile_side), wanted_height = std::max(image.height, rules.tile_side);
  const int64_t width = std::min(wanted_width, rules.tile_side * grid.columns);
  const int64_t height = std::min(wanted_height, rules.tile_side * grid.rows);
  const Factor by_width = FactorOf(width, image.width, width < wanted_width);
  const Factor by_height = FactorOf(height, image.height, height < wanted_height);
  ImageSize fitted = {width, height};
  if (Less(by_width, by_height))
    fitted.height = std::min(Scaled(image.height, by_width), height);
  else
    fitted.width = std::min(Scaled(image.width, by_height), width);
  return {std::max<int64_t>(fitted.width, 1), std::max<int64_t>(fitted.height, 1)};
}

}  // namespace scout::prompt
