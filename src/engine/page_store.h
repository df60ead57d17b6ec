// The pages of all sequences: both groups' pools, and the prefix cache over them. A sequence's positions 0 .. computed - 1 have
// their keys and values in its pages; the store gives it room to grow, names its pages as they fill, and takes back the
// chunk-local ones whose attention chunk is over.
//
// A prefix of p positions can be taken over when p ends a page of both groups, all global pages before p are cached, and all
// chunk-local pages from the start of p's attention chunk to p are: at a chunk's start none of those is needed.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "backend/step_plan.h"
#include "engine/page_pool.h"
#include "engine/picture.h"
#include "engine/prefix_cache.h"
#include "engine/prefix_key.h"

namespace scout::engine {

// What decides on a sequence's keys and values, position by position.
struct SequenceContent {
  // NOLINTNEXTLINE(google-explicit-constructor): tokens alone are the usual case
  SequenceContent(std::span<const int32_t> ids, std::span<const ContentMark> of = {}) : tokens(ids), marks(of) {}
  // NOLINTNEXTLINE(google-explicit-constructor)
  SequenceContent(const std::vector<int32_t>& ids) : tokens(ids) {}
  std::span<const int32_t> tokens;
  std::span<const ContentMark> marks;  // ascending
};

// The pages of one sequence.
struct SequencePages {
  std::array<std::vector<int32_t>, kPageGroups> page;  // global: from position 0; local: from local_first
  int64_t local_first = 0;                             // start of the attention chunk of position `computed`
  int64_t computed = 0;                                // positions whose keys and values are in the pages
  PrefixHasher hasher;                                 // has seen the tokens of positions 0 .. computed - 1
};

class PageStore {
 public:
  struct Options {
    std::array<PageGeometry, kPageGroups> geometry;
    std::array<int64_t, kPageGroups> count{};  // 0: the model has no layers in this group, which then takes no pages
    bool cache = true;
    PrefixKey secret;
    uint64_t fingerprint = 0;  // everything but the tokens that decides on keys and values
  };
  explicit PageStore(const Options& options);

  bool active(int group) const { return options_.count[static_cast<size_t>(group)] > 0; }
  const PageGeometry& geometry(int group) const { return options_.geometry[static_cast<size_t>(group)]; }
  const PagePool& pool(int group) const { return pool_[static_cast<size_t>(group)]; }
  const PrefixCache& cache(int group) const { return cache_[static_cast<size_t>(group)]; }

  int64_t returns() const { return pool_[0].returns() + pool_[1].returns(); }  // pages that came back, ever
  // Positions that one sequence alone can hold.
  int64_t capacity() const;
  // Pages that a sequence of `positions` positions needs at the same time, one row a step.
  std::array<int64_t, kPageGroups> Need(int64_t positions) const;

  void Start(SequencePages& sequence, uint64_t salt) const;
  // The longest cached prefix of at most `limit` tokens, taken over by an empty sequence. Returns sequence.computed.
  int64_t Adopt(SequencePages& sequence, const SequenceContent& content, int64_t limit);
  // As Adopt would, without taking: how many of the pages that Need() counts are in others' hands already and cost nothing.
  std::array<int64_t, kPageGroups> SharedPages(const SequencePages& empty, const SequenceContent& content, int64_t limit) const;
  // Room for positions [computed, end): returns the largest end <= `end` for which there was room, at least `computed`.
  int64_t Grow(SequencePages& sequence, int64_t end);
  // Positions [sequence.computed, computed) now count. `content` is the sequence's, at least `computed` tokens.
  void Commit(SequencePages& sequence, const SequenceContent& content, int64_t computed);
  void Release(SequencePages& sequence);

 private:
  struct Match {
    int64_t positions = 0;
    PrefixHasher hasher;  // at `positions`
  };
  Match Find(const SequencePages& empty, const SequenceContent& content, int64_t limit,
             std::array<std::vector<int32_t>, kPageGroups>& pages) const;
  int64_t Reach(const SequencePages& sequence, int group, int64_t pages) const;
  bool PageEnds(int group, int64_t position) const;
  void Name(SequencePages& sequence, int group, int64_t end);

  Options options_;
  std::vector<PagePool> pool_;      // [kPageGroups]
  std::vector<PrefixCache> cache_;  // [kPageGroups]
  mutable std::array<std::vector<int32_t>, kPageGroups> scratch_;
};

}  // namespace scout::engine
