// The vision tower against Hugging Face transformers: features of tiles from every container, logits of prompts with pictures.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "io/checkpoint.h"
#include "model/model.h"
#include "model/vision_tower.h"
#include "support/goldens.h"
#include "support/plan_builder.h"
#include "support/temp_dir.h"
#include "support/vision.h"

namespace scout::model {
namespace {

const std::string kRoot = SCOUT_SOURCE_DIR "/tests/fixtures/vision/";

// A model, where its tower lies, and what the reference made of it.
struct Case {
  const char* name;
  const char* container;
  const char* projector;  // "" = in the container
  const char* features;
  DType format;  // of most of the tower's matrices
};
constexpr Case kCases[] = {
    {"square", "", "", "safetensors", DType::kF32},
    {"square", "model.gguf", "mmproj-F32.gguf", "F32", DType::kF32},
    {"square", "model.gguf", "mmproj-F16.gguf", "F16", DType::kF16},
    {"square", "model.gguf", "mmproj-BF16.gguf", "BF16", DType::kBF16},
    {"square", "model.gguf", "mmproj-Q8_0.gguf", "Q8_0", DType::kQ8_0},
    {"threes", "", "", "safetensors", DType::kF32},
    {"threes", "together.gguf", "", "safetensors", DType::kF16},  // the weights are F16 values
    {"single", "", "", "safetensors", DType::kF32},
    {"narrow", "", "", "safetensors", DType::kF32},
    {"narrow", "model.gguf", "mmproj-F16.gguf", "F16", DType::kF16},
    {"real-head", "", "", "safetensors", DType::kBF16},
    {"real-grid", "", "", "safetensors", DType::kF32},
};

struct Setting {
  const char* device;
  Numerics numerics = Numerics::kInvariant;
  int threads = 1;
  const char* isa = "";
};
constexpr Setting kOracle = {"ref", Numerics::kFloat32};
constexpr Setting kDefined = {"ref"};

std::shared_ptr<const Model> Load(const Case& c, const Setting& setting, bool vision = true) {
  LoadOptions options;
  options.device = setting.device;
  options.backend.numerics = setting.numerics;
  options.backend.threads = setting.threads;
  options.backend.isa = setting.isa;
  options.vision = vision;
  const std::string folder = kRoot + c.name + "/";
  if (*c.projector) options.projector = folder + c.projector;
  LoadProgress progress;
  return Model::Load(io::OpenCheckpoint(folder + c.container, {}), options, progress);
}

std::string Title(const Case& c) {
  return std::string(c.name) + " " + (*c.projector ? c.projector : *c.container ? c.container : "safetensors");
}

std::vector<float> FeaturesOf(const Model& model, std::span<const uint8_t> tiles, uint64_t workspace_bytes = uint64_t{256} << 20) {
  const auto tower = model.NewVision({workspace_bytes});
  return test::ReadFeatures(*test::SeeTiles(*tower, tiles));
}

bool BitEqual(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

TEST(Vision, RefInFloat32AgreesWithTransformers) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(Title(c));
    const auto model = Load(c, kOracle);
    const goldens::Array want = goldens::ReadNpy(kRoot + c.name + "/features-" + c.features + ".npy");
    const auto got = FeaturesOf(*model, test::ReadTiles(kRoot + c.name + "/tiles.npy"));
    const double error = goldens::RelativeError(got, want.values);
    std::printf("  %-28s %4zu rows  %.2e of 2e-05\n", Title(c).c_str(), want.rows, error);
    EXPECT_LE(error, 2e-5);
  }
}

// Activations stay float32 whatever the weights' format is: only the order of sums differs.
TEST(Vision, TheDefinedArithmeticAgreesWithTransformers) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(Title(c));
    const auto model = Load(c, kDefined);
    const goldens::Array want = goldens::ReadNpy(kRoot + c.name + "/features-" + c.features + ".npy");
    const auto got = FeaturesOf(*model, test::ReadTiles(kRoot + c.name + "/tiles.npy"));
    const double error = goldens::RelativeError(got, want.values);
    std::printf("  %-28s %4zu rows  %.2e of 1e-04\n", Title(c).c_str(), want.rows, error);
    EXPECT_LE(error, 1e-4);
  }
}

