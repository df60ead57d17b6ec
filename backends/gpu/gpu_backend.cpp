#include "gpu/gpu_backend.h"

#include <algorithm>
#include <mutex>
#include <optional>

#include "backend/step_errors.h"
#include "base/fp_environment.h"
#include "gpu/few_rows.h"
#include "gpu/library_products.h"
#include "gpu/operations.h"
#include "quant/formats.h"

namespace scout::gpu {
namespace {

class GpuBackend final : public Backend {
 public:
  GpuBackend(std::shared_ptr<Device> device, const BackendOptions& options)
      : device_(std::move(device)), step_(device_, options.numerics == Numerics::kFast, UseOf(options)) {
    if (options.numerics == Numerics::kFloat32)
      Fail(ErrorCode::kUnsupported, "numerics float32 is of the device \"ref\" only, not of \"", device_->name(), "\"");
    if (step_.fast()) device_->fast_instructions();  // asked now rather than inside a step
  }
  ~GpuBackend() override = default;

  DeviceInfo Info() const override {
    const DeviceFacts facts = device_->Facts();
    return {facts.name, facts.description, facts.memory_total_bytes, facts.memory_free_bytes};
  }
  bool Supports(DType format, WeightRole) const override { return FloatFormat(format) >= 0 || BlockFormat(format) >= 0; }
  std::unique_ptr<Weight> PrepareWeight(const WeightDesc& desc) override {
    for (const WeightPart& part : desc.parts)
      if (!Supports(part.format, desc.role))
        Fail(ErrorCode::kUnsupported, "tensor ", Escape(desc.name), ": ", InfoOf(part.format).name,
             " is not served here in its role");
    MeetLibrary(desc);
    const bool as_f32 = desc.role == WeightRole::kVector || desc.role == WeightRole::kRouter;
    return std::make_unique<DeviceWeight>(device_, desc, as_f32);
  }

  std::unique_ptr<Buffer> Alloc(MemoryKind kind, size_t bytes) override {
    return std::make_unique<DeviceBuffer>(device_, bytes, NameOf(kind));
  }
  void Upload(Buffer& to, size_t offset, std::span<const std::byte> from) override {
    const Upward piece{&to, offset, from};
    UploadAll({&piece, 1});
  }
  void Download(const Buffer& from, size_t offset, std::span<std::byte> to) override {
    const Downward piece{&from, offset, to};
    DownloadAll({&piece, 1});
  }
  void UploadAll(std::span<const Upward> pieces) override {
    std::vector<Device::Piece> copies;
    for (const Upward& piece : pieces)
      copies.push_back({At(*piece.to, piece.offset, piece.from.size()), piece.from.data(), piece.from.size()});
    Settle();
    device_->Upload(copies);
  }
  void DownloadAll(std::span<const Downward> pieces) override {
    std::vector<Device::Piece> copies;
    for (const Downward& piece : pieces)
      copies.push_back({piece.to.data(), At(*piece.from, piece.offset, piece.to.size()), piece.to.size()});
    Settle();
    device_->Download(copies);
  }

  std::unique_ptr<KvPages> AllocPages(const PageGroupSpec& spec) override { return std::make_unique<DevicePages>(device_, spec); }
  size_t PageBytes(const KvPages& pages) const override { return static_cast<const DevicePages&>(pages).page_bytes(); }
  void ReadPage(const KvPages& pages, int64_t page, std::span<std::byte> out) override {
    Settle();
    device_->Download(out.data(), static_cast<const DevicePages&>(pages).Page(page, out.size()), out.size());
  }
  void WritePage(KvPages& pages, int64_t page, std::span<const std::byte> in) override {
    Settle();
    device_->Upload(static_cast<DevicePages&>(pages).Page(page, in.size()), in.data(), in.size());
  }
  void CopyPage(KvPages& pages, int64_t from, int64_t to) override {
    Settle();
    auto& device_pages = static_cast<DevicePages&>(pages);
    const size_t bytes = device_pages.page_bytes();
    device_->CopyWithin(device_pages.Page(to, bytes), device_pages.Page(from, bytes), bytes);
  }

  void BeginStep(const StepPlan& plan) noexcept override {
    errors_.Clear();
    Run([&] { step_.Begin(plan); });
  }
  bool IsAsynchronous() const override { return true; }
  void Submit() noexcept override {
    Run([&] { step_.Submit(); });
  }
  std::optional<Error> EndStep() noexcept override {
    std::optional<Error> earlier = errors_.Take();
    Run([&] {
      step_.End();
      step_.Release();
    });
    std::optional<Error> last = errors_.Take();
    return earlier ? earlier : last;
  }

