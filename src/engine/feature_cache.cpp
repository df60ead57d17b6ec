#include "engine/feature_cache.h"

#include <algorithm>
#include <utility>

namespace scout::engine {

std::shared_ptr<const model::Features> FeatureCache::Find(const PictureKey& key) {
  const auto at = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.key == key; });
  if (at == entries_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, at);
  return at->features;
}

void FeatureCache::Insert(const PictureKey& key, std::shared_ptr<const model::Features> features) {
  const uint64_t size = features->size_bytes();
  if (size > budget_bytes_ || Find(key) != nullptr) return;
  entries_.push_front({key, std::move(features)});
  bytes_ += size;
  while (bytes_ > budget_bytes_) {
    bytes_ -= entries_.back().features->size_bytes();
    entries_.pop_back();
  }
}

void FeatureCache::Clear() noexcept {
  entries_.clear();
  bytes_ = 0;
}

}  // namespace scout::engine
