#include "engine/prefix_cache.h"

#include <bit>

#include "base/error.h"

namespace scout::engine {

PrefixCache::PrefixCache(int64_t pages) {
  const size_t slots = std::bit_ceil(static_cast<size_t>(pages) * 2 + 2);
  mask_ = slots - 1;
  table_.assign(slots, -1);
  key_.assign(static_cast<size_t>(pages), PrefixKey{});
}

int32_t PrefixCache::Find(const PrefixKey& key) const {
  for (size_t at = Home(key);; at = (at + 1) & mask_) {
    const int32_t page = table_[at];
    if (page < 0 || key_[static_cast<size_t>(page)] == key) return page;
  }
}

bool PrefixCache::Insert(const PrefixKey& key, int32_t page) {
  size_t at = Home(key);
  for (; table_[at] >= 0; at = (at + 1) & mask_) {
    if (key_[static_cast<size_t>(table_[at])] == key) return false;
  }
  table_[at] = page;
  key_[static_cast<size_t>(page)] = key;
  ++size_;
  return true;
}

void PrefixCache::Erase(int32_t page) {
  size_t hole = Home(key_[static_cast<size_t>(page)]);
  while (table_[hole] != page) {
    SCOUT_CHECK(table_[hole] >= 0, "page ", page, " is not in the prefix cache");
    hole = (hole + 1) & mask_;
  }
  // Close the hole: an entry further on moves back unless its home lies behind the hole, so that no search ends early.
  for (size_t at = (hole + 1) & mask_; table_[at] >= 0; at = (at + 1) & mask_) {
    const size_t home = Home(key_[static_cast<size_t>(table_[at])]);
    if (((at - home) & mask_) < ((at - hole) & mask_)) continue;
    table_[hole] = table_[at];
    hole = at;
  }
  table_[hole] = -1;
  --size_;
}

}  // namespace scout::engine
