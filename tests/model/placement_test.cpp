// Models over several devices: every placement gives the bits of one device, pages are the same bytes whoever holds them, pictures
// go across, a device that fails ends the step with its sentence and the next one is right. This program has its own list of
// devices.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstring>
#include <set>

#include "backend/forwarding_backend.h"
#include "engine/engine.h"
#include "io/checkpoint.h"
#include "model/model.h"
#include "support/goldens.h"
#include "support/memory_checkpoint.h"
#include "support/plan_builder.h"
#include "support/vision.h"

namespace scout {

const BackendFactory& ref_backend_factory();
const BackendFactory& cpu_backend_factory();

namespace {

// A device whose n-th operation or copy fails; it counts how often it was asked.
struct Faults {
  std::atomic<int64_t> calls{0}, at{-1};
  std::atomic<int64_t> open_steps{0};
};
constinit Faults g_faults;

class FaultyBackend final : public ForwardingBackend {
 public:
  using ForwardingBackend::ForwardingBackend;
  void BeginStep(const StepPlan& plan) noexcept override {
    ++g_faults.open_steps;
    failed_ = false;
    ForwardingBackend::BeginStep(plan);
  }
  void Linear(const LinearOp& op) noexcept override {
    if (Fails()) return;
    ForwardingBackend::Linear(op);
  }
  void Experts(const ExpertsOp& op) noexcept override {
    if (Fails()) return;
    ForwardingBackend::Experts(op);
  }
  void Attention(const AttentionOp& op) noexcept override {
    if (Fails()) return;
    ForwardingBackend::Attention(op);
  }
  void Upload(Buffer& to, size_t offset, std::span<const std::byte> from) override {
    Copies();
    ForwardingBackend::Upload(to, offset, from);
  }
  void Download(const Buffer& from, size_t offset, std::span<std::byte> to) override {
    Copies();
    ForwardingBackend::Download(from, offset, to);
  }
  std::optional<Error> EndStep() noexcept override {
    if (g_faults.open_steps > 0) --g_faults.open_steps;
    std::optional<Error> error = ForwardingBackend::EndStep();
    if (std::exchange(failed_, false)) return Error(ErrorCode::kDevice, "the third device has had enough");
    return error;
  }

 private:
  bool Fails() {
    if (g_faults.calls++ == g_faults.at) failed_ = true;
    return failed_;
  }
  void Copies() {
    if (g_faults.calls++ == g_faults.at) Fail(ErrorCode::kDevice, "the third device copies no more");
  }
  bool failed_ = false;
};

std::unique_ptr<Backend> MakeFaulty(const BackendOptions& options) {
  return std::make_unique<FaultyBackend>(cpu_backend_factory().make(options));
}
std::unique_ptr<Backend> MakeSecondCpu(const BackendOptions& options) { return cpu_backend_factory().make(options); }

constexpr BackendFactory kSecondCpu = {"cpu2", "the same once more", MakeSecondCpu};
constexpr BackendFactory kFaulty = {"faulty", "fails when told to", MakeFaulty};

}  // namespace

std::span<const BackendFactory* const> BuiltinBackends() {
  static const BackendFactory* const kFactories[] = {&ref_backend_factory(), &cpu_backend_factory(), &kSecondCpu, &kFaulty};
  return kFactories;
}

namespace model {
namespace {

std::shared_ptr<const Model> Load(std::shared_ptr<const io::Checkpoint> checkpoint, const std::string& devices,
                                  const std::string& placement, bool vision = false) {
  LoadOptions options;
  options.device = devices;
  options.placement = placement;
  options.backend.threads = 2;
  options.vision = vision;
  LoadProgress progress;
  return Model::Load(std::move(checkpoint), options, progress);
}

RunnerOptions OptionsFor(const Model& model, int64_t length, DType format = DType::kF16) {
  RunnerOptions options;
  options.page_size = 16;
  options.k_format = options.v_format = format;
  options.max_rows = options.max_logit_rows = static_cast<int32_t>(length);
  for (int g = 0; g < kPageGroups; ++g) {
    const PageGeometry geometry{options.page_size, g == kLocalPages ? model.config().attention_chunk : 0};
    if (model.BytesPerPosition(g, format, format) > 0) options.page_count[static_cast<size_t>(g)] = geometry.PagesFor(0, length);
  }
  return options;
}

// A sequence in a runner of its own. What is fed gives the logits of all its positions.
class Sequence {
 public:
  Sequence(const Model& model, int64_t length)
      : runner_(model.NewRunner(OptionsFor(model, length))),
        pools_(runner_->options().page_count),
        planner_(pools_, {runner_->geometry(kLocalPages), runner_->geometry(kGlobalPages)}, false) {}

