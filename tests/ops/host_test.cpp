// Hosts that are not kind: small stacks, other floating-point states.
#include <cfenv>
#include <functional>

#include "backend/step_errors.h"
#include "op_test.h"
#include "support/small_stack.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace scout {
namespace {

// A layer's worth of products on `rows` rows, whatever they mean.
// `host` runs around the step alone: the inputs are the same whatever it does.
std::vector<float> RunSome(Backend& backend, int64_t rows, float scale,
                           const std::function<void(const std::function<void()>&)>& host) {
  const int64_t d = 256, f = 512;
  auto x = Random(1).Values(rows * d);
  for (float& v : x) v *= scale;
  const auto weight = [&](WeightRole role, int64_t count, std::vector<PartShape> parts, int64_t cols) {
    return backend.PrepareWeight(RandomWeight(role, count, parts, cols, 2));
  };
  const auto gate_up = weight(WeightRole::kExperts, 2, {{DType::kQ4_K, f}, {DType::kQ4_K, f}}, d),
             down = weight(WeightRole::kExperts, 2, {{DType::kF16, d}}, f);
  const auto head = weight(WeightRole::kLinear, 1, {{DType::kF32, 300}}, d);
  const Rows in(backend, rows, d, x), ids(backend, rows, 1, std::vector<float>(static_cast<size_t>(rows))),
      gates(backend, rows, 1, std::vector<float>(static_cast<size_t>(rows), 0.5f)), residual(backend, rows, d, x),
      logits(backend, rows, 300);
  std::vector<SampleResult> results(1);
  const std::vector<SampleRow> wanted = {{0, 5, 200, -1, 0.5f, {}, {}}};
  const StepPlan plan = PlainPlan(rows);
  const auto step = [&] {
    backend.Experts({in.act(), ids.act(), gates.act(), gate_up.get(), down.get(), nullptr, nullptr, 0, 2, residual.act()});
    backend.Linear({residual.act(), head.get(), Epilogue::kStore, logits.act()});
    backend.Sample({logits.act(), wanted}, results);
  };
  host([&] { RunStep(backend, plan, step); });
  auto all = logits.Read();
  all.push_back(results[0].lse);
  return all;
}

void Plainly(const std::function<void()>& body) { body(); }

void OnSmallStack(const std::function<void()>& body) { test::OnSmallStack(body, test::kSmallStack); }

TEST(Host, AStackOf128KiBIsEnough) {
  if (test::kSanitized) GTEST_SKIP() << "the sanitizers' frames are larger than ours";
  for (const std::string& isa : Isas()) {
    const auto cpu = MakeCpu(isa, 2);
    EXPECT_TRUE(SameBits(RunSome(*cpu, 70, 1, Plainly), RunSome(*cpu, 70, 1, OnSmallStack))) << isa;
  }
}

#if defined(__x86_64__)
constexpr unsigned kOdd = 0x1f80 | 0x8040 | 0x6000;  // flush to zero, subnormals are zero, round towards zero

void InAnOddState(const std::function<void()>& body) {
  const unsigned old = _mm_getcsr();
  _mm_setcsr(kOdd);
  body();
  const unsigned after = _mm_getcsr();
  _mm_setcsr(old);
  EXPECT_EQ(after & ~0x3fu, kOdd) << "the host keeps its own state";
}

TEST(Host, ItsRoundingModeAndFlushingChangeNothing) {
  std::vector<std::unique_ptr<Backend>> backends;
  backends.push_back(MakeRef(Numerics::kInvariant));
  for (const std::string& isa : Isas()) backends.push_back(MakeCpu(isa, 2));
  InAnOddState([&] { backends.push_back(MakeCpu("", 5)); });  // its new workers are made in this state
  for (const float scale : {1.0f, 1e-38f}) {                  // the second makes subnormals
    const auto want = RunSome(*backends[0], 5, scale, Plainly);
    for (const auto& backend : backends)
      EXPECT_TRUE(SameBits(want, RunSome(*backend, 5, scale, InAnOddState))) << backend->Info().description;
  }
}
#endif

TEST(StepErrors, TheFirstEndsTheStepAndIsTakenOnce) {
  StepErrors errors("a test");
  int done = 0;
  errors.Run([&] { ++done; });
  EXPECT_FALSE(errors.any());
  errors.Run([] { Fail(ErrorCode::kDevice, "first"); });
  errors.Run([&] { ++done; });
  EXPECT_EQ(done, 1);
  const std::optional<Error> first = errors.Take();
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->code(), ErrorCode::kDevice);
  EXPECT_FALSE(errors.Take().has_value());
  errors.Run([] { throw std::bad_alloc(); });
  EXPECT_EQ(errors.Take()->code(), ErrorCode::kNoMemory);
  errors.Run([] { throw 5; });
  const std::optional<Error> defect = errors.Take();
  EXPECT_EQ(defect->code(), ErrorCode::kInternal);
  EXPECT_STREQ(defect->what(), "internal error: a test threw what is no error");
}

}  // namespace
}  // namespace scout
