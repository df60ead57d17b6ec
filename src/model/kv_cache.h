// The pages of one runner: chunked layers share the local group, the others the global one, each layer under its index inside its
// group.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "backend/backend.h"
#include "model/config.h"
#include "model/runner.h"

namespace scout::model {

class KvCache {
 public:
  KvCache(Backend& backend, const Config& config, const RunnerOptions& options);

  struct Place {
    KvPages* pages;
    int group;
    int32_t layer;  // index inside the group
  };
  Place Of(int64_t layer) const { return place_[static_cast<size_t>(layer)]; }

  KvPages* group(int g) const { return groups_[static_cast<size_t>(g)].get(); }  // null where the group has no layers
  PageGeometry geometry(int g) const;
  size_t page_bytes(int g) const;
  size_t memory_bytes() const;

 private:
  Backend& backend_;
  const Config& config_;
  int32_t page_size_;
  std::array<std::unique_ptr<KvPages>, kPageGroups> groups_;
  std::vector<Place> place_;  // [layers]
};

}  // namespace scout::model
