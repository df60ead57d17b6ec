// The backend contract: a device that packs weights, holds activations and pages, and runs the coarse operations of ops.h.
//
// Loading calls throw Error. Operations are noexcept: a backend keeps the first error of a step and EndStep returns it; after
// an error the step's further operations may do nothing. Inside a step there is no allocation after warm-up.
// Thread rule: one step at a time per backend instance, from one thread at a time; loading calls may come from any thread.
// Several instances made by one factory with equal options may run steps at the same time, and a Weight prepared by one of them
// serves all of them: every engine has an instance of its own, the weights are the model's. The same holds for reading a Buffer
// that nobody writes any more: features of pictures are made by one instance and read by another.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/ops.h"
#include "backend/step_plan.h"
#include "base/error.h"

namespace scout {

// Whether a request's bytes may depend on what shares its batch. kInvariant is the promise of the library's default.
enum class Numerics {
  kInvariant,
  kFast,
  kFloat32,  // `ref` only: activations are never quantised; the oracle for golden logits
};

struct BackendOptions {
  int threads = 0;  // 0 = as many as the process may use
  Numerics numerics = Numerics::kInvariant;
  std::string isa;  // tests: the highest instruction set to use ("generic", "avx2", "avx512"); empty = the best
  // What dense products a library serves under kFast, in a plug-in beside the cpu backend or a device vendor's own: empty = those
  // that it was measured to be faster at; for tests "none", and "all" that it can.
  std::string products;
  std::string plugins;   // the plug-in's folder; empty = beside the library
  int device_index = 0;  // which of a plug-in's devices; MakeBackend reads it from the name
};

enum class MemoryKind { kWeights, kKv, kWorkspace, kStaging };

struct DeviceInfo {
  std::string name;         // "cpu", "ref"
  std::string description;  // "AMD EPYC, AVX-512, 2 threads"
  uint64_t memory_total_bytes = 0;
  uint64_t memory_free_bytes = 0;  // what is left for us, cgroup limits included
};

class Backend {
 public:
  virtual ~Backend() = default;

  virtual DeviceInfo Info() const = 0;
  virtual bool Supports(DType format, WeightRole role) const = 0;

  // Reads the parts and packs them. May be called from several threads at once. Throws kUnsupported naming the tensor and the
  // format where Supports says no.
  virtual std::unique_ptr<Weight> PrepareWeight(const WeightDesc& desc) = 0;

  virtual std::unique_ptr<Buffer> Alloc(MemoryKind kind, size_t bytes) = 0;
  virtual void Upload(Buffer& to, size_t offset, std::span<const std::byte> from) = 0;
  virtual void Download(const Buffer& from, size_t offset, std::span<std::byte> to) = 0;
  // Several, one after the other; a device waits for all of them together.
  struct Upward {
    Buffer* to;
    size_t offset;
    std::span<const std::byte> from;
  };
  struct Downward {
    const Buffer* from;
    size_t offset;
    std::span<std::byte> to;
  };
  virtual void UploadAll(std::span<const Upward> pieces) {
    for (const Upward& piece : pieces) Upload(*piece.to, piece.offset, piece.from);
  }
  virtual void DownloadAll(std::span<const Downward> pieces) {
    for (const Downward& piece : pieces) Download(*piece.from, piece.offset, piece.to);
  }

  virtual std::unique_ptr<KvPages> AllocPages(const PageGroupSpec& spec) = 0;
  // A page in the one canonical layout: [layer][K then V][slot][kv head][d], in the pages' own formats.
  virtual size_t PageBytes(const KvPages& pages) const = 0;
  virtual void ReadPage(const KvPages& pages, int64_t page, std::span<std::byte> out) = 0;
  virtual void WritePage(KvPages& pages, int64_t page, std::span<const std::byte> in) = 0;
  virtual void CopyPage(KvPages& pages, int64_t from, int64_t to) = 0;

  // The plan must stay alive and unchanged until EndStep.
  virtual void BeginStep(const StepPlan& plan) noexcept = 0;
  // Whether operations return before they are done, so that others may work in the meantime. Submit begins what was asked for,
  // where the backend holds it back, and does not wait.
  virtual bool IsAsynchronous() const { return false; }
  virtual void Submit() noexcept {}
  virtual void Embed(const EmbedOp& op) noexcept = 0;
  virtual void RmsNorm(const RmsNormOp& op) noexcept = 0;
  virtual void Linear(const LinearOp& op) noexcept = 0;
  virtual void RopeNormStore(const RopeNormStoreOp& op) noexcept = 0;
  virtual void Attention(const AttentionOp& op) noexcept = 0;
  virtual void MergeAttention(const MergeAttentionOp& op) noexcept = 0;
  virtual void Route(const RouteOp& op) noexcept = 0;
  virtual void Experts(const ExpertsOp& op) noexcept = 0;
  virtual void CombineExperts(const CombineExpertsOp& op) noexcept = 0;
  virtual void GatherRows(const GatherRowsOp& op) noexcept = 0;
  virtual void ScatterRows(const ScatterRowsOp& op) noexcept = 0;
  virtual void Unfold(const UnfoldOp& op) noexcept = 0;
  virtual void AddPositions(const AddPositionsOp& op) noexcept = 0;
  virtual void LayerNorm(const LayerNormOp& op) noexcept = 0;
  virtual void Rotate(const RotateOp& op) noexcept = 0;
  virtual void GroupAttention(const GroupAttentionOp& op) noexcept = 0;
  virtual void PixelShuffle(const PixelShuffleOp& op) noexcept = 0;
  // results[i] belongs to op.rows[i]; their vectors are reused. May also run between steps: EndStep then returns its error.
  virtual void Sample(const SampleOp& op, std::span<SampleResult> results) noexcept = 0;
  // The first error since BeginStep, or nothing.
  virtual std::optional<Error> EndStep() noexcept = 0;
};

// A kind of backend, linked in or found as a plug-in. Factories are plain data; nothing runs before it is asked.
struct BackendFactory {
  const char* name;  // as in the `device` option
  const char* summary;
  std::unique_ptr<Backend> (*make)(const BackendOptions& options);
};

// The built-in factories, in order of preference last to first ("ref" is never chosen by default).
std::span<const BackendFactory* const> BuiltinBackends();

// A device's name taken apart: "cuda:1" is the second device of "cuda". Throws kArgument listing the names that exist, or for a
// number behind a device that is the only one of its kind. "" is the default.
struct DeviceName {
  std::string_view kind;
  int index = 0;
  bool plugin = false;
};
constexpr int kMaxDevicesOfAKind = 16;
DeviceName ParseDeviceName(std::string_view device);

// Makes the backend called `device` ("" = the default, the best that is there). Throws as ParseDeviceName.
std::unique_ptr<Backend> MakeBackend(const std::string& device, const BackendOptions& options);

}  // namespace scout