  std::vector<float> Feed(std::span<const int32_t> tokens, int64_t step,
                          const std::vector<std::shared_ptr<const Features>>& features = {},
                          const std::vector<int32_t>& feature_row = {}) {
    const auto v = static_cast<size_t>(runner_->vocabulary());
    std::vector<float> logits(tokens.size() * v);
    for (size_t at = 0; at < tokens.size(); at += static_cast<size_t>(step)) {
      const size_t count = std::min(static_cast<size_t>(step), tokens.size() - at);
      StepPlan plan = planner_.Next(tokens.subspan(at, count), test::WantLogits::kAll);
      if (!features.empty()) {
        runner_->UseFeatures(features);
        plan.feature_row.assign(feature_row.begin() + static_cast<ptrdiff_t>(at),
                                feature_row.begin() + static_cast<ptrdiff_t>(at + count));
      }
      runner_->Begin(plan);
      while (!runner_->Advance()) {
      }
      if (const auto error = runner_->Finish()) throw *error;
      for (size_t row = 0; row < count; ++row)
        runner_->ReadLogits(static_cast<int32_t>(row), std::span(logits).subspan((at + row) * v, v));
    }
    return logits;
  }
  // Without logits, as if they had been fed: the planner knows them.
  void Skip(std::span<const int32_t> tokens) { (void)planner_.Next(tokens, test::WantLogits::kNone); }
  Runner& runner() { return *runner_; }

