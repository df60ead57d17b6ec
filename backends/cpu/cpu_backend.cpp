// The cpu backend: our own kernels over our own threads, weights used in the file's own blocks.
#include <algorithm>
#include <cstring>
#include <exception>
#include <utility>

#include "backend/host_pages.h"
#include "base/fp_environment.h"
#include "base/memory_info.h"
#include "cpu/context.h"
#include "quant/formats.h"

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

class CpuBackend final : public Backend {
 public:
  explicit CpuBackend(const BackendOptions& options) : isa_(ChosenIsa(options.isa)) {
    if (options.threads < 0 || options.threads > kMaxThreads)
      Fail(ErrorCode::kArgument, "threads is ", options.threads, ", which is outside 0 .. ", kMaxThreads);
    if (options.numerics == Numerics::kFloat32)
      Fail(ErrorCode::kUnsupported, "the cpu device has no float32 oracle; the device \"ref\" has");
    context_.kernels = &cpu::KernelsFor(isa_);
    context_.threads = options.threads > 0 ? options.threads : UsableThreads();
    context_.pool = ThreadPool::Shared(context_.threads);
  }

  DeviceInfo Info() const override {
    const MemoryInfo memory = ReadMemoryInfo();
    return {"cpu",
            StrCat(ProcessorName(), ", ", NameOf(isa_), ", ", context_.threads, context_.threads == 1 ? " thread" : " threads"),
            memory.total_bytes, memory.left_bytes};
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
  void GatherRows(const GatherRowsOp& op) noexcept override {
    Run([&] { cpu::GatherRows(context_, op); });
  }
  void Sample(const SampleOp& op, std::span<SampleResult> results) noexcept override {
    Run([&] { cpu::Sample(context_, op, results); });
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
      context_.arena.Reset();
      operation();
    } catch (const Error& error) {
      error_ = error;
    } catch (const std::bad_alloc&) {
      error_.emplace(ErrorCode::kNoMemory, "no memory for a step");
    } catch (const std::exception& error) {
      error_.emplace(ErrorCode::kInternal, error.what());
    }
  }

  const Isa isa_;
  cpu::Context context_;
  std::optional<Error> error_;
};

std::unique_ptr<Backend> Make(const BackendOptions& options) { return std::make_unique<CpuBackend>(options); }

constexpr BackendFactory kFactory = {"cpu", "this machine's processor: own kernels for AVX-512, AVX2 and any other", Make};

}  // namespace

const BackendFactory& cpu_backend_factory() { return kFactory; }

}  // namespace scout
