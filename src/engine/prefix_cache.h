// Which full page of one group holds which prefix. Open addressing with linear probing over a table of fixed size, so that
// neither a new page nor a forgotten one allocates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/prefix_key.h"

namespace scout::engine {

class PrefixCache {
 public:
  explicit PrefixCache(int64_t pages);

  int32_t Find(const PrefixKey& key) const;  // the page, or -1
  // False when another page already holds this prefix: then `page` stays unnamed.
  bool Insert(const PrefixKey& key, int32_t page);
  void Erase(int32_t page);  // a page that was inserted

  int64_t size() const { return size_; }
  bool Holds(int32_t page) const { return Find(key_[static_cast<size_t>(page)]) == page; }

 private:
  size_t Home(const PrefixKey& key) const { return static_cast<size_t>(key.low) & mask_; }

  size_t mask_ = 0;             // table size - 1, a power of two of at least twice the pages
  std::vector<int32_t> table_;  // page or -1
  std::vector<PrefixKey> key_;  // [pages]
  int64_t size_ = 0;
};

}  // namespace scout::engine
