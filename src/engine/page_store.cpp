#include "engine/page_store.h"

#include <algorithm>

#include "base/error.h"

namespace scout::engine {
namespace {

// Adds position after position to a hasher. A mark goes before its position's token, behind a word that no token is.
class ContentReader {
 public:
  ContentReader(const SequenceContent& content, int64_t from) : content_(content) {
    while (mark_ < content_.marks.size() && content_.marks[mark_].position < from) ++mark_;
  }
  void Add(PrefixHasher& hasher, int64_t position) {
    for (; mark_ < content_.marks.size() && content_.marks[mark_].position == position; ++mark_) {
      hasher.Add(UINT32_MAX);
      for (const uint32_t word : content_.marks[mark_].content) hasher.Add(word);
    }
    hasher.Add(static_cast<uint32_t>(content_.tokens[static_cast<size_t>(position)]));
  }

 private:
  const SequenceContent& content_;
  size_t mark_ = 0;
};

}  // namespace

PageStore::PageStore(const Options& options) : options_(options) {
  for (int group = 0; group < kPageGroups; ++group) {
    const int64_t count = options.count[static_cast<size_t>(group)];
    pool_.emplace_back(count);
    cache_.emplace_back(options.cache ? count : 0);
  }
  // Without global pages nothing would bind a prefix to its beginning.
  if (!active(kGlobalPages)) options_.cache = false;
}

int64_t PageStore::capacity() const {
  int64_t positions = INT32_MAX;
  if (active(kGlobalPages)) {
    const PageGeometry& global = geometry(kGlobalPages);
    positions = std::min(positions, pool(kGlobalPages).count() * global.page_size);
  }
  if (active(kLocalPages)) {
    const PageGeometry& local = geometry(kLocalPages);
    const int64_t pages = pool(kLocalPages).count();
    if (local.chunk == 0 || pages < local.PagesPerChunk()) positions = std::min(positions, pages * local.page_size);
  }
  return positions;
}

std::array<int64_t, kPageGroups> PageStore::Need(int64_t positions) const {
  std::array<int64_t, kPageGroups> need{};
  if (active(kGlobalPages)) need[kGlobalPages] = geometry(kGlobalPages).PagesFor(0, positions);
  if (active(kLocalPages)) {
    const PageGeometry& local = geometry(kLocalPages);
    need[kLocalPages] = local.PagesFor(0, local.chunk == 0 ? positions : std::min(positions, local.chunk));
  }
  return need;
}

void PageStore::Start(SequencePages& sequence, uint64_t salt) const {
  sequence.hasher = PrefixHasher(options_.secret);
  sequence.hasher.Add64(options_.fingerprint);
  sequence.hasher.Add64(salt);
  sequence.local_first = 0;
  sequence.computed = 0;
}

bool PageStore::PageEnds(int group, int64_t position) const {
  const PageGeometry& shape = geometry(group);
  if (shape.chunk == 0) return position % shape.page_size == 0;
  const int64_t in_chunk = position % shape.chunk;
  return in_chunk % shape.page_size == 0;  // 0 at the chunk's end: its last page is full even where slots are left over
}

PageStore::Match PageStore::Find(const SequencePages& empty, const SequenceContent& content, int64_t limit,
                                 std::array<std::vector<int32_t>, kPageGroups>& pages) const {
  Match best{0, empty.hasher};
  for (auto& list : pages) list.clear();
  limit = std::min(limit, static_cast<int64_t>(content.tokens.size()));
  if (!options_.cache || limit <= 0) return best;

  PrefixHasher hasher = empty.hasher;
  ContentReader reader(content, 0);
  std::vector<int32_t>& local = pages[kLocalPages];
  size_t best_local = 0;
  int64_t chunk_start = 0;
  bool local_unbroken = true;  // all local pages since chunk_start were found
  for (int64_t at = 0; at < limit;) {
    reader.Add(hasher, at++);
    const bool global_ends = PageEnds(kGlobalPages, at);
    if (global_ends) {
      const int32_t page = cache(kGlobalPages).Find(hasher.Finish(kGlobalPages));
      if (page < 0) break;
      pages[kGlobalPages].push_back(page);
    }
    bool local_ends = true;
    if (active(kLocalPages)) {
      const PageGeometry& shape = geometry(kLocalPages);
      local_ends = PageEnds(kLocalPages, at);
      if (shape.ChunkStart(at) != chunk_start) {
        // A new chunk: nothing local of the chunks before it is read again.
        chunk_start = at;
        local.clear();
        local_unbroken = true;
      } else if (local_ends && local_unbroken) {
        const int32_t page = cache(kLocalPages).Find(hasher.Finish(kLocalPages));
        local_unbroken = page >= 0;
        if (local_unbroken) local.push_back(page);
      }
    }
    if (global_ends && local_ends && local_unbroken) {
      best = {at, hasher};
      best_local = local.size();
    }
  }
  // Both lists may reach past the best prefix; where its chunk is not the last one looked at, it ended at that chunk's start
  // or inside it, and the local pages have to be found again.
  if (active(kGlobalPages)) pages[kGlobalPages].resize(static_cast<size_t>(geometry(kGlobalPages).PagesFor(0, best.positions)));
  if (active(kLocalPages) && geometry(kLocalPages).ChunkStart(best.positions) != chunk_start) {
    std::array<std::vector<int32_t>, kPageGroups> again;
    const Match same = Find(empty, content, best.positions, again);
    SCOUT_CHECK(same.positions == best.positions, "a prefix of ", best.positions, " positions was found, then ", same.positions);
    local = again[kLocalPages];
  } else {
    local.resize(best_local);
  }
  return best;
}

int64_t PageStore::Adopt(SequencePages& sequence, const SequenceContent& content, int64_t limit) {
  SCOUT_CHECK(sequence.computed == 0 && sequence.page[kGlobalPages].empty(), "a prefix for a sequence that has begun");
  const Match match = Find(sequence, content, limit, scratch_);
  for (int group = 0; group < kPageGroups; ++group) {
    for (const int32_t page : scratch_[static_cast<size_t>(group)]) {
      pool_[static_cast<size_t>(group)].Hold(page);
      sequence.page[static_cast<size_t>(group)].push_back(page);
    }
  }
  sequence.computed = match.positions;
  sequence.hasher = match.hasher;
  sequence.local_first = geometry(kLocalPages).ChunkStart(match.positions);
  return match.positions;
}

std::array<int64_t, kPageGroups> PageStore::SharedPages(const SequencePages& empty, const SequenceContent& content,
                                                        int64_t limit) const {
  Find(empty, content, limit, scratch_);
  std::array<int64_t, kPageGroups> shared{};
  for (size_t group = 0; group < kPageGroups; ++group) {
    for (const int32_t page : scratch_[group]) shared[group] += pool_[group].references(page) > 0;
  }
  return shared;
}

// The position up to which `pages` pages of a group reach.
int64_t PageStore::Reach(const SequencePages& sequence, int group, int64_t pages) const {
  const PageGeometry& shape = geometry(group);
  if (shape.chunk == 0) return pages * shape.page_size;
  const int64_t chunks = pages / shape.PagesPerChunk();
  const int64_t rest = pages % shape.PagesPerChunk();
  return sequence.local_first + chunks * shape.chunk + std::min(shape.chunk, rest * shape.page_size);
}

int64_t PageStore::Grow(SequencePages& sequence, int64_t end) {
  for (int group = 0; group < kPageGroups; ++group) {
    if (!active(group)) continue;
    const auto have = static_cast<int64_t>(sequence.page[static_cast<size_t>(group)].size());
    end = std::min(end, Reach(sequence, group, have + pool(group).available()));
  }
  end = std::max(end, sequence.computed);
  for (int group = 0; group < kPageGroups; ++group) {
    if (!active(group)) continue;
    std::vector<int32_t>& list = sequence.page[static_cast<size_t>(group)];
    const int64_t first = group == kLocalPages ? sequence.local_first : 0;
    const int64_t need = geometry(group).PagesFor(first, end);
    while (static_cast<int64_t>(list.size()) < need) {
      const PagePool::Taken taken = pool_[static_cast<size_t>(group)].Take();
      SCOUT_CHECK(taken.page >= 0, "the pool promised more pages than it has");
      if (taken.was_cached) cache_[static_cast<size_t>(group)].Erase(taken.page);
      list.push_back(taken.page);
    }
  }
  return end;
}

void PageStore::Name(SequencePages& sequence, int group, int64_t end) {
  const int64_t first = group == kLocalPages ? sequence.local_first : 0;
  const int64_t index = geometry(group).Find(end - 1, first).page;
  const int32_t page = sequence.page[static_cast<size_t>(group)][static_cast<size_t>(index)];
  PagePool& pool = pool_[static_cast<size_t>(group)];
  if (pool.cached(page)) return;
  if (cache_[static_cast<size_t>(group)].Insert(sequence.hasher.Finish(static_cast<uint32_t>(group)), page)) pool.SetCached(page);
}

void PageStore::Commit(SequencePages& sequence, const SequenceContent& content, int64_t computed) {
  if (options_.cache) {
    ContentReader reader(content, sequence.computed);
    for (int64_t at = sequence.computed; at < computed;) {
      reader.Add(sequence.hasher, at++);
      for (int group = 0; group < kPageGroups; ++group) {
        if (active(group) && PageEnds(group, at)) Name(sequence, group, at);
      }
    }
  }
  sequence.computed = computed;
  if (!active(kLocalPages)) return;
  const PageGeometry& local = geometry(kLocalPages);
  const int64_t start = local.ChunkStart(computed);
  if (start == sequence.local_first) return;
  std::vector<int32_t>& list = sequence.page[kLocalPages];
  const int64_t passed = (start - sequence.local_first) / local.chunk * local.PagesPerChunk();
  const auto drop = std::min(static_cast<size_t>(passed), list.size());
  for (size_t i = drop; i > 0; --i) pool_[kLocalPages].Drop(list[i - 1]);
  list.erase(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(drop));
  sequence.local_first = start;
}

void PageStore::Release(SequencePages& sequence) {
  // From the back, so that of an idle prefix the end is given away before the beginning.
  for (int group = 0; group < kPageGroups; ++group) {
    std::vector<int32_t>& list = sequence.page[static_cast<size_t>(group)];
    for (size_t i = list.size(); i > 0; --i) pool_[static_cast<size_t>(group)].Drop(list[i - 1]);
    list.clear();
  }
  sequence.local_first = 0;
  sequence.computed = 0;
}

}  // namespace scout::engine
