// Loading and stepping a tiny random model on every backend that is built in.
#include "model/model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>

#include "base/error.h"
#include "support/memory_checkpoint.h"
#include "support/plan_builder.h"

namespace scout::model {
namespace {

using test::MakeTinyGguf;
using test::MakeTinyHuggingFace;
using test::MemoryCheckpoint;
using test::PagePools;
using test::SequencePlanner;
using test::TinySpec;
using test::WantLogits;

std::shared_ptr<const Model> LoadOn(const std::string& device, std::shared_ptr<const io::Checkpoint> checkpoint) {
  LoadOptions options;
  options.device = device;
  options.backend.threads = 2;
  LoadProgress progress;
  return Model::Load(std::move(checkpoint), options, progress);
}

RunnerOptions SmallRunner(DType format = DType::kF32) {
  RunnerOptions options;
  options.page_size = 4;
  options.k_format = options.v_format = format;
  options.page_count = {64, 64};
  options.max_rows = 64;
  options.max_logit_rows = 64;
  return options;
}

std::vector<int32_t> Tokens(int count, int seed = 0) {
  std::vector<int32_t> tokens;
  for (int i = 0; i < count; ++i) tokens.push_back((i * 37 + seed * 11 + i * i) % 64);
  return tokens;
}

std::optional<Error> RunStep(Runner& runner, const StepPlan& plan) {
  runner.Begin(plan);
  while (!runner.Advance()) {
  }
  return runner.Finish();
}

std::vector<float> ReadRow(Runner& runner, int row) {
  std::vector<float> logits(static_cast<size_t>(runner.vocabulary()));
  runner.ReadLogits(row, logits);
  return logits;
}

bool BitEqual(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// A runner with pools and planners of its own.
struct Bench {
  Bench(const Model& model, const RunnerOptions& options)
      : runner(model.NewRunner(options)), pools(options.page_count), geometry{runner->geometry(0), runner->geometry(1)} {}
  SequencePlanner NewSequence(bool evict = true) { return SequencePlanner(pools, geometry, evict); }

  std::unique_ptr<Runner> runner;
  PagePools pools;
  std::array<PageGeometry, kPageGroups> geometry;
};

// The logits of the last token.
std::vector<float> LastLogits(const Model& model, std::span<const int32_t> tokens, const RunnerOptions& options = SmallRunner(),
                              size_t step = 64, bool evict = true) {
  Bench bench(model, options);
  SequencePlanner sequence = bench.NewSequence(evict);
  for (size_t at = 0; at < tokens.size(); at += step) {
    const auto part = tokens.subspan(at, std::min(step, tokens.size() - at));
    if (const auto error = RunStep(*bench.runner, sequence.Next(part, WantLogits::kLast))) throw *error;
  }
  return ReadRow(*bench.runner, 0);
}

class ModelOn : public testing::TestWithParam<std::string> {};

TEST_P(ModelOn, BothContainersGiveTheSameBits) {
  TinySpec spec;
  spec.moe_step = 2;
  spec.experts_used = 2;
  const auto gguf = LoadOn(GetParam(), MakeTinyGguf(spec));
  const auto hugging_face = LoadOn(GetParam(), MakeTinyHuggingFace(spec));
  EXPECT_TRUE(BitEqual(LastLogits(*gguf, Tokens(30)), LastLogits(*hugging_face, Tokens(30))));
  EXPECT_EQ(gguf->parameters(), hugging_face->parameters());
}

TEST_P(ModelOn, SequencesTogetherGiveTheBitsOfEachAlone) {
  const auto model = LoadOn(GetParam(), MakeTinyGguf({}));
  constexpr int kSequences = 4;
  const int lengths[kSequences] = {23, 7, 40, 16};
  for (const size_t step : {1u, 5u, 13u}) {
    Bench bench(*model, SmallRunner());
    std::vector<SequencePlanner> planner;
    std::vector<std::vector<int32_t>> tokens;
    for (int s = 0; s < kSequences; ++s) {
      planner.push_back(bench.NewSequence());
      tokens.push_back(Tokens(lengths[s], s));
    }
    std::vector<std::vector<float>> last(kSequences);
    for (int round = 0;; ++round) {
      std::vector<StepPlan> parts;
      std::vector<int> ends;  // sequences whose last token is in this step, by row of logits
      for (int s = 0; s < kSequences; ++s) {
        const auto at = static_cast<size_t>(planner[static_cast<size_t>(s)].length());
        const auto& all = tokens[static_cast<size_t>(s)];
        if (at == all.size() || (s == 2 && round < 2)) continue;  // the third joins later
        const size_t count = std::min(step + static_cast<size_t>(s), all.size() - at);
        parts.push_back(planner[static_cast<size_t>(s)].Next(std::span(all).subspan(at, count), WantLogits::kLast));
        ends.push_back(at + count == all.size() ? s : -1);
      }
      if (parts.empty()) break;
      const StepPlan plan = test::Join(parts);
      const auto error = RunStep(*bench.runner, plan);
      ASSERT_FALSE(error) << error->what();
      for (size_t row = 0; row < ends.size(); ++row)
        if (ends[row] >= 0) last[static_cast<size_t>(ends[row])] = ReadRow(*bench.runner, static_cast<int>(row));
    }
    for (int s = 0; s < kSequences; ++s)
      EXPECT_TRUE(BitEqual(last[static_cast<size_t>(s)], LastLogits(*model, tokens[static_cast<size_t>(s)])))
          << "sequence " << s << ", steps of " << step;
  }
}

TEST_P(ModelOn, ChunkLocalPagesAreBoundedAndEvictionChangesNothing) {
  const auto model = LoadOn(GetParam(), MakeTinyGguf({}));  // chunks of 8 positions, 2 pages each
  const std::vector<int32_t> tokens = Tokens(43);           // more than five chunks
  Bench bench(*model, SmallRunner());
  SequencePlanner sequence = bench.NewSequence();
  for (const int32_t token : tokens) ASSERT_FALSE(RunStep(*bench.runner, sequence.Next({&token, 1}, WantLogits::kLast)));
  EXPECT_EQ(bench.pools.most_in_use(kLocalPages), 2);
  EXPECT_EQ(bench.pools.in_use(kGlobalPages), 11);
  EXPECT_TRUE(BitEqual(ReadRow(*bench.runner, 0), LastLogits(*model, tokens, SmallRunner(), 1, false)));
}

// A value of a 16-bit page is off by at most half a unit in its last place, 2^-11 (F16) or 2^-8 (BF16) of itself. Keys pass a
// softmax (scores of a few units: an error of e in a score is an error of e in its weight) and values a weighted mean, in each of
// four layers; 16 times the rounding bounds what reaches a logit, relative to the logits' rms.
TEST_P(ModelOn, SixteenBitPagesStayWithinTheirRounding) {
  const auto model = LoadOn(GetParam(), MakeTinyGguf({}));
  const std::vector<float> exact = LastLogits(*model, Tokens(30));
  double squares = 0;
  for (const float x : exact) squares += static_cast<double>(x) * x;
  const double rms = std::sqrt(squares / static_cast<double>(exact.size()));
  for (const auto& [format, bound] : {std::pair(DType::kF16, 16 * 0x1p-11), std::pair(DType::kBF16, 16 * 0x1p-8)}) {
    const std::vector<float> rounded = LastLogits(*model, Tokens(30), SmallRunner(format));
    double largest = 0;
    for (size_t i = 0; i < exact.size(); ++i) largest = std::max(largest, static_cast<double>(std::abs(exact[i] - rounded[i])));
    EXPECT_GT(largest, 0) << "the pages were not of the format asked for";
    EXPECT_LE(largest / rms, bound) << InfoOf(format).name;
  }
}

TEST_P(ModelOn, AnAbandonedStepLeavesEverythingOlderIntact) {
  const auto model = LoadOn(GetParam(), MakeTinyGguf({}));
  const std::vector<int32_t> tokens = Tokens(20);
  Bench bench(*model, SmallRunner());
  SequencePlanner sequence = bench.NewSequence();
  ASSERT_FALSE(RunStep(*bench.runner, sequence.Next(std::span(tokens).first(12), WantLogits::kNone)));
  SequencePlanner abandoned = sequence;
  const std::vector<int32_t> others = Tokens(5, 9);
  PagePools before = bench.pools;
  const StepPlan wrong = abandoned.Next(others, WantLogits::kLast);
  bench.runner->Begin(wrong);
  bench.runner->Advance();
  bench.runner->Advance();
  bench.runner->Abort();
  bench.pools = before;
  EXPECT_THROW(ReadRow(*bench.runner, 0), Error) << "there is no finished step to read from";
  ASSERT_FALSE(RunStep(*bench.runner, sequence.Next(std::span(tokens).subspan(12), WantLogits::kLast)));
  EXPECT_TRUE(BitEqual(ReadRow(*bench.runner, 0), LastLogits(*model, tokens)));
}

TEST_P(ModelOn, AWrongPlanIsAnErrorAndTheNextStepRuns) {
  const auto model = LoadOn(GetParam(), MakeTinyGguf({}));
  Bench bench(*model, SmallRunner());
  SequencePlanner sequence = bench.NewSequence();
  const std::vector<int32_t> tokens = Tokens(10);
  const StepPlan good = sequence.Next(tokens, WantLogits::kLast);
  const auto refused = [&](auto change, const char* part) {
    StepPlan plan = good;
    change(plan);
    const auto error = RunStep(*bench.runner, plan);
    ASSERT_TRUE(error) << part;
    EXPECT_NE(std::string(error->what()).find(part), std::string::npos) << error->what();
  };
  refused([](StepPlan& p) { p.token[3] = 64; }, "token id 64 is outside the vocabulary of 64");
  refused([](StepPlan& p) { p.token[3] = -1; }, "token id -1");
  refused([](StepPlan& p) { p.position[3] = 7; }, "position");
  refused([](StepPlan& p) { p.pages[kGlobalPages].slot[0] = 64 * 4; }, "slot 256");
  refused([](StepPlan& p) { p.pages[kLocalPages].page[0] = 64; }, "page 64");
  refused(
      [](StepPlan& p) {
        p.pages[kGlobalPages].page.pop_back();
        p.pages[kGlobalPages].begin[1]--;
      },
      "pages of sequence 0");
  refused([](StepPlan& p) { p.logit_row = {10}; }, "logit row 10");
  refused([](StepPlan& p) { p.sequence_length = {11}; }, "length of sequence 0");
  ASSERT_FALSE(RunStep(*bench.runner, good));
  EXPECT_TRUE(BitEqual(ReadRow(*bench.runner, 0), LastLogits(*model, tokens)));
}

TEST_P(ModelOn, AStepWithoutLogitsOrWithoutRowsIsLegal) {
  const auto model = LoadOn(GetParam(), MakeTinyGguf({}));
  Bench bench(*model, SmallRunner());
  SequencePlanner sequence = bench.NewSequence();
  const std::vector<int32_t> tokens = Tokens(10);
  ASSERT_FALSE(RunStep(*bench.runner, sequence.Next(std::span(tokens).first(9), WantLogits::kNone)));
  EXPECT_THROW(ReadRow(*bench.runner, 0), Error);
  ASSERT_FALSE(RunStep(*bench.runner, sequence.Next({}, WantLogits::kNone)));
  ASSERT_FALSE(RunStep(*bench.runner, sequence.Next(std::span(tokens).subspan(9), WantLogits::kLast)));
  EXPECT_TRUE(BitEqual(ReadRow(*bench.runner, 0), LastLogits(*model, tokens)));
}

TEST_P(ModelOn, PagesCanBeCopiedAndTakenElsewhere) {
  const auto model = LoadOn(GetParam(), MakeTinyGguf({}));
  const std::vector<int32_t> tokens = Tokens(14);
  Bench bench(*model, SmallRunner(DType::kBF16));
  SequencePlanner sequence = bench.NewSequence();
  ASSERT_FALSE(RunStep(*bench.runner, sequence.Next(std::span(tokens).first(13), WantLogits::kNone)));
  StepPlan plan = sequence.Next(std::span(tokens).subspan(13), WantLogits::kLast);

  Bench other(*model, SmallRunner(DType::kBF16));
  for (int g = 0; g < kPageGroups; ++g) {
    for (int32_t& page : plan.pages[static_cast<size_t>(g)].page) {
      std::vector<std::byte> bytes(bench.runner->page_bytes(g));
      bench.runner->ReadPage(g, page, bytes);
      other.runner->WritePage(g, 20 + page, bytes);
      other.runner->CopyPage(g, 20 + page, 40 + page);
      other.runner->WritePage(g, 20 + page, std::vector<std::byte>(bytes.size()));
      page += 40;
    }
    for (int64_t& slot : plan.pages[static_cast<size_t>(g)].slot) slot += 40 * 4;
  }
  ASSERT_FALSE(RunStep(*other.runner, plan));
  EXPECT_TRUE(BitEqual(ReadRow(*other.runner, 0), LastLogits(*model, tokens, SmallRunner(DType::kBF16))));
}

TEST_P(ModelOn, SamplesComeFromTheLastStep) {
  const auto model = LoadOn(GetParam(), MakeTinyGguf({}));
  Bench bench(*model, SmallRunner());
  SequencePlanner sequence = bench.NewSequence();
  ASSERT_FALSE(RunStep(*bench.runner, sequence.Next(Tokens(10), WantLogits::kAll)));
  const std::vector<float> logits = ReadRow(*bench.runner, 4);
  std::vector<SampleRow> rows(1);
  std::vector<SampleResult> results(1);
  rows[0].row = 4;
  rows[0].top = 3;
  rows[0].candidates = 2;
  ASSERT_FALSE(bench.runner->Sample(rows, results));
  EXPECT_TRUE(results[0].finite);
  ASSERT_EQ(results[0].top_id.size(), 3u);
  const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
  EXPECT_EQ(results[0].top_id[0], best);
  EXPECT_EQ(results[0].top_logit[0], logits[static_cast<size_t>(best)]);
  EXPECT_EQ(results[0].candidate_id[0], best);
  rows[0].row = 10;
  EXPECT_TRUE(bench.runner->Sample(rows, results)) << "a step of ten rows has no row 10";
}

TEST_P(ModelOn, ATiedHeadIsTheEmbedding) {
  TinySpec spec;
  spec.tied = true;
  const auto tied = LoadOn(GetParam(), MakeTinyGguf(spec));
  auto separate = MakeTinyGguf(spec);
  const auto table = separate->Bytes("token_embd.weight");
  separate->AddTensor("output.weight", DType::kF32, {64, 32}, {table.begin(), table.end()});
  EXPECT_TRUE(BitEqual(LastLogits(*tied, Tokens(12)), LastLogits(*LoadOn(GetParam(), std::move(separate)), Tokens(12))));
}

std::vector<std::string> Devices() {
  std::vector<std::string> names;
  for (const BackendFactory* factory : BuiltinBackends()) names.emplace_back(factory->name);
  return names;
}
INSTANTIATE_TEST_SUITE_P(EveryBackend, ModelOn, testing::ValuesIn(Devices()), [](const auto& info) { return info.param; });

TEST(Load, ProgressEndsAtItsTotal) {
  LoadOptions options;
  options.device = "ref";
  LoadProgress progress;
  const auto model = Model::Load(MakeTinyGguf({}), options, progress);
  EXPECT_GT(progress.bytes_total.load(), 0u);
  EXPECT_EQ(progress.bytes_done.load(), progress.bytes_total.load());
  EXPECT_GT(model->weight_bytes(), 0u);
}

TEST(Load, ACancelEndsIt) {
  LoadOptions options;
  options.device = "ref";
  LoadProgress progress;
  progress.cancel = true;
  try {
    Model::Load(MakeTinyGguf({}), options, progress);
    FAIL() << "it loaded";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kCancelled);
  }
}

TEST(Load, AnErrorInOneTensorEndsAllThreads) {
  const std::shared_ptr<MemoryCheckpoint> checkpoint = MakeTinyGguf({});
  LoadOptions options;
  options.device = "ref";
  LoadProgress progress;
  checkpoint->Truncate("blk.2.attn_v.weight", 100);  // the header is right, the file is too short
  try {
    Model::Load(checkpoint, options, progress);
    FAIL() << "it loaded";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kTruncated) << error.what();
  }
}

// A thousand layers that claim four thousand experts each: the list of what is missing must not take longer than the file.
TEST(Load, AFloodOfMissingTensorsIsCutShort) {
  TinySpec spec;
  spec.layers = 1;
  spec.embedding = 2;
  spec.heads = spec.kv_heads = 1;
  spec.head_dim = 2;
  spec.expert_hidden = 2;
  const auto checkpoint = MakeTinyHuggingFace(spec);
  const std::string experts = "model.layers.0.feed_forward.experts.";
  checkpoint->RemoveTensor(experts + "gate_up_proj");
  checkpoint->RemoveTensor(experts + "down_proj");
  checkpoint->AddFloats(experts + "0.gate_proj.weight", {2, 2}, std::vector<float>(4));
  checkpoint->Info("model.layers.0.feed_forward.router.weight").shape.dims[0] = 4096;
  checkpoint->meta().SetInt("num_local_experts", 4096);
  try {
    LoadOn("ref", std::make_shared<MemoryCheckpoint>(std::move(*checkpoint)));
    FAIL() << "it loaded";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kFormat);
    EXPECT_NE(std::string(error.what()).find("and at least 997 more"), std::string::npos) << error.what();
  }
}

