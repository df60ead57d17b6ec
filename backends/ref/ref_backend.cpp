// The reference backend: scalar, one thread, every operation as told in ref_ops.h. It defines what the others must give.
#include <exception>
#include <utility>

#include "backend/host_buffer.h"
#include "backend/host_pages.h"
#include "base/fp_environment.h"
#include "base/memory_info.h"
#include "quant/formats.h"
#include "ref/ref_ops.h"

namespace scout {
namespace {

class RefBackend final : public Backend {
 public:
  explicit RefBackend(const BackendOptions& options) { context_.numerics = options.numerics; }

  DeviceInfo Info() const override {
    const MemoryInfo memory = ReadMemoryInfo();
    const bool oracle = context_.numerics == Numerics::kFloat32;
    return {"ref", oracle ? "reference, float32" : "reference, defined arithmetic", memory.total_bytes, memory.left_bytes};
  }
  bool Supports(DType format, WeightRole) const override { return quant::CanDecode(format); }

  std::unique_ptr<Weight> PrepareWeight(const WeightDesc& desc) override {
    return HostWeight::Read(desc, desc.role == WeightRole::kVector || desc.role == WeightRole::kRouter);
  }

  std::unique_ptr<Buffer> Alloc(MemoryKind, size_t bytes) override { return std::make_unique<HostBuffer>(bytes); }
  void Upload(Buffer& to, size_t offset, std::span<const std::byte> from) override { HostUpload(to, offset, from); }
  void Download(const Buffer& from, size_t offset, std::span<std::byte> to) override { HostDownload(from, offset, to); }

  std::unique_ptr<KvPages> AllocPages(const PageGroupSpec& spec) override { return std::make_unique<HostPages>(spec); }
  size_t PageBytes(const KvPages& pages) const override { return static_cast<const HostPages&>(pages).page_bytes(); }
  void ReadPage(const KvPages& pages, int64_t page, std::span<std::byte> out) override {
    static_cast<const HostPages&>(pages).ReadPage(page, out);
  }
  void WritePage(KvPages& pages, int64_t page, std::span<const std::byte> in) override {
    static_cast<HostPages&>(pages).WritePage(page, in);
  }
  void CopyPage(KvPages& pages, int64_t from, int64_t to) override { static_cast<HostPages&>(pages).CopyPage(from, to); }

  StepMode BeginStep(const StepPlan& plan) noexcept override {
    error_.reset();
    context_.plan = &plan;
    return StepMode::kRun;
  }
  void Embed(const EmbedOp& op) noexcept override {
    Run([&] { ref::Embed(context_, op); });
  }
  void RmsNorm(const RmsNormOp& op) noexcept override {
    Run([&] { ref::RmsNorm(context_, op); });
  }
  void Linear(const LinearOp& op) noexcept override {
    Run([&] { ref::Linear(context_, op); });
  }
  void RopeNormStore(const RopeNormStoreOp& op) noexcept override {
    Run([&] { ref::RopeNormStore(context_, op); });
  }
  void Attention(const AttentionOp& op) noexcept override {
    Run([&] { ref::Attention(context_, op); });
  }
  void MergeAttention(const MergeAttentionOp& op) noexcept override {
    Run([&] { ref::MergeAttention(context_, op); });
  }
  void Route(const RouteOp& op) noexcept override {
    Run([&] { ref::Route(context_, op); });
  }
  void Experts(const ExpertsOp& op) noexcept override {
    Run([&] { ref::Experts(context_, op); });
  }
  void GatherRows(const GatherRowsOp& op) noexcept override {
    Run([&] { ref::GatherRows(context_, op); });
  }
  void Sample(const SampleOp& op, std::span<SampleResult> results) noexcept override {
    Run([&] { ref::Sample(context_, op, results); });
  }
  std::optional<Error> EndStep() noexcept override {
    context_.plan = nullptr;
    return std::exchange(error_, std::nullopt);
  }

 private:
  // Runs one operation; the first error of a step ends its work and waits for EndStep.
  template <typename Operation>
  void Run(const Operation& operation) noexcept {
    if (error_) return;
    const FpEnvironment environment;
    try {
      operation();
    } catch (const Error& error) {
      error_ = error;
    } catch (const std::bad_alloc&) {
      error_.emplace(ErrorCode::kNoMemory, "no memory for a step");
    } catch (const std::exception& error) {
      error_.emplace(ErrorCode::kInternal, error.what());
    }
  }

  ref::Context context_;
  std::optional<Error> error_;
};

std::unique_ptr<Backend> Make(const BackendOptions& options) { return std::make_unique<RefBackend>(options); }

constexpr BackendFactory kFactory = {"ref", "reference: scalar, one thread, defines every operation", Make};

}  // namespace

const BackendFactory& ref_backend_factory() { return kFactory; }

}  // namespace scout
