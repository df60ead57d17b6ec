// Kernels on rows alone: gathering, normalising, rounding, combining.
#pragma once

#include "gpu/arguments.h"
#include "gpu/blocks.h"
#include "gpu/math.h"

namespace scout::SCOUT_GPU {

// grid: [N]
template <typename F>
GPU_KERNEL EmbedBlocks(gpu::EmbedArgs a) {
  StartNext();
  WaitForEarlier();
  const int id = a.token[BlockX()] - a.first_row;
  if (id < 0 || id >= a.rows) return;
  const uint8_t* const row = a.table + id * a.row_bytes;
  float* const out = a.out + static_cast<int64_t>(BlockX()) * a.cols;
  for (int g = Thread(); g < a.cols / 32; g += Threads()) {
    float value[32];
    BlockRow<F>::Widen(row, 32 * g, 32, value);
    for (int i = 0; i < 32; ++i) out[32 * g + i] = value[i];
  }
}
template <typename F>
GPU_KERNEL EmbedValues(gpu::EmbedArgs a) {
  StartNext();
  WaitForEarlier();
  const int id = a.token[BlockX()] - a.first_row;
  if (id < 0 || id >= a.rows) return;
  for (int i = Thread(); i < a.cols; i += Threads())
    a.out[static_cast<int64_t>(BlockX()) * a.cols + i] = F::Value(a.table + id * a.row_bytes, i);
}

// 1 / sqrt(mean of squares + eps) of x[count], by sixteen lanes; every thread of the warp comes here, each sixteen with its own x.
template <typename Values>
GPU_FUNCTION float InverseRms(const Values& x, int first, int count, float eps) {
  float sum = 0;
  for (int i = Thread() % kLanes16; i < count; i += kLanes16) {
    const float value = x[first + i];
    sum = Fma(value, value, sum);
  }
  const float mean = Divide(FoldLanes16(sum), static_cast<float>(count));
  return Divide(1.0f, Sqrt(mean + eps));
}

// quant/activation.h: a team of 32 threads rounds a group, each with its kGroup / 32 values of it. Every thread of the warp comes
// here, those whose group there is not (`mine`) too.
template <int kGroup>
GPU_FUNCTION void QuantizeGroup(const float (&x)[kGroup / kTeam], bool mine, int8_t* codes, float* scale, int16_t* sums) {
  constexpr int kEach = kGroup / kTeam;  // values of a thread: 1 or 8
  const int lane = Thread() % kTeam;
  uint32_t max_bits = 0;  // magnitudes order like their bits; NaN and infinity come last
  for (int i = 0; i < kEach; ++i) {
    const uint32_t bits = BitsOf(x[i]) & 0x7fffffff;
    max_bits = bits > max_bits ? bits : max_bits;
  }
  for (int bits = kTeam / 2; bits > 0; bits /= 2) {
    const uint32_t other = ShflXor(kAllLanes, max_bits, bits);
    max_bits = other > max_bits ? other : max_bits;
  }
  const float max = FloatOf(max_bits);
  const bool finite = max_bits < kInfinityBits;
  const bool zero = !finite || max < 0x1p-116f;
  const float inverse = zero ? 0.0f : Divide(127.0f, max);
  int sum = 0;
  for (int i = 0; i < kEach; ++i) {
    const int code = zero ? 0 : RoundToInt(x[i] * inverse);
    if (mine) codes[lane * kEach + i] = static_cast<int8_t>(code);
    sum += code;
  }
  // One sum per 32 values, or per 16: of two threads.
  constexpr int kSumThreads = kGroup == 32 ? kTeam : 2;
  for (int bits = kSumThreads / 2; bits > 0; bits /= 2) sum += ShflXor(kAllLanes, sum, bits);
  if (!mine) return;
  if (lane == 0) *scale = finite ? (zero ? 0.0f : Divide(max, 127.0f)) : FloatOf(0x7fc00000);
  if (lane % kSumThreads == 0) sums[lane / kSumThreads] = static_cast<int16_t>(sum);
}

// Groups of row `row` of `cols` values, from `first` to `end`. The whole block comes here.
template <int kGroup, typename Value>
GPU_FUNCTION void EmitCodes(const gpu::RowCodes& to, int64_t row, int cols, int first, int end, const Value& value) {
  if (!to.codes) return;
  constexpr int kEach = kGroup / kTeam;
  const int lane = Thread() % kTeam;
  for (int at = first; at < end; at += kBlockThreads / kTeam * kGroup) {
    const int wanted = at + Thread() / kTeam * kGroup;
    const bool mine = wanted < end;
    const int begin = mine ? wanted : first;
    float x[kEach];
    for (int i = 0; i < kEach; ++i) x[i] = value(begin + lane * kEach + i);
    const int64_t begins = row * cols + begin;
    QuantizeGroup<kGroup>(x, mine, to.codes + begins, to.scales + begins / kGroup, to.sums + begins / (kGroup == 32 ? 32 : 16));
  }
}
template <typename Value>
GPU_FUNCTION void EmitRow(const gpu::RowTargets& to, int64_t row, int cols, int first, int end, const Value& value) {
  if (to.values)
    for (int i = first + Thread(); i < end; i += kBlockThreads) to.values[row * cols + i] = value(i);
  EmitCodes<32>(to.per32, row, cols, first, end, value);
  EmitCodes<256>(to.per256, row, cols, first, end, value);
}

// grid: [N]. Shared: one float and cols floats.
GPU_KERNEL RmsNorm(gpu::RmsNormArgs a) {
  if (BlockX() == 0) PrefetchL2(a.weight, 4 * static_cast<int64_t>(a.cols));
  StartNext();
  WaitForEarlier();
  SharedCursor cursor;
  auto scale = cursor.Take<float>(1);
  auto row = cursor.Take<float>(a.cols);
  const float* const in = a.in + static_cast<int64_t>(BlockX()) * a.cols;
  for (int i = Thread(); i < a.cols; i += Threads()) row[i] = in[i];
  SyncBlock();
  if (Thread() < kWarp) {
    const float inverse = InverseRms(row, 0, a.cols, a.eps);
    if (Thread() == 0) scale[0] = inverse;
  }
  SyncBlock();
  const float s = scale[0];
  EmitRow(a.out, BlockX(), a.cols, 0, a.cols, [&](int i) {
    const float x = row[i];
    return x * s * a.weight[i];
  });
}

// A team for a group. grid: [groups / 8]
template <int kGroup>
GPU_KERNEL Quantize(gpu::QuantizeArgs a) {
  StartNext();
  WaitForEarlier();
  constexpr int kEach = kGroup / kTeam;
  const int64_t wanted = static_cast<int64_t>(BlockX()) * (kBlockThreads / kTeam) + Thread() / kTeam;
  const bool mine = wanted < a.groups;
  const int64_t group = mine ? wanted : 0;
  float x[kEach];
  for (int i = 0; i < kEach; ++i) x[i] = a.in[group * kGroup + Thread() % kTeam * kEach + i];
  QuantizeGroup<kGroup>(x, mine, a.codes + group * kGroup, a.scales + group, a.sums + group * (kGroup == 32 ? 1 : 16));
}

// grid: [any]
GPU_KERNEL SwiGlu(gpu::SwiGluArgs a) {
  const int64_t all = a.rows * a.width, step = static_cast<int64_t>(GridX()) * Threads();
  for (int64_t i = static_cast<int64_t>(BlockX()) * Threads() + Thread(); i < all; i += step) {
    const int64_t n = i / a.width, j = i % a.width;
    a.out[i] = Silu(a.in[2 * n * a.width + j]) * a.in[(2 * n + 1) * a.width + j];
  }
}

// grid: [any]
GPU_KERNEL Finish(gpu::FinishArgs a) {
  const int64_t all = a.rows * a.cols, step = static_cast<int64_t>(GridX()) * Threads();
  for (int64_t i = static_cast<int64_t>(BlockX()) * Threads() + Thread(); i < all; i += step) {
    float y = a.y[i];
    if (a.bias) y = y + a.bias[i % a.cols];
    if (a.gelu) y = Gelu(y);
    if (a.add_to)
      a.add_to[i] += y;
    else
      a.y[i] = y;
  }
}

// grid: [M]
GPU_KERNEL Gather(gpu::GatherArgs a) {
  StartNext();
  WaitForEarlier();
  const int64_t from = static_cast<int64_t>(a.rows[BlockX()]) * a.cols, to = static_cast<int64_t>(BlockX()) * a.cols;
  for (int i = Thread(); i < a.cols; i += Threads()) a.out[to + i] = a.in[from + i];
}

// grid: [slots]
GPU_KERNEL ScaleRows(gpu::ScaleRowsArgs a) {
  const int64_t slot = BlockX();
  const float gate = a.gates[slot];
  for (int i = Thread(); i < a.cols; i += Threads()) a.out[slot * a.cols + i] = gate * a.in[slot / a.top_k * a.cols + i];
}

// residual[n] += shared, then the routed ones in the order of the choices. grid: [N]
GPU_KERNEL Combine(gpu::CombineArgs a) {
  const int64_t n = BlockX();
  for (int i = Thread(); i < a.cols; i += Threads()) {
    bool empty = a.shared == nullptr;
    float sum = empty ? 0.0f : a.shared[n * a.cols + i];
    for (int j = 0; j < a.top_k; ++j) {
      const int64_t slot = n * a.top_k + j;
      const int expert = a.ids[slot];
      if (expert < a.first_expert || expert >= a.last_expert) continue;
      const float y = a.routed[slot * a.cols + i];
      sum = empty ? y : sum + y;
      empty = false;
    }
    if (!empty) a.residual[n * a.cols + i] += sum;
  }
}

// Logits by float dots, a team of sixteen for each expert; then the best k, ties to the lower index, a NaN only when nothing else
// is left. Ids and gates are there for all threads of the block afterwards. Shared: E floats.
GPU_FUNCTION void RouteRow(const float* x, const float* router, int d, int experts, int top_k, int32_t* ids, float* gates,
                           Shared<float> logits) {
  const int teams = Threads() / kLanes16, lane = Thread() % kLanes16;
  for (int first = 0; first < experts; first += teams) {
    const int wanted = first + Thread() / kLanes16, e = wanted < experts ? wanted : experts - 1;
    const float* const w = router + static_cast<int64_t>(e) * d;
    float sum = 0;
#pragma unroll 4  // so many loads are on their way
    for (int i = lane; i < d; i += kLanes16) sum = Fma(w[i], x[i], sum);
    sum = FoldLanes16(sum);
    if (lane == 0 && wanted < experts) logits[e] = sum;
  }
  SyncBlock();
  if (Thread() == 0) {
    for (int i = 0; i < top_k; ++i) {
      int best = -1;
      float best_logit = 0;
      for (int e = 0; e < experts; ++e) {
        bool taken = false;
        for (int j = 0; j < i; ++j) taken = taken || ids[j] == e;
        if (taken) continue;
        const float logit = logits[e];
        if (best < 0 || logit > best_logit || (best_logit != best_logit && logit == logit)) {
          best = e;
          best_logit = logit;
        }
      }
      ids[i] = best;
      gates[i] = Sigmoid(best_logit);
    }
  }
  SyncBlock();
}

// grid: [N]. Shared: E floats.
GPU_KERNEL Route(gpu::RouteArgs a) {
  SharedCursor cursor;
  const int64_t n = BlockX();
  RouteRow(a.in + n * a.d, a.router, a.d, a.experts, a.top_k, a.ids + n * a.top_k, a.gates + n * a.top_k,
           cursor.Take<float>(a.experts));
}

// Groups slots by expert without leaving the device: first how many each expert has. grid: [E], one warp.
GPU_KERNEL CountSlots(gpu::GroupArgs a) {
  const int expert = BlockX();
  const bool wanted = expert >= a.first_expert && expert < a.last_expert;
  int count = 0;
  bool fault = false;
  for (int first = 0; first < a.slots; first += kWarp) {
    const int slot = first + Thread();
    const int id = slot < a.slots ? a.ids[slot] : -1;
    fault = fault || (slot < a.slots && id >= a.first_expert && id < a.last_expert && (id < 0 || id >= a.experts));
    count += Popcount(Ballot(kAllLanes, wanted && id == expert));
  }
  if (fault && expert == 0) AtomicMax(a.fault, static_cast<int32_t>(gpu::kExpertOutOfRange));
  if (Thread() == 0) a.count[expert] = count;
}
// Then the list of each expert's slots and its tiles; tiles past the last are empty. grid: [E], one warp.
GPU_KERNEL ListSlots(gpu::GroupArgs a) {
  const int expert = BlockX();
  int begin = 0, tile = 0, all_tiles = 0;
  for (int e = 0; e < a.experts; ++e) {
    const int count = a.count[e], tiles = (count + a.tile_rows - 1) / a.tile_rows;
    begin += e < expert ? count : 0;
    tile += e < expert ? tiles : 0;
    all_tiles += tiles;
  }
  const int count = a.count[expert], tiles = (count + a.tile_rows - 1) / a.tile_rows;
  for (int t = Thread(); t < tiles; t += Threads()) {
    const int left = count - t * a.tile_rows;
    a.tiles[tile + t] = {expert, begin + t * a.tile_rows, left < a.tile_rows ? left : a.tile_rows};
  }
  if (expert == 0)
    for (int t = all_tiles + Thread(); t < a.max_tiles; t += Threads()) a.tiles[t] = {0, 0, 0};
  const bool wanted = expert >= a.first_expert && expert < a.last_expert;
  int done = 0;
  for (int first = 0; first < a.slots; first += kWarp) {
    const int slot = first + Thread();
    const bool mine = wanted && slot < a.slots && a.ids[slot] == expert;
    const LaneMask votes = Ballot(kAllLanes, mine);
    const LaneMask before = votes & ((LaneMask{1} << Thread()) - 1);
    if (mine) a.order[begin + done + Popcount(before)] = slot;
    done += Popcount(votes);
  }
}

}  // namespace scout::SCOUT_GPU
