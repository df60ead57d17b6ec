// What large pictures take while they are asked about: the formula of scout/image.h, held against the process's own peak.
#include <fstream>

#include "seeing.h"
#include "support/tiny_tower.h"
#include "unit/media/png_writer.h"

namespace {

constexpr uint64_t kWidth = 4000, kHeight = 3000, kTiles = 13, kEmbedding = 256;
constexpr uint64_t kMega = 1000000;

// A line of /proc/self/status, in bytes; 0 where it is not there.
uint64_t Status(const std::string& name) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (line.rfind(name + ":", 0) == 0) return std::stoull(line.substr(name.size() + 1)) * 1024;
  return 0;
}

// From now on VmHWM is that of what follows.
bool ResetPeak() { return static_cast<bool>(std::ofstream("/proc/self/clear_refs") << 5 << std::flush); }

user::Model LoadWide(const scout::test::TempDir& folder) {
  scout::test::TinyModel model;
  model.width = kEmbedding;
  model.images = true;
  scout::test::WriteFile(folder / "model.gguf", model.Build());
  scout::test::TinyTower tower;
  tower.out = kEmbedding;
  scout::test::WriteFile(folder / "mmproj.gguf", tower.Build());
  return seeing::LoadSeeing(folder / "model.gguf", 1, "cpu", 2);
}

TEST(PictureMemory, ADecodedPictureIsNotCopied) {
  scout_image_options options;
  ASSERT_EQ(scout_image_options_init(&options, sizeof options), SCOUT_OK);
  options.plugin_dir = SCOUT_PLUGINS;
  const auto read = [&](uint32_t width, uint32_t height) {
    const std::string bytes =
        scout::test::Png(scout::test::Header(width, height) +
                         scout::test::Chunk("IDAT", scout::test::Stored(std::string(height * (1 + width * 3), '\0'))));
    const uint64_t before = ResetPeak() ? Status("VmRSS") : 0;
    scout_image* made = nullptr;
    const scout_status status = scout_image_from_bytes(bytes.data(), bytes.size(), &options, &made);
    const uint64_t peak = before == 0 ? 0 : Status("VmHWM") - before;
    scout_image_free(made);
    return std::pair(status, peak);
  };
  if (read(4, 4).first == SCOUT_ERR_UNSUPPORTED) GTEST_SKIP() << scout_last_error();
  const auto [status, peak] = read(kWidth, kHeight);
  ASSERT_EQ(status, SCOUT_OK) << scout_last_error();
  if (peak == 0) GTEST_SKIP() << "/proc/self/clear_refs cannot be written: the peak cannot be measured";
  EXPECT_LE(peak, kWidth * kHeight * 3 + 8 * kMega);
}

TEST(PictureMemory, TwentyLargePicturesStayWithinTheStatedBudget) {
  const scout::test::TempDir folder;
  const user::Model model = LoadWide(folder);
  scout_engine_options engine_options = user::EngineOptions();
  engine_options.picture_cache_bytes = 8 * kMega;
  engine_options.no_prefix_cache = 1;
  const user::Engine engine = user::NewEngine(model, engine_options);
  std::string pixels(kWidth * kHeight * 3, '\0');
  uint32_t seed = 1;
  for (char& sample : pixels) sample = static_cast<char>((seed = seed * 1664525u + 1013904223u) >> 24);

  scout_request_options options = user::RequestOptions();
  options.max_tokens = 2;
  options.ignore_end = 1;
  // The handle is freed as soon as the request is on its way.
  const auto submit = [&](size_t number) {
    pixels[number] = static_cast<char>(pixels[number] ^ 0x55);
    scout_image* made = nullptr;
    EXPECT_EQ(scout_image_from_pixels(pixels.data(), pixels.size(), kWidth, kHeight, 0, 3, nullptr, &made), SCOUT_OK)
        << scout_last_error();
    const user::Image image(made);
    options.images = &made;
    options.image_count = 1;
    scout_request* request = nullptr;
    EXPECT_EQ(scout_submit_text(engine.get(), "what?", 5, &options, &request), SCOUT_OK) << scout_last_error();
    return user::Request(request);
  };
  {
    const user::Answer first = user::Read(submit(0).get());  // what is made once is made
    EXPECT_GT(first.prompt_tokens, static_cast<int64_t>(kTiles * 144));
  }
  if (!ResetPeak()) GTEST_SKIP() << "/proc/self/clear_refs cannot be written: the peak cannot be measured";
  const uint64_t before = Status("VmRSS");
  ASSERT_GT(before, 0u);
  std::vector<user::Request> requests;
  for (size_t number = 0; number < 20; ++number) requests.push_back(submit(1000 * number));
  for (const user::Request& request : requests) EXPECT_EQ(user::Read(request.get()).generated_tokens, 2);
  const uint64_t peak = Status("VmHWM") - before;

  scout_engine_stats stats = {};
  stats.struct_size = sizeof stats;
  ASSERT_EQ(scout_engine_get_stats(engine.get(), &stats), SCOUT_OK);
  EXPECT_EQ(stats.pictures_encoded, 21);
  const uint64_t of_handle = kWidth * kHeight * 3, of_tiles = kTiles * 3 * 336 * 336, of_features = kTiles * 144 * kEmbedding * 4;
  const uint64_t budget = of_handle + 20 * of_tiles + stats.picture_cache_limit_bytes + 2 * of_features + stats.kv_bytes;
  std::printf(
      "peak %.1f MB of a budget of %.1f MB: a handle %.1f, tiles 20 x %.1f, features 2 x %.1f, cache %.1f, keys and values %.1f\n",
      double(peak) / kMega, double(budget) / kMega, double(of_handle) / kMega, double(of_tiles) / kMega,
      double(of_features) / kMega, double(stats.picture_cache_limit_bytes) / kMega, double(stats.kv_bytes) / kMega);
  // What the allocator keeps, stacks, tokens and events.
  EXPECT_LE(peak, budget + 16 * kMega);
}

}  // namespace
