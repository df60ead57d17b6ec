// Features of pictures seen before, by content: the least recently used go when the budget is exceeded.
#pragma once

#include <cstdint>
#include <list>
#include <memory>

#include "engine/picture.h"

namespace scout::engine {

class FeatureCache {
 public:
  explicit FeatureCache(uint64_t budget_bytes) : budget_bytes_(budget_bytes) {}

  // Null where they are not there.
  std::shared_ptr<const model::Features> Find(const PictureKey& key);
  // Nothing is kept of what alone exceeds the budget.
  void Insert(const PictureKey& key, std::shared_ptr<const model::Features> features);
  void Clear() noexcept;
  uint64_t bytes() const { return bytes_; }
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    PictureKey key;
    std::shared_ptr<const model::Features> features;
  };
  uint64_t budget_bytes_;
  uint64_t bytes_ = 0;
  std::list<Entry> entries_;  // most recently used first; there are dozens, each of megabytes
};

}  // namespace scout::engine