  void Embed(const EmbedOp& op) noexcept override {
    Run([&] { gpu::Embed(step_, op); });
  }
  void RmsNorm(const RmsNormOp& op) noexcept override {
    RunAfter([&] { gpu::RmsNorm(step_, op); });
  }
  void Linear(const LinearOp& op) noexcept override {
    RunAfter([&] { gpu::Linear(step_, op); });
  }
  void RopeNormStore(const RopeNormStoreOp& op) noexcept override {
    Run([&] { gpu::RopeNormStore(step_, op); });
  }
  void Attention(const AttentionOp& op) noexcept override {
    Run([&] { gpu::Attention(step_, op); });
  }
  void MergeAttention(const MergeAttentionOp& op) noexcept override {
    Run([&] { gpu::MergeAttention(step_, op); });
  }
  void Route(const RouteOp& op) noexcept override {
    RunAfter([&] { gpu::Route(step_, op); });
  }
  void Experts(const ExpertsOp& op) noexcept override {
    RunAfter([&] { gpu::Experts(step_, op); });
  }
  void CombineExperts(const CombineExpertsOp& op) noexcept override {
    Run([&] { gpu::CombineExperts(step_, op); });
  }
  void GatherRows(const GatherRowsOp& op) noexcept override {
    Run([&] { gpu::GatherRows(step_, op); });
  }
  void ScatterRows(const ScatterRowsOp& op) noexcept override {
    Run([&] { gpu::ScatterRows(step_, op); });
  }
  void Unfold(const UnfoldOp& op) noexcept override {
    Run([&] { gpu::Unfold(step_, op); });
  }
  void AddPositions(const AddPositionsOp& op) noexcept override {
    Run([&] { gpu::AddPositions(step_, op); });
  }
  void LayerNorm(const LayerNormOp& op) noexcept override {
    Run([&] { gpu::LayerNorm(step_, op); });
  }
  void Rotate(const RotateOp& op) noexcept override {
    Run([&] { gpu::Rotate(step_, op); });
  }
  void GroupAttention(const GroupAttentionOp& op) noexcept override {
    Run([&] { gpu::GroupAttention(step_, op); });
  }
  void PixelShuffle(const PixelShuffleOp& op) noexcept override {
    Run([&] { gpu::PixelShuffle(step_, op); });
  }
  void Sample(const SampleOp& op, std::span<SampleResult> results) noexcept override {
    Run([&] { gpu::Sample(step_, op, results); });
  }

 private:
  static LibraryUse UseOf(const BackendOptions& options) {
    const bool all = options.products == "all", none = options.products == "none";
    if (!all && !none && !options.products.empty())
      Fail(ErrorCode::kArgument, "products \"", Escape(options.products), "\" is not one of all, none");
    return all ? LibraryUse::kAlways : none ? LibraryUse::kNever : LibraryUse::kFaster;
  }
  // A weight that a library may serve: who is faster is found out while it is loaded, and then the library gets its memory too.
  void MeetLibrary(const WeightDesc& desc) {
    if (!step_.fast() || step_.library_use() == LibraryUse::kNever) return;
    if (desc.role != WeightRole::kLinear && desc.role != WeightRole::kManyRows) return;
    // The race's place is kept where the library wins.
    std::shared_ptr<LibraryPool> pool = device_->library_pool();
    const auto all = [&](const auto& of_part) { return std::all_of(desc.parts.begin(), desc.parts.end(), of_part); };
    if (!all([](const WeightPart& part) { return IsHalves(part.format) && part.cols % 8 == 0; })) return;
    if (step_.library_use() == LibraryUse::kFaster &&
        !all([&](const WeightPart& part) { return device_->library_race(part.format == DType::kBF16).LibraryWins(); }))
      return;
    const std::lock_guard lock(library_mutex_);
    if (library_pool_) return;
    pool->Reserve();
    library_pool_ = std::move(pool);
  }

  static uint8_t* At(const Buffer& buffer, size_t offset, size_t bytes) {
    const size_t size = buffer.size_bytes();
    SCOUT_CHECK(offset <= size && bytes <= size - offset, "a copy of ", bytes, " bytes at ", offset, " of ", size);
    return static_cast<const DeviceBuffer&>(buffer).data() + offset;
  }
  // What the step has launched is done before memory is touched from outside its stream.
  void Settle() {
    LaunchPutOff(step_);
    step_.Wait();
  }

  // An operation that sees to what was put off itself, and any other.
  template <typename Operation>
  void RunAfter(const Operation& operation) noexcept {
    const FpEnvironment environment;
    errors_.Run([&] {
      step_.NextOperation();
      operation();
    });
    if (errors_.any()) step_.put_off() = {};
  }
  template <typename Operation>
  void Run(const Operation& operation) noexcept {
    RunAfter([&] {
      LaunchPutOff(step_);
      operation();
    });
  }

  const std::shared_ptr<Device> device_;
  std::mutex library_mutex_;
  std::shared_ptr<LibraryPool> library_pool_;  // once a weight was met that the library serves
  Step step_;
  StepErrors errors_{"a step of a device"};
};

}  // namespace

std::unique_ptr<Backend> MakeGpuBackend(std::shared_ptr<Device> device, const BackendOptions& options) {
  return std::make_unique<GpuBackend>(std::move(device), options);
}

}  // namespace scout::gpu
