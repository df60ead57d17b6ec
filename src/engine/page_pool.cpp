#include "engine/page_pool.h"

#include <algorithm>

#include "base/error.h"

namespace scout::engine {

PagePool::PagePool(int64_t count) {
  const auto n = static_cast<size_t>(count);
  references_.assign(n, 0);
  cached_.assign(n, 0);
  free_.reserve(n);
  // Page 0 is given first: a small run touches little memory.
  for (size_t page = n; page > 0; --page) free_.push_back(static_cast<int32_t>(page - 1));
  next_.assign(n + 1, -1);
  previous_.assign(n + 1, -1);
  next_[n] = previous_[n] = static_cast<int32_t>(n);
}

PagePool::Taken PagePool::Take() {
  Taken taken;
  if (!free_.empty()) {
    taken.page = free_.back();
    free_.pop_back();
  } else if (idle_count_ > 0) {
    taken.page = next_[references_.size()];
    taken.was_cached = true;
    Unlink(taken.page);
    cached_[static_cast<size_t>(taken.page)] = 0;
  } else {
    return taken;
  }
  references_[static_cast<size_t>(taken.page)] = 1;
  peak_held_ = std::max(peak_held_, held());
  return taken;
}

void PagePool::Hold(int32_t page) {
  int32_t& references = references_[static_cast<size_t>(page)];
  SCOUT_CHECK(references > 0 || cached(page), "page ", page, " is held while free");
  if (references == 0) Unlink(page);
  ++references;
  peak_held_ = std::max(peak_held_, held());
}

void PagePool::Drop(int32_t page) {
  int32_t& references = references_[static_cast<size_t>(page)];
  SCOUT_CHECK(references > 0, "page ", page, " is dropped once too often");
  if (--references > 0) return;
  ++returns_;
  if (!cached(page)) {
    free_.push_back(page);  // never grows: it was reserved for every page
    return;
  }
  const auto head = static_cast<int32_t>(references_.size());
  const int32_t last = previous_[static_cast<size_t>(head)];
  next_[static_cast<size_t>(last)] = page;
  previous_[static_cast<size_t>(page)] = last;
  next_[static_cast<size_t>(page)] = head;
  previous_[static_cast<size_t>(head)] = page;
  ++idle_count_;
}

void PagePool::SetCached(int32_t page) {
  SCOUT_CHECK(references(page) > 0, "page ", page, " is cached while nobody holds it");
  cached_[static_cast<size_t>(page)] = 1;
}

void PagePool::Unlink(int32_t page) {
  const int32_t before = previous_[static_cast<size_t>(page)];
  const int32_t after = next_[static_cast<size_t>(page)];
  next_[static_cast<size_t>(before)] = after;
  previous_[static_cast<size_t>(after)] = before;
  --idle_count_;
}

void PagePool::Check() const {
  std::vector<uint8_t> seen(references_.size(), 0);
  for (const int32_t page : free_) {
    SCOUT_CHECK(references(page) == 0 && !cached(page), "free page ", page, " has ", references(page), " references");
    SCOUT_CHECK(!seen[static_cast<size_t>(page)]++, "page ", page, " is free twice");
  }
  int64_t idle = 0;
  const auto head = static_cast<int32_t>(references_.size());
  for (int32_t page = next_[references_.size()]; page != head; page = next_[static_cast<size_t>(page)]) {
    SCOUT_CHECK(references(page) == 0 && cached(page), "idle page ", page, " has ", references(page), " references");
    SCOUT_CHECK(!seen[static_cast<size_t>(page)]++, "page ", page, " is idle twice, or idle and free");
    SCOUT_CHECK(++idle <= idle_count_, "more idle pages than counted");
  }
  SCOUT_CHECK(idle == idle_count_, "idle pages: ", idle, " listed, ", idle_count_, " counted");
  for (size_t page = 0; page < references_.size(); ++page) {
    SCOUT_CHECK(references_[page] >= 0 && (references_[page] > 0) != (seen[page] != 0), "page ", page, " with ", references_[page],
                " references is nowhere");
  }
}

}  // namespace scout::engine
