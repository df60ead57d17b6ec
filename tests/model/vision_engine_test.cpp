// Prompts with pictures through the whole engine against Hugging Face transformers: however they are cut, and again from what is
// kept.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "io/checkpoint.h"
#include "model/model.h"
#include "support/goldens.h"
#include "support/vision.h"

namespace scout::model {
namespace {

const std::string kRoot = SCOUT_SOURCE_DIR "/tests/fixtures/vision/";
constexpr int32_t kPlaceholder = 92;

// Every tile a picture of its own: the engine does not ask what a picture shows.
std::vector<engine::Picture> PicturesOf(const std::vector<int32_t>& ids, std::span<const uint8_t> tiles,
                                        const VisionConfig& vision) {
  std::vector<engine::Picture> pictures;
  int64_t left = 0;
  for (int64_t at = 0; at < static_cast<int64_t>(ids.size()); ++at) {
    if (ids[static_cast<size_t>(at)] != kPlaceholder) continue;
    if (left == 0) {
      const auto bytes = static_cast<size_t>(vision.tile_bytes());
      const auto tile = tiles.subspan(pictures.size() * bytes, bytes);
      engine::Picture& picture = pictures.emplace_back();
      picture.tiles = std::make_shared<const std::vector<uint8_t>>(tile.begin(), tile.end());
      picture.key[0] = static_cast<uint32_t>(pictures.size());
      left = vision.feature_rows();
    }
    pictures.back().patches.push_back({at, 1});
    --left;
  }
  EXPECT_EQ(left, 0);
  EXPECT_EQ(pictures.size() * static_cast<size_t>(vision.tile_bytes()), tiles.size());
  return pictures;
}

std::shared_ptr<engine::Engine> NewEngine(const Model& model, int64_t positions, int32_t rows) {
  RunnerOptions runner;
  runner.page_size = 8;
  runner.k_format = runner.v_format = DType::kF32;
  runner.max_rows = rows;
  for (int g = 0; g < kPageGroups; ++g) {
    if (model.BytesPerPosition(g, DType::kF32, DType::kF32) > 0)
      runner.page_count[static_cast<size_t>(g)] = 4 * (positions / runner.page_size + 2);
  }
  engine::EngineOptions options;
  options.mode = engine::Mode::kStepped;
  options.check_invariants = true;
  options.step_rows = options.decode_step_rows = rows;
  return engine::Engine::Make(model.NewRunner(runner), nullptr, {}, model.fingerprint(), options, model.NewVision({}));
}

std::vector<float> LogitsOf(engine::Engine& engine, const std::vector<int32_t>& ids, const std::vector<engine::Picture>& pictures) {
  engine::ScoreOptions options;
  options.logits = true;
  options.logprobs = false;
  const auto request = engine.SubmitScore(ids, pictures, options);
  std::vector<float> logits;
  engine::ScoreBlock block;
  for (;;) {
    const engine::Next next = engine.NextBlock(*request, 0, block);
    if (next == engine::Next::kDone) return logits;
    if (next == engine::Next::kEvent) {
      logits.insert(logits.end(), block.logits.begin(), block.logits.end());
    } else {
      engine.Step(0);
    }
  }
}

void Check(const char* device, Numerics numerics, double bound) {
  for (const char* name : {"square", "threes"}) {
    LoadOptions options;
    options.device = device;
    options.backend.numerics = numerics;
    options.backend.threads = 1;
    options.vision = true;
    LoadProgress progress;
    const auto model = Model::Load(io::OpenCheckpoint(kRoot + name, {}), options, progress);
    for (int n = 1; n <= 3; ++n) {
      const std::string folder = kRoot + name + "/", number = std::to_string(n);
      SCOPED_TRACE(folder + number);
      const auto ids = goldens::ReadTokens(folder + "ids-" + number + ".txt");
      const auto tiles = test::ReadTiles(folder + "pictures-" + number + ".npy");
      const goldens::Array want = goldens::ReadNpy(folder + "answers-" + number + ".npy");
      const auto pictures = PicturesOf(ids, tiles, *model->vision());
      const auto positions = static_cast<int64_t>(ids.size());
      const auto whole = LogitsOf(*NewEngine(*model, positions, static_cast<int32_t>(positions)), ids, pictures);
      ASSERT_EQ(whole.size(), want.values.size());
      EXPECT_LE(goldens::RelativeError(whole, want.values), bound);
      for (const int32_t rows : {1, 3, 7}) {
        const auto engine = NewEngine(*model, positions, rows);
        for (const bool again : {false, true}) {
          const auto got = LogitsOf(*engine, ids, pictures);
          ASSERT_EQ(got.size(), whole.size());
          EXPECT_EQ(std::memcmp(got.data(), whole.data(), got.size() * sizeof(float)), 0) << rows << " rows, again " << again;
        }
        EXPECT_EQ(engine->Stats().pictures, static_cast<int64_t>(pictures.size())) << "once each";
      }
    }
  }
}

TEST(VisionEngine, RefInFloat32AgreesWithTransformers) { Check("ref", Numerics::kFloat32, 2e-5); }
TEST(VisionEngine, CpuAgreesWithTransformers) { Check("cpu", Numerics::kInvariant, 1e-4); }

}  // namespace
}  // namespace scout::model
