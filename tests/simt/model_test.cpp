// Whole models on the gpu backend: every golden container gives the logits of `ref` in its defined arithmetic, bit for bit, at both
// warp widths and however the prompt is cut; and those agree with transformers (tests/model). This program has its own list of
// devices.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <set>
#include <utility>
#include <vector>

#include "gpu/gpu_backend.h"
#include "io/checkpoint.h"
#include "model/model.h"
#include "simt_driver.h"
#include "support/goldens.h"
#include "support/memory_checkpoint.h"
#include "support/plan_builder.h"

namespace scout {

const BackendFactory& ref_backend_factory();

namespace {

template <int kWarp>
std::unique_ptr<Backend> MakeSimt(const BackendOptions& options) {
  static const std::shared_ptr<gpu::Device> device = simt::SimtDevice(kWarp);
  return gpu::MakeGpuBackend(device, options);
}
constexpr BackendFactory kSimt32 = {"simt32", "emulated, warps of 32", MakeSimt<32>};
constexpr BackendFactory kSimt64 = {"simt64", "emulated, warps of 64", MakeSimt<64>};

}  // namespace

std::span<const BackendFactory* const> BuiltinBackends() {
  static const BackendFactory* const kFactories[] = {&ref_backend_factory(), &kSimt32, &kSimt64};
  return kFactories;
}

namespace model {
namespace {

std::shared_ptr<const Model> Load(std::shared_ptr<const io::Checkpoint> checkpoint, const std::string& device) {
  LoadOptions options;
  options.device = device;
  LoadProgress progress;
  return Model::Load(std::move(checkpoint), options, progress);
}
std::shared_ptr<const Model> LoadGolden(const std::string& container, const std::string& device) {
  return Load(io::OpenCheckpoint(container, {.map = false}), device);
}

// Logits of every position of `prompts`, one vector for each. Each step takes the next `step` tokens of each prompt that has some
// left, all in one batch; the prompts are in the given order in it.
std::vector<std::vector<float>> LogitsOf(const Model& model, const std::vector<std::vector<int32_t>>& prompts, int64_t step,
                                         DType format) {
  RunnerOptions options;
  options.page_size = 16;
  options.k_format = options.v_format = format;
  size_t rows = 0;
  for (const auto& prompt : prompts) rows += prompt.size();
  options.max_rows = options.max_logit_rows = static_cast<int32_t>(rows);
  for (int g = 0; g < kPageGroups; ++g) {
    const PageGeometry geometry{options.page_size, g == kLocalPages ? model.config().attention_chunk : 0};
    if (model.BytesPerPosition(g, format, format) == 0) continue;
    for (const auto& prompt : prompts)
      options.page_count[static_cast<size_t>(g)] += geometry.PagesFor(0, static_cast<int64_t>(prompt.size()));
  }
  const auto runner = model.NewRunner(options);
  test::PagePools pools(options.page_count);
  std::vector<test::SequencePlanner> sequences(
      prompts.size(), test::SequencePlanner(pools, {runner->geometry(kLocalPages), runner->geometry(kGlobalPages)}));
  const auto v = static_cast<size_t>(runner->vocabulary());
  std::vector<std::vector<float>> logits(prompts.size());
  while (true) {
    std::vector<StepPlan> plans;
    std::vector<std::pair<size_t, size_t>> parts;  // prompt, rows
    for (size_t p = 0; p < prompts.size(); ++p) {
      const auto at = static_cast<size_t>(sequences[p].length());
      const size_t count = std::min(static_cast<size_t>(step), prompts[p].size() - at);
      if (count == 0) continue;
      plans.push_back(sequences[p].Next(std::span(prompts[p]).subspan(at, count), test::WantLogits::kAll));
      parts.emplace_back(p, count);
    }
    if (plans.empty()) return logits;
    const StepPlan plan = test::Join(plans);
    runner->Begin(plan);
    while (!runner->Advance()) {
    }
    if (const auto error = runner->Finish()) throw *error;
    int32_t row = 0;
    for (const auto& [p, count] : parts) {
      for (size_t i = 0; i < count; ++i) {
        logits[p].resize(logits[p].size() + v);
        runner->ReadLogits(row++, std::span(logits[p]).last(v));
      }
    }
  }
}
std::vector<float> Logits(const Model& model, const std::vector<int32_t>& tokens, int64_t step, DType format) {
  return LogitsOf(model, {tokens}, step, format).front();
}
bool Same(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && !a.empty() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST(SimtModel, GivesTheBitsOfTheDefinedArithmetic) {
  const bool all = std::getenv("SCOUT_SIMT_FULL") != nullptr;
  std::set<std::string> seen;
  int count = 0, in_blocks = 0;
  for (const goldens::Golden& golden : goldens::All(SCOUT_SOURCE_DIR "/tests/fixtures/goldens")) {
    // One prompt of one container of each directory is enough for every day.
    if (!all && !seen.insert(golden.directory).second) continue;
    SCOPED_TRACE(golden.name);
    std::vector<int32_t> tokens = goldens::ReadTokens(golden.tokens);
    if (!all) tokens.resize(std::min<size_t>(tokens.size(), 10));
    const auto ref = LoadGolden(golden.container, "ref");
    const bool blocks = ref->config().head_dim % 32 == 0;  // as Q8_0 has them
    for (const DType format : blocks ? std::vector{DType::kF16, DType::kQ8_0} : std::vector{DType::kF16}) {
      const std::vector<float> want = Logits(*ref, tokens, 64, format);
      for (const char* device : {"simt32", "simt64"}) {
        const auto model = LoadGolden(golden.container, device);
        for (const int64_t step : {64, 3})
          EXPECT_TRUE(Same(Logits(*model, tokens, step, format), want))
              << device << ", pages of " << InfoOf(format).name << ", steps of " << step;
      }
      in_blocks += format == DType::kQ8_0;
    }
    ++count;
  }
  std::printf("  %d models\n", count);
  EXPECT_GT(count, 0);
  EXPECT_GT(in_blocks, 0);
}

// A prompt's logits are the same bytes alone or among others, at whichever place of the batch, in one piece or in many.
TEST(SimtModel, APromptsBytesDependOnNothingElse) {
  test::TinySpec spec;
  spec.head_dim = 32;
  spec.chunk = 24;
  std::vector<std::vector<int32_t>> prompts(3);
  const size_t lengths[] = {18, 3, 26};  // beyond a page, inside one, beyond an attention chunk
  for (size_t p = 0; p < prompts.size(); ++p)
    for (size_t i = 0; i < lengths[p]; ++i) prompts[p].push_back(static_cast<int32_t>((7 + 13 * p + 5 * i * (p + 1)) % 31));
  const bool all = std::getenv("SCOUT_SIMT_FULL") != nullptr;
  for (const char* device : {"simt32", "simt64"}) {
    const auto model = Load(test::MakeTinyGguf(spec), device);
    for (const DType format : {DType::kF16, DType::kQ8_0}) {
      if (!all && (format == DType::kQ8_0) != (device == std::string("simt64"))) continue;
      SCOPED_TRACE(std::string(device) + ", pages of " + std::string(InfoOf(format).name));
      std::vector<std::vector<float>> alone;
      for (const auto& prompt : prompts) alone.push_back(Logits(*model, prompt, 64, format));
      EXPECT_TRUE(Same(Logits(*model, prompts[0], 1, format), alone[0])) << "token by token";
      const auto together = LogitsOf(*model, prompts, 64, format);
      const auto backwards = LogitsOf(*model, {prompts[2], prompts[1], prompts[0]}, 7, format);
      for (size_t p = 0; p < prompts.size(); ++p) {
        EXPECT_TRUE(Same(together[p], alone[p])) << "prompt " << p << " of three";
        EXPECT_TRUE(Same(backwards[2 - p], alone[p])) << "prompt " << p << " of three, from the last, steps of 7";
      }
    }
  }
}

}  // namespace
}  // namespace model
}  // namespace scout
