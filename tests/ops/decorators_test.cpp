// The backends that stand around others: check and trace.
#include "backend/check_backend.h"
#include "backend/forwarding_backend.h"
#include "backend/host_buffer.h"
#include "backend/trace_backend.h"
#include "paged.h"

namespace scout {
namespace {

// A backend with mistakes to be found.
class Faulty final : public ForwardingBackend {
 public:
  enum class Fault { kNone, kPastTheEnd, kBeforeTheBegin, kNaN };
  explicit Faulty(Fault fault) : ForwardingBackend(MakeCpu("", 1)), fault_(fault) {}
  void Linear(const LinearOp& op) noexcept override {
    ForwardingBackend::Linear(op);
    float* const out = HostF32(op.out);
    if (fault_ == Fault::kPastTheEnd) out[op.out.rows * op.out.cols] = 0;
    if (fault_ == Fault::kBeforeTheBegin) out[-1] = 0;
    if (fault_ == Fault::kNaN) out[3] = std::numeric_limits<float>::quiet_NaN();
  }

 private:
  Fault fault_;
};

std::string ErrorOf(Backend& backend, int64_t out_cols = 16) {
  const auto weight = backend.PrepareWeight(RandomWeight(WeightRole::kLinear, 1, {{DType::kF32, 16}}, 32, 1));
  const auto in = backend.Alloc(MemoryKind::kWorkspace, 2 * 32 * 4), out = backend.Alloc(MemoryKind::kWorkspace, 2 * 16 * 4);
  const auto x = Random(1).Values(64);
  backend.Upload(*in, 0, std::as_bytes(std::span(x)));
  const StepPlan plan = PlainPlan(2);
  backend.BeginStep(plan);
  backend.Linear({{in.get(), 0, 2, 32}, weight.get(), Epilogue::kStore, {out.get(), 0, 2, out_cols}});
  const auto error = backend.EndStep();
  return error ? error->what() : "";
}

TEST(CheckBackend, FindsWritesOutsideABuffer) {
  EXPECT_EQ(ErrorOf(*MakeCheckBackend(std::make_unique<Faulty>(Faulty::Fault::kNone))), "");
  EXPECT_NE(
      ErrorOf(*MakeCheckBackend(std::make_unique<Faulty>(Faulty::Fault::kPastTheEnd))).find("Linear: wrote past the buffer of out"),
      std::string::npos);
  EXPECT_NE(ErrorOf(*MakeCheckBackend(std::make_unique<Faulty>(Faulty::Fault::kBeforeTheBegin))).find("Linear: wrote before"),
            std::string::npos);
}

TEST(CheckBackend, NamesWhereANonFiniteValueIs) {
  const std::string error = ErrorOf(*MakeCheckBackend(std::make_unique<Faulty>(Faulty::Fault::kNaN)));
  EXPECT_NE(error.find("Linear: out holds nan in row 0, column 3"), std::string::npos) << error;
  EXPECT_EQ(ErrorOf(*MakeCheckBackend(std::make_unique<Faulty>(Faulty::Fault::kNaN), {false})), "");
}

TEST(CheckBackend, RefusesWrongShapesBeforeTheyRun) {
  const std::string error = ErrorOf(*MakeCheckBackend(MakeCpu("", 1)), 8);
  EXPECT_NE(error.find("Linear: out is [2, 8], expected [2, 16]"), std::string::npos) << error;
}

TEST(CheckBackend, RefusesAPlanWhoseSlotsDisagreeWithItsPages) {
  PageSetup setup;
  int64_t next_free = 5;
  std::vector<SequencePages> sequences(1, SequencePages(setup, &next_free));
  StepPlan plan = PlanOf(setup, sequences, {{0, 0, 6}});
  const auto backend = MakeCheckBackend(MakeCpu("", 1));
  const auto pages = backend->AllocPages(setup.spec());
  const auto q = backend->Alloc(MemoryKind::kWorkspace, 6 * 64 * 4), out = backend->Alloc(MemoryKind::kWorkspace, 6 * 64 * 4);
  const AttentionOp op{{q.get(), 0, 6, 64},   pages.get(), kGlobalPages, 0, 4, 0.25f, AttentionMask::kCausal,
                       {out.get(), 0, 6, 64}, {}};
  backend->BeginStep(plan);
  backend->Attention(op);
  EXPECT_FALSE(backend->EndStep().has_value());
  plan.pages[kGlobalPages].slot[5] += 1;
  backend->BeginStep(plan);
  backend->Attention(op);
  const auto error = backend->EndStep();
  ASSERT_TRUE(error.has_value());
  EXPECT_NE(std::string(error->what()).find("row 5 goes to slot"), std::string::npos) << error->what();
}

// A whole attention run through check, the same bits as without.
TEST(CheckBackend, ChangesNothing) {
  PageSetup setup;
  setup.chunk = 10;
  const std::vector<std::vector<Cut>> steps = {{{0, 0, 25}}, {{0, 25, 1}}};
  const auto plain = MakeCpu("", 2), checked = MakeCheckBackend(MakeCpu("", 2));
  EXPECT_TRUE(SameRuns(RunAttention(*plain, setup, steps), RunAttention(*checked, setup, steps)));
}

TEST(TraceBackend, WritesTheOperationsInOrder) {
  std::vector<std::string> lines;
  const auto backend = MakeTraceBackend(MakeRef(Numerics::kInvariant), [&](const std::string& line) { lines.push_back(line); });
  EXPECT_EQ(ErrorOf(*backend), "");
  EXPECT_EQ(lines, (std::vector<std::string>{"BeginStep 2 rows of 1 sequences", "Linear [2, 32] x [16, 32] store", "EndStep"}));
  lines.clear();
  PageSetup setup;
  setup.chunk = 10;
  RunAttention(*backend, setup, {{{0, 0, 2}}}, {true, true, 0, 0});
  EXPECT_EQ(lines, (std::vector<std::string>{"BeginStep 2 rows of 1 sequences", "RopeNormStore local layer 1 rope norm",
                                             "Attention local layer 1 chunk", "EndStep"}));
}

TEST(MakeBackend, AnUnknownNameIsRefusedWithTheOnesThatExist) {
  try {
    MakeBackend("abacus", {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kArgument);
    EXPECT_NE(std::string(error.what()).find("ref, cpu"), std::string::npos) << error.what();
  }
  EXPECT_EQ(MakeBackend("", {})->Info().name, "cpu");
  EXPECT_THROW(MakeCpu("sse9", 1), Error);
  EXPECT_THROW(MakeCpu("", -1), Error);
  BackendOptions oracle;
  oracle.numerics = Numerics::kFloat32;
  EXPECT_THROW(MakeBackend("cpu", oracle), Error);
}

}  // namespace
}  // namespace scout
