// The model against Hugging Face transformers: every golden directory, every container in it, every prompt, on `ref` in float32
// and on `cpu`, with float32 pages.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "io/checkpoint.h"
#include "model/model.h"
#include "support/goldens.h"
#include "support/plan_builder.h"
#include "support/sanitized.h"

namespace scout::model {
namespace {

const char kRoot[] = SCOUT_SOURCE_DIR "/tests/fixtures/goldens";

std::shared_ptr<const Model> LoadGolden(const std::string& container, const std::string& device, Numerics numerics, int threads = 1,
                                        const std::string& isa = "", bool map = false) {
  LoadOptions options;
  options.device = device;
  options.backend.numerics = numerics;
  options.backend.threads = threads;
  options.backend.isa = isa;
  LoadProgress progress;
  return Model::Load(io::OpenCheckpoint(container, {.map = map}), options, progress);
}

// Logits of all positions; the prompt goes in steps of `step` tokens. [tokens, V]
std::vector<float> AllLogits(const Model& model, const std::vector<int32_t>& tokens, int64_t step, int32_t page_size = 16) {
  RunnerOptions options;
  options.page_size = page_size;
  options.k_format = options.v_format = DType::kF32;
  options.max_rows = options.max_logit_rows = static_cast<int32_t>(tokens.size());
  const auto length = static_cast<int64_t>(tokens.size());
  for (int g = 0; g < kPageGroups; ++g) {
    const PageGeometry geometry{page_size, g == kLocalPages ? model.config().attention_chunk : 0};
    if (model.BytesPerPosition(g, DType::kF32, DType::kF32) > 0)
      options.page_count[static_cast<size_t>(g)] = geometry.PagesFor(0, length);
  }
  const auto runner = model.NewRunner(options);
  test::PagePools pools(options.page_count);
  test::SequencePlanner sequence(pools, {runner->geometry(kLocalPages), runner->geometry(kGlobalPages)});
  std::vector<float> logits(tokens.size() * static_cast<size_t>(runner->vocabulary()));
  for (int64_t at = 0; at < length; at += step) {
    const auto count = static_cast<size_t>(std::min(step, length - at));
    const StepPlan plan = sequence.Next(std::span(tokens).subspan(static_cast<size_t>(at), count), test::WantLogits::kAll);
    runner->Begin(plan);
    while (!runner->Advance()) {
    }
    if (const auto error = runner->Finish()) throw *error;
    for (size_t row = 0; row < count; ++row) {
      const auto v = static_cast<size_t>(runner->vocabulary());
      runner->ReadLogits(static_cast<int32_t>(row), std::span(logits).subspan((static_cast<size_t>(at) + row) * v, v));
    }
  }
  return logits;
}

bool BitEqual(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

struct Setting {
  const char* device;
  Numerics numerics;
  double bound;  // of the largest difference, over the reference's rms; BF16 that meets rounded rows has goldens::kBf16Rms
};

// The bounds leave room for float32 sums in another order than PyTorch's: 2e-5 for `ref`, 1e-4 for kernels that fold in blocks.
void CheckAll(const Setting& setting, bool quantised) {
  std::map<std::string, std::shared_ptr<const Model>> models;
  int count = 0;
  for (const goldens::Golden& golden : goldens::All(kRoot)) {
    if ((golden.directory == "quantised") != quantised) continue;
    SCOPED_TRACE(golden.name);
    auto& model = models[golden.container];
    ASSERT_NO_THROW(if (!model) model = LoadGolden(golden.container, setting.device, setting.numerics));
    const std::vector<int32_t> tokens = goldens::ReadTokens(golden.tokens);
    const goldens::Array reference = goldens::ReadNpy(golden.logits);
    ASSERT_EQ(reference.rows, tokens.size());
    ASSERT_EQ(static_cast<int64_t>(reference.cols), model->config().vocabulary);
    const std::vector<float> logits = AllLogits(*model, tokens, static_cast<int64_t>(tokens.size()));
    std::printf("  %-4s %-44s %3zu tokens  ", setting.device, golden.name.c_str(), tokens.size());
    if (setting.numerics != Numerics::kFloat32 && goldens::IsBf16(golden)) {
      const std::vector<double> rms = goldens::RmsOfTokens(logits, reference);
      const double middle = rms.at(rms.size() / 2), most = rms.at(rms.size() * 4 / 5);
      std::printf("rms %.2e of %.2g, of four fifths %.2e\n", middle, goldens::kBf16Rms, most);
      EXPECT_LE(middle, goldens::kBf16Rms);
      EXPECT_LE(most, 2 * goldens::kBf16Rms);
    } else {
      const double error = goldens::RelativeError(logits, reference.values);
      std::printf("%.2e of %.0e\n", error, setting.bound);
      EXPECT_LE(error, setting.bound);
    }
    for (const int64_t step : {1, 3, 7})
      EXPECT_TRUE(BitEqual(logits, AllLogits(*model, tokens, step))) << "cut into steps of " << step;
    EXPECT_TRUE(BitEqual(logits, AllLogits(*model, tokens, 5, 3))) << "in pages of 3 positions, which no chunk is a multiple of";
    ++count;
  }
  EXPECT_GT(count, 0) << "no golden was found under " << kRoot;
}

TEST(Golden, RefInFloat32AgreesWithTransformers) { CheckAll({"ref", Numerics::kFloat32, 2e-5}, false); }
TEST(Golden, RefInFloat32AgreesOnQuantisedWeights) { CheckAll({"ref", Numerics::kFloat32, 2e-5}, true); }
TEST(Golden, RefInItsDefinedArithmeticAgreesWhereNothingIsQuantised) { CheckAll({"ref", Numerics::kInvariant, 1e-4}, false); }
TEST(Golden, CpuAgreesWithTransformers) { CheckAll({"cpu", Numerics::kInvariant, 1e-4}, false); }

// Quantised weights meet activations rounded to signed bytes. An activation of a group with largest magnitude m is off by at most
// m / 254, evenly spread: noise of m / (127 sqrt 12) beside the group's own standard deviation s. With m <= 8 s (normal groups
// of 256 have 3; the products silu(gate) * up in front of `down` have long tails) a product's output carries at most
// 8 / (127 sqrt 12) = 1.8 % of noise. On the way to a logit lie 4 products in each of 4 layers and the head: 17 independent
// noises, sqrt(17) * 1.8 % = 7.5 % of the logits' rms. The largest of 4,120 normal values stays under 5 of their deviations.
constexpr double kRoundedRms = 0.075;
constexpr double kRoundedLargest = 5 * kRoundedRms;

TEST(Golden, QuantisedArithmeticStaysWithinItsRounding) {
  for (const goldens::Golden& golden : goldens::All(kRoot)) {
    if (golden.directory != "quantised") continue;
    SCOPED_TRACE(golden.name);
    const std::vector<int32_t> tokens = goldens::ReadTokens(golden.tokens);
    const goldens::Array reference = goldens::ReadNpy(golden.logits);
    const auto model = LoadGolden(golden.container, "ref", Numerics::kInvariant);
    const std::vector<float> logits = AllLogits(*model, tokens, 64);
    const double rms = goldens::RelativeRms(logits, reference.values), largest = goldens::RelativeError(logits, reference.values);
    std::printf("  ref  %-44s %3zu tokens  rms %.2e of %.2g, largest %.2e of %.2g\n", golden.name.c_str(), tokens.size(), rms,
                kRoundedRms, largest, kRoundedLargest);
    EXPECT_LE(rms, kRoundedRms);
    EXPECT_LE(largest, kRoundedLargest);
    for (const int64_t step : {1, 3, 7})
      EXPECT_TRUE(BitEqual(logits, AllLogits(*model, tokens, step))) << "cut into steps of " << step;
  }
}

// The order of every sum is defined, so `cpu` gives the bits of `ref` in its defined arithmetic: with any instruction set (the
// best one there is where the machine has less) and any number of threads.
TEST(Golden, CpuGivesTheBitsOfTheDefinedArithmetic) {
  for (const goldens::Golden& golden : goldens::All(kRoot)) {
    SCOPED_TRACE(golden.name);
    const std::vector<int32_t> tokens = goldens::ReadTokens(golden.tokens);
    const std::vector<float> of_ref = AllLogits(*LoadGolden(golden.container, "ref", Numerics::kInvariant), tokens, 64);
    for (const char* isa : {"generic", "avx2", "avx512"})
      for (const int threads : {1, 3}) {
        const auto model = LoadGolden(golden.container, "cpu", Numerics::kInvariant, threads, isa);
        for (const int64_t step : {64, 7}) {
          if (test::kSanitized && (step == 64) != (threads == 1)) continue;  // one of them is enough to see what it touches
          EXPECT_TRUE(BitEqual(AllLogits(*model, tokens, step), of_ref))
              << isa << " with " << threads << " threads, in steps of " << step;
        }
      }
  }
}

TEST(Golden, MappedFilesGiveTheSameBits) {
  for (const goldens::Golden& golden : goldens::All(kRoot)) {
    SCOPED_TRACE(golden.name);
    const std::vector<int32_t> tokens = goldens::ReadTokens(golden.tokens);
    const auto read = LoadGolden(golden.container, "cpu", Numerics::kInvariant);
    const auto mapped = LoadGolden(golden.container, "cpu", Numerics::kInvariant, 1, "", true);
    EXPECT_TRUE(BitEqual(AllLogits(*read, tokens, 64), AllLogits(*mapped, tokens, 64)));
    EXPECT_EQ(read->fingerprint(), mapped->fingerprint());
  }
}

// The same weights through GGUF and safetensors: the same bits. Only where a blended rotary scaling passes through
// rope_freqs.weight's rounded divisors may a frequency be off by its last bit, which turns a pair at position 82 by less than
// 82 * 2^-23 = 1e-5 of its frequency's angle.
TEST(Golden, ContainersOfOneModelGiveTheSameLogits) {
  struct First {
    std::vector<float> inv_freq;
    std::vector<float> logits;
  };
  std::map<std::string, First> first;
  int compared = 0;
  for (const goldens::Golden& golden : goldens::All(kRoot)) {
    SCOPED_TRACE(golden.name);
    const std::vector<int32_t> tokens = goldens::ReadTokens(golden.tokens);
    const auto model = LoadGolden(golden.container, "ref", Numerics::kFloat32);
    const std::vector<float> logits = AllLogits(*model, tokens, 64);
    const auto [entry, added] = first.emplace(golden.tokens.string(), First{model->config().inv_freq, logits});
    if (added) continue;
    ++compared;
    if (BitEqual(model->config().inv_freq, entry->second.inv_freq)) {
      EXPECT_TRUE(BitEqual(logits, entry->second.logits));
      continue;
    }
    for (size_t i = 0; i < entry->second.inv_freq.size(); ++i)
      EXPECT_NEAR(model->config().inv_freq[i] / entry->second.inv_freq[i], 1.0f, 0x1p-22f) << i;
    EXPECT_LE(goldens::RelativeError(logits, entry->second.logits), 5e-6);
  }
  EXPECT_GT(compared, 0);
}

}  // namespace
}  // namespace scout::model