 private:
  std::unique_ptr<Runner> runner_;
  test::PagePools pools_;
  test::SequencePlanner planner_;
};

std::vector<float> Logits(const Model& model, const std::vector<int32_t>& tokens, int64_t step) {
  return Sequence(model, static_cast<int64_t>(tokens.size())).Feed(tokens, step);
}

bool BitEqual(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

struct Spread {
  const char* devices;
  const char* placement;
};
// All fit a model of two layers and two experts.
constexpr Spread kSpreads[] = {
    {"cpu", "experts=cpu2"},
    {"cpu,cpu2", "experts=cpu2"},
    {"cpu,ref", ""},
    {"ref", "experts=cpu"},
    {"cpu", "experts=cpu2; experts[0]=cpu"},
    {"cpu", "experts[0]=cpu2; experts[1]=ref"},
    {"cpu", "experts[1]=ref"},
    {"cpu", "layers 0=ref"},
    {"ref", "attention=cpu; head=cpu2"},
    {"cpu", "feed=cpu2; experts=ref; embedding=ref"},
    {"cpu", "embedding=cpu2; head=ref"},
};

TEST(Placement, GivesTheBitsOfOneDevice) {
  std::set<std::string> seen;
  int count = 0;
  for (const goldens::Golden& golden : goldens::All(SCOUT_SOURCE_DIR "/tests/fixtures/goldens")) {
    // One container of a directory, and all quantised ones.
    if (golden.directory != "quantised" && !seen.insert(golden.directory).second) continue;
    if (golden.directory == "quantised" && !seen.insert(golden.container).second) continue;
    SCOPED_TRACE(golden.name);
    const std::vector<int32_t> tokens = goldens::ReadTokens(golden.tokens);
    const auto open = [&] { return io::OpenCheckpoint(golden.container, {}); };
    const auto plain = Load(open(), "cpu", "");
    EXPECT_EQ(plain->device_parts().size(), 1u);
    const std::vector<float> want = Logits(*plain, tokens, 64);
    for (const Spread& spread : kSpreads) {
      SCOPED_TRACE(StrCat(spread.devices, ": ", spread.placement));
      const auto model = Load(open(), spread.devices, spread.placement);
      EXPECT_EQ(model->fingerprint(), plain->fingerprint());
      for (const int64_t step : {64, 3}) EXPECT_TRUE(BitEqual(want, Logits(*model, tokens, step))) << "steps of " << step;
      uint64_t bytes = 0;
      for (const Model::DevicePart& part : model->device_parts()) bytes += part.weight_bytes;
      EXPECT_EQ(bytes, model->weight_bytes());
    }
    ++count;
  }
  std::printf("  %d models in %zu placements\n", count, std::size(kSpreads));
  EXPECT_GT(count, 5);
}

test::TinySpec Spec() {
  test::TinySpec spec;
  spec.layers = 6;
  spec.moe_step = 2;  // dense layers between
  spec.experts = 5;
  spec.experts_used = 2;
  return spec;
}
std::vector<int32_t> Tokens(int64_t count) {
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < count; ++i) tokens.push_back(static_cast<int32_t>((i * 29 + i * i * 3 + 7) % 64));
  return tokens;
}

// Two experts for a row, in ranges of three devices: the order of the sum is the router's, not that of the devices.
TEST(Placement, TwoExpertsOfARowMayLieOnTwoDevices) {
  const std::vector<int32_t> tokens = Tokens(50);
  const auto plain = Load(test::MakeTinyGguf(Spec()), "ref", "");
  const std::vector<float> want = Logits(*plain, tokens, 64);
  for (const char* placement :
       {"experts[0-1]=cpu; experts[2-3]=cpu2", "experts=cpu", "experts[1-3]=cpu", "experts[0]=cpu; experts[2]=cpu; experts[4]=cpu2",
        "layers 3-5=cpu; experts[0-2] 3=cpu2; experts[3-4] 5=ref; feed 1=cpu2"}) {
    SCOPED_TRACE(placement);
    for (const bool gguf : {true, false}) {
      std::shared_ptr<const io::Checkpoint> checkpoint = gguf ? test::MakeTinyGguf(Spec()) : test::MakeTinyHuggingFace(Spec());
      const auto model = Load(std::move(checkpoint), "ref", placement);
      for (const int64_t step : {64, 7, 1}) EXPECT_TRUE(BitEqual(want, Logits(*model, tokens, step))) << "steps of " << step;
    }
  }
}

// A page is the same bytes whoever holds its layers, so what one placement has saved another goes on from.
TEST(Placement, PagesMoveBetweenPlacements) {
  const std::vector<int32_t> tokens = Tokens(41);
  const auto first = std::span(tokens).first(30), rest = std::span(tokens).subspan(30);
  const auto plain = Load(test::MakeTinyGguf(Spec()), "cpu", ""),
             split = Load(test::MakeTinyGguf(Spec()), "cpu", "layers 1=ref; layers 3-4=cpu2; experts=ref");
  std::vector<float> want = Logits(*plain, tokens, 64);
  want.erase(want.begin(), want.begin() + 30 * 64);
  for (const auto& [from, to] : {std::pair(plain, split), std::pair(split, plain), std::pair(split, split)}) {
    Sequence saved(*from, 41), restored(*to, 41);
    saved.Feed(first, 64);
    restored.Skip(first);
    for (int g = 0; g < kPageGroups; ++g) {
      ASSERT_EQ(saved.runner().page_bytes(g), restored.runner().page_bytes(g));
      std::vector<std::byte> page(saved.runner().page_bytes(g));
      for (int64_t i = 0; i < saved.runner().options().page_count[static_cast<size_t>(g)]; ++i) {
        saved.runner().ReadPage(g, i, page);
        restored.runner().WritePage(g, i, page);
      }
    }
    EXPECT_TRUE(BitEqual(want, restored.Feed(rest, 64)));
    EXPECT_EQ(saved.runner().memory_bytes() > 0, true);
  }
}

struct Answer {
  std::vector<int32_t> ids;
  std::vector<float> logprobs;
  std::string message;
  int64_t cached = 0;
};

// Requests that share a long beginning, sampled, one after the other and then two at once.
std::vector<Answer> Ask(const Model& model, int requests = 4) {
  engine::EngineOptions options;
  options.mode = engine::Mode::kStepped;
  options.context = 96;
  options.step_rows = 32;
  options.check_invariants = true;
  RunnerOptions runner = OptionsFor(model, 96, DType::kF32);
  runner.page_size = 4;
  runner.max_rows = 32;
  for (int g = 0; g < kPageGroups; ++g)
    if (runner.page_count[static_cast<size_t>(g)] > 0) runner.page_count[static_cast<size_t>(g)] = 120;
  const auto engine = engine::Engine::Make(model.NewRunner(runner), nullptr, {}, model.fingerprint(), options);
  std::vector<std::shared_ptr<engine::Request>> open;
  std::vector<Answer> answers(static_cast<size_t>(requests));
  engine::Event event;
  const auto finish = [&] {
    for (bool more = true; more;) {
      more = engine->Step(0);
      for (size_t r = 0; r < open.size(); ++r)
        while (engine->NextEvent(*open[r], 0, event) == engine::Next::kEvent) {
          answers[r].ids.insert(answers[r].ids.end(), event.ids.begin(), event.ids.end());
          answers[r].logprobs.insert(answers[r].logprobs.end(), event.logprobs.begin(), event.logprobs.end());
          if (event.stop == engine::StopReason::kError) answers[r].message = event.message;
          if (event.stop != engine::StopReason::kNone) answers[r].cached = event.cached_tokens;
        }
    }
  };
  for (int r = 0; r < requests; ++r) {
    std::vector<int32_t> prompt = Tokens(40);
    for (int i = 0; i < 3; ++i) prompt.push_back((r * 5 + i) % 64);
    engine::RequestOptions request;
    request.max_tokens = 12;
    request.ignore_end = true;
    request.sampling.logprobs = true;
    request.sampling.temperature = 1;
    request.sampling.seed = static_cast<uint64_t>(r);
    open.push_back(engine->Submit(prompt, request));
    if (r < 2) finish();
  }
  finish();
  return answers;
}

TEST(Placement, AnswersOfAnEngineAreTheSameWithReusedPrefixes) {
  const auto plain = Ask(*Load(test::MakeTinyGguf(Spec()), "cpu", ""));
  for (const char* placement : {"experts=cpu2", "layers 2-5=ref; head=cpu2", "attention=ref; experts[1-2]=cpu2"}) {
    SCOPED_TRACE(placement);
    const auto placed = Ask(*Load(test::MakeTinyGguf(Spec()), "cpu", placement));
    for (size_t r = 0; r < plain.size(); ++r) {
      EXPECT_EQ(placed[r].message, "");
      ASSERT_EQ(placed[r].ids.size(), 12u);
      EXPECT_EQ(placed[r].ids, plain[r].ids);
      EXPECT_TRUE(BitEqual(placed[r].logprobs, plain[r].logprobs));
      EXPECT_EQ(placed[r].cached, plain[r].cached);
    }
    EXPECT_GT(placed[1].cached, 30);
  }
}

TEST(Placement, ADeviceThatFailsSaysSoAndTheNextRunIsRight) {
  const std::vector<int32_t> tokens = Tokens(9);
  const std::vector<float> want = Logits(*Load(test::MakeTinyGguf(Spec()), "cpu", ""), tokens, 64);
  for (const char* placement : {"experts=faulty", "layers 2-3=faulty; experts[0-1] 5=faulty"}) {
    SCOPED_TRACE(placement);
    g_faults.at = -1;
    const auto model = Load(test::MakeTinyGguf(Spec()), "cpu", placement);
    int failures = 0;
    for (int64_t call = 0;; ++call) {
      ASSERT_LT(call, 1000);
      Sequence sequence(*model, 9);
      g_faults.calls = 0;
      g_faults.at = call;
      std::string message;
      try {
        EXPECT_TRUE(BitEqual(want, sequence.Feed(tokens, 64)));
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kDevice);
        message = error.what();
      }
      const bool fired = g_faults.calls > call;
      g_faults.at = -1;
      EXPECT_EQ(message.empty(), !fired) << call;
      if (!fired) break;
      EXPECT_NE(message.find("the third device"), std::string::npos) << message;
      EXPECT_EQ(g_faults.open_steps, 0) << "a step was left open";
      ++failures;
      Sequence again(*model, 9);
      EXPECT_TRUE(BitEqual(want, again.Feed(tokens, 64)));
    }
    EXPECT_GT(failures, 10);
  }
}

TEST(Placement, AnEngineGoesOnAfterADeviceHasFailed) {
  const auto plain = Ask(*Load(test::MakeTinyGguf(Spec()), "cpu", ""));
  g_faults.at = -1;
  const auto model = Load(test::MakeTinyGguf(Spec()), "cpu", "experts=faulty");
  g_faults.calls = 0;
  g_faults.at = 25;  // of the first request
  const auto answers = Ask(*model);
  EXPECT_GT(g_faults.calls, 25);
  g_faults.at = -1;
  // The request that was alone in the step ends with what the device said; all others are answered as ever.
  EXPECT_NE(answers[0].message.find("the third device"), std::string::npos) << answers[0].message;
  for (size_t r = 1; r < plain.size(); ++r) {
    EXPECT_EQ(answers[r].message, "");
    EXPECT_EQ(answers[r].ids, plain[r].ids);
  }
}

TEST(Placement, PicturesAreSeenOnAnotherDeviceThanTheTextIsReadOn) {
  const std::string folder = SCOUT_SOURCE_DIR "/tests/fixtures/vision/square/";
  const auto tiles = test::ReadTiles(folder + "tiles.npy");
  const auto run = [&](const char* devices, const char* placement) {
    const auto model = Load(io::OpenCheckpoint(folder, {}), devices, placement, true);
    const auto tower = model->NewVision({});
    const auto features = test::SeeTiles(*tower, tiles);
    std::vector<int32_t> tokens = Tokens(features->rows() + 6), rows(tokens.size(), -1);
    for (size_t i = 0; i < tokens.size(); ++i) tokens[i] %= 8;
    for (int64_t i = 0; i < features->rows(); ++i) rows[static_cast<size_t>(i) + 3] = static_cast<int32_t>(i);
    Sequence sequence(*model, static_cast<int64_t>(tokens.size()));
    return sequence.Feed(tokens, 11, {features}, rows);
  };
  const std::vector<float> want = run("cpu", "");
  for (const Spread& spread : {Spread{"cpu", "vision=ref"}, Spread{"cpu", "vision=cpu2; embedding=ref"}, Spread{"cpu,cpu2", ""},
                               Spread{"ref", "all=cpu; vision=ref; experts=cpu2"}}) {
    SCOPED_TRACE(spread.placement);
    EXPECT_TRUE(BitEqual(want, run(spread.devices, spread.placement)));
  }
}

TEST(Placement, RefusesWhatIsNotThere) {
  const auto refusal = [&](const char* devices, const char* placement) {
    try {
      Load(test::MakeTinyGguf(Spec()), devices, placement);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  EXPECT_NE(refusal("cpu", "experts=abacus").find("device \"abacus\" is not known here"), std::string::npos);
  EXPECT_NE(refusal("cpu", "layers 6=ref").find("layer 6 is not there: the model has 6, 0-5"), std::string::npos)
      << refusal("cpu", "layers 6=ref");
  EXPECT_EQ(refusal("cpu", "experts=cpu"), "accepted");
}

TEST(Placement, WhereEverythingLiesOnOneDeviceNothingStandsBetween) {
  const auto model = Load(test::MakeTinyGguf(Spec()), "cpu,ref", "all=ref");
  EXPECT_EQ(model->device().name, "ref");
  EXPECT_EQ(model->placement(), "embedding=ref; layers 0-5=ref; head=ref");
}

TEST(Placement, IsToldInItsOwnGrammar) {
  const auto model = Load(test::MakeTinyGguf(Spec()), "cpu", "experts 3-5=ref; experts[0-1] 1=cpu2; head=cpu2");
  EXPECT_EQ(model->device().name, "cpu,ref,cpu");
  EXPECT_EQ(model->placement(),
            "embedding=cpu; layers 0-5=cpu; experts 3=ref; experts 5=ref; experts[0-1] 1=cpu2; experts[2-4] 1=cpu; head=cpu2");
  const auto again = Load(test::MakeTinyGguf(Spec()), "cpu", model->placement());
  EXPECT_EQ(again->placement(), model->placement());
  EXPECT_EQ(again->device_parts().size(), 3u);
}

}  // namespace
}  // namespace model
}  // namespace scout
