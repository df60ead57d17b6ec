// Step plans by hand, for tests of the model without an engine: one planner per sequence over shared page pools.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "backend/step_plan.h"

namespace scout::test {

// Free pages of both groups, handed out lowest first.
class PagePools {
 public:
  explicit PagePools(std::array<int64_t, kPageGroups> page_count);
  int32_t Take(int group);
  void Give(int group, int32_t page);
  int64_t in_use(int group) const { return in_use_[static_cast<size_t>(group)]; }
  int64_t most_in_use(int group) const { return most_in_use_[static_cast<size_t>(group)]; }
  bool has(int group) const { return has_[static_cast<size_t>(group)]; }

 private:
  std::array<std::vector<int32_t>, kPageGroups> free_;  // kept sorted, lowest last
  std::array<int64_t, kPageGroups> in_use_{};
  std::array<int64_t, kPageGroups> most_in_use_{};
  std::array<bool, kPageGroups> has_{};
};

enum class WantLogits { kNone, kLast, kAll };

class SequencePlanner {
 public:
  // `evict`: pages of finished attention chunks go back to the pool before a step; otherwise they are kept, and unused.
  SequencePlanner(PagePools& pools, std::array<PageGeometry, kPageGroups> geometry, bool evict = true)
      : pools_(pools), geometry_(geometry), evict_(evict) {}

  // A plan that appends `tokens` to the sequence.
  StepPlan Next(std::span<const int32_t> tokens, WantLogits logits);
  int64_t length() const { return length_; }

 private:
  PagePools& pools_;
  std::array<PageGeometry, kPageGroups> geometry_;
  bool evict_;
  int64_t length_ = 0;
  std::array<std::vector<int32_t>, kPageGroups> pages_;
  std::array<int64_t, kPageGroups> first_position_{};
};

// One step of several sequences, in the order given.
StepPlan Join(std::span<const StepPlan> plans);

}  // namespace scout::test
