// The devices of a model and what lies on which: one as ever, or several with a placement.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/placed_backend.h"
#include "model/placement.h"

namespace scout::model {

// What may still be taken of some memory, and in whose name a refusal speaks.
struct MemoryLeft {
  uint64_t bytes = 0;
  std::string source;
  bool own = false;  // of a device that has memory of its own
};
MemoryLeft AskMemoryLeft(const Backend& backend);

class DeviceSet {
 public:
  // Opens the devices of a list as in the `device` option.
  DeviceSet(const std::string& list, const BackendOptions& options);

  // Decides, once units are known, and gives what prepares weights. `text` as in placement.h; "" = the default. `smallest` is the
  // least runner of the model.
  std::unique_ptr<Backend> Place(std::string_view text, const Config& config, const UnitBytes& units, const RunnerOptions& smallest,
                                 bool vision, uint64_t vision_workspace);
  // Before that: who says which formats are served.
  const Backend& first() const { return *instances_.front(); }

  // Another backend over the same devices, for a runner or a tower.
  std::unique_ptr<Backend> NewBackend(PlacedUse use) const;

  // Null where everything lies on one device.
  const Placement* placement() const { return placement_.get(); }
  const std::vector<std::string>& names() const { return names_; }
  // Bit i: device i holds something.
  uint32_t used() const;
  // In the grammar of placement.h.
  std::string Text(const Config& config) const;

  // Throws kNoMemory where needs, by device, exceed what is left: of a device's own memory, or of the host's for all devices that
  // work in it. `what` begins the sentence: "the model needs at least". `backend` is what Place gave.
  void CheckRoom(const char* what, const std::vector<DeviceNeed>& needs, const Backend& backend) const;

 private:
  void Open(const std::string& name);
  std::vector<std::unique_ptr<Backend>> MakeInstances(uint32_t wanted) const;

  BackendOptions options_;
  std::vector<std::string> names_;
  std::vector<std::unique_ptr<Backend>> instances_;  // until Place
  std::shared_ptr<const Placement> placement_;
  bool vision_ = false;
};

}  // namespace scout::model