// With any instruction set and any number of threads, whichever tiles share a batch.
TEST(Vision, CpuGivesTheBitsOfTheDefinedArithmetic) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(Title(c));
    const auto tiles = test::ReadTiles(kRoot + c.name + "/tiles.npy");
    const auto want = FeaturesOf(*Load(c, kDefined), tiles);
    for (const char* isa : {"generic", "avx2", "avx512"}) {
      for (const int threads : {1, 3}) {
        const auto model = Load(c, {"cpu", Numerics::kInvariant, threads, isa});
        EXPECT_TRUE(BitEqual(FeaturesOf(*model, tiles), want)) << isa << ", " << threads << " threads";
        EXPECT_TRUE(BitEqual(FeaturesOf(*model, tiles, 1), want)) << isa << ", " << threads << " threads, one tile at a time";
      }
    }
  }
}

TEST(Vision, ATilesFeaturesDoNotDependOnTheOthers) {
  const Case& c = kCases[0];
  const auto model = Load(c, {"cpu", Numerics::kInvariant, 2});
  const auto tiles = test::ReadTiles(kRoot + c.name + "/tiles.npy");
  const auto together = FeaturesOf(*model, tiles);
  const auto tile_bytes = static_cast<size_t>(model->vision()->tile_bytes());
  const auto tile_values = static_cast<size_t>(model->vision()->feature_rows() * model->vision()->out);
  ASSERT_GE(tiles.size() / tile_bytes, 2u);
  for (size_t t = 0; t < tiles.size() / tile_bytes; ++t)
    EXPECT_TRUE(BitEqual(FeaturesOf(*model, std::span(tiles).subspan(t * tile_bytes, tile_bytes)),
                         std::span(together).subspan(t * tile_values, tile_values)))
        << t;
}

// ---- prompts with pictures ---------------------------------------------------------------------------------------------------

constexpr int32_t kPlaceholder = 92;

// Logits of all positions; the prompt goes in steps of `step` tokens; pictures are seen `tiles_each` tiles at a time.
std::vector<float> AnswersOf(const Model& model, const std::vector<int32_t>& ids, std::span<const uint8_t> tiles, int64_t step,
                             size_t tiles_each) {
  const auto tower = model.NewVision({});
  const size_t bytes_each = tiles_each * static_cast<size_t>(model.vision()->tile_bytes());
  std::vector<std::shared_ptr<const Features>> features;
  for (size_t at = 0; at < tiles.size(); at += bytes_each)
    features.push_back(test::SeeTiles(*tower, tiles.subspan(at, std::min(bytes_each, tiles.size() - at))));

  RunnerOptions options;
  options.page_size = 16;
  options.k_format = options.v_format = DType::kF32;
  options.max_rows = options.max_logit_rows = static_cast<int32_t>(ids.size());
  const auto length = static_cast<int64_t>(ids.size());
  for (int g = 0; g < kPageGroups; ++g) {
    const PageGeometry geometry{options.page_size, g == kLocalPages ? model.config().attention_chunk : 0};
    if (model.BytesPerPosition(g, DType::kF32, DType::kF32) > 0)
      options.page_count[static_cast<size_t>(g)] = geometry.PagesFor(0, length);
  }
  const auto runner = model.NewRunner(options);
  test::PagePools pools(options.page_count);
  test::SequencePlanner sequence(pools, {runner->geometry(kLocalPages), runner->geometry(kGlobalPages)});
  const auto v = static_cast<size_t>(runner->vocabulary());
  std::vector<float> logits(ids.size() * v);
  int32_t next_feature = 0;
  for (int64_t at = 0; at < length; at += step) {
    const auto count = static_cast<size_t>(std::min(step, length - at));
    StepPlan plan = sequence.Next(std::span(ids).subspan(static_cast<size_t>(at), count), test::WantLogits::kAll);
    for (const int32_t token : plan.token) plan.feature_row.push_back(token == kPlaceholder ? next_feature++ : -1);
    runner->UseFeatures(features);
    runner->Begin(plan);
    while (!runner->Advance()) {
    }
    if (const auto error = runner->Finish()) throw *error;
    for (size_t row = 0; row < count; ++row)
      runner->ReadLogits(static_cast<int32_t>(row), std::span(logits).subspan((static_cast<size_t>(at) + row) * v, v));
  }
  int64_t rows = 0;
  for (const auto& one : features) rows += one->rows();
  EXPECT_EQ(next_feature, rows);
  return logits;
}

