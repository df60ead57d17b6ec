// What the backend asks of a device's driver, as a table of functions: CUDA's, HIP's, the emulator's, or one of a test that fails
// on purpose. No call throws. Copies and launches of one stream happen in order and may happen any time until Synchronize returns:
// what a copy reads from the host must stay as it is until then.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "gpu/kernel_table.h"

namespace scout::gpu {

// 0 is success; otherwise the driver's own number and words, which live for ever.
struct DriverStatus {
  int code = 0;
  const char* text = "";
  bool no_memory = false;
  bool lost = false;  // nothing works on this device any more until it is opened again, if then
  bool ok() const { return code == 0; }
};

struct DeviceFacts {
  std::string name;         // of the kind, as in the `device` option: "cuda"
  std::string description;  // "NVIDIA H200, architecture 9.0"
  uint64_t memory_total_bytes = 0, memory_free_bytes = 0;
};

struct Grid {
  unsigned x = 1, y = 1;
};

using Stream = void*;

// `what` is for messages.
struct KernelLaunch {
  const char* what = "";
  const void* kernel = nullptr;
  Grid grid;
  unsigned threads = 0;
  size_t shared_bytes = 0;
  const void* arguments = nullptr;
  size_t argument_bytes = 0;
  // Where a device has it: begins when the launch before it lets it (StartNext), and waits by itself (WaitForEarlier).
  bool early = false;
};
// Launches, one after the other, that are handed over by one call.
using Graph = void*;

// out[n, o] = or += W[o] . x[n] over halves, with sums and results in float32.
struct HalfProduct {
  bool bf16 = false;  // or F16
  int64_t outputs = 0, rows = 0, k = 0;
  const void* weight = nullptr;  // [outputs, k]
  const void* x = nullptr;       // [rows, k]
  float* out = nullptr;          // [rows, outputs], rows at multiples of out_cols
  int64_t out_cols = 0;
  bool add = false;
};
struct LibraryStatus {
  const char* call = "";  // that failed; lives for ever
  DriverStatus status;
  bool refused = false;  // nothing is wrong but that it has no way to multiply this shape
  bool ok() const { return status.ok(); }
};
// A vendor's library of matrix products, opened for one device. Used by one thread at a time; no call throws.
class Library {
 public:
  virtual ~Library() = default;  // once its products are done
  // Begins a product. The workspace is the stream's alone, aligned to 256 bytes.
  virtual LibraryStatus Multiply(Stream stream, const HalfProduct& product, void* workspace, size_t workspace_bytes) = 0;
};
// How it is raced against own kernels (library_products.h).
struct RacePlan {
  int64_t outputs = 5120, k = 5120;
  int64_t rows[2] = {128, 1024};
  int rounds = 3, products = 4;     // of each; a round waits once
  std::function<double()> seconds;  // the clock; null: the host's
};
struct OpenedLibrary {
  std::unique_ptr<Library> library;  // or null, and
  std::string why;                   // a sentence about it, or nothing where there never is one
  std::string name;                  // "cuBLASLt 13.0"
  RacePlan race;
};

class Driver {
 public:
  virtual ~Driver() = default;
  virtual const KernelTable& Kernels() const = 0;
  virtual DriverStatus Facts(DeviceFacts& out) = 0;

  virtual DriverStatus Allocate(size_t bytes, void** out) = 0;  // of the device, aligned to 256 bytes
  virtual void Free(void* block) = 0;
  virtual DriverStatus AllocateStaging(size_t bytes, void** out) = 0;  // of the host, fast to copy from
  virtual void FreeStaging(void* block) = 0;

  virtual DriverStatus MakeStream(Stream* out) = 0;
  virtual void FreeStream(Stream stream) = 0;  // once what it holds is done
  virtual DriverStatus CopyIn(Stream stream, void* to, const void* from, size_t bytes) = 0;
  virtual DriverStatus CopyOut(Stream stream, void* to, const void* from, size_t bytes) = 0;
  virtual DriverStatus CopyWithin(Stream stream, void* to, const void* from, size_t bytes) = 0;
  virtual DriverStatus Launch(Stream stream, const KernelLaunch& launch) = 0;  // arguments are copied before the call returns
  virtual DriverStatus Synchronize(Stream stream) = 0;

  // Arguments are copied, as by Launch. What has been launched of a graph does not see later updates.
  virtual DriverStatus MakeGraph(std::span<const KernelLaunch> launches, Graph* out) = 0;
  virtual DriverStatus UpdateGraph(Graph graph, size_t at, const KernelLaunch& launch) = 0;  // of the same kernel
  virtual DriverStatus LaunchGraph(Stream stream, Graph graph) = 0;
  virtual void FreeGraph(Graph graph) = 0;  // which no stream still runs

  virtual OpenedLibrary OpenLibrary() { return {}; }
};

}  // namespace scout::gpu
