// Attention over pages, and merging of partial results.
//
// kFloat32 is the plain softmax in two passes: the largest score first, then the weights.
//
// The defined arithmetic folds keys in an order that depends on positions alone. Let R be the first key that the mask allows (0,
// or the start of the attention chunk). Keys are taken in blocks of 64 positions and spans of 2,048, both counted from R. A span
// starts with max = -inf, sum = 0, o = 0 and folds its blocks from left to right; spans are folded from left to right. How rows
// were cut into steps, what else runs and how many threads there are cannot change it, and spans can be worked on apart.
//
//   score[j]   = DotLanes(q, k[j]) * scale
//   new_max    = max(max, largest score of the block)
//   c          = exp(max - new_max)                        0 for a span's first block
//   w[j]       = exp(score[j] - new_max)
//   sum        = fma(sum, c, lanes(w))                     lanes: 16 partial sums, folded as in DotLanes
//   o[i]       = o[i] * c, then o[i] = fma(w[j], v[j][i], o[i]) for j in order
// Merging the next span (max', sum', o'):  M = max(max, max'), c = exp(max - M), c' = exp(max' - M),
//   sum = fma(sum', c', sum * c),  o[i] = fma(o'[i], c', o[i] * c)
// At the end out[i] = o[i] * (1 / sum) and lse = max + ln(sum).
#include <algorithm>
#include <cmath>
#include <limits>

#include "backend/host_buffer.h"
#include "backend/host_pages.h"
#include "base/math.h"
#include "quant/formats.h"
#include "ref/ref_ops.h"

namespace scout::ref {
namespace {

constexpr int64_t kBlock = 64;
constexpr int64_t kSpan = 2048;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Where a sequence's keys lie.
struct Keys {
  const HostPages& pages;
  const StepPlan::Pages& lists;
  size_t sequence;
  int32_t layer;
  int64_t head;  // of keys and values

