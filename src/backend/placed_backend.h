// A model over several devices: a backend that is made of backends and runs each operation where its weight lies.
//
// What moves between them moves when it is needed: a buffer of activations has a part on every instance that computes with it and
// knows which parts hold the valid bytes of which range (placed_buffer.h). Pages lie with their layer's attention, and look like
// one page in the canonical layout. Where routed experts lie elsewhere than the rest of their layer, both sides work at once:
// devices that run asynchronously are given their work first, the others compute in the calling thread meanwhile. Every sum has the
// order that `ref` defines, so that instances that agree bit for bit give the same bits in every placement.
//
// No allocation after warm-up. The first error of any instance is a step's error, and all of them end the step.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "backend/backend.h"

namespace scout {

// Which instance each unit of a model lies on, by index.
struct Placement {
  struct ExpertRange {
    int32_t first = 0, last = 0;  // [first, last)
    int owner = 0;
    bool operator==(const ExpertRange&) const = default;
  };
  struct Layer {
    int attention = 0;
    int feed = 0;
    std::vector<ExpertRange> experts;  // ascending, without gaps, neighbours differ in their owner; empty in a dense layer
    bool operator==(const Layer&) const = default;
  };
  int embedding = 0;
  int head = 0;
  int vision = 0;
  std::vector<Layer> layer;
  bool operator==(const Placement&) const = default;

  // The one instance that everything lies on, where there is one.
  std::optional<int> Only() const;
  // Bit i: instance i computes with activations of the text model (more than routed experts).
  uint32_t Hosts() const;
  // Bit i: instance i has something to do for the text model.
  uint32_t Workers() const;
};

constexpr int kMaxInstances = 16;

enum class PlacedUse {
  kText,    // weights, and steps of the text model
  kVision,  // steps of the vision tower, on the instance that it lies on
};

// `instances` are those of the placement; null where one is not needed. Weights and features that one such backend has made serve
// every other one over instances of the same devices in the same order.
std::unique_ptr<Backend> MakePlacedBackend(std::vector<std::unique_ptr<Backend>> instances,
                                           std::shared_ptr<const Placement> placement, PlacedUse use = PlacedUse::kText);

// Instance `instance` of a placed backend, which must be there; any other backend itself.
const Backend& InstanceOf(const Backend& backend, int instance);

// Bytes of a weight that lie on instance `instance`. One that no placed backend has made lies on instance 0.
uint64_t BytesOn(const Weight& weight, int instance);

}  // namespace scout
