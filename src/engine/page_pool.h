// The pages of one group, by number: who holds how many, which are free, which are kept only because the prefix cache knows
// their contents. Taking and dropping a page are O(1).
//
// A page is in exactly one of three states:
//   held   references > 0 (and perhaps cached as well: a running request's full pages can be shared at once)
//   idle   no references, cached: counts as free, and is given away in the order in which the pages fell idle
//   free   no references, not cached
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace scout::engine {

class PagePool {
 public:
  explicit PagePool(int64_t count);

  int64_t count() const { return static_cast<int64_t>(references_.size()); }
  int64_t available() const { return static_cast<int64_t>(free_.size()) + idle_count_; }
  int64_t held() const { return count() - available(); }
  int64_t idle() const { return idle_count_; }
  int64_t peak_held() const { return peak_held_; }
  int64_t returns() const { return returns_; }  // how often a page fell idle or free

  struct Taken {
    int32_t page = -1;        // -1: nothing is available
    bool was_cached = false;  // the cache must forget what it knew of this page
  };
  // A page with one reference: a free one, else the page idle for longest.
  Taken Take();
  void Hold(int32_t page);  // one reference more; an idle page becomes held
  void Drop(int32_t page);  // one reference less; the last one makes the page idle or free
  // The cache knows (or no longer knows) the page's contents. Only for held pages.
  void SetCached(int32_t page);

  int32_t references(int32_t page) const { return references_[static_cast<size_t>(page)]; }
  bool cached(int32_t page) const { return cached_[static_cast<size_t>(page)] != 0; }

  // For the invariants' checker: throws kInternal unless every page is in exactly one state and all counts agree.
  void Check() const;

 private:
  void Unlink(int32_t page);

  std::vector<int32_t> references_;  // [count]
  std::vector<uint8_t> cached_;      // [count]
  std::vector<int32_t> free_;        // stack
  // Idle pages as a doubly linked list through these, oldest first; index `count` is the list's head and tail.
  std::vector<int32_t> next_, previous_;  // [count + 1]
  int64_t idle_count_ = 0;
  int64_t peak_held_ = 0;
  int64_t returns_ = 0;
};

}  // namespace scout::engine
