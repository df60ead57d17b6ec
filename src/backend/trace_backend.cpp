#include "backend/trace_backend.h"

#include "backend/forwarding_backend.h"

namespace scout {
namespace {

std::string Shape(const Act& act) { return StrCat("[", act.rows, ", ", act.cols, "]"); }
std::string Shape(const Weight& weight) {
  const std::string matrix = StrCat("[", weight.rows(), ", ", weight.cols(), "]");
  return weight.experts() == 1 ? matrix : StrCat(weight.experts(), " x ", matrix);
}
const char* NameOf(Epilogue epilogue) {
  switch (epilogue) {
    case Epilogue::kAdd:
      return "add";
    case Epilogue::kSwiGlu:
      return "swiglu";
    default:
      return "store";
  }
}
const char* GroupName(int group) { return group == kLocalPages ? "local" : "global"; }

class TraceBackend final : public ForwardingBackend {
 public:
  TraceBackend(std::unique_ptr<Backend> inner, std::function<void(const std::string&)> record)
      : ForwardingBackend(std::move(inner)), record_(std::move(record)) {}

  StepMode BeginStep(const StepPlan& plan) noexcept override {
    Record([&] { return StrCat("BeginStep ", plan.rows(), " rows of ", plan.sequences(), " sequences"); });
    return ForwardingBackend::BeginStep(plan);
  }
  void Embed(const EmbedOp& op) noexcept override {
    Record([&] { return StrCat("Embed ", Shape(op.out)); });
    ForwardingBackend::Embed(op);
  }
  void RmsNorm(const RmsNormOp& op) noexcept override {
    Record([&] { return StrCat("RmsNorm ", Shape(op.in)); });
    ForwardingBackend::RmsNorm(op);
  }
  void Linear(const LinearOp& op) noexcept override {
    Record([&] { return StrCat("Linear ", Shape(op.in), " x ", Shape(*op.weight), " ", NameOf(op.epilogue)); });
    ForwardingBackend::Linear(op);
  }
  void RopeNormStore(const RopeNormStoreOp& op) noexcept override {
    Record([&] {
      return StrCat("RopeNormStore ", GroupName(op.group), " layer ", op.layer, op.rope ? " rope" : "", op.qk_norm ? " norm" : "",
                    op.temperature_length > 0 ? " temperature" : "");
    });
    ForwardingBackend::RopeNormStore(op);
  }
  void Attention(const AttentionOp& op) noexcept override {
    Record([&] {
      return StrCat("Attention ", GroupName(op.group), " layer ", op.layer,
                    op.mask == AttentionMask::kChunk ? " chunk" : " causal");
    });
    ForwardingBackend::Attention(op);
  }
  void MergeAttention(const MergeAttentionOp& op) noexcept override {
    Record([&] { return StrCat("MergeAttention of ", op.partial.size()); });
    ForwardingBackend::MergeAttention(op);
  }
  void Route(const RouteOp& op) noexcept override {
    Record([&] { return StrCat("Route ", Shape(op.in), " top ", op.top_k, " of ", op.router->rows()); });
    ForwardingBackend::Route(op);
  }
  void Experts(const ExpertsOp& op) noexcept override {
    Record([&] {
      return StrCat("Experts ", Shape(op.in), " ", op.first_expert, " to ", op.last_expert, op.shared_gate_up ? " and shared" : "");
    });
    ForwardingBackend::Experts(op);
  }
  void GatherRows(const GatherRowsOp& op) noexcept override {
    Record([&] { return StrCat("GatherRows ", Shape(op.out)); });
    ForwardingBackend::GatherRows(op);
  }
  void Sample(const SampleOp& op, std::span<SampleResult> results) noexcept override {
    Record([&] { return StrCat("Sample ", op.rows.size(), " of ", Shape(op.logits)); });
    ForwardingBackend::Sample(op, results);
  }
  std::optional<Error> EndStep() noexcept override {
    Record([&] { return std::string("EndStep"); });
    return ForwardingBackend::EndStep();
  }

 private:
  // A line that cannot be written is lost; the step goes on.
  template <typename Line>
  void Record(const Line& line) noexcept {
    try {
      record_(line());
    } catch (...) {
    }
  }

  std::function<void(const std::string&)> record_;
};

}  // namespace

std::unique_ptr<Backend> MakeTraceBackend(std::unique_ptr<Backend> inner, std::function<void(const std::string&)> record) {
  return std::make_unique<TraceBackend>(std::move(inner), std::move(record));
}

}  // namespace scout
