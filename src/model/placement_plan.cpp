// What a placement needs of each device, and the placement that is chosen where the caller says nothing.
#include <algorithm>
#include <optional>

#include "base/checked.h"
#include "base/error.h"
#include "model/memory_plan.h"
#include "model/placement.h"

namespace scout::model {
namespace {

uint64_t Share(uint64_t bytes, int64_t part, int64_t all) {
  return all == 0 ? 0 : bytes / static_cast<uint64_t>(all) * static_cast<uint64_t>(part);
}

// Room for experts that lie apart from their layer (placed_experts.cpp): rows, choices and what they give, by piece.
void AddExpertScratch(const Placement& placement, const Config& config, int64_t rows, std::vector<DeviceNeed>& needs) {
  const auto n = static_cast<uint64_t>(rows), d = static_cast<uint64_t>(config.embedding),
             k = static_cast<uint64_t>(config.experts_used), f = static_cast<uint64_t>(config.expert_hidden);
  const uint64_t share = n * (d + 2 * k + k * d) * 4;
  std::vector<uint64_t> most(needs.size());
  for (const Placement::Layer& layer : placement.layer) {
    if (layer.experts.empty() || (layer.experts.size() == 1 && layer.experts.front().owner == layer.feed)) continue;
    std::vector<uint64_t> of_layer(needs.size());
    for (const Placement::ExpertRange& range : layer.experts) of_layer[static_cast<size_t>(range.owner)] += share;
    of_layer[static_cast<size_t>(layer.feed)] += n * (2 * k * d + d + f) * 4;
    for (size_t i = 0; i < most.size(); ++i) most[i] = std::max(most[i], of_layer[i]);
  }
  for (size_t i = 0; i < most.size(); ++i) needs[i].workspace += most[i];
}

}  // namespace

UnitBytes BytesOfUnits(const WeightPlan& plan, const Config& config) {
  UnitBytes units;
  units.layer.resize(static_cast<size_t>(config.layers));
  for (const WeightJob& job : plan.jobs) {
    const ModelUnit unit = job.desc.unit;
    UnitBytes::Layer* const layer = unit.layer < 0 ? nullptr : &units.layer[static_cast<size_t>(unit.layer)];
    const auto of = [&]() -> uint64_t& {
      switch (unit.kind) {
        case UnitKind::kEmbedding:
          return units.embedding;
        case UnitKind::kAttention:
          return layer->attention;
        case UnitKind::kFeed:
          return layer->feed;
        case UnitKind::kExperts:
          return layer->experts;
        case UnitKind::kVision:
          return units.vision;
        case UnitKind::kHead:
        case UnitKind::kNone:
          break;
      }
      return units.head;
    };
    uint64_t& bytes = of();
    bytes = CheckedAdd(bytes, job.resident_bytes, "bytes of all weights");
  }
  return units;
}

std::vector<DeviceNeed> NeedsOf(const Placement& placement, int devices, const Config& config, const UnitBytes& units,
                                const RunnerOptions& runner, uint64_t vision_workspace) {
  std::vector<DeviceNeed> needs(static_cast<size_t>(devices));
  const auto of = [&](int owner) -> DeviceNeed& { return needs[static_cast<size_t>(owner)]; };
  of(placement.embedding).weights += units.embedding;
  of(placement.head).weights += units.head;
  of(placement.vision).weights += units.vision;
  of(placement.vision).workspace += vision_workspace;
  std::array<uint64_t, kPageGroups> kv_of_layer{};
  for (int g = 0; g < kPageGroups; ++g)
    if (const int32_t layers = LayersInGroup(config, g); layers > 0) {
      const uint64_t position = BytesPerPosition(config, g, runner.k_format, runner.v_format) / static_cast<uint64_t>(layers);
      const uint64_t page = CheckedMul(position, static_cast<uint64_t>(runner.page_size), "bytes of a page");
      kv_of_layer[static_cast<size_t>(g)] =
          CheckedMul(page, static_cast<uint64_t>(runner.page_count[static_cast<size_t>(g)]), "bytes of all pages");
    }
  for (size_t i = 0; i < placement.layer.size(); ++i) {
    const Placement::Layer& layer = placement.layer[i];
    of(layer.attention).weights += units.layer[i].attention;
    of(layer.attention).kv += kv_of_layer[config.layer[i].chunked ? kLocalPages : kGlobalPages];
    of(layer.feed).weights += units.layer[i].feed;
    for (const Placement::ExpertRange& range : layer.experts)
      of(range.owner).weights += Share(units.layer[i].experts, range.last - range.first, config.experts);
  }
  const uint64_t workspace = PlanWorkspace(config, runner).bytes;
  for (int i = 0; i < devices; ++i)
    if (placement.Hosts() >> i & 1) of(i).workspace += workspace;
  AddExpertScratch(placement, config, runner.max_rows, needs);
  return needs;
}

Placement DefaultPlacement(const Config& config, const UnitBytes& units, std::span<const DeviceRoom> rooms, int host,
                           const RunnerOptions& runner, uint64_t vision_workspace) {
  std::vector<int> over;
  for (size_t i = 0; i < rooms.size(); ++i)
    if (rooms[i].own_memory) over.push_back(static_cast<int>(i));
  const bool accelerated = !over.empty();
  if (!accelerated)
    for (size_t i = 0; i < rooms.size(); ++i) over.push_back(static_cast<int>(i));

  Placement placement = PlaceAll(config, over.front());
  placement.head = over.back();
  double all_room = 0, all_bytes = 0;
  const auto room_of = [&](int device) {
    return accelerated ? static_cast<double>(rooms[static_cast<size_t>(device)].left_bytes) + 1 : 1.0;
  };
  const auto bytes_of = [&](size_t layer) {
    const UnitBytes::Layer& of = units.layer[layer];
    return static_cast<double>(of.attention + of.feed + of.experts) + 1;
  };
  for (const int device : over) all_room += room_of(device);
  for (size_t i = 0; i < units.layer.size(); ++i) all_bytes += bytes_of(i);
  size_t at = 0;
  double room = room_of(over[0]), bytes = 0;
  for (size_t i = 0; i < placement.layer.size(); ++i) {
    bytes += bytes_of(i);
    // The middle of a layer says whose it is.
    while (at + 1 < over.size() && (bytes - bytes_of(i) / 2) / all_bytes > room / all_room) room += room_of(over[++at]);
    Placement::Layer& layer = placement.layer[i];
    layer.attention = layer.feed = over[at];
    for (Placement::ExpertRange& range : layer.experts) range.owner = over[at];
  }
  if (!accelerated || host < 0) return placement;

  const auto need_of = [&](int device) {
    return NeedsOf(placement, static_cast<int>(rooms.size()), config, units, runner, vision_workspace)[static_cast<size_t>(device)]
        .total();
  };
  for (const int device : over) {
    const uint64_t left = rooms[static_cast<size_t>(device)].left_bytes;
    if (need_of(device) <= left) continue;
    for (size_t i = placement.layer.size(); i-- > 0 && need_of(device) > left - left / 8;)
      for (Placement::ExpertRange& range : placement.layer[i].experts)
        if (range.owner == device) range.owner = host;
  }
  return placement;
}

}  // namespace scout::model
