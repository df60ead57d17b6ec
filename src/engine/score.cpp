#include "engine/score.h"

#include <algorithm>
#include <limits>

namespace scout::engine {
namespace {

constexpr size_t kUnreadBlocks = 8;       // of log-probabilities: small
constexpr size_t kUnreadLogitBlocks = 1;  // of full logits: megabytes each

}  // namespace

void CheckScoring(const ScoreOptions& options, int64_t token_count) {
  int64_t before = -1;
  for (const int64_t position : options.logit_positions) {
    if (position < 0 || position >= token_count)
      Fail(ErrorCode::kArgument, "logit_positions: ", position, " is outside the ", token_count, " tokens");
    if (position <= before) Fail(ErrorCode::kArgument, "logit_positions: ", position, " follows ", before, "; they must ascend");
    before = position;
  }
  if (!options.logits && !options.logprobs && options.logit_positions.empty())
    Fail(ErrorCode::kArgument, "neither log-probabilities nor logits are asked for");
}

void ScoreState::Start(const ScoreOptions& with, int64_t token_count) {
  options = with;
  tokens = token_count;
  rows = options.logprobs ? tokens - 1 : 0;  // the last token's own row says nothing of a given token
  if (options.logits) {
    rows = tokens;
  } else if (!options.logit_positions.empty()) {
    rows = std::max(rows, options.logit_positions.back() + 1);
  }
  carried = std::numeric_limits<float>::quiet_NaN();  // nothing comes before position 0
  if (rows == 0) Deliver(0, {}, {}, 0);               // a single token without logits
}

bool ScoreState::WantsLogits(int64_t position) const {
  return options.logits || std::binary_search(options.logit_positions.begin(), options.logit_positions.end(), position);
}

bool ScoreState::NeedsLogits(int64_t position) const {
  if (position < next || position >= rows) return false;
  return (options.logprobs && position + 1 < tokens) || WantsLogits(position);
}

int64_t ScoreState::FirstRow() const {
  if (options.logprobs || options.logits) return next;
  const auto at = std::lower_bound(options.logit_positions.begin(), options.logit_positions.end(), next);
  return at == options.logit_positions.end() ? rows : *at;
}

bool ScoreState::Full() const {
  if (blocks.empty()) return false;
  return blocks.size() >= (options.logits || !options.logit_positions.empty() ? kUnreadLogitBlocks : kUnreadBlocks);
}

void ScoreState::Deliver(int64_t end, std::span<const ScoredRow> scored, std::span<const float> logits, int64_t vocabulary) {
  // Position `end` - 1's row also tells the last token's log-probability, which then is complete.
  const int64_t until = options.logprobs && end >= tokens - 1 && !WantsLogits(tokens - 1) ? tokens : end;
  size_t at = 0;
  size_t logit_at = 0;
  const auto row_values = static_cast<size_t>(vocabulary);
  bool open = false;  // the last block may take further positions
  for (int64_t position = next; position < until; ++position) {
    const bool with_logits = WantsLogits(position);
    if (options.logprobs || with_logits) {
      if (!open || blocks.back().logits.empty() == with_logits) {
        blocks.emplace_back();
        open = true;
      }
      ScoreBlock& block = blocks.back();
      block.positions.push_back(position);
      if (options.logprobs) block.logprobs.push_back(carried);
      if (with_logits) {
        const std::span<const float> row = logits.subspan(logit_at * row_values, row_values);
        block.logits.insert(block.logits.end(), row.begin(), row.end());
        ++logit_at;
      }
    }
    if (at < scored.size() && scored[at].position == position) carried = scored[at++].next_logprob;
  }
  next = std::max(next, until);
}

}  // namespace scout::engine
