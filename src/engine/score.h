// Scoring: the log-probabilities of given tokens and the full logits of chosen positions, in blocks, in the order of positions.
// The row at position p gives the logits that follow p and the log-probability of the token at p + 1, so a block's first
// log-probability comes from the row before the block.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/error.h"
#include "engine/engine.h"

namespace scout::engine {

// What one row of logits gave.
struct ScoredRow {
  int64_t position = 0;
  float next_logprob = 0;  // of the token at position + 1, where there is one
};

struct ScoreState {
  ScoreOptions options;
  int64_t tokens = 0;  // of the request
  int64_t rows = 0;    // positions that have to be computed
  int64_t next = 0;    // the first position not yet delivered

  std::vector<ScoreBlock> blocks;  // unread, oldest first
  float carried = 0;               // log-probability of the token at `next`
  std::optional<Error> error;      // where the request failed or was cancelled

  void Start(const ScoreOptions& with, int64_t token_count);
  bool WantsLogits(int64_t position) const;
  bool NeedsLogits(int64_t position) const;
  int64_t FirstRow() const;  // the first position whose logits are still needed
  bool Full() const;         // enough unread

  // Everything up to `end` has been computed; `scored` are the rows of it that needed logits, ascending, and `logits` the rows of
  // those that WantsLogits, [.., V]. Adds blocks.
  void Deliver(int64_t end, std::span<const ScoredRow> scored, std::span<const float> logits, int64_t vocabulary);
};

// Throws kArgument where positions are out of range or not ascending.
void CheckScoring(const ScoreOptions& options, int64_t token_count);

}  // namespace scout::engine
