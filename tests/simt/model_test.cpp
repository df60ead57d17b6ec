// Whole models on the gpu backend: every golden container gives the logits of `ref` in its defined arithmetic, bit for bit, at both
// warp widths and however the prompt is cut; and those agree with transformers (tests/model). This program has its own list of
// devices.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <set>

#include "gpu/gpu_backend.h"
#include "io/checkpoint.h"
#include "model/model.h"
#include "simt_driver.h"
#include "support/goldens.h"
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

std::shared_ptr<const Model> LoadGolden(const std::string& container, const std::string& device) {
  LoadOptions options;
  options.device = device;
  LoadProgress progress;
  return Model::Load(io::OpenCheckpoint(container, {.map = false}), options, progress);
}

// Logits of the prompt's last position and of each step's; the prompt goes in steps of `step` tokens.
std::vector<float> Logits(const Model& model, const std::vector<int32_t>& tokens, int64_t step) {
  RunnerOptions options;
  options.page_size = 16;
  options.k_format = options.v_format = DType::kF16;
  options.max_rows = options.max_logit_rows = static_cast<int32_t>(tokens.size());
  const auto length = static_cast<int64_t>(tokens.size());
  for (int g = 0; g < kPageGroups; ++g) {
    const PageGeometry geometry{options.page_size, g == kLocalPages ? model.config().attention_chunk : 0};
    if (model.BytesPerPosition(g, DType::kF16, DType::kF16) > 0)
      options.page_count[static_cast<size_t>(g)] = geometry.PagesFor(0, length);
  }
  const auto runner = model.NewRunner(options);
  test::PagePools pools(options.page_count);
  test::SequencePlanner sequence(pools, {runner->geometry(kLocalPages), runner->geometry(kGlobalPages)});
  const auto v = static_cast<size_t>(runner->vocabulary());
  std::vector<float> logits(tokens.size() * v);
  for (int64_t at = 0; at < length; at += step) {
    const auto count = static_cast<size_t>(std::min(step, length - at));
    const StepPlan plan = sequence.Next(std::span(tokens).subspan(static_cast<size_t>(at), count), test::WantLogits::kAll);
    runner->Begin(plan);
    while (!runner->Advance()) {
    }
    if (const auto error = runner->Finish()) throw *error;
    for (size_t row = 0; row < count; ++row)
      runner->ReadLogits(static_cast<int32_t>(row), std::span(logits).subspan((static_cast<size_t>(at) + row) * v, v));
  }
  return logits;
}

TEST(SimtModel, GivesTheBitsOfTheDefinedArithmetic) {
  const bool all = std::getenv("SCOUT_SIMT_FULL") != nullptr;
  std::set<std::string> seen;
  int count = 0;
  for (const goldens::Golden& golden : goldens::All(SCOUT_SOURCE_DIR "/tests/fixtures/goldens")) {
    // One prompt of one container of each directory is enough for every day.
    if (!all && !seen.insert(golden.directory).second) continue;
    SCOPED_TRACE(golden.name);
    std::vector<int32_t> tokens = goldens::ReadTokens(golden.tokens);
    if (!all) tokens.resize(std::min<size_t>(tokens.size(), 10));
    const std::vector<float> want = Logits(*LoadGolden(golden.container, "ref"), tokens, 64);
    for (const char* device : {"simt32", "simt64"}) {
      const auto model = LoadGolden(golden.container, device);
      for (const int64_t step : {64, 3}) {
        const std::vector<float> got = Logits(*model, tokens, step);
        ASSERT_EQ(got.size(), want.size());
        EXPECT_EQ(std::memcmp(got.data(), want.data(), got.size() * sizeof(float)), 0) << device << ", steps of " << step;
      }
    }
    ++count;
  }
  std::printf("  %d models\n", count);
  EXPECT_GT(count, 0);
}

}  // namespace
}  // namespace model
}  // namespace scout
