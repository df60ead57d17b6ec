// A driver over the emulator: streams that run as late as they may, device memory between guards, and faults of kernels as errors
// of the stream. Devices "simt32" and "simt64" are the gpu backend on it.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "device_memory.h"
#include "gpu/device.h"
#include "machine.h"

namespace scout::simt {

const gpu::KernelTable& KernelsOfWidth(int warp);  // 32 or 64

class SimtDriver final : public gpu::Driver {
 public:
  SimtDriver(int warp, const Schedule& schedule, size_t memory_bytes);
  ~SimtDriver() override;

  const gpu::KernelTable& Kernels() const override { return KernelsOfWidth(warp_); }
  gpu::DriverStatus Facts(gpu::DeviceFacts& out) override;
  gpu::DriverStatus Allocate(size_t bytes, void** out) override;
  void Free(void* block) override;
  gpu::DriverStatus AllocateStaging(size_t bytes, void** out) override;
  void FreeStaging(void* block) override;
  gpu::DriverStatus MakeStream(gpu::Stream* out) override;
  void FreeStream(gpu::Stream stream) override;
  gpu::DriverStatus CopyIn(gpu::Stream stream, void* to, const void* from, size_t bytes) override;
  gpu::DriverStatus CopyOut(gpu::Stream stream, void* to, const void* from, size_t bytes) override;
  gpu::DriverStatus CopyWithin(gpu::Stream stream, void* to, const void* from, size_t bytes) override;
  gpu::DriverStatus Launch(gpu::Stream stream, const gpu::KernelLaunch& launch) override;
  gpu::DriverStatus Synchronize(gpu::Stream stream) override;
  gpu::DriverStatus MakeGraph(std::span<const gpu::KernelLaunch> launches, gpu::Graph* out) override;
  gpu::DriverStatus UpdateGraph(gpu::Graph graph, size_t at, const gpu::KernelLaunch& launch) override;
  gpu::DriverStatus LaunchGraph(gpu::Stream stream, gpu::Graph graph) override;
  void FreeGraph(gpu::Graph graph) override;
  gpu::OpenedLibrary OpenLibrary() override { return library_ ? library_(*this) : gpu::OpenedLibrary{}; }

  // What the device has of a library, before it is used.
  void GiveLibrary(std::function<gpu::OpenedLibrary(SimtDriver&)> library) { library_ = std::move(library); }
  // Work of the host's in its turn, as a library's kernels would be.
  void Enqueue(gpu::Stream stream, std::function<void()> work);
  const DeviceMemory& memory() const { return memory_; }

  // What has not run yet never will: the device is gone.
  void DropWork();

  uint64_t launches() const { return launches_; }        // kernels that have run
  uint64_t begun_early() const { return begun_early_; }  // of them, before the one before them had ended
  // What has been launched since this was last asked, by name.
  std::vector<std::string> TakeNames();
  // How they were handed over.
  struct Calls {
    uint64_t launches = 0, graphs_made = 0, graph_updates = 0, graph_launches = 0;
  };
  const Calls& calls() const { return calls_; }
  size_t graphs() const { return graphs_.size(); }  // that live
  size_t used_bytes() const { return memory_.used_bytes(); }

 private:
  // A launch with its arguments, or a copy.
  struct Node {
    gpu::KernelLaunch launch;
    std::vector<uint64_t> arguments;  // aligned as the struct is: it holds pointers
  };
  struct Work {
    std::function<void()> copy;
    Node node;
    std::unique_ptr<Machine> machine;  // where it has begun before its turn
  };
  struct Queue {
    std::vector<Work> work;
    gpu::DriverStatus status;  // of work that nobody has waited for yet
  };
  static Node NodeOf(const gpu::KernelLaunch& launch);
  simt::Launch LaunchOf(const Node& node) const;
  void Run(Work& work);
  void BeginSome(std::vector<Work>& work, size_t after);
  gpu::DriverStatus Copy(gpu::Stream stream, void* to, const void* from, size_t bytes);
  void Drain(Queue& queue);

  const int warp_;
  Schedule schedule_;
  std::recursive_mutex mutex_;
  DeviceMemory memory_;
  std::vector<std::unique_ptr<Queue>> queues_;
  Machine machine_;
  std::vector<std::unique_ptr<std::string>> faults_;  // texts of statuses live for ever
  std::vector<std::unique_ptr<std::vector<Node>>> graphs_;
  std::vector<std::unique_ptr<Machine>> idle_;  // for launches that begin early
  uint64_t launches_ = 0, begun_early_ = 0;
  std::vector<std::string> names_;
  Calls calls_;
  std::function<gpu::OpenedLibrary(SimtDriver&)> library_;
};

// Shared between all backends of a width, so that weights may be too.
std::shared_ptr<gpu::Device> SimtDevice(int warp, const Schedule& schedule = {}, size_t memory_bytes = size_t{4} << 30);

}  // namespace scout::simt
