#include "simt_driver.h"

#include <algorithm>
#include <cstring>

namespace scout::gpu {
const KernelTable& Simt32Kernels();
const KernelTable& Simt64Kernels();
}  // namespace scout::gpu

namespace scout::simt {

const gpu::KernelTable& KernelsOfWidth(int warp) { return warp == 32 ? gpu::Simt32Kernels() : gpu::Simt64Kernels(); }

SimtDriver::SimtDriver(int warp, const Schedule& schedule, size_t memory_bytes)
    : warp_(warp), schedule_(schedule), memory_(memory_bytes) {}
SimtDriver::~SimtDriver() = default;

gpu::DriverStatus SimtDriver::Facts(gpu::DeviceFacts& out) {
  const std::lock_guard lock(mutex_);
  out.name = "simt" + std::to_string(warp_);
  out.description = "an emulated device with warps of " + std::to_string(warp_);
  out.memory_total_bytes = memory_.limit_bytes();
  out.memory_free_bytes = memory_.limit_bytes() - memory_.used_bytes();
  return {};
}

gpu::DriverStatus SimtDriver::Allocate(size_t bytes, void** out) {
  const std::lock_guard lock(mutex_);
  *out = memory_.Allocate(bytes);
  if (!*out) return {2, "out of memory", true};
  return {};
}
// As with the real ones, what is running is done first.
void SimtDriver::Free(void* block) {
  const std::lock_guard lock(mutex_);
  for (const auto& queue : queues_) static_cast<void>(Drain(*queue));
  memory_.Free(static_cast<std::byte*>(block));
}
gpu::DriverStatus SimtDriver::AllocateStaging(size_t bytes, void** out) {
  *out = new std::byte[bytes];
  return {};
}
void SimtDriver::FreeStaging(void* block) {
  const std::lock_guard lock(mutex_);
  for (const auto& queue : queues_) static_cast<void>(Drain(*queue));
  delete[] static_cast<std::byte*>(block);
}

gpu::DriverStatus SimtDriver::MakeStream(gpu::Stream* out) {
  const std::lock_guard lock(mutex_);
  queues_.push_back(std::make_unique<Queue>());
  *out = queues_.back().get();
  return {};
}
void SimtDriver::FreeStream(gpu::Stream stream) {
  const std::lock_guard lock(mutex_);
  static_cast<void>(Drain(*static_cast<Queue*>(stream)));
  std::erase_if(queues_, [&](const auto& queue) { return queue.get() == stream; });
}

gpu::DriverStatus SimtDriver::Copy(gpu::Stream stream, void* to, const void* from, size_t bytes) {
  const std::lock_guard lock(mutex_);
  static_cast<Queue*>(stream)->work.emplace_back([=] { std::memcpy(to, from, bytes); });
  return {};
}
gpu::DriverStatus SimtDriver::CopyIn(gpu::Stream stream, void* to, const void* from, size_t bytes) {
  return Copy(stream, to, from, bytes);
}
gpu::DriverStatus SimtDriver::CopyOut(gpu::Stream stream, void* to, const void* from, size_t bytes) {
  return Copy(stream, to, from, bytes);
}
gpu::DriverStatus SimtDriver::CopyWithin(gpu::Stream stream, void* to, const void* from, size_t bytes) {
  return Copy(stream, to, from, bytes);
}

gpu::DriverStatus SimtDriver::Launch(gpu::Stream stream, const void* kernel, gpu::Grid grid, unsigned threads, size_t shared_bytes,
                                     const void* arguments, size_t argument_bytes) {
  const std::lock_guard lock(mutex_);
  // Aligned as the struct is: the arguments hold pointers.
  std::vector<uint64_t> copy((argument_bytes + 7) / 8);
  std::memcpy(copy.data(), arguments, argument_bytes);
  static_cast<Queue*>(stream)->work.emplace_back([this, kernel, grid, threads, shared_bytes, copy = std::move(copy)] {
    simt::Launch launch;
    launch.grid[0] = grid.x;
    launch.grid[1] = grid.y;
    launch.threads = threads;
    launch.shared_bytes = shared_bytes;
    launch.warp = warp_;
    launch.run = reinterpret_cast<void (*)(const void*)>(const_cast<void*>(kernel));
    launch.arguments = copy.data();
    ++schedule_.seed;
    ++launches_;
    machine_.Run(launch, schedule_);
    memory_.CheckGuards();
  });
  return {};
}

void SimtDriver::DropWork() {
  const std::lock_guard lock(mutex_);
  for (const auto& queue : queues_) queue->work.clear();
}

gpu::DriverStatus SimtDriver::Drain(Queue& queue) {
  std::vector<Work> work = std::move(queue.work);
  queue.work.clear();
  try {
    for (const Work& piece : work) piece();
  } catch (const Fault& fault) {
    faults_.push_back(std::make_unique<std::string>(fault.what()));
    return {700, faults_.back()->c_str(), false};
  }
  return {};
}
gpu::DriverStatus SimtDriver::Synchronize(gpu::Stream stream) {
  const std::lock_guard lock(mutex_);
  return Drain(*static_cast<Queue*>(stream));
}

std::shared_ptr<gpu::Device> SimtDevice(int warp, const Schedule& schedule, size_t memory_bytes) {
  return std::make_shared<gpu::Device>(std::make_shared<SimtDriver>(warp, schedule, memory_bytes));
}

}  // namespace scout::simt
