#include "model/device_set.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "base/memory_info.h"

namespace scout::model {

MemoryLeft AskMemoryLeft(const Backend& backend) {
  const DeviceInfo device = backend.Info();
  const MemoryInfo host = ReadMemoryInfo();
  // A device with memory of its own speaks for itself; one that works in ours says the same as the host.
  if (device.memory_total_bytes != host.total_bytes && device.memory_total_bytes > 0)
    return {device.memory_free_bytes, StrCat("the device \"", device.name, "\""), true};
  if (host.total_bytes == 0) return {UINT64_MAX, "an unknown amount of memory", false};
  return {host.left_bytes, host.limited_by, false};
}

DeviceSet::DeviceSet(const std::string& list, const BackendOptions& options) : options_(options) {
  for (const std::string& name : SplitDevices(list)) Open(name);
}

void DeviceSet::Open(const std::string& name) {
  instances_.push_back(MakeBackend(name, options_));
  if (instances_.size() > names_.size()) names_.push_back(name.empty() ? "cpu" : name);
}

std::unique_ptr<Backend> DeviceSet::Place(std::string_view text, const Config& config, const UnitBytes& units,
                                          const RunnerOptions& smallest, bool vision, uint64_t vision_workspace) {
  Placement placement;
  if (!text.empty()) {
    placement = ParsePlacement(text, config, names_);
    while (instances_.size() < names_.size()) Open(names_[instances_.size()]);
  } else {
    std::vector<DeviceRoom> rooms;
    int host = -1;
    for (size_t i = 0; i < instances_.size(); ++i) {
      const MemoryLeft left = AskMemoryLeft(*instances_[i]);
      rooms.push_back({left.bytes, left.own});
      if (!left.own && host < 0) host = static_cast<int>(i);
    }
    const bool accelerated = std::any_of(rooms.begin(), rooms.end(), [](const DeviceRoom& room) { return room.own_memory; });
    const auto builtin = BuiltinBackends();
    const bool has_cpu = std::any_of(builtin.begin(), builtin.end(),
                                     [](const BackendFactory* factory) { return std::string_view(factory->name) == "cpu"; });
    const bool adds_host = accelerated && host < 0 && has_cpu && names_.size() < kMaxInstances;
    if (adds_host) {
      host = static_cast<int>(names_.size());
      rooms.push_back({});
    }
    placement = DefaultPlacement(config, units, rooms, host, smallest, vision_workspace);
    if (adds_host && (placement.Workers() >> host & 1)) Open("cpu");
  }
  if (!vision) placement.vision = placement.embedding;
  vision_ = vision;
  if (const std::optional<int> only = placement.Only()) {
    const auto at = static_cast<size_t>(*only);
    names_ = {names_[at]};
    return std::move(instances_[at]);
  }
  placement_ = std::make_shared<const Placement>(std::move(placement));
  for (size_t i = 0; i < instances_.size(); ++i)
    if ((used() >> i & 1) == 0) instances_[i].reset();
  Log(LogLevel::kInfo, "placement: ", Text(config));
  return MakePlacedBackend(std::move(instances_), placement_);
}

uint32_t DeviceSet::used() const { return placement_ ? placement_->Workers() | uint32_t{1} << placement_->vision : uint32_t{1}; }

std::string DeviceSet::Text(const Config& config) const {
  return PlacementText(placement_ ? *placement_ : PlaceAll(config, 0), names_, vision_);
}

std::vector<std::unique_ptr<Backend>> DeviceSet::MakeInstances(uint32_t wanted) const {
  std::vector<std::unique_ptr<Backend>> instances(names_.size());
  for (size_t i = 0; i < names_.size(); ++i)
    if (wanted >> i & 1) instances[i] = MakeBackend(names_[i], options_);
  return instances;
}

std::unique_ptr<Backend> DeviceSet::NewBackend(PlacedUse use) const {
  if (!placement_) return MakeBackend(names_.front(), options_);
  // The text model reads features where the tower has left them.
  return MakePlacedBackend(MakeInstances(use == PlacedUse::kVision ? uint32_t{1} << placement_->vision : used()), placement_, use);
}

void DeviceSet::CheckRoom(const char* what, const std::vector<DeviceNeed>& needs, const Backend& backend) const {
  DeviceNeed of_host;
  std::string host_names, host_source;
  uint64_t host_left = 0;
  const auto check = [&](const std::string& name, const DeviceNeed& need, uint64_t left, const std::string& source) {
    if (need.total() > left)
      Fail(ErrorCode::kNoMemory, what, " ", need.total(), " bytes on ", name, " (", need.weights, " of weights, ", need.kv,
           " for the context, ", need.workspace, " of workspace), but only ", left, " are left by ", source,
           ": place less there, or on more devices");
  };
  for (size_t i = 0; i < needs.size(); ++i) {
    if (needs[i].total() == 0) continue;
    const MemoryLeft left = AskMemoryLeft(InstanceOf(backend, static_cast<int>(i)));
    if (left.own) {
      check(names_[i], needs[i], left.bytes, left.source);
      continue;
    }
    of_host.weights += needs[i].weights;
    of_host.kv += needs[i].kv;
    of_host.workspace += needs[i].workspace;
    host_names += StrCat(host_names.empty() ? "" : " and ", names_[i]);
    host_left = left.bytes;
    host_source = left.source;
  }
  if (!host_names.empty()) check(host_names, of_host, host_left, host_source);
}

}  // namespace scout::model