  struct At {
    const std::byte* k;
    const std::byte* v;
  };
  At Find(int64_t position) const {
    const PageGroupSpec& spec = pages.spec();
    const PageGeometry geometry{spec.page_size, spec.chunk};
    const PageGeometry::Place place = geometry.Find(position, lists.first_position[sequence]);
    const int64_t entry = lists.begin[sequence] + place.page;
    SCOUT_CHECK(place.page >= 0 && entry < lists.begin[sequence + 1], "position ", position, " is on no page of sequence ",
                sequence);
    const int64_t page = lists.page[static_cast<size_t>(entry)];
    SCOUT_CHECK(page >= 0 && page < spec.page_count, "page ", page, " of ", spec.page_count);
    return {pages.K(page, layer, head) + static_cast<size_t>(place.index) * pages.k_head_bytes(),
            pages.V(page, layer, head) + static_cast<size_t>(place.index) * pages.v_head_bytes()};
  }
  void ReadK(int64_t position, float* out) const {
    quant::DecodeRow(pages.spec().k_format, Find(position).k, out, static_cast<size_t>(pages.spec().head_dim));
  }
  void ReadV(int64_t position, float* out) const {
    quant::DecodeRow(pages.spec().v_format, Find(position).v, out, static_cast<size_t>(pages.spec().head_dim));
  }
};

float MaxOf(float a, float b) { return b > a ? b : a; }

float SumLanes(const float* w, int64_t count) {
  float lane[16] = {};
  for (int64_t j = 0; j < count; ++j) lane[j % 16] += w[j];
  for (int step = 8; step >= 1; step /= 2)
    for (int l = 0; l < step; ++l) lane[l] += lane[l + step];
  return lane[0];
}

// Softmax over keys first..last in two passes. out: [d]; returns the log-sum-exp.
float AttendFloat32(Context& context, const Keys& keys, const float* q, int64_t first, int64_t last, float scale, float* out) {
  const int64_t d = keys.pages.spec().head_dim;
  std::vector<float>& scores = context.scores;
  scores.resize(static_cast<size_t>(last - first + 1));
  float max = -kInfinity;
  for (int64_t t = first; t <= last; ++t) {
    keys.ReadK(t, context.key.data());
    const float score = DotDouble(q, context.key.data(), d) * scale;
    scores[static_cast<size_t>(t - first)] = score;
    max = MaxOf(max, score);
  }
  double sum = 0;
  std::fill(out, out + d, 0.0f);
  for (float& score : scores) {
    score = Exp(score - max);
    sum += static_cast<double>(score);
  }
  std::vector<double>& folded = context.folded;
  folded.assign(static_cast<size_t>(d), 0.0);
  for (int64_t t = first; t <= last; ++t) {
    keys.ReadV(t, context.value.data());
    for (int64_t i = 0; i < d; ++i) {
      folded[static_cast<size_t>(i)] +=
          static_cast<double>(scores[static_cast<size_t>(t - first)]) * static_cast<double>(context.value[static_cast<size_t>(i)]);
    }
  }
  for (int64_t i = 0; i < d; ++i) out[i] = static_cast<float>(folded[static_cast<size_t>(i)] / sum);
  return static_cast<float>(static_cast<double>(max) + Log(sum));
}

struct State {
  float max = -kInfinity;
  float sum = 0;
};

// Folds the keys first..last (one span) into a fresh state. o: [d]
State AttendSpan(Context& context, const Keys& keys, const float* q, int64_t first, int64_t last, float scale, float* o) {
  const int64_t d = keys.pages.spec().head_dim;
  State state;
  std::fill(o, o + d, 0.0f);
  float w[kBlock];
  for (int64_t begin = first; begin <= last; begin += kBlock) {
    const int64_t count = std::min(kBlock, last - begin + 1);
    float max = state.max;
    for (int64_t j = 0; j < count; ++j) {
      keys.ReadK(begin + j, context.key.data());
      w[j] = DotLanes(q, context.key.data(), d) * scale;
      max = MaxOf(max, w[j]);
    }
    const float c = begin == first ? 0.0f : Exp(state.max - max);
    for (int64_t j = 0; j < count; ++j) w[j] = Exp(w[j] - max);
    state.sum = Fma(state.sum, c, SumLanes(w, count));
    state.max = max;
    for (int64_t i = 0; i < d; ++i) o[i] *= c;
    for (int64_t j = 0; j < count; ++j) {
      keys.ReadV(begin + j, context.value.data());
      for (int64_t i = 0; i < d; ++i) o[i] = Fma(w[j], context.value[static_cast<size_t>(i)], o[i]);
    }
  }
  return state;
}

float AttendDefined(Context& context, const Keys& keys, const float* q, int64_t first, int64_t last, float scale, float* out) {
  const int64_t d = keys.pages.spec().head_dim;
  State state;
  context.sum.resize(static_cast<size_t>(d));
  for (int64_t begin = first; begin <= last; begin += kSpan) {
    const int64_t end = std::min(last, begin + kSpan - 1);
    if (begin == first) {
      state = AttendSpan(context, keys, q, begin, end, scale, out);
      continue;
    }
    const State next = AttendSpan(context, keys, q, begin, end, scale, context.sum.data());
    const float max = MaxOf(state.max, next.max);
    const float c = Exp(state.max - max), c_next = Exp(next.max - max);
    state = {max, Fma(next.sum, c_next, state.sum * c)};
    for (int64_t i = 0; i < d; ++i) out[i] = Fma(context.sum[static_cast<size_t>(i)], c_next, out[i] * c);
  }
  const float inverse = 1.0f / state.sum;
  for (int64_t i = 0; i < d; ++i) out[i] *= inverse;
  return static_cast<float>(static_cast<double>(state.max) + Log(static_cast<double>(state.sum)));
}

}  // namespace

void Attention(Context& context, const AttentionOp& op) {
  const StepPlan& plan = *context.plan;
  const HostPages& pages = *static_cast<const HostPages*>(op.pages);
  const PageGroupSpec& spec = pages.spec();
  const int64_t d = spec.head_dim, queries_per_key = op.heads / spec.kv_heads;
  const StepPlan::Pages& lists = plan.pages[static_cast<size_t>(op.group)];
  context.key.resize(static_cast<size_t>(d));
  context.value.resize(static_cast<size_t>(d));
  for (int64_t n = 0; n < op.q.rows; ++n) {
    const auto sequence = static_cast<size_t>(SequenceOf(plan, static_cast<int>(n)));
    const int64_t position = plan.position[static_cast<size_t>(n)];
    const int64_t first = op.mask == AttentionMask::kChunk ? PageGeometry{spec.page_size, spec.chunk}.ChunkStart(position) : 0;
    for (int64_t h = 0; h < op.heads; ++h) {
      const float* const q = HostF32(op.q) + (n * op.heads + h) * d;
      float* const out = HostF32(op.out) + (n * op.heads + h) * d;
      float lse = -kInfinity;
      if (lists.slot[static_cast<size_t>(n)] < 0) {
        std::fill(out, out + d, 0.0f);  // a padding row
      } else {
        const Keys keys{pages, lists, sequence, op.layer, h / queries_per_key};
        lse = (context.numerics == Numerics::kFloat32 ? AttendFloat32 : AttendDefined)(context, keys, q, first, position, op.scale,
                                                                                       out);
      }
      if (op.lse.buffer) HostF32(op.lse)[n * op.heads + h] = lse;
    }
  }
}

void MergeAttention(Context&, const MergeAttentionOp& op) {
  const int64_t d = op.out.cols / op.heads;
  for (int64_t i = 0; i < op.out.rows * op.heads; ++i) {
    float max = -kInfinity;
    for (const Act& lse : op.lse) max = MaxOf(max, HostF32(lse)[i]);
    float* const out = HostF32(op.out) + i * d;
    float sum = 0;
    for (size_t p = 0; p < op.partial.size(); ++p) {
      const float lse = HostF32(op.lse[p])[i];
      const float weight = lse == -kInfinity ? 0.0f : Exp(lse - max);  // an empty set of keys counts nothing
      sum += weight;
      const float* const partial = HostF32(op.partial[p]) + i * d;
      for (int64_t j = 0; j < d; ++j) out[j] = p == 0 ? partial[j] * weight : Fma(partial[j], weight, out[j]);
    }
    const float inverse = sum == 0 ? 0.0f : 1.0f / sum;
    for (int64_t j = 0; j < d; ++j) out[j] *= inverse;
    if (op.out_lse.buffer) HostF32(op.out_lse)[i] = static_cast<float>(static_cast<double>(max) + Log(static_cast<double>(sum)));
  }
}

}  // namespace scout::ref
