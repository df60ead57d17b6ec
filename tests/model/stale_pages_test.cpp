// Pages are not cleared between requests: what another request left in them must never be read. Here every byte that a step may
// not see is a NaN before it runs; one that were read would spread over all later logits.
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "model/model.h"
#include "support/memory_checkpoint.h"

namespace scout::model {
namespace {

constexpr int32_t kPageSize = 4;
constexpr int64_t kChunk = 24;
constexpr int64_t kContext = 160;  // more than the 64 keys that attention takes at once
constexpr int kRequests = 6;
constexpr int kAtOnce = 2;

std::shared_ptr<const Model> Load(const std::string& device) {
  test::TinySpec spec;
  spec.chunk = kChunk;
  LoadOptions options;
  options.device = device;
  options.backend.threads = 2;
  LoadProgress progress;
  return Model::Load(test::MakeTinyGguf(spec), options, progress);
}

// Pages for two requests, so that each later request gets the pages of earlier ones.
RunnerOptions Options(DType format) {
  RunnerOptions options;
  options.page_size = kPageSize;
  options.k_format = options.v_format = format;
  options.max_rows = 32;
  options.max_logit_rows = 8;
  const PageGeometry local{kPageSize, kChunk}, global{kPageSize, 0};
  options.page_count[kLocalPages] = kAtOnce * 2 * local.PagesPerChunk();
  options.page_count[kGlobalPages] = kAtOnce * global.PagesFor(0, kContext);
  return options;
}

// A runner whose pages hold NaN wherever no step has stored a position that the coming step may see: all of them at first, and
// before each step every page that begins behind what its sequence has stored.
class PoisonedRunner final : public Runner {
 public:
  explicit PoisonedRunner(std::unique_ptr<Runner> inner, int64_t* poisoned) : inner_(std::move(inner)), poisoned_(poisoned) {
    for (int g = 0; g < kPageGroups; ++g) {
      nan_[static_cast<size_t>(g)].assign(inner_->page_bytes(g), std::byte{0xff});  // a NaN in F32, F16 and BF16
      for (int64_t page = 0; page < inner_->options().page_count[static_cast<size_t>(g)]; ++page) Poison(g, page);
    }
    *poisoned_ = 0;
  }
  void Begin(const StepPlan& plan) noexcept override {
    for (int g = 0; g < kPageGroups; ++g) {
      const StepPlan::Pages& lists = plan.pages[static_cast<size_t>(g)];
      const PageGeometry geometry = inner_->geometry(g);
      if (inner_->page_bytes(g) == 0) continue;
      for (int s = 0; s < plan.sequences(); ++s) {
        const auto at = static_cast<size_t>(s);
        const int64_t stored = plan.position[static_cast<size_t>(plan.sequence_begin[at])];
        const int64_t used = geometry.PagesFor(lists.first_position[at], stored);
        for (int64_t i = lists.begin[at] + used; i < lists.begin[at + 1]; ++i) Poison(g, lists.page[static_cast<size_t>(i)]);
      }
    }
    inner_->Begin(plan);
  }

  int64_t vocabulary() const override { return inner_->vocabulary(); }
  const RunnerOptions& options() const override { return inner_->options(); }
  PageGeometry geometry(int group) const override { return inner_->geometry(group); }
  size_t page_bytes(int group) const override { return inner_->page_bytes(group); }
  size_t memory_bytes() const override { return inner_->memory_bytes(); }
  bool Advance() noexcept override { return inner_->Advance(); }
  std::optional<Error> Finish() noexcept override { return inner_->Finish(); }
  void Abort() noexcept override { inner_->Abort(); }
  std::optional<Error> Sample(std::span<const SampleRow> rows, std::span<SampleResult> results) noexcept override {
    return inner_->Sample(rows, results);
  }
  void ReadLogits(int32_t row, std::span<float> out) override { inner_->ReadLogits(row, out); }
  void ReadPage(int group, int64_t page, std::span<std::byte> out) override { inner_->ReadPage(group, page, out); }
  void WritePage(int group, int64_t page, std::span<const std::byte> in) override { inner_->WritePage(group, page, in); }
  void CopyPage(int group, int64_t from, int64_t to) override { inner_->CopyPage(group, from, to); }