void CheckAnswers(const Setting& setting, double bound) {
  int count = 0;
  for (const char* name : {"square", "threes"}) {
    for (const Case& c : kCases) {
      if (std::string(c.name) != name || std::string(c.features) != "safetensors") continue;
      const auto model = Load(c, setting);
      for (int n = 1; n <= 3; ++n) {
        SCOPED_TRACE(Title(c) + " prompt " + std::to_string(n));
        const std::string folder = kRoot + name + "/", number = std::to_string(n);
        const auto ids = goldens::ReadTokens(folder + "ids-" + number + ".txt");
        const auto tiles = test::ReadTiles(folder + "pictures-" + number + ".npy");
        const goldens::Array want = goldens::ReadNpy(folder + "answers-" + number + ".npy");
        const auto got = AnswersOf(*model, ids, tiles, static_cast<int64_t>(ids.size()), tiles.size());
        const double error = goldens::RelativeError(got, want.values);
        std::printf("  %-4s %-28s %3zu positions  %.2e of %.0e\n", setting.device, Title(c).c_str(), ids.size(), error, bound);
        EXPECT_LE(error, bound);
        for (const int64_t step : {1, 3, 7}) EXPECT_TRUE(BitEqual(got, AnswersOf(*model, ids, tiles, step, 1))) << step;
        ++count;
      }
    }
  }
  EXPECT_EQ(count, 9);
}

TEST(VisionPrompt, RefInFloat32AgreesWithTransformers) { CheckAnswers(kOracle, 2e-5); }
TEST(VisionPrompt, CpuAgreesWithTransformers) { CheckAnswers({"cpu", Numerics::kInvariant, 2}, 1e-4); }

TEST(VisionPrompt, APlanThatNamesFeaturesThatAreNotThereIsRefused) {
  const auto model = Load(kCases[0], kDefined);
  RunnerOptions options;
  options.page_count = {1, 1};
  const auto runner = model->NewRunner(options);
  test::PagePools pools(options.page_count);
  test::SequencePlanner sequence(pools, {runner->geometry(kLocalPages), runner->geometry(kGlobalPages)});
  StepPlan plan = sequence.Next(std::vector<int32_t>{1, 2}, test::WantLogits::kLast);
  const auto tiles = test::ReadTiles(kRoot + "square/tiles.npy");
  const auto features = test::SeeTiles(*model->NewVision({}), tiles);
  const auto run = [&](int32_t row, bool give) {
    plan.feature_row = {-1, row};
    if (give) runner->UseFeatures({features});
    runner->Begin(plan);
    while (!runner->Advance()) {
    }
    const auto error = runner->Finish();
    return error ? std::string(error->what()) : std::string();
  };
  const auto rows = static_cast<int32_t>(features->rows());
  EXPECT_EQ(run(rows - 1, true), "");
  EXPECT_NE(run(rows, true).find("feature row"), std::string::npos);
  EXPECT_NE(run(-2, true).find("feature row"), std::string::npos);
  EXPECT_NE(run(0, false).find("feature row 0 of 0"), std::string::npos) << "features are given for one step only";
  EXPECT_EQ(run(-1, false), "");
}

// ---- the tower as a stepped thing --------------------------------------------------------------------------------------------

