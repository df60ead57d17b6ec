// What a plug-in brings to the gpu backend: its name, and its driver when there is a device.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gpu/device.h"

namespace scout::gpu {

extern const char* const kPluginDevice;

// How many devices the driver finds. Throws Error with a sentence: no driver, one that is too old, no device.
int CountDevices();
// The driver of device `index`. Throws Error with a sentence: as above, no such device, an architecture that was not built.
std::shared_ptr<Driver> OpenDriver(int index);
// What messages call it: "cuda", "cuda:1".
inline std::string NameOfDevice(int index) {
  return index == 0 ? std::string(kPluginDevice) : std::string(kPluginDevice) + ":" + std::to_string(index);
}
// The device of a vendor's call is the calling thread's, which the host may have set for itself. `Vendor` has
// `static int Device()`, -1 where there is none, and `static void SetDevice(int)`.
template <typename Vendor>
class HereOn {
 public:
  explicit HereOn(int index) : before_(Vendor::Device()) {
    changed_ = before_ != index;
    if (changed_) Vendor::SetDevice(index);
  }
  ~HereOn() {
    if (changed_ && before_ >= 0) Vendor::SetDevice(before_);
  }
  HereOn(const HereOn&) = delete;
  HereOn& operator=(const HereOn&) = delete;

 private:
  const int before_;
  bool changed_ = false;
};

// A chain of kernel nodes; the nodes name what is updated in what was made of them. `Vendor` has the types, and Free for either.
template <typename Vendor>
struct OwnedGraph {
  typename Vendor::Graph graph = nullptr;
  typename Vendor::MadeGraph made = nullptr;
  std::vector<typename Vendor::Node> nodes;
  OwnedGraph() = default;
  OwnedGraph(const OwnedGraph&) = delete;
  OwnedGraph& operator=(const OwnedGraph&) = delete;
  ~OwnedGraph() {
    if (made) Vendor::Free(made);
    if (graph) Vendor::Free(graph);
  }
};

// Throws kDevice where there are not so many.
inline void CheckIndex(int index, int count) {
  if (index >= count)
    Fail(ErrorCode::kDevice, "device ", NameOfDevice(index), ": the driver finds ", count, count == 1 ? " device" : " devices",
         ", numbered from 0");
}

}  // namespace scout::gpu
