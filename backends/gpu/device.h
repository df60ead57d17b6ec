// Memory of a device as the contract's opaque things, and the calls of a driver with their failures as errors.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "backend/backend.h"
#include "gpu/driver.h"
#include "gpu/upload_ring.h"

namespace scout::gpu {

// Throws Error: kNoMemory or kDevice, "cuda: launch attention: an illegal memory access was encountered (700)".
void Check(const DriverStatus& status, const char* device, const char* what);

// The kind of memory, for messages.
const char* NameOf(MemoryKind kind);

// Own kernels against a vendor's library, over halves of one kind, for two numbers of rows.
struct LibraryRace {
  struct Result {
    int64_t rows = 0;                 // 0: there was no race
    double own_s = 0, library_s = 0;  // of one product; 0: not measured
    std::string failure;              // why not
    bool library_wins() const { return failure.empty() && library_s < own_s; }
  };
  int64_t outputs = 0, k = 0;
  std::string library;
  std::array<Result, 2> results;
  // By the nearer one of the two.
  bool LibraryWins(int64_t rows) const { return results[rows * rows < results[0].rows * results[1].rows ? 0 : 1].library_wins(); }
  bool LibraryWins() const { return results[0].library_wins() || results[1].library_wins(); }
};

class LibraryPool;

// A driver, and a stream for what is not part of a step. Shared by everything that lives in its memory.
class Device : public std::enable_shared_from_this<Device> {
 public:
  // What a device has of the instructions that only Numerics::kFast uses.
  struct FastInstructions {
    bool halves = false;  // matrix products of halves
    bool wide = false;    // by four warps, and bulk copies
    bool tensor = false;  // in tensor memory, and bulk copies
  };
  // What is uploaded goes through pinned blocks of `slot_bytes` where it is larger than one.
  explicit Device(std::shared_ptr<Driver> driver, size_t slot_bytes = size_t{4} << 20);
  ~Device();
  Driver& driver() const { return *driver_; }
  const char* name() const { return name_.c_str(); }
  DeviceFacts Facts() const;
  // As above; where memory lacks it says how much is free, and once the device is lost every failure tells what lost it.
  void Check(const DriverStatus& status, const char* what) const;
  // "12 of 100 bytes of NAME are free", or that the device does not say.
  std::string Room() const;
  bool lost() const { return lost_.load(std::memory_order_relaxed); }
  // Asked of the device when they are first wanted (check_device.cpp).
  const FastInstructions& fast_instructions();
  // Run when it is first asked for (library_products.cpp). Throws kDevice where a kernel of it fails.
  const LibraryRace& library_race(bool bf16);
  // Where streams take places at the library (library_pool.h). Gone with the last who holds it.
  std::shared_ptr<LibraryPool> library_pool();
  // Own kernels serve this product, and where it is the first of its weight's shape a line of the log says why.
  void TellRefusal(const HalfProduct& product, const std::string& why);
  // Own kernels serve from now on, and a line of the log says why. Throws where the device is lost.
  void GiveUpLibrary(const LibraryStatus& failed);
  void GiveUpLibrary(const Error& failure);
  bool has_library() const { return has_library_.load(std::memory_order_relaxed); }
  // Why it was given up.
  std::optional<Error> library_failure() const;

  // One after the other, back to back; all are there when it returns.
  struct Piece {
    void* to;
    const void* from;
    size_t bytes;
  };
  void Upload(std::span<const Piece> pieces);
  void Upload(void* to, const void* from, size_t bytes) {
    const Piece piece{to, from, bytes};
    Upload({&piece, 1});
  }
  void Download(std::span<const Piece> pieces);
  void Download(void* to, const void* from, size_t bytes) {
    const Piece piece{to, from, bytes};
    Download({&piece, 1});
  }
  void CopyWithin(void* to, const void* from, size_t bytes);
  // A grid of one dimension, and waits for it.
  void Launch(const char* what, const void* kernel, unsigned threads, size_t shared_bytes, const void* arguments, size_t bytes,
              unsigned grid = 1);

 private:
  using CopyCall = DriverStatus (Driver::*)(Stream, void*, const void*, size_t);
  void Copy(std::span<const Piece> pieces, CopyCall copy, const char* what);

