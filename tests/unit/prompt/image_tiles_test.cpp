// What the fixtures do not show: threads, strides, grey, refusals.
#include "prompt/image_tiles.h"

#include <gtest/gtest.h>

#include <new>
#include <string>
#include <vector>

#include "base/error.h"
#include "drawn_picture.h"
#include "support/alloc_meter.h"
#include "support/bounded_call.h"

namespace scout::prompt {
namespace {

RgbImage Picture(int64_t width, int64_t height) {
  const std::vector<uint8_t> pixels = test::Draw("smooth", 5, width, height);
  return MakeRgbImage({.data = pixels.data(), .width = width, .height = height, .channels = 3});
}

void Refused(const std::string& id, const RawPixels& pixels, ErrorCode code, std::initializer_list<const char*> says,
             const PixelOptions& options = {}) {
  const test::BoundedCall call = test::CallBounded([&] { (void)MakeRgbImage(pixels, options); });
  EXPECT_TRUE(call.code && *call.code == code) << id << ": " << call.message;
  for (const char* part : says) EXPECT_NE(std::string(call.message).find(part), std::string::npos) << id << ": " << call.message;
  test::ExpectWithinBounds(id, call, 0, {.peak_bytes = 1 << 20});
}

TEST(ImageTiles, ThreadsChangeNothing) {
  const RgbImage image = Picture(1500, 700);
  const auto pool = ThreadPool::Shared(4);
  for (const ResizeRule rule : {ResizeRule::kTorchvision, ResizeRule::kPil}) {
    const ImageTiles alone = MakeTiles(image, {}, rule);
    for (const int threads : {1, 2, 4}) EXPECT_EQ(MakeTiles(image, {}, rule, pool.get(), threads).planes, alone.planes) << threads;
  }
}

// Rows are made in bands of 64: a band that did not make its first inputs again, or took a neighbour's, would show at its edge.
TEST(ImageTiles, BandsMeetWithoutASeam) {
  const RgbImage image = Picture(40, 3000);
  struct Rows final : RowSink {
    std::vector<std::vector<uint8_t>> rows;
    void Row(int64_t y, const uint8_t* rgb) override { rows[static_cast<size_t>(y)].assign(rgb, rgb + 20 * 3); }
  } sink;
  sink.rows.resize(700);
  ResizeImage(image, {20, 700}, ResizeRule::kTorchvision, nullptr, 1, sink);
  const AxisWeights across = MakeAxisWeights(40, 20, ResizeRule::kTorchvision),
                    down = MakeAxisWeights(3000, 700, ResizeRule::kTorchvision);
  const auto level = [](int64_t sum, int precision) {
    return std::clamp<int64_t>((sum + (int64_t{1} << (precision - 1))) >> precision, 0, 255);
  };
  for (size_t y = 0; y < 700; ++y) {
    for (size_t x = 0; x < 20; ++x) {
      for (size_t c = 0; c < 3; ++c) {
        int64_t sum = 0;
        for (int64_t i = 0; i < down.count[y]; ++i) {
          int64_t row_sum = 0;
          for (int64_t k = 0; k < across.count[x]; ++k)
            row_sum += image.row(down.first[y] + i)[(across.first[x] + k) * 3 + static_cast<int64_t>(c)] *
                       across.narrow[x * static_cast<size_t>(across.taps) + static_cast<size_t>(k)];
          sum += level(row_sum, across.precision) * down.narrow[y * static_cast<size_t>(down.taps) + static_cast<size_t>(i)];
        }
        ASSERT_EQ(sink.rows[y][x * 3 + c], level(sum, down.precision)) << "row " << y << " column " << x;
      }
    }
  }
}

TEST(ImageTiles, OneTileAtMostIsOneTile) {
  const ImageTiles tiles = MakeTiles(Picture(1000, 400), {.max_tiles = 1});
  EXPECT_EQ(tiles.count, 1);
  EXPECT_EQ(tiles.drawn, (ImageSize{336, 134}));
  EXPECT_EQ(tiles.planes.size(), 3u * 336 * 336);
  for (size_t at = 134 * 336; at < 336 * 336; ++at) ASSERT_EQ(tiles.planes[at], 0) << "below the picture";
}

TEST(ImagePixels, StrideAndChannelsAreRespected) {
  const std::vector<uint8_t> rgb = test::Draw("noise", 3, 5, 4);
  std::vector<uint8_t> padded;
  for (size_t y = 0; y < 4; ++y) {
    padded.insert(padded.end(), rgb.begin() + static_cast<ptrdiff_t>(y * 15), rgb.begin() + static_cast<ptrdiff_t>(y * 15 + 15));
    if (y != 3) padded.insert(padded.end(), 8, 0xee);  // nothing behind the last row
  }
  const RgbImage image = MakeRgbImage({.data = padded.data(), .width = 5, .height = 4, .stride = 23, .channels = 3});
  EXPECT_TRUE(std::equal(rgb.begin(), rgb.end(), image.row(0)));
  const uint8_t grey[] = {0, 100, 255};
  const RgbImage spread = MakeRgbImage({.data = grey, .width = 3, .height = 1, .channels = 1});
  EXPECT_EQ(spread.row(0)[3], 100);
  EXPECT_EQ(spread.row(0)[5], 100);
  const uint8_t grey_alpha[] = {100, 0, 100, 255};
  const RgbImage over = MakeRgbImage({.data = grey_alpha, .width = 2, .height = 1, .channels = 2}, {.alpha = AlphaRule::kWhite});
  EXPECT_EQ(over.row(0)[0], 255);
  EXPECT_EQ(over.row(0)[3], 100);
  const RgbImage ninth = MakeRgbImage({.data = grey, .width = 3, .height = 1, .channels = 1}, {.orientation = 9});
  EXPECT_EQ(ninth.width(), 3);
}

TEST(HostilePixels, I08_I10_BadArgumentsAreRefusedByName) {
  const uint8_t one[16] = {};
  const auto max = UINT64_MAX;
  Refused("I10 null", {.width = 1, .height = 1, .channels = 3}, ErrorCode::kArgument, {"pixels is NULL"});
  Refused("I10 channels 0", {.data = one, .width = 1, .height = 1, .channels = 0}, ErrorCode::kArgument, {"channels is 0"});
  Refused("I10 channels 5", {.data = one, .width = 1, .height = 1, .channels = 5}, ErrorCode::kArgument, {"channels is 5"});
  Refused("I10 stride", {.data = one, .width = 4, .height = 1, .stride = 11, .channels = 3}, ErrorCode::kArgument,
          {"stride is 11", "12"});
  Refused("I10 stride -3", {.data = one, .width = 1, .height = 2, .stride = max - 2, .channels = 3}, ErrorCode::kArgument,
          {"stride is 18446744073709551613", "memory"});
  Refused("I10 stride 2^62", {.data = one, .width = 1, .height = 3, .stride = uint64_t{1} << 62, .channels = 3},
          ErrorCode::kArgument, {"stride is 4611686018427387904"});
  Refused("I10 width 0", {.data = one, .width = 0, .height = 1, .channels = 3}, ErrorCode::kArgument, {"width is 0"});
  Refused("I10 height -1", {.data = one, .width = 1, .height = -1, .channels = 3}, ErrorCode::kArgument, {"height is -1"});
  Refused("I10 width 2^62", {.data = one, .width = int64_t{1} << 62, .height = 8, .channels = 4}, ErrorCode::kLimit,
          {"width is", "65535"});
  Refused("I08 46341", {.data = one, .width = 46341, .height = 46341, .channels = 3}, ErrorCode::kLimit,
          {"46341 x 46341 = 2147488281 pixels", "134217728"});
  Refused("I08 65535", {.data = one, .width = 65535, .height = 65535, .channels = 3}, ErrorCode::kLimit,
          {"65535 x 65535 = 4294836225"});
  Refused("limit of the caller", {.data = one, .width = 4, .height = 1, .channels = 1}, ErrorCode::kLimit,
          {"4 x 1 = 4 pixels, at most 3"}, {.max_pixels = 3});
}

TEST(HostilePixels, I07_TilesOfExtremeShapesStayWithinTheirNumber) {
  for (const ImageSize size : {ImageSize{1, 1}, {1, 65535}, {65535, 1}, {2, 2}, {335, 337}, {2, 65535}}) {
    const std::vector<uint8_t> pixels(static_cast<size_t>(size.width * size.height * 3), 200);
    const std::string id = "I07 " + std::to_string(size.width) + " x " + std::to_string(size.height);
    int64_t count = 0;
    const test::BoundedCall call = test::CallBounded([&] {
      const RgbImage image = MakeRgbImage({.data = pixels.data(), .width = size.width, .height = size.height, .channels = 3});
      count = MakeTiles(image, {}).count;
    });
    EXPECT_TRUE(call.returned) << id << ": " << call.message;
    EXPECT_TRUE(count >= 1 && count <= 17) << id << ": " << count;
    // 17 tiles are 5.8 MB; the rest is weights and rows.
    test::ExpectWithinBounds(id, call, pixels.size(), {.peak_bytes = (16 << 20) + 2 * static_cast<int64_t>(pixels.size())});
  }
}

// Each allocation in turn fails: the exception of it comes out, and nothing is left.
TEST(HostilePixels, WithoutMemoryNothingIsLeft) {
  const std::vector<uint8_t> pixels = test::Draw("noise", 1, 50, 70);
  const int64_t before = test::Allocations().live_blocks;
  int64_t failures = 0;
  for (int64_t k = 0;; ++k) {
    test::FailAllocation(k);
    bool failed = false;
    try {
      (void)MakeTiles(MakeRgbImage({.data = pixels.data(), .width = 50, .height = 70, .channels = 3}), {.tile_side = 28});
    } catch (const std::bad_alloc&) {
      failed = true;
    }
    test::FailAllocation(-1);
    EXPECT_EQ(test::Allocations().live_blocks, before) << "allocation " << k;
    if (!failed) break;
    ++failures;
  }
  EXPECT_GT(failures, 10);
}

TEST(HostilePixels, RulesOutOfRangeAreRefused) {
  const RgbImage image = Picture(4, 4);
  for (const TileRules& rules : {TileRules{.tile_side = 0}, TileRules{.tile_side = 4097}, TileRules{.max_tiles = 0},
                                 TileRules{.max_tiles = 257}, TileRules{.patch_tokens = 0}}) {
    EXPECT_THROW((void)MakeTiles(image, rules), Error);
  }
}

}  // namespace
}  // namespace scout::prompt
