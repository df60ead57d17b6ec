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
    case Epilogue::kGelu:
      return "gelu";
    default:
      return "store";
  }
}
const char* GroupName(int group) { return group == kLocalPages ? "local" : "global"; }

class TraceBackend final : public ForwardingBackend {
 public:
  TraceBackend(std::unique_ptr<Backend> inner, std::function<void(const std::string&)> record)
      : ForwardingBackend(std::move(inner)), record_(std::move(record)) {}

  void BeginStep(const StepPlan& plan) noexcept override {
    Record([&] { return StrCat("BeginStep ", plan.rows(), " rows of ", plan.sequences(), " sequences"); });
    ForwardingBackend::BeginStep(plan);
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
    Record([&] {
      return StrCat("Linear ", Shape(op.in), " x ", Shape(*op.weight), " ", NameOf(op.epilogue), op.bias ? " with bias" : "");
    });
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
      return StrCat("Experts ", Shape(op.in), " ", op.first_expert, " to ", op.last_expert, op.shared_gate_up ? " and shared" : "",
                    op.addends.buffer ? " apart" : "");
    });
    ForwardingBackend::Experts(op);
  }
  void CombineExperts(const CombineExpertsOp& op) noexcept override {
    Record([&] {
      return StrCat("CombineExperts ", Shape(op.addends), " to ", Shape(op.residual), op.shared.buffer ? " and shared" : "");
    });
    ForwardingBackend::CombineExperts(op);
  }
  void GatherRows(const GatherRowsOp& op) noexcept override {
    Record([&] { return StrCat("GatherRows ", Shape(op.out)); });
    ForwardingBackend::GatherRows(op);
  }
  void ScatterRows(const ScatterRowsOp& op) noexcept override {
    Record([&] { return StrCat("ScatterRows ", Shape(op.in), " from ", op.first, " to ", Shape(op.out)); });
    ForwardingBackend::ScatterRows(op);
  }
  void Unfold(const UnfoldOp& op) noexcept override {
    Record([&] { return StrCat("Unfold ", op.tile_size, " by ", op.patch_size, " to ", Shape(op.out)); });
    ForwardingBackend::Unfold(op);
  }
  void AddPositions(const AddPositionsOp& op) noexcept override {
    Record([&] { return StrCat("AddPositions ", Shape(op.in), " to ", Shape(op.out)); });
    ForwardingBackend::AddPositions(op);
  }
  void LayerNorm(const LayerNormOp& op) noexcept override {
    Record([&] { return StrCat("LayerNorm ", Shape(op.in)); });
    ForwardingBackend::LayerNorm(op);
  }
  void Rotate(const RotateOp& op) noexcept override {
    Record([&] { return StrCat("Rotate ", Shape(op.qkv), " by ", Shape(op.turns)); });
    ForwardingBackend::Rotate(op);
  }
  void GroupAttention(const GroupAttentionOp& op) noexcept override {
    Record([&] { return StrCat("GroupAttention ", Shape(op.out), " in groups of ", op.group_rows); });
    ForwardingBackend::GroupAttention(op);
  }
  void PixelShuffle(const PixelShuffleOp& op) noexcept override {
    Record([&] { return StrCat("PixelShuffle ", Shape(op.in), " to ", Shape(op.out)); });
    ForwardingBackend::PixelShuffle(op);
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