  std::shared_ptr<Driver> driver_;
  std::string name_;
  std::mutex mutex_;
  Stream stream_ = nullptr;
  UploadRing ring_;
  mutable std::atomic<bool> lost_{false};
  mutable std::mutex loss_mutex_;
  mutable std::string loss_;  // what was done when the device was lost, and what the driver said
  std::once_flag fast_asked_;
  FastInstructions fast_instructions_;
  std::array<std::once_flag, 2> raced_;
  std::array<LibraryRace, 2> races_;
  std::atomic<bool> has_library_{true};  // until something else shows
  mutable std::mutex library_mutex_;
  std::optional<Error> library_failure_;
  std::vector<std::tuple<bool, int64_t, int64_t>> refusals_told_;  // bf16, outputs, k
  std::mutex pool_mutex_;
  std::weak_ptr<LibraryPool> library_pool_;
};

// Throws kDevice with a sentence where the device's own instructions do not do what kernels rely on.
void CheckInstructions(const std::shared_ptr<Device>& device);
// Finds what Device::library_race() tells.
LibraryRace RaceLibrary(const std::shared_ptr<Device>& device, bool bf16);
// Finds what Device::fast_instructions() tells.
Device::FastInstructions CheckFastInstructions(const std::shared_ptr<Device>& device);

// What the device can do at all: `copy_bytes` are copied, and products of tiles repeated `matrix_rounds` times. On a real device
// some GB and some thousand rounds; fewer than a thousand rounds use two blocks only, for tests on the emulator.
struct ProbeFigures {
  double copy_bytes_per_s = 0;  // read and written together
  double matrix_ops_per_s = 0;  // of signed bytes, a product and a sum being two
};
ProbeFigures Probe(const std::shared_ptr<Device>& device, uint64_t copy_bytes, int32_t matrix_rounds);

// One device for all backends that live at the same time, so that they share its weights. One that was lost is not given out again:
// the next asker opens it anew. Its instructions are checked when it is opened.
class SharedDevice {
 public:
  std::shared_ptr<Device> Get(const std::function<std::shared_ptr<Driver>()>& open);

 private:
  std::mutex mutex_;
  std::weak_ptr<Device> device_;
};

// A block of device memory, or of staging memory of the host.
class DeviceBlock {
 public:
  DeviceBlock() = default;
  DeviceBlock(std::shared_ptr<Device> device, size_t bytes, bool staging, const char* what);
  ~DeviceBlock();
  DeviceBlock(DeviceBlock&& other) noexcept { *this = std::move(other); }
  DeviceBlock& operator=(DeviceBlock&& other) noexcept;
  uint8_t* data() const { return static_cast<uint8_t*>(block_); }
  size_t size() const { return bytes_; }
  Device& device() const { return *device_; }

 private:
  std::shared_ptr<Device> device_;
  void* block_ = nullptr;
  size_t bytes_ = 0;
  bool staging_ = false;
};

class DeviceBuffer final : public Buffer {
 public:
  DeviceBuffer(std::shared_ptr<Device> device, size_t bytes, const char* what) : block_(std::move(device), bytes, false, what) {}
  size_t size_bytes() const override { return block_.size(); }
  uint8_t* data() const { return block_.data(); }

 private:
  DeviceBlock block_;
};

// Rows in the file's own blocks, part by part; expert e of a part begins at e * expert_bytes.
class DeviceWeight final : public Weight {
 public:
  struct Part {
    DType format = DType::kF32;
    int64_t first_row = 0, rows = 0;
    size_t row_bytes = 0, expert_bytes = 0;
    DeviceBlock block;
  };
  DeviceWeight(const std::shared_ptr<Device>& device, const WeightDesc& desc, bool as_f32);
  // One part of floats whose values are whatever the memory holds, to measure with.
  DeviceWeight(const std::shared_ptr<Device>& device, DType format, int64_t rows, int64_t cols);
  int64_t rows() const override { return rows_; }
  int64_t cols() const override { return cols_; }
  int64_t experts() const override { return experts_; }
  size_t size_bytes() const override;
  const std::vector<Part>& parts() const { return parts_; }
  bool meets_floats() const { return meets_floats_; }  // the role kManyRows: activations stay float32

 private:
  int64_t rows_ = 0, cols_ = 0, experts_ = 1;
  bool meets_floats_ = false;
  std::vector<Part> parts_;
};

// Pages in the canonical layout. Throws as HostPages does; kUnsupported where values of four bytes would lie between their
// multiples.
class DevicePages final : public KvPages {
 public:
  DevicePages(const std::shared_ptr<Device>& device, const PageGroupSpec& spec);
  const PageGroupSpec& spec() const override { return spec_; }
  size_t size_bytes() const override { return block_.size(); }
  size_t page_bytes() const { return page_bytes_; }
  size_t k_slot_bytes() const { return k_slot_bytes_; }
  size_t v_slot_bytes() const { return v_slot_bytes_; }
  uint8_t* Layer(int32_t layer) const { return block_.data() + static_cast<size_t>(layer) * layer_bytes_; }
  uint8_t* Page(int64_t page, size_t bytes) const;  // checked

 private:
  PageGroupSpec spec_;
  size_t k_slot_bytes_ = 0, v_slot_bytes_ = 0, layer_bytes_ = 0, page_bytes_ = 0;
  DeviceBlock block_;
};

// PageValues of a format that pages can have (backend/page_format.h).
int PageFormat(DType format);
// The index of a weight's format in KernelTable::floats or blocks; -1 where it is of the other kind.
int FloatFormat(DType format);
int BlockFormat(DType format);

}  // namespace scout::gpu