TEST(Load, VisionTensorsAreListedAndSkipped) {
  const auto checkpoint = MakeTinyGguf({});
  checkpoint->AddFloats("v.blk.0.attn_q.weight", {2, 2}, std::vector<float>(4));
  checkpoint->AddFloats("mm.linear_1.weight", {32, 2}, std::vector<float>(64));
  const auto plain = LoadOn("ref", MakeTinyGguf({}));
  const auto model = LoadOn("ref", std::make_shared<MemoryCheckpoint>(std::move(*checkpoint)));
  ASSERT_EQ(model->skipped_tensors().size(), 2u);
  EXPECT_EQ(model->skipped_tensors()[0], "v.blk.0.attn_q.weight");
  EXPECT_EQ(model->parameters(), plain->parameters());
  EXPECT_EQ(model->weight_bytes(), plain->weight_bytes());
}

TEST(Load, TheFingerprintFollowsWeightsAndConfiguration) {
  const uint64_t plain = LoadOn("ref", MakeTinyGguf({}))->fingerprint();
  EXPECT_EQ(LoadOn("ref", MakeTinyGguf({}))->fingerprint(), plain);
  auto checkpoint = MakeTinyGguf({});
  checkpoint->Bytes("blk.1.attn_k.weight")[5] ^= std::byte{1};
  EXPECT_NE(LoadOn("ref", std::move(checkpoint))->fingerprint(), plain);
  checkpoint = MakeTinyGguf({});
  checkpoint->meta().SetFloat("llama4.attention.temperature_scale", 0.2);
  EXPECT_NE(LoadOn("ref", std::move(checkpoint))->fingerprint(), plain);
}

