#include "model/kv_cache.h"

#include "model/memory_plan.h"

namespace scout::model {

KvCache::KvCache(Backend& backend, const Config& config, const RunnerOptions& options)
    : backend_(backend), config_(config), page_size_(options.page_size) {
  std::array<int32_t, kPageGroups> next{};
  for (int g = 0; g < kPageGroups; ++g)
    if (LayersInGroup(config, g) > 0) groups_[static_cast<size_t>(g)] = backend.AllocPages(GroupSpec(config, g, options));
  for (const LayerKind& layer : config.layer) {
    const int g = layer.chunked ? kLocalPages : kGlobalPages;
    place_.push_back({group(g), g, next[static_cast<size_t>(g)]++});
  }
}

PageGeometry KvCache::geometry(int g) const { return {page_size_, g == kLocalPages ? config_.attention_chunk : 0}; }

size_t KvCache::page_bytes(int g) const { return group(g) ? backend_.PageBytes(*group(g)) : 0; }

size_t KvCache::memory_bytes() const {
  size_t bytes = 0;
  for (const auto& pages : groups_) bytes += pages ? pages->size_bytes() : 0;
  return bytes;
}

}  // namespace scout::model
