// What a step of the gpu backend works with: the plan on the device, scratch memory, launches on the step's stream.
#pragma once

#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "gpu/arguments.h"
#include "gpu/device.h"
#include "gpu/launch_list.h"
#include "gpu/library_pool.h"

namespace scout::gpu {

// Memory that is handed out piece by piece and taken back all at once. It grows to the largest use seen and stays.
class Scratch {
 public:
  Scratch(std::shared_ptr<Device> device, bool staging) : device_(std::move(device)), staging_(staging) {}
  void Reset();
  bool gives_up_memory() const { return blocks_.size() > 1; }  // by Reset
  uint8_t* Take(size_t bytes);                                 // aligned to 256 bytes
  template <typename T>
  T* Take(int64_t count) {
    return reinterpret_cast<T*>(Take(static_cast<size_t>(count) * sizeof(T)));
  }

 private:
  std::shared_ptr<Device> device_;
  bool staging_;
  std::vector<DeviceBlock> blocks_;
  size_t used_ = 0;  // of the last block
  size_t total_ = 0;
};

// The tiles of attention for one kind of layer.
struct AttentionTiles {
  // What they depend on besides the plan.
  int group = 0;
  AttentionMask mask = AttentionMask::kCausal;
  PageGeometry geometry;
  int32_t heads = 0, kv_heads = 0, head_dim = 0;
  int64_t page_count = 0;
  bool fast = false;  // many rows go to fast_items
  bool operator==(const AttentionTiles& other) const {
    return group == other.group && mask == other.mask && geometry.page_size == other.geometry.page_size &&
           geometry.chunk == other.geometry.chunk && heads == other.heads && kv_heads == other.kv_heads &&
           head_dim == other.head_dim && page_count == other.page_count && fast == other.fast;
  }

  std::vector<AttentionItem> items, fast_items;
  std::vector<MergeSpansItem> merges;
  int32_t partials = 0;  // tiles of partial states
  bool padding = false;
  const AttentionItem* device_items = nullptr;
  const AttentionItem* device_fast_items = nullptr;
  const MergeSpansItem* device_merges = nullptr;
};
// Fills `tiles` from the plan. Throws an internal error where a position is on no page.
void PlanAttention(const StepPlan& plan, AttentionTiles& tiles);

// When a launch begins: after the ones before it, or early, where its kernel waits for them itself.
enum class Start { kInTurn, kEarly };

// When a vendor's library multiplies halves: where a race says that it is faster, never, or whenever it can.
enum class LibraryUse { kFaster, kNever, kAlways };

class Step {
 public:
  Step(std::shared_ptr<Device> device, bool fast, LibraryUse library_use = LibraryUse::kNever);
  ~Step();

  void Begin(const StepPlan& plan);
  void End();  // waits; throws what the device has found
  const StepPlan& plan() const {
    SCOUT_CHECK(plan_ != nullptr, "an operation outside a step");
    return *plan_;
  }
  bool open() const { return plan_ != nullptr; }

  // Memory of the device for the running operation: kernels run in order, so that the next may have it.
  void NextOperation() {
    if (operation_.gives_up_memory()) held_.Flush(stream_);
    operation_.Reset();
  }
  template <typename T>
  T* Temporary(int64_t count) {
    return operation_.Take<T>(count);
  }
  // Copies data of the host into memory that lasts for the step.
  template <typename T>
  T* Send(std::span<const T> values) {
    return reinterpret_cast<T*>(SendBytes(values.data(), values.size_bytes()));
  }
  // Brings data back; there once Wait has returned.
  template <typename T>
  const T* Fetch(const T* from, int64_t count) {
    return reinterpret_cast<const T*>(FetchBytes(from, static_cast<size_t>(count) * sizeof(T)));
  }
  void Wait();
  // What is held back begins now.
  void Submit() { held_.Flush(stream_); }
  // Without a plan: what Send and Fetch gave is no longer used.
  void Release();

  // What waits for the operations after it (few_rows.h).
  struct Waiting {
    std::optional<RmsNormOp> norm;
    std::optional<RouteOp> route;
  };
  Waiting& put_off() { return put_off_; }
  const Waiting& put_off() const { return put_off_; }

  const int32_t* token() const { return token_; }
  const int32_t* position() const { return position_; }
  const int64_t* slot(int group) const { return slot_[static_cast<size_t>(group)]; }
  const int32_t* page(int group) const { return page_[static_cast<size_t>(group)]; }
  int32_t* fault() const { return reinterpret_cast<int32_t*>(fault_.data()); }
  AttentionTiles& Tiles(const AttentionTiles& key);
  const float* Temperatures(double length, double scale);  // [N]
  const float* InvFreq(std::span<const float> inv_freq);

  const KernelTable& kernels() const { return device_->driver().Kernels(); }
  template <typename Arguments>
  void Launch(const char* what, const void* kernel, int64_t x, int64_t y, unsigned threads, size_t shared_bytes,
              const Arguments& arguments, Start start = Start::kInTurn) {
    static_assert(std::is_trivially_copyable_v<Arguments>);
    LaunchBytes(what, kernel, x, y, threads, shared_bytes, &arguments, sizeof arguments, start);
  }
  Device& device() const { return *device_; }
  bool fast() const { return fast_; }  // Numerics::kFast
  // Launches are held back, to be handed over as a graph.
  bool holds_back() const { return plan_ && plan_->rows() <= kMostHeldRows; }

  LibraryUse library_use() const { return library_use_; }
  // Takes a place at the library, once; false where it does not serve.
  bool OpenLibrary();
  // Whether it has refused a product of this shape; asked before work is done for it.
  bool LibraryRefuses(const HalfProduct& product) const { return library_->Refuses(product); }
  // Begins a product, not among launches that are held back. False after a refusal or a failure, which has been told.
  bool MultiplyByLibrary(const HalfProduct& product);
  // Of the last product that was refused since this was last asked, a sentence.
  std::string TakeRefusal() { return std::exchange(last_refusal_, {}); }
  // What was opened, once it is.
  const OpenedLibrary& library() const { return library_->opened; }

 private:
  void* SendBytes(const void* from, size_t bytes);
  const void* FetchBytes(const void* from, size_t bytes);
  void LaunchBytes(const char* what, const void* kernel, int64_t x, int64_t y, unsigned threads, size_t shared_bytes,
                   const void* arguments, size_t bytes, Start start);

  std::shared_ptr<Device> device_;
  const bool fast_;
  Stream stream_ = nullptr;
  Scratch operation_, step_, staging_;
  DeviceBlock fault_;
  const LibraryUse library_use_;
  std::shared_ptr<LibraryPool> library_pool_;  // once it was asked
  std::unique_ptr<LibraryPlace> library_;
  std::string last_refusal_;
  // Steps of at most so many rows are held back; larger ones take so long that their launches cost nothing.
  static constexpr int64_t kMostHeldRows = 64;
  LaunchList held_;
  Waiting put_off_;
  const StepPlan* plan_ = nullptr;
  const int32_t* token_ = nullptr;
  const int32_t* position_ = nullptr;
  std::array<const int64_t*, kPageGroups> slot_{};
  std::array<const int32_t*, kPageGroups> page_{};
  std::vector<AttentionTiles> tiles_;
  struct Temperature {
    double length, scale;
    const float* values;
  };
  std::vector<Temperature> temperatures_;
  struct Frequencies {
    std::vector<float> values;
    DeviceBlock block;
  };
  std::vector<std::unique_ptr<Frequencies>> frequencies_;  // kept between steps: a model has one or two
};

}  // namespace scout::gpu
