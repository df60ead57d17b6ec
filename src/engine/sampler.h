// From logits to a token: one sampler on the host for all devices, so that they cannot disagree. A device brings the best few
// logits of a row and two log-sum-exps (SampleRow, SampleResult); where the decision needs more of the row, the whole of it is
// fetched and the decision finished exactly.
//
// The order, each step over what the one before left:
//   1. edits: repetition penalty, then bias - frequency penalty * count - presence penalty
//   2. division by the temperature (below kGreedyTemperature the best token is taken and the rest does not apply)
//   3. top-k: the k best
//   4. top-p: those before which at most p of the mass lies, best first, so the best always stays
//   5. min-p: those with at least min_p times the best one's probability
//   6. one uniform number, given by (seed, choice, position), walks the cumulative mass from the best token down
// Equal logits rank by the lower id.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "model/runner.h"

namespace scout::engine {

constexpr float kGreedyTemperature = 1e-4f;
constexpr int32_t kCandidates = 128;  // asked from the device where one is not enough

// Fills a row of the model's own logits. [V]
using ReadRow = std::function<void(std::span<float>)>;

// Memory for whole rows, shared by all samplers of a thread; empty until a row is needed.
struct SamplerScratch {
  std::vector<float> logits;  // [V]
  std::vector<std::pair<float, int32_t>> ranked;
};

class Sampler {
 public:
  // `sampling` has been checked. The prompt counts for the repetition penalty.
  Sampler(const Sampling& sampling, std::span<const int32_t> prompt, int64_t vocabulary);

  // Says what the device has to bring. The row borrows the edits until the next Accept.
  void Describe(SampleRow& row) const;
  // The token for `position`, or -1 when the edits leave none. `result` answers Describe.
  int32_t Pick(const SampleResult& result, int64_t position, const ReadRow& read, SamplerScratch& scratch) const;
  // The chosen token's own logit, where `result` holds it.
  bool OwnLogit(const SampleResult& result, int32_t token, float& logit) const;
  // The token joined the answer.
  void Accept(int32_t token);

  std::span<const LogitEdit> edits() const { return edits_; }

 private:
  struct Count {
    int32_t in_answer = 0;
    bool in_context = false;
    float bias = 0;
  };
  bool penalised() const;
  size_t Find(int32_t token) const;
  void Write(size_t index);
  bool greedy() const { return sampling_.temperature < kGreedyTemperature; }

  Sampling sampling_;
  int64_t vocabulary_;
  std::vector<LogitEdit> edits_;  // ids ascending
  std::vector<Count> counts_;     // beside edits_
};

// Throws kArgument naming the option, its value and its range.
void CheckSampling(const Sampling& sampling, int64_t vocabulary);

}  // namespace scout::engine
