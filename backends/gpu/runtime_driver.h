// The driver table over a vendor's runtime: CUDA's and HIP's, which have the same calls under other names. `Vendor` has them:
//   types       Error Stream Graph MadeGraph Node NodeParameters
//   constants   kSuccess kOutOfMemory kLosses (after which every later call of the process fails as well)
//   calls       GetDevice SetDevice LastError ErrorText MemoryInfo Malloc Free MallocHost FreeHost MakeStream FreeStream CopyIn
//               CopyOut CopyWithin Synchronize CreateGraph AddNode AddEdge Instantiate FreeGraph FreeMadeGraph UpdateNode
//               LaunchGraph
//   Describe(index, out)          the device and its architecture
//   AllowShared(kernel, bytes)    before a launch with so much shared memory
//   Launch(stream, launch, pointers, early)
//   OpenLibrary(index)
//   Kernels()
#pragma once

#include <algorithm>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "gpu/plugin_device.h"

namespace scout::gpu {

template <typename Vendor>
DriverStatus StatusOf(typename Vendor::Error error) {
  if (error == Vendor::kSuccess) return {};
  const bool lost = std::find(std::begin(Vendor::kLosses), std::end(Vendor::kLosses), error) != std::end(Vendor::kLosses);
  return {static_cast<int>(error), Vendor::ErrorText(error), error == Vendor::kOutOfMemory, lost};
}

// The device of a vendor's call is the calling thread's, which the host may have set for itself.
template <typename Vendor>
class HereOn {
 public:
  explicit HereOn(int index) {
    if (Vendor::GetDevice(&before_) != Vendor::kSuccess) before_ = -1;
    changed_ = before_ != index;
    if (changed_) static_cast<void>(Vendor::SetDevice(index));
  }
  ~HereOn() {
    if (changed_ && before_ >= 0) static_cast<void>(Vendor::SetDevice(before_));
  }
  HereOn(const HereOn&) = delete;
  HereOn& operator=(const HereOn&) = delete;

 private:
  int before_ = -1;
  bool changed_ = false;
};

template <typename Vendor>
class RuntimeDriver final : public Driver {
 public:
  // `starts_early`: the device has launches that begin before the one before them has ended.
  RuntimeDriver(int index, bool starts_early) : index_(index), starts_early_(starts_early) {}
  const KernelTable& Kernels() const override { return Vendor::Kernels(); }
  DriverStatus Facts(DeviceFacts& out) override {
    const Here here(index_);
    DeviceFacts facts;
    facts.name = NameOfDevice(index_);
    if (const Error error = Vendor::Describe(index_, facts.description)) return StatusOf<Vendor>(error);
    size_t free_bytes = 0, total_bytes = 0;
    if (const Error error = Vendor::MemoryInfo(&free_bytes, &total_bytes)) return StatusOf<Vendor>(error);
    facts.memory_total_bytes = total_bytes;
    facts.memory_free_bytes = free_bytes;
    out = facts;
    return {};
  }

  DriverStatus Allocate(size_t bytes, void** out) override {
    const Here here(index_);
    return Cleared(Vendor::Malloc(out, bytes));
  }
  void Free(void* block) override {
    const Here here(index_);
    static_cast<void>(Vendor::Free(block));
  }
  DriverStatus AllocateStaging(size_t bytes, void** out) override {
    const Here here(index_);
    return Cleared(Vendor::MallocHost(out, bytes));
  }
  void FreeStaging(void* block) override {
    const Here here(index_);
    static_cast<void>(Vendor::FreeHost(block));
  }

  DriverStatus MakeStream(Stream* out) override {
    const Here here(index_);
    typename Vendor::Stream stream = nullptr;
    const Error error = Vendor::MakeStream(&stream);
    *out = stream;
    return StatusOf<Vendor>(error);
  }
  void FreeStream(Stream stream) override {
    const Here here(index_);
    static_cast<void>(Vendor::FreeStream(Of(stream)));
  }
  DriverStatus CopyIn(Stream stream, void* to, const void* from, size_t bytes) override {
    const Here here(index_);
    return StatusOf<Vendor>(Vendor::CopyIn(to, from, bytes, Of(stream)));
  }
  DriverStatus CopyOut(Stream stream, void* to, const void* from, size_t bytes) override {
    const Here here(index_);
    return StatusOf<Vendor>(Vendor::CopyOut(to, from, bytes, Of(stream)));
  }
  DriverStatus CopyWithin(Stream stream, void* to, const void* from, size_t bytes) override {
    const Here here(index_);
    return StatusOf<Vendor>(Vendor::CopyWithin(to, from, bytes, Of(stream)));
  }
  DriverStatus Launch(Stream stream, const KernelLaunch& launch) override {
    const Here here(index_);
    if (const Error error = Vendor::AllowShared(launch.kernel, launch.shared_bytes)) return Cleared(error);
    void* pointers[] = {const_cast<void*>(launch.arguments)};
    return Cleared(Vendor::Launch(Of(stream), launch, pointers, launch.early && starts_early_));
  }
  DriverStatus Synchronize(Stream stream) override {
    const Here here(index_);
    return StatusOf<Vendor>(Vendor::Synchronize(Of(stream)));
  }

