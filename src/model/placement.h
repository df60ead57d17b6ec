// Where the units of a model lie: the grammar of the `placement` option, and what is chosen where the caller says nothing.
//
//   placement := item { ";" item }         later items win over earlier ones
//   item      := unit "=" device           the device as in the `device` option: "cpu", "cuda", "cuda:1"
//   unit      := "all" | "embedding" | "head" | "vision"
//              | "layers" [range]          attention, feed and experts of these layers, of all without a range
//              | "attention" [range]       with keys and values
//              | "feed" [range]            the dense block, or the router and the shared expert
//              | "experts" ["[" range "]"] [range]    routed experts of these layers; in brackets, which of each layer
//   range     := number | number "-" number          from 0, both ends belong to it
//
// "experts=cpu", "layers 0-11=cuda:0; layers 12-47=cuda:1; head=cuda:1", "experts=cpu; experts[0-3]=cuda". What no item names lies
// on the first device of the `device` option.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/placed_backend.h"
#include "model/config.h"
#include "model/runner.h"
#include "model/weights.h"

namespace scout::model {

// "cuda:0, cuda:1" -> their names; "" -> {""}, the default device. Throws kArgument for an empty name or one that is there twice.
std::vector<std::string> SplitDevices(std::string_view list);

// Everything on instance `owner`.
Placement PlaceAll(const Config& config, int owner);

// `devices` grows by those that only the text names. Throws kArgument naming the item, the value and what exists.
Placement ParsePlacement(std::string_view text, const Config& config, std::vector<std::string>& devices);
// In the same grammar, complete.
std::string PlacementText(const Placement& placement, std::span<const std::string> devices, bool vision);

// Bytes of weights by unit.
struct UnitBytes {
  struct Layer {
    uint64_t attention = 0, feed = 0, experts = 0;
  };
  uint64_t embedding = 0, head = 0, vision = 0;
  std::vector<Layer> layer;
};
UnitBytes BytesOfUnits(const WeightPlan& plan, const Config& config);

// What a device has to hold.
struct DeviceNeed {
  uint64_t weights = 0, kv = 0, workspace = 0;
  uint64_t total() const { return weights + kv + workspace; }
};
// By instance, with one runner of these options; `vision_workspace` is that of a tower, 0 without one.
std::vector<DeviceNeed> NeedsOf(const Placement& placement, int devices, const Config& config, const UnitBytes& units,
                                const RunnerOptions& runner, uint64_t vision_workspace);

// What a device has left, as far as placing is concerned.
struct DeviceRoom {
  uint64_t left_bytes = 0;
  bool own_memory = false;  // a device of its own, not the host
};
// Layers in their order over the devices that have memory of their own (or over all, where none has), in proportion to what is left
// there. Where a device has too little for its part, the routed experts of as many layers as needed, from the last one on, go to
// `host`, the index of a device in the host's memory, and an eighth of the device stays free for longer contexts; -1: they stay.
Placement DefaultPlacement(const Config& config, const UnitBytes& units, std::span<const DeviceRoom> rooms, int host,
                           const RunnerOptions& runner, uint64_t vision_workspace);

}  // namespace scout::model
