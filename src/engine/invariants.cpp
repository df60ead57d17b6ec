#include "engine/invariants.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "engine/scheduler.h"

namespace scout::engine {
namespace {

void CheckSequence(const PageStore& store, const RequestState& request) {
  const SequencePages& pages = request.pages;
  SCOUT_CHECK(pages.computed <= request.target(), "request ", request.number, " has computed more than it has");
  if (store.active(kLocalPages)) {
    SCOUT_CHECK(pages.local_first == store.geometry(kLocalPages).ChunkStart(pages.computed), "request ", request.number,
                " keeps local pages from ", pages.local_first, " with ", pages.computed, " computed");
  }
  for (int group = 0; group < kPageGroups; ++group) {
    const std::vector<int32_t>& list = pages.page[static_cast<size_t>(group)];
    if (!store.active(group)) {
      SCOUT_CHECK(list.empty(), "pages of a group without layers");
      continue;
    }
    const int64_t first = group == kLocalPages ? pages.local_first : 0;
    SCOUT_CHECK(static_cast<int64_t>(list.size()) >= store.geometry(group).PagesFor(first, pages.computed), "request ",
                request.number, " lacks pages for what it has computed");
    // Only full pages of computed positions may be anyone else's as well: the others are still written.
    const int64_t full = pages.computed <= first ? 0 : store.geometry(group).Find(pages.computed, first).page;
    for (size_t i = 0; i < list.size(); ++i) {
      const int references = store.pool(group).references(list[i]);
      SCOUT_CHECK(references > 0, "request ", request.number, " lists page ", list[i], " that nobody holds");
      SCOUT_CHECK(static_cast<int64_t>(i) < full || references == 1, "page ", list[i], " is shared and still written");
    }
  }
}

}  // namespace

void CheckInvariants(const Scheduler& scheduler) {
  const PageStore& store = scheduler.store();
  const auto by_number = [](const auto& a, const auto& b) { return a->number < b->number; };
  SCOUT_CHECK(std::is_sorted(scheduler.running().begin(), scheduler.running().end(), by_number), "running requests out of order");
  SCOUT_CHECK(std::is_sorted(scheduler.waiting().begin(), scheduler.waiting().end(), by_number), "waiting requests out of order");
  for (const auto& request : scheduler.waiting()) {
    SCOUT_CHECK(request->phase == Phase::kWaiting && !request->in_step, "request ", request->number, " waits in the wrong state");
    SCOUT_CHECK(request->pages.page[0].empty() && request->pages.page[1].empty(), "request ", request->number, " waits with pages");
  }
  for (const auto& request : scheduler.running()) {
    SCOUT_CHECK(request->phase == Phase::kRunning && !request->in_step, "request ", request->number, " runs in the wrong state");
    CheckSequence(store, *request);
  }
  for (int group = 0; group < kPageGroups; ++group) {
    const PagePool& pool = store.pool(group);
    pool.Check();
    std::vector<int> holders(static_cast<size_t>(pool.count()), 0);
    for (const auto& request : scheduler.running()) {
      std::vector<int32_t> list = request->pages.page[static_cast<size_t>(group)];
      std::sort(list.begin(), list.end());
      SCOUT_CHECK(std::adjacent_find(list.begin(), list.end()) == list.end(), "request ", request->number, " has a page twice");
      for (const int32_t page : list) ++holders[static_cast<size_t>(page)];
    }
    int64_t cached = 0;
    for (int32_t page = 0; page < pool.count(); ++page) {
      SCOUT_CHECK(pool.references(page) == holders[static_cast<size_t>(page)], "page ", page, " has ", pool.references(page),
                  " references and ", holders[static_cast<size_t>(page)], " holders");
      if (!pool.cached(page)) continue;
      ++cached;
      SCOUT_CHECK(store.cache(group).Holds(page), "page ", page, " is cached, and the cache does not know it");
    }
    SCOUT_CHECK(cached == store.cache(group).size(), "the cache knows ", store.cache(group).size(), " pages, ", cached,
                " are cached");
  }
}

}  // namespace scout::engine
