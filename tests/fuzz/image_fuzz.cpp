// Any bytes as raw pixels with a size, a stride and rules: refused by a sentence, or tiles whose number is known from the size.
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/error.h"
#include "prompt/image_tiles.h"
#include "prompt/image_tokens.h"
#include "prompt_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace scout::prompt;
  struct {
    uint16_t width, height, stride;
    uint8_t channels, orientation, alpha, side, tiles, rule;
  } given;
  if (size < sizeof given) return 0;
  std::memcpy(&given, data, sizeof given);
  RawPixels raw;
  raw.data = data + sizeof given;
  raw.size = size - sizeof given;
  raw.width = given.width;
  raw.height = given.height % 512;
  raw.stride = given.stride;
  raw.channels = given.channels % 6;
  try {
    const RgbImage image = MakeRgbImage(raw, {.alpha = given.alpha % 2 != 0 ? AlphaRule::kWhite : AlphaRule::kDrop,
                                              .orientation = given.orientation,
                                              .max_pixels = 1 << 18});
    const TileRules rules = {.tile_side = given.side % 64, .max_tiles = given.tiles % 32, .patch_tokens = 4};
    const ImageTiles tiles = MakeTiles(image, rules, given.rule % 2 != 0 ? ResizeRule::kPil : ResizeRule::kTorchvision);
    fuzz::Expect(tiles.grid.rows * tiles.grid.columns <= rules.max_tiles, "the grid is within its number");
    fuzz::Expect(tiles.planes.size() == static_cast<size_t>(tiles.count * 3 * tiles.side * tiles.side), "tiles are whole");
    int64_t tokens = 0;
    for (const ImageTokenRun& run : ImageLayout(tiles.grid, rules.patch_tokens)) tokens += run.count;
    fuzz::Expect(tokens == ImageTokenCount(tiles.grid, rules.patch_tokens), "tokens are counted");
    // A picture of one colour stays of one colour.
    const uint8_t* const first = image.row(0);
    const size_t bytes = image.bytes();
    if (std::equal(first + 3, first + bytes, first))
      for (int64_t c = 0; c < 3; ++c)
        fuzz::Expect(tiles.planes[static_cast<size_t>(c * tiles.side * tiles.side)] == first[c], "one colour stays");
  } catch (const scout::Error& error) {
    fuzz::Expect(error.code() == scout::ErrorCode::kArgument || error.code() == scout::ErrorCode::kLimit,
                 "a size or a rule is refused");
  }
  return 0;
}