 private:
  void Poison(int group, int64_t page) {
    inner_->WritePage(group, page, nan_[static_cast<size_t>(group)]);
    ++*poisoned_;
  }

  std::unique_ptr<Runner> inner_;
  std::array<std::vector<std::byte>, kPageGroups> nan_;
  int64_t* poisoned_;
};

struct Answer {
  std::vector<int32_t> ids;
  std::vector<float> logprobs;
  std::string message;
};

// Six requests of different lengths, two at a time: the later ones get the pages of the earlier.
std::vector<Answer> RunAll(const Model& model, std::unique_ptr<Runner> runner) {
  engine::EngineOptions options;
  options.mode = engine::Mode::kStepped;
  options.context = kContext;
  options.step_rows = 32;
  options.max_running = kAtOnce;
  options.prefix_cache = false;
  options.check_invariants = true;
  const auto engine = engine::Engine::Make(std::move(runner), nullptr, {}, model.fingerprint(), options);
  std::vector<std::shared_ptr<engine::Request>> requests;
  for (int r = 0; r < kRequests; ++r) {
    std::vector<int32_t> prompt;
    for (int i = 0; i < 3 + 17 * r; ++i) prompt.push_back((i * (7 + 2 * r) + r) % 64);
    engine::RequestOptions request;
    request.max_tokens = 60;
    request.ignore_end = true;
    request.sampling.logprobs = true;
    request.sampling.temperature = 1;
    request.sampling.seed = static_cast<uint64_t>(r);
    requests.push_back(engine->Submit(prompt, request));
  }
  std::vector<Answer> answers(requests.size());
  engine::Event event;
  for (bool more = true; more;) {
    more = engine->Step(0);
    for (size_t r = 0; r < requests.size(); ++r) {
      while (engine->NextEvent(*requests[r], 0, event) == engine::Next::kEvent) {
        answers[r].ids.insert(answers[r].ids.end(), event.ids.begin(), event.ids.end());
        answers[r].logprobs.insert(answers[r].logprobs.end(), event.logprobs.begin(), event.logprobs.end());
        if (event.stop == engine::StopReason::kError) answers[r].message = event.message;
      }
    }
  }
  EXPECT_EQ(engine->Stats().pages_used[kLocalPages] + engine->Stats().pages_used[kGlobalPages], 0);
  return answers;
}

void LeaveNoTrace(const std::string& device) {
  const auto model = Load(device);
  for (const DType format : {DType::kF32, DType::kF16, DType::kBF16}) {
    SCOPED_TRACE(std::string(InfoOf(format).name));
    const std::vector<Answer> plain = RunAll(*model, model->NewRunner(Options(format)));
    int64_t poisoned = 0;
    const std::vector<Answer> other =
        RunAll(*model, std::make_unique<PoisonedRunner>(model->NewRunner(Options(format)), &poisoned));
    const RunnerOptions options = Options(format);
    EXPECT_GT(poisoned, 2 * (options.page_count[kLocalPages] + options.page_count[kGlobalPages])) << "pages are used again";
    ASSERT_EQ(plain.size(), other.size());
    for (size_t r = 0; r < plain.size(); ++r) {
      EXPECT_EQ(other[r].message, "");
      ASSERT_EQ(plain[r].ids.size(), 60u);
      EXPECT_EQ(plain[r].ids, other[r].ids) << "request " << r;
      ASSERT_EQ(plain[r].logprobs.size(), other[r].logprobs.size());
      EXPECT_EQ(std::memcmp(plain[r].logprobs.data(), other[r].logprobs.data(), plain[r].logprobs.size() * sizeof(float)), 0)
          << "request " << r;
    }
  }
}

TEST(StalePages, LeaveNoTraceOnRef) { LeaveNoTrace("ref"); }
TEST(StalePages, LeaveNoTraceOnCpu) { LeaveNoTrace("cpu"); }

}  // namespace
}  // namespace scout::model
