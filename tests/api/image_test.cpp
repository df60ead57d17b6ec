// Pictures through the public header.
#include <scout/image.h>

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tiny.h"

namespace {

using user::Image;

const std::string kFiles = SCOUT_SOURCE_DIR "/tests/fixtures/images/files/";

Image FromPixels(const std::string& pixels, uint64_t width, uint64_t height, int32_t channels) {
  scout_image* image = nullptr;
  EXPECT_EQ(scout_image_from_pixels(pixels.data(), pixels.size(), width, height, 0, channels, nullptr, &image), SCOUT_OK)
      << scout_last_error();
  return Image(image);
}

scout_tiling TilingOf(const Image& image, const scout_tile_options* options = nullptr) {
  scout_tiling tiling = {};
  tiling.struct_size = sizeof tiling;
  EXPECT_EQ(scout_image_get_tiling(image.get(), options, &tiling), SCOUT_OK) << scout_last_error();
  return tiling;
}

scout_image_info InfoOf(const Image& image) {
  scout_image_info info = {};
  info.struct_size = sizeof info;
  EXPECT_EQ(scout_image_get_info(image.get(), &info), SCOUT_OK) << scout_last_error();
  return info;
}

bool HasMedia() { return std::ifstream(SCOUT_PLUGINS "/libscout-media.so").good(); }

void ExpectSays(std::initializer_list<const char*> parts) {
  const std::string said = scout_last_error();
  for (const char* part : parts) EXPECT_NE(said.find(part), std::string::npos) << "\"" << said << "\" lacks " << part;
}

TEST(ImageApi, APictureOfPixelsKnowsItsTilesAndTokens) {
  const Image image = FromPixels(std::string(size_t{800} * 600 * 3, '\x55'), 800, 600, 3);
  const scout_image_info info = InfoOf(image);
  EXPECT_EQ(info.width, 800u);
  EXPECT_EQ(info.height, 600u);
  EXPECT_STREQ(info.format, "pixels");
  EXPECT_EQ(info.orientation, 1);
  const scout_tiling tiling = TilingOf(image);
  EXPECT_EQ(tiling.rows, 2);
  EXPECT_EQ(tiling.columns, 3);
  EXPECT_EQ(tiling.tiles, 7);
  EXPECT_EQ(tiling.tile_side, 336);
  EXPECT_EQ(tiling.drawn_width, 800);
  EXPECT_EQ(tiling.drawn_height, 600);
  EXPECT_EQ(tiling.tokens, 1017u);
  EXPECT_EQ(tiling.tile_bytes, 3u * 336 * 336);
  scout_tiling of_size = {};
  of_size.struct_size = sizeof of_size;
  ASSERT_EQ(scout_tiling_of_size(800, 600, nullptr, &of_size), SCOUT_OK);
  EXPECT_EQ(std::memcmp(&of_size, &tiling, sizeof tiling), 0);
}

TEST(ImageApi, TilesAreWrittenByTheOneRuleOfBuffers) {
  std::string pixels;
  for (int i = 0; i < 40 * 20; ++i) pixels += {'\x10', '\x20', '\x30'};
  const Image image = FromPixels(pixels, 40, 20, 3);
  scout_tile_options options;
  ASSERT_EQ(scout_tile_options_init(&options, sizeof options), SCOUT_OK);
  options.tile_side = 20;
  options.patch_tokens = 4;
  const scout_tiling tiling = TilingOf(image, &options);
  EXPECT_EQ(tiling.tiles, 3);
  EXPECT_EQ(tiling.tokens, 3u * 4 + 2 + 3);
  uint64_t needed = 0;
  ASSERT_EQ(scout_image_tile(image.get(), &options, 0, nullptr, 0, &needed), SCOUT_OK);
  EXPECT_EQ(needed, 1200u);
  std::vector<char> tile(1200, 'z');
  EXPECT_EQ(scout_image_tile(image.get(), &options, 0, tile.data(), 1199, &needed), SCOUT_ERR_LIMIT);
  EXPECT_EQ(tile[0], 'z');
  ExpectSays({"1199", "1200"});
  for (uint64_t index = 0; index < 3; ++index) {
    ASSERT_EQ(scout_image_tile(image.get(), &options, index, tile.data(), tile.size(), &needed), SCOUT_OK) << scout_last_error();
    for (size_t i = 0; i < tile.size(); i += 3) ASSERT_EQ(std::string(tile.data() + i, 3), "\x10\x20\x30") << index;
  }
  EXPECT_EQ(scout_image_tile(image.get(), &options, 3, tile.data(), tile.size(), &needed), SCOUT_ERR_ARGUMENT);
  ExpectSays({"index is 3", "3 tiles"});
}

TEST(ImageApi, FilesAreReadAndTurned) {
  if (!HasMedia()) GTEST_SKIP() << "this build has no libscout-media.so";
  scout_image* made = nullptr;
  ASSERT_EQ(scout_image_from_file((kFiles + "exif6.jpg").c_str(), nullptr, &made), SCOUT_OK) << scout_last_error();
  const Image turned(made);
  EXPECT_EQ(InfoOf(turned).width, 43u);
  EXPECT_EQ(InfoOf(turned).height, 61u);
  EXPECT_EQ(InfoOf(turned).orientation, 6);
  EXPECT_STREQ(InfoOf(turned).format, "JPEG");
  scout_image_options options;
  ASSERT_EQ(scout_image_options_init(&options, sizeof options), SCOUT_OK);
  options.orientation = 1;
  made = nullptr;
  ASSERT_EQ(scout_image_from_file((kFiles + "exif6.jpg").c_str(), &options, &made), SCOUT_OK) << scout_last_error();
  EXPECT_EQ(InfoOf(Image(made)).width, 61u);
}

TEST(ImageApi, LimitsAreSaidBeforeAnythingIsDecoded) {
  scout_image_options options;
  ASSERT_EQ(scout_image_options_init(&options, sizeof options), SCOUT_OK);
  scout_image* image = nullptr;
  options.max_bytes = 100;
  EXPECT_EQ(scout_image_from_file((kFiles + "half.jpg").c_str(), &options, &image), SCOUT_ERR_LIMIT);
  ExpectSays({"half.jpg", "100"});
  EXPECT_EQ(image, nullptr);
  options.max_bytes = 0;
  options.max_pixels = 2622;
  if (HasMedia()) {
    EXPECT_EQ(scout_image_from_file((kFiles + "half.jpg").c_str(), &options, &image), SCOUT_ERR_LIMIT);
    ExpectSays({"half.jpg", "61 x 43 = 2623 pixels, at most 2622", "max_pixels"});
  }
  EXPECT_EQ(scout_image_from_pixels("abc", 3, 70000, 1, 0, 3, nullptr, &image), SCOUT_ERR_LIMIT);
  ExpectSays({"width is 70000", "65535"});
  options.plugin_dir = "/no/such/folder";
  options.max_pixels = 0;
  EXPECT_EQ(scout_image_from_file((kFiles + "half.jpg").c_str(), &options, &image), SCOUT_ERR_UNSUPPORTED);
  ExpectSays({"plug-in media", "/no/such/folder/libscout-media.so"});
}

TEST(ImageApi, WrongArgumentsAreRefusedByName) {
  scout_image* image = nullptr;
  const auto refuse = [&](scout_status status, std::initializer_list<const char*> parts) {
    EXPECT_EQ(status, SCOUT_ERR_ARGUMENT);
    EXPECT_EQ(image, nullptr);
    ExpectSays(parts);
  };
  const char pixels[12] = {};
  refuse(scout_image_from_pixels(nullptr, 0, 1, 1, 0, 3, nullptr, &image), {"pixels is NULL"});
  refuse(scout_image_from_pixels(pixels, SCOUT_NUL, 1, 1, 0, 3, nullptr, &image), {"SCOUT_NUL"});
  refuse(scout_image_from_pixels(pixels, 12, 2, 2, 5, 3, nullptr, &image), {"stride is 5", "6"});
  refuse(scout_image_from_pixels(pixels, 11, 2, 2, 0, 3, nullptr, &image), {"pixels_size is 11", "12"});
  refuse(scout_image_from_pixels(pixels, 12, 2, 2, 7, 3, nullptr, &image), {"pixels_size is 12", "13"});
  refuse(scout_image_from_pixels(pixels, 12, 2, 2, 0, 5, nullptr, &image), {"channels is 5"});
  refuse(scout_image_from_pixels(pixels, 12, 0, 2, 0, 3, nullptr, &image), {"width is 0"});
  refuse(scout_image_from_pixels(pixels, 12, 2, 2, UINT64_MAX - 5, 3, nullptr, &image), {"stride is"});
  refuse(scout_image_from_pixels(pixels, 12, 2, 2, 0, 3, nullptr, nullptr), {"image is NULL"});
  refuse(scout_image_from_bytes(nullptr, 4, nullptr, &image), {"bytes is NULL"});
  refuse(scout_image_from_file("", nullptr, &image), {"path is empty"});
  scout_image_options options;
  ASSERT_EQ(scout_image_options_init(&options, sizeof options), SCOUT_OK);
  options.alpha = 3;
  refuse(scout_image_from_pixels(pixels, 12, 2, 2, 0, 3, &options, &image), {"alpha is 3"});
  options.alpha = 0;
  options.orientation = 9;
  refuse(scout_image_from_pixels(pixels, 12, 2, 2, 0, 3, &options, &image), {"orientation is 9"});
  scout_tile_options tile_options;
  ASSERT_EQ(scout_tile_options_init(&tile_options, sizeof tile_options), SCOUT_OK);
  tile_options.max_tiles = 257;
  scout_tiling tiling = {};
  tiling.struct_size = sizeof tiling;
  refuse(scout_tiling_of_size(4, 4, &tile_options, &tiling), {"max_tiles is 257", "256"});
  EXPECT_EQ(scout_image_from_file("/no/such/picture.png", nullptr, &image), SCOUT_ERR_IO);
  EXPECT_EQ(scout_image_from_bytes("GIF89a", 6, nullptr, &image), SCOUT_ERR_UNSUPPORTED);
  ExpectSays({"a GIF"});
}

TEST(ImageApi, AModelWithoutVisionSaysSo) {
  const user::Model model = tiny::Load();
  scout_tile_options options = {};
  options.struct_size = sizeof options;
  EXPECT_EQ(scout_model_get_tile_options(model.get(), &options), SCOUT_ERR_STATE);
  ExpectSays({"no vision"});
  const Image image = FromPixels("abc", 1, 1, 3);
  uint64_t needed = 0;
  EXPECT_EQ(scout_image_tokens(image.get(), model.get(), nullptr, nullptr, 0, &needed), SCOUT_ERR_STATE);
  ExpectSays({"<|image_start|>"});
}

TEST(ImageApi, AModelWithVisionSaysHowItWantsItsTiles) {
  const user::Model model = user::Load(SCOUT_SOURCE_DIR "/tests/fixtures/vision/square", "ref", 1, SCOUT_KV_F32);
  scout_tile_options options = {};
  options.struct_size = sizeof options;
  ASSERT_EQ(scout_model_get_tile_options(model.get(), &options), SCOUT_OK) << scout_last_error();
  EXPECT_EQ(options.tile_side, 16);
  EXPECT_EQ(options.patch_tokens, 4);
  const Image image = FromPixels(std::string(size_t{3} * 40 * 30, 'x'), 40, 30, 3);
  EXPECT_EQ(TilingOf(image, &options).tile_side, 16);
}

TEST(ImageApi, ManyThreadsAskOnePicture) {
  const Image image = FromPixels(std::string(size_t{700} * 700 * 3, '\x42'), 700, 700, 3);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::vector<char> tile(3 * 336 * 336);
      for (int round = 0; round < 6; ++round) {
        scout_tile_options options;
        EXPECT_EQ(scout_tile_options_init(&options, sizeof options), SCOUT_OK);
        options.max_tiles = t % 2 == 0 ? 0 : 4;  // they ask for different ones, in turn
        uint64_t needed = 0;
        EXPECT_EQ(scout_image_tile(image.get(), &options, 0, tile.data(), tile.size(), &needed), SCOUT_OK);
        EXPECT_EQ(tile[0], '\x42');
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
