// The launches of a small step, held back until its results are wanted: a sequence of kernels that has been seen before is handed
// over as one graph, so that a step of decoding costs one call of the driver and an update for each launch that has changed.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "gpu/device.h"

namespace scout::gpu {

class LaunchList {
 public:
  static constexpr size_t kMostGraphs = 16;  // of sequences; sizes of batch share one where they have the same kernels

  explicit LaunchList(std::shared_ptr<Device> device) : device_(std::move(device)) {}
  ~LaunchList();
  LaunchList(const LaunchList&) = delete;
  LaunchList& operator=(const LaunchList&) = delete;

  bool empty() const { return held_.launches.empty(); }
  void Add(const KernelLaunch& launch);  // copies the arguments
  // Hands all over to a stream. A graph that the driver refuses is no error: its launches go one by one, now and later.
  void Flush(Stream stream);
  void Drop() { held_.Clear(); }

 private:
  // Launches with their arguments, which lie in `words` at `at`.
  struct Launches {
    std::vector<KernelLaunch> launches;
    std::vector<size_t> at;
    std::vector<uint64_t> words;
    void Clear();
    KernelLaunch Of(size_t i) const;
    bool SameKernels(const Launches& other) const;
    bool Same(size_t i, const Launches& other) const;
  };
  struct Known {
    Launches launches;  // as the graph has them
    Graph graph = nullptr;
    bool refused = false;
    uint64_t used = 0;
  };
  Known* Find();
  bool LaunchAsGraph(Stream stream, Known& known);
  void Forget(Known& known);

  const std::shared_ptr<Device> device_;
  Launches held_;
  std::vector<Known> known_;
  uint64_t flushes_ = 0;
};

}  // namespace scout::gpu
