#include <algorithm>
#include <limits>

#include "base/math.h"
#include "cpu/context.h"

namespace scout::cpu {
namespace {

constexpr int64_t kBlock = 4096;  // of a log-sum-exp, see ref/sample.cpp
constexpr int64_t kGlance = 256;  // values whose largest is compared before any of them is
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Returns false where there is a NaN or +infinity.
bool LogSumExp(const Kernels& kernels, const float* values, int64_t count, float* lse) {
  float max = -kInfinity;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    const float largest = kernels.largest(values + begin, std::min(kBlock, count - begin));
    max = largest > max ? largest : max;
  }
  if (max == kInfinity) return false;
  double sum = 0;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    const int64_t length = std::min(kBlock, count - begin);
    const float block_max = kernels.largest(values + begin, length);
    if (block_max == -kInfinity) {
      if (std::any_of(values + begin, values + begin + length, [](float v) { return v != v; })) return false;
      continue;
    }
    const float block_sum = kernels.exp_sum(values + begin, block_max, length, nullptr);
    if (block_sum != block_sum) return false;
    sum += static_cast<double>(block_sum) * static_cast<double>(Exp(block_max - max));
  }
  *lse = max == -kInfinity ? max : static_cast<float>(static_cast<double>(max) + Log(sum));
  return true;
}

// The `wanted` largest, ties to the lower id, -infinity never. `order` is scratch of `count`.
void Largest(const Kernels& kernels, const float* values, int64_t count, int32_t wanted, int32_t* order, std::vector<int32_t>& ids,
             std::vector<float>& logits) {
  ids.clear();
  logits.clear();
  if (wanted <= 0) return;
  const auto before = [&](int32_t a, int32_t b) { return values[a] != values[b] ? values[a] > values[b] : a < b; };
  if (wanted > 512) {
    int64_t candidates = 0;
    for (int64_t i = 0; i < count; ++i)
      if (values[i] != -kInfinity) order[candidates++] = static_cast<int32_t>(i);
    const int64_t kept = std::min<int64_t>(candidates, wanted);
    std::partial_sort(order, order + kept, order + candidates, before);
    ids.assign(order, order + kept);
  } else {
    // order[0 .. kept) is sorted; a value joins only when it beats the last.
    int64_t kept = 0;
    float last = -kInfinity;
    for (int64_t begin = 0; begin < count; begin += kGlance) {
      const int64_t end = std::min(count, begin + kGlance);
      if (!(kernels.largest(values + begin, end - begin) > last)) continue;
      for (int64_t i = begin; i < end; ++i) {
        if (!(values[i] > last)) continue;  // an equal value with a higher id loses
        const auto id = static_cast<int32_t>(i);
        const int64_t at = std::upper_bound(order, order + kept, id, before) - order;
        if (kept < wanted) ++kept;
        std::copy_backward(order + at, order + kept - 1, order + kept);
        order[at] = id;
        if (kept == wanted) last = values[order[kept - 1]];
      }
    }
    ids.assign(order, order + kept);
  }
  for (const int32_t id : ids) logits.push_back(values[id]);
}

}  // namespace

void Sample(Context& context, const SampleOp& op, std::span<SampleResult> results) {
  const Kernels& kernels = *context.kernels;
  const int64_t vocabulary = op.logits.cols;
  const float* const all = HostF32(op.logits);
  float* const edited_rows = context.arena.Take<float>(context.threads * vocabulary);
  int32_t* const orders = context.arena.Take<int32_t>(context.threads * vocabulary);
  context.Parallel(static_cast<int64_t>(op.rows.size()), [&](int64_t i, int thread) {
    const SampleRow& row = op.rows[static_cast<size_t>(i)];
    SampleResult& result = results[static_cast<size_t>(i)];
    SCOUT_CHECK(row.row >= 0 && row.row < op.logits.rows, "logit row ", row.row, " of ", op.logits.rows);
    const float* const logits = all + row.row * vocabulary;
    result.finite = LogSumExp(kernels, logits, vocabulary, &result.lse);
    if (!result.finite) return;
    if (row.target >= 0) {
      SCOUT_CHECK(row.target < vocabulary, "target ", row.target, " of ", vocabulary);
      result.target_logit = logits[row.target];
    }
    int32_t* const order = orders + thread * vocabulary;
    Largest(kernels, logits, vocabulary, row.top, order, result.top_id, result.top_logit);

    const float* chosen = logits;
    float* const edited = edited_rows + thread * vocabulary;
    if (!row.edits.empty() || !row.allowed.empty()) {
      std::copy(logits, logits + vocabulary, edited);
      for (const LogitEdit& edit : row.edits) {
        SCOUT_CHECK(edit.id >= 0 && edit.id < vocabulary, "edit of id ", edit.id, " of ", vocabulary);
        float& logit = edited[edit.id];
        logit = logit > 0 ? logit / edit.repetition : logit * edit.repetition;
        logit += edit.add;
      }
      if (!row.allowed.empty()) {
        SCOUT_CHECK(static_cast<int64_t>(row.allowed.size()) * 64 >= vocabulary, "a mask of ", row.allowed.size() * 64, " bits");
        for (int64_t id = 0; id < vocabulary; ++id)
          if ((row.allowed[static_cast<size_t>(id / 64)] >> (id % 64) & 1) == 0) edited[id] = -kInfinity;
      }
      chosen = edited;
    }
    Largest(kernels, chosen, vocabulary, row.candidates, order, result.candidate_id, result.candidate_logit);
    if (chosen == logits && row.temperature == 1.0f) {
      result.edited_lse = result.lse;
      return;
    }
    for (int64_t id = 0; id < vocabulary; ++id) edited[id] = chosen[id] / row.temperature;
    // An edit may have made a logit infinite; the sampler sees that in edited_lse.
    if (!LogSumExp(kernels, edited, vocabulary, &result.edited_lse)) result.edited_lse = std::numeric_limits<float>::quiet_NaN();
  });
}

}  // namespace scout::cpu
