// The reference backend: scalar, one thread, every operation as told in ref_ops.h. It defines what the others must give.

#include "backend/host_backend.h"
#include "base/memory_info.h"
#include "ref/ref_ops.h"

namespace scout {
namespace {

class RefBackend final : public HostBackend<ref::Context> {
 public:
  explicit RefBackend(const BackendOptions& options) { context_.numerics = options.numerics; }

  DeviceInfo Info() const override {
    const MemoryInfo memory = ReadMemoryInfo();
    const bool oracle = context_.numerics == Numerics::kFloat32;
    return {"ref", oracle ? "reference, float32" : "reference, defined arithmetic", memory.total_bytes, memory.left_bytes};
  }
  void Embed(const EmbedOp& op) noexcept override {
    RunOperation([&] { ref::Embed(context_, op); });
  }
  void RmsNorm(const RmsNormOp& op) noexcept override {
    RunOperation([&] { ref::RmsNorm(context_, op); });
  }
  void Linear(const LinearOp& op) noexcept override {
    RunOperation([&] { ref::Linear(context_, op); });
  }
  void RopeNormStore(const RopeNormStoreOp& op) noexcept override {
    RunOperation([&] { ref::RopeNormStore(context_, op); });
  }
  void Attention(const AttentionOp& op) noexcept override {
    RunOperation([&] { ref::Attention(context_, op); });
  }
  void MergeAttention(const MergeAttentionOp& op) noexcept override {
    RunOperation([&] { ref::MergeAttention(context_, op); });
  }
  void Route(const RouteOp& op) noexcept override {
    RunOperation([&] { ref::Route(context_, op); });
  }
  void Experts(const ExpertsOp& op) noexcept override {
    RunOperation([&] { ref::Experts(context_, op); });
  }
  void CombineExperts(const CombineExpertsOp& op) noexcept override {
    RunOperation([&] { ref::CombineExperts(context_, op); });
  }
  void GatherRows(const GatherRowsOp& op) noexcept override {
    RunOperation([&] { ref::GatherRows(context_, op); });
  }
  void ScatterRows(const ScatterRowsOp& op) noexcept override {
    RunOperation([&] { ref::ScatterRows(context_, op); });
  }
  void Unfold(const UnfoldOp& op) noexcept override {
    RunOperation([&] { ref::Unfold(context_, op); });
  }
  void AddPositions(const AddPositionsOp& op) noexcept override {
    RunOperation([&] { ref::AddPositions(context_, op); });
  }
  void LayerNorm(const LayerNormOp& op) noexcept override {
    RunOperation([&] { ref::LayerNorm(context_, op); });
  }
  void Rotate(const RotateOp& op) noexcept override {
    RunOperation([&] { ref::Rotate(context_, op); });
  }
  void GroupAttention(const GroupAttentionOp& op) noexcept override {
    RunOperation([&] { ref::GroupAttention(context_, op); });
  }
  void PixelShuffle(const PixelShuffleOp& op) noexcept override {
    RunOperation([&] { ref::PixelShuffle(context_, op); });
  }
  void Sample(const SampleOp& op, std::span<SampleResult> results) noexcept override {
    RunOperation([&] { ref::Sample(context_, op, results); });
  }
};

std::unique_ptr<Backend> Make(const BackendOptions& options) { return std::make_unique<RefBackend>(options); }

constexpr BackendFactory kFactory = {"ref", "reference: scalar, one thread, defines every operation", Make};

}  // namespace

const BackendFactory& ref_backend_factory() { return kFactory; }

}  // namespace scout
