// Tiles, sizes, tokens and levels against those of Hugging Face transformers and PIL: tests/fixtures/images.
#include <gtest/gtest.h>

#include <bit>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "drawn_picture.h"
#include "prompt/image_tiles.h"
#include "prompt/image_tokens.h"
#include "prompt/sha256.h"
#include "support/sanitized.h"

namespace scout::prompt {
namespace {

std::ifstream Fixture(const char* name) {
  std::ifstream file(std::string(SCOUT_SOURCE_DIR) + "/tests/fixtures/images/" + name);
  EXPECT_TRUE(file) << name;
  return file;
}

std::string Hash(const uint8_t* bytes, size_t size) {
  Sha256 hash;
  hash.Update({reinterpret_cast<const char*>(bytes), size});
  return hash.Finish();
}

RgbImage DrawnImage(std::string_view recipe, uint32_t seed, int64_t width, int64_t height) {
  const std::vector<uint8_t> picture = test::Draw(recipe, seed, width, height);
  return MakeRgbImage({.data = picture.data(), .width = width, .height = height, .channels = 3});
}

// The two grids of a size, and what to look at when hashes differ.
TEST(ImageFixture, EveryPixelEqualsThatOfTransformersAndOfPil) {
  std::ifstream file = Fixture("tiles.txt");
  size_t pictures = 0, failures = 0;
  std::string recipe, by_transformers, by_pil;
  uint32_t seed = 0;
  ImageSize size, drawn;
  TileRules rules;
  TileGrid grid;
  while (file >> recipe >> seed >> size.width >> size.height >> rules.tile_side >> rules.max_tiles >> grid.rows >> grid.columns >>
         drawn.width >> drawn.height >> by_transformers >> by_pil) {
    ++pictures;
    if (test::kSanitized && pictures % 4 != 0) continue;  // all of them where it is quick
    const RgbImage image = DrawnImage(recipe, seed, size.width, size.height);
    for (const ResizeRule rule : {ResizeRule::kTorchvision, ResizeRule::kPil}) {
      const ImageTiles tiles = MakeTiles(image, rules, rule);
      const std::string& expected = rule == ResizeRule::kPil ? by_pil : by_transformers;
      const bool same_grid = tiles.grid == grid && tiles.drawn == drawn;
      if (same_grid && Hash(tiles.planes.data(), tiles.planes.size()) == expected) continue;
      ADD_FAILURE() << recipe << " picture " << seed << ", " << size.width << " x " << size.height << " in tiles of "
                    << rules.tile_side << ", at most " << rules.max_tiles << ", as "
                    << (rule == ResizeRule::kPil ? "PIL" : "transformers") << ": "
                    << (same_grid ? "the grid and the size are right, pixels differ: compare the weights of image_resize.h"
                                  : "the grid or the drawn size is wrong: image_canvas.h")
                    << "; grid " << tiles.grid.rows << " x " << tiles.grid.columns << ", expected " << grid.rows << " x "
                    << grid.columns << "; drawn " << tiles.drawn.width << " x " << tiles.drawn.height << ", expected "
                    << drawn.width << " x " << drawn.height;
      if (++failures == 10) FAIL() << "and perhaps more";
    }
  }
  EXPECT_GE(pictures, 500u);
}

TEST(ImageFixture, GridsAndSizesEqualThoseOfTransformers) {
  std::ifstream file = Fixture("sizes.txt");
  size_t sizes = 0;
  ImageSize size, drawn;
  TileGrid grid;
  while (file >> size.width >> size.height >> grid.rows >> grid.columns >> drawn.width >> drawn.height) {
    ++sizes;
    const TileGrid chosen = ChooseGrid(size, {});
    EXPECT_EQ(chosen, grid) << size.width << " x " << size.height << ": " << chosen.rows << " x " << chosen.columns;
    const ImageSize fitted = FitOnGrid(size, grid, {});
    EXPECT_EQ(fitted, drawn) << size.width << " x " << size.height << ": " << fitted.width << " x " << fitted.height
                             << ", expected " << drawn.width << " x " << drawn.height;
  }
  EXPECT_EQ(sizes, 3010u);
}

TEST(ImageFixture, TokensAreThoseOfTransformers) {
  std::ifstream file = Fixture("layouts.txt");
  size_t grids = 0;
  TileGrid grid;
  std::string expected;
  while (file >> grid.rows >> grid.columns >> expected) {
    ++grids;
    std::string text;
    int64_t count = 0;
    for (const ImageTokenRun& run : ImageLayout(grid, 2)) {
      for (int64_t i = 0; i < run.count; ++i) text += NameOf(run.token);
      count += run.count;
    }
    EXPECT_EQ(text, expected) << grid.rows << " x " << grid.columns;
    EXPECT_EQ(count, ImageTokenCount(grid, 2));
  }
  EXPECT_EQ(grids, 50u);
  EXPECT_EQ(ImageTokenCount({3, 4}, 144), 1887);
  EXPECT_EQ(ImageTokenCount({1, 1}, 144), 147);
}

TEST(ImageFixture, LevelsAreThoseOfTransformersAndOfFloat32) {
  std::ifstream file = Fixture("levels.txt");
  const auto bf16 = NormalisationTable(), f32 = NormalisationTable(Normalisation::kFloat32);
  std::string a, b;
  for (size_t level = 0; level < 256; ++level) {
    ASSERT_TRUE(file >> a >> b);
    EXPECT_EQ(std::bit_cast<uint32_t>(bf16[level]), std::stoul(a, nullptr, 16)) << level;
    EXPECT_EQ(std::bit_cast<uint32_t>(f32[level]), std::stoul(b, nullptr, 16)) << level;
  }
}

TEST(ImageFixture, AlphaAndOrientationAreThoseOfPil) {
  std::ifstream file = Fixture("pixels.txt");
  std::string line;
  size_t pictures = 0;
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string recipe, hash;
    uint32_t seed = 0;
    int64_t width = 0, height = 0;
    fields >> recipe >> seed >> width >> height;
    const std::vector<uint8_t> rgba = test::Draw(recipe, seed, width, height, 4), rgb = test::Draw(recipe, seed, width, height);
    for (const AlphaRule alpha : {AlphaRule::kDrop, AlphaRule::kWhite}) {
      ASSERT_TRUE(fields >> hash);
      const RgbImage image = MakeRgbImage({.data = rgba.data(), .width = width, .height = height, .channels = 4}, {.alpha = alpha});
      EXPECT_EQ(Hash(image.row(0), image.bytes()), hash) << line;
    }
    for (int orientation = 1; orientation <= 8; ++orientation) {
      ASSERT_TRUE(fields >> hash);
      const RgbImage image =
          MakeRgbImage({.data = rgb.data(), .width = width, .height = height, .channels = 3}, {.orientation = orientation});
      EXPECT_EQ(image.width(), orientation < 5 ? width : height);
      EXPECT_EQ(Hash(image.row(0), image.bytes()), hash) << "orientation " << orientation << " of " << line;
    }
    ++pictures;
  }
  EXPECT_EQ(pictures, 7u);
}

}  // namespace
}  // namespace scout::prompt