TEST(Load, SizesAreWhatTheShapesSay) {
  const auto model = LoadOn("ref", MakeTinyGguf({}));
  // 3 chunked layers and a global one; K and V of 2 heads of 8 values.
  EXPECT_EQ(model->BytesPerPosition(kLocalPages, DType::kF32, DType::kF32), 3u * 2 * 16 * 4);
  EXPECT_EQ(model->BytesPerPosition(kGlobalPages, DType::kF16, DType::kBF16), 1u * 2 * 16 * 2);
  const auto runner = model->NewRunner(SmallRunner());
  EXPECT_EQ(runner->page_bytes(kLocalPages), 4u * 3 * 2 * 16 * 4);
  EXPECT_GE(runner->memory_bytes(), 64 * (runner->page_bytes(0) + runner->page_bytes(1)));
}

TEST(Load, ARunnerOutlivesItsModelsHandle) {
  auto model = LoadOn("ref", MakeTinyGguf({}));
  Bench bench(*model, SmallRunner());
  const std::vector<float> expected = LastLogits(*model, Tokens(5));
  model.reset();
  SequencePlanner sequence = bench.NewSequence();
  ASSERT_FALSE(RunStep(*bench.runner, sequence.Next(Tokens(5), WantLogits::kLast)));
  EXPECT_TRUE(BitEqual(ReadRow(*bench.runner, 0), expected));
}

}  // namespace
}  // namespace scout::model