  DriverStatus MakeGraph(std::span<const KernelLaunch> launches, Graph* out) override {
    const Here here(index_);
    auto graph = std::make_unique<Chain>();
    Error error = Make(launches, starts_early_, *graph);
    if (error != Vendor::kSuccess && starts_early_) {  // a driver that refuses early launches inside a graph may take it without
      graph = std::make_unique<Chain>();
      static_cast<void>(Vendor::LastError());
      error = Make(launches, false, *graph);
    }
    if (error == Vendor::kSuccess) *out = graph.release();
    return Cleared(error);
  }
  DriverStatus UpdateGraph(Graph graph, size_t at, const KernelLaunch& launch) override {
    const Here here(index_);
    auto* const known = static_cast<Chain*>(graph);
    void* pointers[] = {const_cast<void*>(launch.arguments)};
    const auto parameters = Parameters(launch, pointers);
    if (const Error error = Vendor::AllowShared(launch.kernel, launch.shared_bytes)) return Cleared(error);
    return Cleared(Vendor::UpdateNode(known->made, known->nodes[at], &parameters));
  }
  DriverStatus LaunchGraph(Stream stream, Graph graph) override {
    const Here here(index_);
    return Cleared(Vendor::LaunchGraph(static_cast<Chain*>(graph)->made, Of(stream)));
  }
  void FreeGraph(Graph graph) override {
    const Here here(index_);
    delete static_cast<Chain*>(graph);
  }
  OpenedLibrary OpenLibrary() override { return Vendor::OpenLibrary(index_); }

 private:
  using Here = HereOn<Vendor>;
  using Error = typename Vendor::Error;

  // A chain of kernel nodes; the nodes name what is updated in what was made of them.
  struct Chain {
    typename Vendor::Graph graph = nullptr;
    typename Vendor::MadeGraph made = nullptr;
    std::vector<typename Vendor::Node> nodes;
    Chain() = default;
    Chain(const Chain&) = delete;
    Chain& operator=(const Chain&) = delete;
    ~Chain() {
      if (made) static_cast<void>(Vendor::FreeMadeGraph(made));
      if (graph) static_cast<void>(Vendor::FreeGraph(graph));
    }
  };

  static typename Vendor::Stream Of(Stream stream) { return static_cast<typename Vendor::Stream>(stream); }
  static typename Vendor::NodeParameters Parameters(const KernelLaunch& launch, void** pointers) {
    typename Vendor::NodeParameters out = {};
    out.func = const_cast<void*>(launch.kernel);
    out.gridDim = {launch.grid.x, launch.grid.y, 1};
    out.blockDim = {launch.threads, 1, 1};
    out.sharedMemBytes = static_cast<unsigned>(launch.shared_bytes);
    out.kernelParams = pointers;
    return out;
  }
  static Error Make(std::span<const KernelLaunch> launches, bool early, Chain& chain) {
    Error error = Vendor::CreateGraph(&chain.graph, 0);
    for (const KernelLaunch& launch : launches) {
      if (error == Vendor::kSuccess) error = Vendor::AllowShared(launch.kernel, launch.shared_bytes);
      if (error != Vendor::kSuccess) break;
      typename Vendor::Node node = nullptr;
      void* pointers[] = {const_cast<void*>(launch.arguments)};
      const auto parameters = Parameters(launch, pointers);
      error = Vendor::AddNode(&node, chain.graph, nullptr, 0, &parameters);
      if (error == Vendor::kSuccess && !chain.nodes.empty())
        error = Vendor::AddEdge(chain.graph, chain.nodes.back(), node, early && launch.early);
      chain.nodes.push_back(node);
    }
    if (error == Vendor::kSuccess) error = Vendor::Instantiate(&chain.made, chain.graph, 0);
    return error;
  }
  // A refusal that has been told is not to be found again by the next call.
  static DriverStatus Cleared(Error error) {
    if (error != Vendor::kSuccess) static_cast<void>(Vendor::LastError());
    return StatusOf<Vendor>(error);
  }

  const int index_;
  const bool starts_early_;
};

}  // namespace scout::gpu