TEST(Vision, AStoppedTowerStartsAgain) {
  const Case& c = kCases[0];
  const auto model = Load(c, {"cpu"});
  const auto tiles = test::ReadTiles(kRoot + c.name + "/tiles.npy");
  const auto want = FeaturesOf(*model, tiles);
  const auto tower = model->NewVision({1});
  EXPECT_EQ(tower->tiles_at_once(), 1);
  const auto table = test::PixelTable();
  const std::vector<std::span<const uint8_t>> whole = {tiles}, broken = {std::span(tiles).first(tiles.size() - 1)}, nothing = {{}};
  tower->Begin(whole, table);
  EXPECT_FALSE(tower->Advance());
  EXPECT_FALSE(tower->Advance());
  tower->Abort();
  tower->Begin(whole, table);
  EXPECT_FALSE(tower->Advance());
  std::vector<std::shared_ptr<const Features>> features;
  const auto error = tower->Finish(&features);
  ASSERT_TRUE(error.has_value());
  EXPECT_NE(std::string(error->what()).find("before their last layer"), std::string::npos);
  EXPECT_TRUE(features.empty());
  EXPECT_TRUE(BitEqual(test::ReadFeatures(*test::SeeTiles(*tower, tiles)), want));
  tower->Begin(broken, table);
  EXPECT_TRUE(tower->Advance());
  EXPECT_TRUE(tower->Finish(&features).has_value()) << "half a tile";
  tower->Begin(nothing, table);
  EXPECT_TRUE(tower->Advance());
  EXPECT_FALSE(tower->Finish(&features).has_value());
  ASSERT_EQ(features.size(), 1u);
  EXPECT_EQ(features[0]->rows(), 0);
}

// Several pictures in one go, however their tiles fall into batches.
TEST(Vision, PicturesTogetherGiveTheBitsOfEachAlone) {
  const Case& c = kCases[0];
  const auto model = Load(c, {"cpu", Numerics::kInvariant, 2});
  const auto one = test::ReadTiles(kRoot + c.name + "/tiles.npy");
  std::vector<uint8_t> tiles = one;
  tiles.insert(tiles.end(), one.rbegin(), one.rend());
  const auto bytes = static_cast<size_t>(model->vision()->tile_bytes());
  const size_t count = tiles.size() / bytes;
  ASSERT_GE(count, 4u);
  const auto want = FeaturesOf(*model, tiles);
  const uint64_t per_tile = VisionWorkspaceBytes(*model->vision(), 1);
  for (const uint64_t at_once : {uint64_t{1}, uint64_t{2}, uint64_t{3}, uint64_t{100}}) {
    const auto tower = model->NewVision({at_once * per_tile});
    for (const size_t first : {size_t{1}, size_t{2}, count - 1}) {
      std::vector<std::span<const uint8_t>> pictures = {
          std::span(tiles).first(first * bytes), {}, std::span(tiles).subspan(first * bytes)};
      const auto features = test::SeePictures(*tower, pictures);
      ASSERT_EQ(features.size(), 3u);
      EXPECT_EQ(features[1]->rows(), 0);
      std::vector<float> got = test::ReadFeatures(*features[0]);
      const auto rest = test::ReadFeatures(*features[2]);
      got.insert(got.end(), rest.begin(), rest.end());
      EXPECT_TRUE(BitEqual(got, want)) << at_once << " tiles at once, " << first << " in the first picture";
    }
  }
}

TEST(Vision, FeaturesOutliveTheirTowerAndModel) {
  const Case& c = kCases[0];
  std::shared_ptr<const Features> features;
  std::vector<float> before;
  {
    const auto model = Load(c, {"cpu"});
    const auto tower = model->NewVision({});
    features = test::SeeTiles(*tower, test::ReadTiles(kRoot + c.name + "/tiles.npy"));
    before = test::ReadFeatures(*features);
  }
  EXPECT_TRUE(BitEqual(before, test::ReadFeatures(*features)));
}

// ---- loading -----------------------------------------------------------------------------------------------------------------

size_t VisionTensors(const Model& model) {
  size_t count = 0;
  for (const std::string& name : model.skipped_tensors())
    count += name.starts_with("v.") || name.starts_with("mm.") || name.starts_with("vision_model.") ||
             name.starts_with("multi_modal_projector.");
  return count;
}

