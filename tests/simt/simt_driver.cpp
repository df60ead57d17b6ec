#include "simt_driver.h"

#include <algorithm>
#include <cstring>
#include <utility>

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
  for (const auto& queue : queues_) Drain(*queue);
  memory_.Free(static_cast<std::byte*>(block));
}
gpu::DriverStatus SimtDriver::AllocateStaging(size_t bytes, void** out) {
  *out = new std::byte[bytes];
  return {};
}
void SimtDriver::FreeStaging(void* block) {
  const std::lock_guard lock(mutex_);
  for (const auto& queue : queues_) Drain(*queue);
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
  Drain(*static_cast<Queue*>(stream));
  std::erase_if(queues_, [&](const auto& queue) { return queue.get() == stream; });
}

void SimtDriver::Enqueue(gpu::Stream stream, std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  static_cast<Queue*>(stream)->work.push_back({std::move(work), {}, {}});
}
gpu::DriverStatus SimtDriver::Copy(gpu::Stream stream, void* to, const void* from, size_t bytes) {
  Enqueue(stream, [=] { std::memcpy(to, from, bytes); });
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

SimtDriver::Node SimtDriver::NodeOf(const gpu::KernelLaunch& launch) {
  Node node{launch, std::vector<uint64_t>((launch.argument_bytes + 7) / 8)};
  std::memcpy(node.arguments.data(), launch.arguments, launch.argument_bytes);
  return node;
}
simt::Launch SimtDriver::LaunchOf(const Node& node) const {
  simt::Launch launch;
  launch.grid[0] = node.launch.grid.x;
  launch.grid[1] = node.launch.grid.y;
  launch.threads = node.launch.threads;
  launch.shared_bytes = node.launch.shared_bytes;
  launch.warp = warp_;
  launch.run = reinterpret_cast<void (*)(const void*)>(const_cast<void*>(node.launch.kernel));
  launch.arguments = node.arguments.data();
  launch.early = node.launch.early;
  launch.memory = &memory_;
  return launch;
}
void SimtDriver::Run(Work& work) {
  if (work.copy) return work.copy();
  ++launches_;
  names_.emplace_back(work.node.launch.what);
  if (work.machine) {
    work.machine->Finish();
    idle_.push_back(std::move(work.machine));
  } else {
    ++schedule_.seed;
    machine_.Run(LaunchOf(work.node), schedule_);
  }
  memory_.CheckGuards();
}

// Launches that follow the running one without a gap, each of which may begin early, begin or do not, as chance has it: three deep,
// since those before a waiting one may let it begin before they themselves have ended.
void SimtDriver::BeginSome(std::vector<Work>& work, size_t after) {
  constexpr size_t kDepth = 3;
  for (size_t i = after + 1; i < work.size() && i <= after + kDepth && !work[i].copy && work[i].node.launch.early; ++i) {
    ++schedule_.seed;
    if (work[i].machine || (schedule_.seed * 0x9e3779b97f4a7c15ull >> 62) == 0) continue;
    if (idle_.empty()) idle_.push_back(std::make_unique<Machine>());
    work[i].machine = std::move(idle_.back());
    idle_.pop_back();
    ++begun_early_;
    work[i].machine->Begin(LaunchOf(work[i].node), schedule_);
  }
}

gpu::DriverStatus SimtDriver::Launch(gpu::Stream stream, const gpu::KernelLaunch& launch) {
  const std::lock_guard lock(mutex_);
  ++calls_.launches;
  static_cast<Queue*>(stream)->work.push_back({{}, NodeOf(launch), {}});
  return {};
}

gpu::DriverStatus SimtDriver::MakeGraph(std::span<const gpu::KernelLaunch> launches, gpu::Graph* out) {
  const std::lock_guard lock(mutex_);
  ++calls_.graphs_made;
  auto graph = std::make_unique<std::vector<Node>>();
  for (const gpu::KernelLaunch& launch : launches) graph->push_back(NodeOf(launch));
  *out = graph.get();
  graphs_.push_back(std::move(graph));
  return {};
}
gpu::DriverStatus SimtDriver::UpdateGraph(gpu::Graph graph, size_t at, const gpu::KernelLaunch& launch) {
  const std::lock_guard lock(mutex_);
  ++calls_.graph_updates;
  Node& node = static_cast<std::vector<Node>*>(graph)->at(at);
  if (node.launch.kernel != launch.kernel) return {1, "an update of a graph with another kernel"};
  node = NodeOf(launch);
  return {};
}
gpu::DriverStatus SimtDriver::LaunchGraph(gpu::Stream stream, gpu::Graph graph) {
  const std::lock_guard lock(mutex_);
  ++calls_.graph_launches;
  for (const Node& node : *static_cast<std::vector<Node>*>(graph)) static_cast<Queue*>(stream)->work.push_back({{}, node, {}});
  return {};
}
void SimtDriver::FreeGraph(gpu::Graph graph) {
  const std::lock_guard lock(mutex_);
  std::erase_if(graphs_, [&](const auto& known) { return known.get() == graph; });
}

std::vector<std::string> SimtDriver::TakeNames() {
  const std::lock_guard lock(mutex_);
  return std::exchange(names_, {});
}

void SimtDriver::DropWork() {
  const std::lock_guard lock(mutex_);
  for (const auto& queue : queues_) queue->work.clear();
}

void SimtDriver::Drain(Queue& queue) {
  std::vector<Work> work = std::move(queue.work);
  queue.work.clear();
  try {
    for (size_t i = 0; i < work.size(); ++i) {
      if (schedule_.random && !work[i].copy) BeginSome(work, i);
      Run(work[i]);
    }
  } catch (const Fault& fault) {
    faults_.push_back(std::make_unique<std::string>(fault.what()));
    if (queue.status.ok()) queue.status = {700, faults_.back()->c_str(), false};
  }
}
gpu::DriverStatus SimtDriver::Synchronize(gpu::Stream stream) {
  const std::lock_guard lock(mutex_);
  auto& queue = *static_cast<Queue*>(stream);
  Drain(queue);
  return std::exchange(queue.status, {});
}

std::shared_ptr<gpu::Device> SimtDevice(int warp, const Schedule& schedule, size_t memory_bytes) {
  return std::make_shared<gpu::Device>(std::make_shared<SimtDriver>(warp, schedule, memory_bytes));
}

}  // namespace scout::simt
