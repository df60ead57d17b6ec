// Chunk-local pages are given back when their attention chunk ends, and nothing changes by it: a generation across five chunks by
// the engine against the same tokens in one step in which every page of every chunk is still there.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "io/checkpoint.h"
#include "model/model.h"
#include "support/goldens.h"
#include "support/plan_builder.h"

namespace scout::model {
namespace {

constexpr int32_t kPageSize = 4;

std::shared_ptr<const Model> Load(const std::string& container, const std::string& device) {
  LoadOptions options;
  options.device = device;
  options.backend.threads = 2;
  LoadProgress progress;
  return Model::Load(io::OpenCheckpoint(container, {}), options, progress);
}

RunnerOptions Options(const Model& model, int64_t positions, int64_t local_pages) {
  RunnerOptions options;
  options.page_size = kPageSize;
  options.k_format = options.v_format = DType::kF16;
  options.max_rows = options.max_logit_rows = static_cast<int32_t>(positions);
  const PageGeometry global{kPageSize, 0};
  if (model.BytesPerPosition(kGlobalPages, DType::kF16, DType::kF16) > 0)
    options.page_count[kGlobalPages] = global.PagesFor(0, positions) + 1;
  options.page_count[kLocalPages] = local_pages;
  return options;
}

// Log-probabilities of each id after the ones before it, all pages of all chunks kept, everything in one step. [ids - 1]
std::vector<float> WithoutEviction(const Model& model, const std::vector<int32_t>& ids) {
  const auto positions = static_cast<int64_t>(ids.size());
  const PageGeometry local{kPageSize, model.config().attention_chunk};
  const auto runner = model.NewRunner(Options(model, positions, local.PagesFor(0, positions)));
  test::PagePools pools(runner->options().page_count);
  test::SequencePlanner sequence(pools, {runner->geometry(kLocalPages), runner->geometry(kGlobalPages)}, /*evict=*/false);
  const StepPlan plan = sequence.Next(ids, test::WantLogits::kAll);
  runner->Begin(plan);
  while (!runner->Advance()) {
  }
  if (const auto error = runner->Finish()) throw *error;
  std::vector<SampleRow> rows(ids.size() - 1);
  std::vector<SampleResult> results(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i].row = static_cast<int32_t>(i);
    rows[i].target = ids[i + 1];
  }
  if (const auto error = runner->Sample(rows, results)) throw *error;
  std::vector<float> logprobs;
  for (const SampleResult& result : results) logprobs.push_back(result.target_logit - result.lse);
  return logprobs;
}

void AcrossFiveChunks(const std::string& device) {
  std::map<std::string, std::string> models;
  for (const goldens::Golden& golden : goldens::All(SCOUT_SOURCE_DIR "/tests/fixtures/goldens"))
    models[golden.directory] = golden.container;
  int tried = 0;
  for (const auto& [name, container] : models) {
    const auto model = Load(container, device);
    const int64_t chunk = model->config().attention_chunk;
    if (chunk == 0 || model->BytesPerPosition(kLocalPages, DType::kF16, DType::kF16) == 0) continue;
    SCOPED_TRACE(name + ", chunk " + std::to_string(chunk));
    ++tried;
    const std::vector<int32_t> prompt = {3, 14, 15, 9, 26};
    const auto positions = static_cast<int64_t>(prompt.size()) + 5 * chunk + 2;
    const PageGeometry local{kPageSize, chunk};

    engine::EngineOptions engine_options;
    engine_options.context = positions;
    engine_options.step_rows = static_cast<int32_t>(std::min<int64_t>(chunk, 4));
    engine_options.prefix_cache = false;
    const auto engine = engine::Engine::Make(model->NewRunner(Options(*model, positions, local.PagesFor(0, positions))), nullptr,
                                             {}, model->fingerprint(), engine_options);
    engine::RequestOptions request_options;
    request_options.max_tokens = positions - static_cast<int64_t>(prompt.size());
    request_options.ignore_end = true;
    request_options.sampling.logprobs = true;
    request_options.sampling.temperature = 1;  // a random model's greedy answer soon repeats itself
    request_options.sampling.seed = 5;
    const auto request = engine->Submit(prompt, request_options);
    std::vector<int32_t> ids = prompt;
    std::vector<float> logprobs;
    engine::Event event;
    while (engine->NextEvent(*request, 60000, event) == engine::Next::kEvent) {
      ids.insert(ids.end(), event.ids.begin(), event.ids.end());
      logprobs.insert(logprobs.end(), event.logprobs.begin(), event.logprobs.end());
      // A step may straddle a chunk's end: at most two chunks' pages are held, of the six that the answer runs through.
      ASSERT_LE(engine->Stats().pages_used[kLocalPages], 2 * local.PagesPerChunk());
    }
    ASSERT_EQ(static_cast<int64_t>(ids.size()), positions) << event.message;
    EXPECT_LE(engine->Stats().pages_peak[kLocalPages], 2 * local.PagesPerChunk());
    EXPECT_GT(local.PagesFor(0, positions), 2 * local.PagesPerChunk());

    const std::vector<float> kept = WithoutEviction(*model, ids);
    ASSERT_EQ(logprobs.size() + prompt.size() - 1, kept.size());
    for (size_t i = 0; i < logprobs.size(); ++i)
      ASSERT_EQ(logprobs[i], kept[i + prompt.size() - 1]) << "answer token " << i << " of " << logprobs.size();
  }
  EXPECT_GE(tried, 5);
}

TEST(Eviction, BoundsLocalPagesAndChangesNothingOnRef) { AcrossFiveChunks("ref"); }
TEST(Eviction, BoundsLocalPagesAndChangesNothingOnCpu) { AcrossFiveChunks("cpu"); }

}  // namespace
}  // namespace scout::model
