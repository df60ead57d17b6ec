// What a sampler needs of a row of logits: the best few and two log-sum-exps.
//
// A log-sum-exp is taken over blocks of 4,096 ids, so that threads can share a row without changing it: in each block the largest
// value and the sum of exp(value - largest) in 16 float32 lanes (lane = index mod 16, folded as in DotLanes); the blocks' sums are
// then scaled to the row's largest value and added in float64, in order.
#include <algorithm>
#include <limits>

#include "backend/host_buffer.h"
#include "base/math.h"
#include "ref/ref_ops.h"

namespace scout::ref {
namespace {

constexpr int64_t kBlock = 4096;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

float LogSumExp(const float* values, int64_t count) {
  float max = -kInfinity;
  for (int64_t i = 0; i < count; ++i) max = values[i] > max ? values[i] : max;
  if (max == -kInfinity) return max;
  double sum = 0;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    const int64_t end = std::min(count, begin + kBlock);
    float block_max = -kInfinity;
    for (int64_t i = begin; i < end; ++i) block_max = values[i] > block_max ? values[i] : block_max;
    if (block_max == -kInfinity) continue;
    float lane[16] = {};
    for (int64_t i = begin; i < end; ++i) lane[(i - begin) % 16] += Exp(values[i] - block_max);
    for (int step = 8; step >= 1; step /= 2)
      for (int l = 0; l < step; ++l) lane[l] += lane[l + step];
    sum += static_cast<double>(lane[0]) * static_cast<double>(Exp(block_max - max));
  }
  return static_cast<float>(static_cast<double>(max) + Log(sum));
}

// The `wanted` largest of values[count], ties to the lower id; -infinity is never among them.
void Largest(const float* values, int64_t count, int32_t wanted, std::vector<int32_t>& order, std::vector<int32_t>& ids,
             std::vector<float>& logits) {
  order.clear();
  for (int64_t i = 0; i < count; ++i)
    if (values[i] != -kInfinity) order.push_back(static_cast<int32_t>(i));
  const auto kept = std::min(order.size(), static_cast<size_t>(std::max(wanted, 0)));
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept), order.end(),
                    [&](int32_t a, int32_t b) { return values[a] != values[b] ? values[a] > values[b] : a < b; });
  ids.assign(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept));
  logits.clear();
  for (const int32_t id : ids) logits.push_back(values[id]);
}

}  // namespace

void Sample(Context& context, const SampleOp& op, std::span<SampleResult> results) {
  const int64_t vocabulary = op.logits.cols;
  std::vector<float>& edited = context.y;
  for (size_t i = 0; i < op.rows.size(); ++i) {
    const SampleRow& row = op.rows[i];
    SampleResult& result = results[i];
    SCOUT_CHECK(row.row >= 0 && row.row < op.logits.rows, "logit row ", row.row, " of ", op.logits.rows);
    const float* const logits = HostF32(op.logits) + row.row * vocabulary;
    result.finite = std::none_of(logits, logits + vocabulary, [](float l) { return l != l || l == kInfinity; });
    if (!result.finite) continue;
    result.lse = LogSumExp(logits, vocabulary);
    if (row.target >= 0) {
      SCOUT_CHECK(row.target < vocabulary, "target ", row.target, " of ", vocabulary);
      result.target_logit = logits[row.target];
    }
    Largest(logits, vocabulary, row.top, context.order, result.top_id, result.top_logit);

    edited.assign(logits, logits + vocabulary);
    for (const LogitEdit& edit : row.edits) {
      SCOUT_CHECK(edit.id >= 0 && edit.id < vocabulary, "edit of id ", edit.id, " of ", vocabulary);
      float& logit = edited[static_cast<size_t>(edit.id)];
      logit = logit > 0 ? logit / edit.repetition : logit * edit.repetition;
      logit += edit.add;
    }
    if (!row.allowed.empty()) {
      SCOUT_CHECK(static_cast<int64_t>(row.allowed.size()) * 64 >= vocabulary, "a mask of ", row.allowed.size() * 64, " bits");
      for (int64_t id = 0; id < vocabulary; ++id)
        if ((row.allowed[static_cast<size_t>(id / 64)] >> (id % 64) & 1) == 0) edited[static_cast<size_t>(id)] = -kInfinity;
    }
    Largest(edited.data(), vocabulary, row.candidates, context.order, result.candidate_id, result.candidate_logit);
    for (float& logit : edited) logit /= row.temperature;
    result.edited_lse = LogSumExp(edited.data(), vocabulary);
  }
}

}  // namespace scout::ref
