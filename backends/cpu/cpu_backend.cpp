// The cpu backend: our own kernels over our own threads. Quantised weights are packed into panels where the instruction set has
// kernels for them (packed.h), else they are used in the file's own blocks.
#include <algorithm>
#include <cstring>

#include "backend/host_backend.h"
#include "base/memory_info.h"
#include "cpu/context.h"
#include "cpu/load_crew.h"
#include "cpu/packed.h"
#include "cpu/product.h"

namespace scout {
namespace {

constexpr int kMaxThreads = 1024;

Isa ChosenIsa(const std::string& wanted) {
  const Isa best = DetectIsa();
  if (wanted.empty()) return best;
  for (const Isa isa : {Isa::kGeneric, Isa::kAvx2, Isa::kAvx512})
    if (wanted == NameOf(isa)) return std::min(isa, best);
  Fail(ErrorCode::kArgument, "instruction set \"", Escape(wanted), "\" is not one of generic, avx2, avx512");
}

class Packer final : public PanelPacker {
 public:
  // Without `packs` rows stay as they are in the file.
  Packer(int threads, bool packs) : threads_(threads), packs_(packs) {}
  size_t PanelBytes(DType format, int64_t k) const override { return packs_ ? cpu::PackedPanelBytes(format, k) : 0; }
  void Pack(DType format, const std::byte* rows, int64_t k, std::byte* panel) const override {
    cpu::PackPanel(format, rows, k, panel);
  }
  void ForEach(int64_t count, uint64_t bytes, const std::function<void(int64_t, StagingBuffer&)>& task) const override {
    constexpr uint64_t kWorthThreads = 8 << 20;
    if (count > 1 && bytes >= kWorthThreads) return cpu::LoadCrew::Shared(threads_)->ForEach(count, task);
    StagingBuffer staging;
    for (int64_t i = 0; i < count; ++i) task(i, staging);
  }

 private:
  int threads_;
  bool packs_;
};

class CpuBackend final : public HostBackend<cpu::Context> {
 public:
  explicit CpuBackend(const BackendOptions& options) : isa_(ChosenIsa(options.isa)) {
    if (options.threads < 0 || options.threads > kMaxThreads)
      Fail(ErrorCode::kArgument, "threads is ", options.threads, ", which is outside 0 .. ", kMaxThreads);
    if (options.numerics == Numerics::kFloat32)
      Fail(ErrorCode::kUnsupported, "the cpu device has no float32 oracle; the device \"ref\" has");
    context_.kernels = &cpu::KernelsFor(isa_);
    context_.threads = options.threads > 0 ? options.threads : UsableThreads();
    context_.pool = ThreadPool::Shared(context_.threads);
    if (options.numerics == Numerics::kFast) BeFast(options);
  }

  DeviceInfo Info() const override {
    const MemoryInfo memory = ReadMemoryInfo();
    return {"cpu",
            StrCat(ProcessorName(), ", ", NameOf(isa_), ", ", context_.threads, context_.threads == 1 ? " thread" : " threads"),
            memory.total_bytes, memory.left_bytes};
  }
  std::unique_ptr<Weight> PrepareWeight(const WeightDesc& desc) override {
    const Packer packer(context_.threads, Packs(desc.role));
    return HostWeight::Read(desc, IsServedAsF32(desc.role), &packer);
  }
  std::string LayoutId() const override {
    // Whoever changes packed.h changes the number.
    return Packs(WeightRole::kLinear) ? "panels of 16 rows, version 3" : HostBackend::LayoutId();
  }
  std::unique_ptr<Weight> ImportWeight(const WeightDesc& desc, std::span<const StoredPart> parts,
                                       std::shared_ptr<const void> owner) const override {
    const Packer packer(context_.threads, Packs(desc.role));
    return HostWeight::Import(desc, IsServedAsF32(desc.role), &packer, parts, std::move(owner));
  }

  void Embed(const EmbedOp& op) noexcept override {
    Run([&] { cpu::Embed(context_, op); });
  }
  void RmsNorm(const RmsNormOp& op) noexcept override {
    Run([&] { cpu::RmsNorm(context_, op); });
  }
  void Linear(const LinearOp& op) noexcept override {
    Run([&] { cpu::Linear(context_, op); });
  }
  void RopeNormStore(const RopeNormStoreOp& op) noexcept override {
    Run([&] { cpu::RopeNormStore(context_, op); });
  }
  void Attention(const AttentionOp& op) noexcept override {
    Run([&] { cpu::Attention(context_, op); });
  }
  void MergeAttention(const MergeAttentionOp& op) noexcept override {
    Run([&] { cpu::MergeAttention(context_, op); });
  }
  void Route(const RouteOp& op) noexcept override {
    Run([&] { cpu::Route(context_, op); });
  }
  void Experts(const ExpertsOp& op) noexcept override {
    Run([&] { cpu::Experts(context_, op); });
  }
  void CombineExperts(const CombineExpertsOp& op) noexcept override {
    Run([&] { cpu::CombineExperts(context_, op); });
  }
  void GatherRows(const GatherRowsOp& op) noexcept override {
    Run([&] { cpu::GatherRows(context_, op); });
  }
  void ScatterRows(const ScatterRowsOp& op) noexcept override {
    Run([&] { cpu::ScatterRows(context_, op); });
  }
  void Unfold(const UnfoldOp& op) noexcept override {
    Run([&] { cpu::Unfold(context_, op); });
  }
  void AddPositions(const AddPositionsOp& op) noexcept override {
    Run([&] { cpu::AddPositions(context_, op); });
  }
  void LayerNorm(const LayerNormOp& op) noexcept override {
    Run([&] { cpu::LayerNorm(context_, op); });
  }
  void Rotate(const RotateOp& op) noexcept override {
    Run([&] { cpu::Rotate(context_, op); });
  }
  void GroupAttention(const GroupAttentionOp& op) noexcept override {
    Run([&] { cpu::GroupAttention(context_, op); });
  }
  void PixelShuffle(const PixelShuffleOp& op) noexcept override {
    Run([&] { cpu::PixelShuffle(context_, op); });
  }
  void Sample(const SampleOp& op, std::span<SampleResult> results) noexcept override {
    Run([&] { cpu::Sample(context_, op, results); });
  }

 private:
  // Rows of a table are gathered one by one.
  bool Packs(WeightRole role) const { return context_.kernels->packed_q4_k && role != WeightRole::kEmbedding; }

  void BeFast(const BackendOptions& options) {
    const bool all = options.products == "all", none = options.products == "none";
    if (!all && !none && !options.products.empty())
      Fail(ErrorCode::kArgument, "products \"", Escape(options.products), "\" is not one of all, none");
    context_.fast = true;
    if (!none) context_.library = ProductLibrary::Open(options.plugins);
    context_.library_all = all;
  }
  // Every operation finds the scratch memory empty.
  template <typename Operation>
  void Run(const Operation& operation) noexcept {
    RunOperation([&] {
      context_.arena.Reset();
      operation();
    });
  }

  const Isa isa_;
};

std::unique_ptr<Backend> Make(const BackendOptions& options) { return std::make_unique<CpuBackend>(options); }

constexpr BackendFactory kFactory = {"cpu", "this machine's processor: own kernels for AVX-512, AVX2 and any other", Make};

}  // namespace

const BackendFactory& cpu_backend_factory() { return kFactory; }

}  // namespace scout
