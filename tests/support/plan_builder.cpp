#include "support/plan_builder.h"

#include <algorithm>
#include <functional>
#include <stdexcept>

namespace scout::test {

PagePools::PagePools(std::array<int64_t, kPageGroups> page_count) {
  for (size_t g = 0; g < kPageGroups; ++g) {
    has_[g] = page_count[g] > 0;
    for (int64_t page = page_count[g] - 1; page >= 0; --page) free_[g].push_back(static_cast<int32_t>(page));
  }
}

int32_t PagePools::Take(int group) {
  const auto g = static_cast<size_t>(group);
  if (free_[g].empty()) throw std::runtime_error("the test's page pool is empty");
  const int32_t page = free_[g].back();
  free_[g].pop_back();
  most_in_use_[g] = std::max(most_in_use_[g], ++in_use_[g]);
  return page;
}

void PagePools::Give(int group, int32_t page) {
  const auto g = static_cast<size_t>(group);
  free_[g].insert(std::upper_bound(free_[g].begin(), free_[g].end(), page, std::greater<>()), page);
  --in_use_[g];
}

StepPlan SequencePlanner::Next(std::span<const int32_t> tokens, WantLogits logits) {
  StepPlan plan;
  const auto n = static_cast<int32_t>(tokens.size());
  const int64_t end = length_ + n;
  plan.token.assign(tokens.begin(), tokens.end());
  for (int32_t i = 0; i < n; ++i) plan.position.push_back(static_cast<int32_t>(length_) + i);
  plan.sequence_begin = {0, n};
  plan.sequence_length = {static_cast<int32_t>(end)};
  if (logits == WantLogits::kLast && n > 0) plan.logit_row = {n - 1};
  if (logits == WantLogits::kAll)
    for (int32_t i = 0; i < n; ++i) plan.logit_row.push_back(i);

  for (int group = 0; group < kPageGroups; ++group) {
    const auto g = static_cast<size_t>(group);
    StepPlan::Pages& pages = plan.pages[g];
    if (!pools_.has(group)) {  // the model has no layers there
      pages.slot.assign(static_cast<size_t>(n), -1);
      pages.begin = {0, 0};
      pages.first_position = {0};
      continue;
    }
    const PageGeometry& geometry = geometry_[g];
    const int64_t start = geometry.ChunkStart(length_);
    if (start > first_position_[g]) {
      const int64_t past = (start - first_position_[g]) / geometry.chunk * geometry.PagesPerChunk();
      const int64_t drop = std::min<int64_t>(past, static_cast<int64_t>(pages_[g].size()));
      for (int64_t i = 0; evict_ && i < drop; ++i) pools_.Give(group, pages_[g][static_cast<size_t>(i)]);
      pages_[g].erase(pages_[g].begin(), pages_[g].begin() + drop);
      first_position_[g] = start;
    }
    const int64_t needed = geometry.PagesFor(first_position_[g], end);
    while (static_cast<int64_t>(pages_[g].size()) < needed) pages_[g].push_back(pools_.Take(group));
    pages.page = pages_[g];
    pages.begin = {0, static_cast<int32_t>(pages_[g].size())};
    pages.first_position = {static_cast<int32_t>(first_position_[g])};
    for (int64_t p = length_; p < end; ++p) {
      const PageGeometry::Place place = geometry.Find(p, first_position_[g]);
      pages.slot.push_back(static_cast<int64_t>(pages_[g][static_cast<size_t>(place.page)]) * geometry.page_size + place.index);
    }
  }
  length_ = end;
  return plan;
}

StepPlan Join(std::span<const StepPlan> plans) {
  StepPlan all;
  all.sequence_begin = {0};
  for (auto& pages : all.pages) pages.begin = {0};
  const auto append = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
  for (const StepPlan& plan : plans) {
    const auto rows = static_cast<int32_t>(all.token.size());
    append(all.token, plan.token);
    append(all.position, plan.position);
    append(all.sequence_length, plan.sequence_length);
    for (size_t s = 1; s < plan.sequence_begin.size(); ++s) all.sequence_begin.push_back(rows + plan.sequence_begin[s]);
    for (const int32_t row : plan.logit_row) all.logit_row.push_back(rows + row);
    for (size_t g = 0; g < kPageGroups; ++g) {
      const auto pages = static_cast<int32_t>(all.pages[g].page.size());
      append(all.pages[g].slot, plan.pages[g].slot);
      append(all.pages[g].page, plan.pages[g].page);
      append(all.pages[g].first_position, plan.pages[g].first_position);
      for (size_t s = 1; s < plan.pages[g].begin.size(); ++s) all.pages[g].begin.push_back(pages + plan.pages[g].begin[s]);
    }
  }
  return all;
}

}  // namespace scout::test
