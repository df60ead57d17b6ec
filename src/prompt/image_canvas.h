// Which grid of tiles a picture becomes, and how large it is drawn on it.
//
// A picture is drawn, keeping its proportions, at the top left of a canvas of rows x columns tiles, and the rest stays black. The
// rules are those of Hugging Face's Llama4ImageProcessor to the last bit, including where it computes in float32: a size of the
// released models differs by a pixel otherwise (2800 x 1920, for one).
#pragma once

#include <cstdint>
#include <vector>

namespace scout::prompt {

struct ImageSize {
  int64_t width = 0, height = 0;
  friend bool operator==(const ImageSize&, const ImageSize&) = default;
};

struct TileGrid {
  int64_t rows = 1, columns = 1;
  friend bool operator==(const TileGrid&, const TileGrid&) = default;

  // With the picture as a whole in one tile more, unless the grid is one tile anyway.
  int64_t tiles() const { return rows * columns + (rows * columns > 1 ? 1 : 0); }
};

// What a model's vision tower takes. The defaults are those of the released Llama 4 models.
struct TileRules {
  int64_t tile_side = 336;     // pixels
  int64_t max_tiles = 16;      // of a grid, without the picture as a whole
  int64_t patch_tokens = 144;  // tokens that a tile becomes
};

inline constexpr int64_t kMaxTileSide = 4096;
inline constexpr int64_t kMaxGridTiles = 256;
inline constexpr int64_t kMaxPatchTokens = 65536;
inline constexpr int64_t kMaxImageSide = 65535;                 // what JPEG can say, and more than a display has
inline constexpr int64_t kDefaultMaxPixels = int64_t{1} << 27;  // 134 million: 402 MB as RGB
inline constexpr int64_t kHighestMaxPixels = int64_t{65535} * 65535;

// Throws kArgument for rules outside the constants above.
void CheckTileRules(const TileRules& rules);

// Throws kArgument for a side below 1, kLimit for one above kMaxImageSide or more than `max_pixels` pixels.
void CheckImageSize(int64_t width, int64_t height, int64_t max_pixels = kDefaultMaxPixels);

// Every grid of at most max_tiles tiles.
std::vector<TileGrid> AllGrids(int64_t max_tiles);

// The smallest grid on which the picture keeps all its pixels; where there is none, the one on which it is shrunk least.
TileGrid ChooseGrid(ImageSize image, const TileRules& rules);

// How large the picture is drawn on that grid: never enlarged beyond one tile's side.
ImageSize FitOnGrid(ImageSize image, TileGrid grid, const TileRules& rules);

}  // namespace scout::prompt