TEST(VisionLoad, ATowerThatIsNotWantedIsSkipped) {
  for (const Case& c : {kCases[0], kCases[6]}) {
    SCOPED_TRACE(Title(c));
    const auto with = Load(c, kDefined), without = Load(c, kDefined, false);
    ASSERT_NE(with->vision(), nullptr);
    EXPECT_EQ(without->vision(), nullptr);
    EXPECT_EQ(VisionTensors(*with), 0u);
    EXPECT_EQ(VisionTensors(*without), 10u + 16u * static_cast<size_t>(with->vision()->layers));
    EXPECT_GT(with->weight_bytes(), without->weight_bytes());
    EXPECT_EQ(with->parameters(), without->parameters());
    EXPECT_EQ(with->fingerprint(), without->fingerprint());
    EXPECT_NE(with->vision_fingerprint(), 0u);
    EXPECT_EQ(without->vision_fingerprint(), 0u);
    EXPECT_THROW(without->NewVision({}), Error);
  }
}

TEST(VisionLoad, ParametersAreWhatTheConfigurationSays) {
  for (const Case& c : kCases) {
    const auto model = Load(c, kDefined);
    const VisionConfig& v = *model->vision();
    const int64_t d = v.width, f = v.hidden;
    const int64_t layer = 4 * (d * d + d) + 4 * d + f * d + f + d * f + d;
    const int64_t rest = d * v.patch_values() + d + v.rows() * d + 4 * d + v.adapter * d * v.shuffle * v.shuffle +
                         v.adapter_out * v.adapter + v.out * v.adapter_out;
    EXPECT_EQ(model->vision_parameters(), static_cast<uint64_t>(v.layers * layer + rest)) << Title(c);
  }
}

std::string RefusalOf(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(VisionLoad, TheProjectorBesideTheModelIsFound) {
  const test::TempDir folder;
  const auto copy = [&](const char* from, const std::string& to) {
    std::filesystem::copy_file(kRoot + "square/" + from, folder / to);
  };
  copy("model.gguf", "text.gguf");
  const auto load = [&] {
    LoadOptions options;
    options.device = "ref";
    options.vision = true;
    LoadProgress progress;
    return Model::Load(io::OpenCheckpoint(folder / "text.gguf", {}), options, progress);
  };
  EXPECT_EQ(load()->vision(), nullptr) << "a model without a tower says so and loads";
  copy("mmproj-F16.gguf", "mmproj-golden-f16.gguf");
  const auto model = load();
  ASSERT_NE(model->vision(), nullptr);
  const auto tiles = test::ReadTiles(kRoot + "square/tiles.npy");
  EXPECT_TRUE(BitEqual(FeaturesOf(*model, tiles), FeaturesOf(*Load(kCases[2], kDefined), tiles)));
  copy("mmproj-F32.gguf", "mmproj-golden-f32.gguf");
  const std::string refusal = RefusalOf(load);
  EXPECT_NE(refusal.find("\"mmproj-golden-f16.gguf\" and \"mmproj-golden-f32.gguf\""), std::string::npos) << refusal;
}

TEST(VisionLoad, AProjectorOfAnotherModelIsRefused) {
  Case c = kCases[1];
  c.projector = "../threes/together.gguf";  // 24 wide on either side, so this one has a tower that fits
  EXPECT_NE(Load(c, kDefined)->vision(), nullptr);
  c.projector = "model.gguf";
  EXPECT_NE(RefusalOf([&] { Load(c, kDefined); }).find("there is no vision tower in this file"), std::string::npos);
  c.projector = "mmproj-none.gguf";
  EXPECT_NE(RefusalOf([&] { Load(c, kDefined); }), "");
}

TEST(VisionLoad, TheMemoryOfTheTowerCounts) {
  const auto with = Load(kCases[0], kDefined), without = Load(kCases[0], kDefined, false);
  const uint64_t tower = with->weight_bytes() - without->weight_bytes();
  LoadOptions options;
  options.device = "ref";
  options.vision = true;
  const auto needed = [&](bool vision) {  // as the refusal says it
    options.vision = vision;
    options.memory_limit_bytes = 1;
    const std::string refusal = RefusalOf([&] {
      LoadProgress progress;
      Model::Load(io::OpenCheckpoint(kRoot + "square", {}), options, progress);
    });
    const size_t at = refusal.find("at least ");
    EXPECT_NE(at, std::string::npos) << refusal;
    return std::stoull(refusal.substr(at + 9));
  };
  EXPECT_GE(needed(true), needed(false) + tower);
}

}  // namespace
}  // namespace scout::model
