// A step of few rows: every launch is a list of tasks that depend on the same results, each of them some blocks of threads.
//
//   routing   a row's choices, and its values times each choice's gate as the experts' weights want them
//   swiglu    a piece of a row of silu(gate) * up, as the next weights want it
//   fetching  the beginning of the chosen experts' weights into the second level cache, for the next launch
//   jobs      outputs of one weight, or of the shared expert and then of the chosen ones, in the order of backends/ref/experts.cpp
//
// Sums are those of product.h: which launch they are in changes no bit. Rows that have chosen alike share a tile, so that an
// expert's weight comes from memory once for eight of them.
#pragma once

#include "gpu/kernel_table.h"
#include "gpu/product.h"
#include "gpu/rows.h"

namespace scout::SCOUT_GPU {

// Up to eight rows of a step, four bits for each.
struct FewTile {
  uint32_t list = 0;
  int count = 0;
  GPU_FUNCTION int Row(int i) const { return static_cast<int>(list >> 4 * i & 15); }
};
static_assert(gpu::kMostFewRows <= 16 && gpu::kFewRows <= 8);

// Tile `at`: eight rows, or those that chose like row `at` from there on; none where an earlier row has them.
GPU_FUNCTION FewTile FewTileOf(const gpu::FewArgs& a, const gpu::FewJob& job, int at) {
  FewTile tile;
  if (!job.routed.weight) {
    for (int row = at * gpu::kFewRows; row < a.n && tile.count < gpu::kFewRows; ++row)
      tile.list |= static_cast<uint32_t>(row) << 4 * tile.count++;
    return tile;
  }
  int earlier = 0;
  for (int row = 0; row < a.n; ++row) {
    bool alike = true;
    for (int j = 0; j < a.top_k; ++j) alike = alike && a.ids[row * a.top_k + j] == a.ids[at * a.top_k + j];
    if (!alike) continue;
    if (row < at)
      ++earlier;
    else if (tile.count < gpu::kFewRows)
      tile.list |= static_cast<uint32_t>(row) << 4 * tile.count++;
  }
  if (earlier % gpu::kFewRows != 0) tile.count = 0;
  return tile;
}

// Sixteen outputs of a float weight: sixteen threads for each, of which lane n gets the sum of row n.
template <typename F, typename RowOf>
GPU_FUNCTION float FewFloatSum(const uint8_t* matrix, int64_t row_bytes, int rows, int first_output, int k, const float* values,
                               const RowOf& row_of, int count) {
  const int wanted = first_output + Thread() / kLanes16, lane = Thread() % kLanes16, output = wanted < rows ? wanted : rows - 1;
  const uint8_t* const weight = matrix + output * row_bytes;
  int x[gpu::kFewRows];  // where rows begin
  float sum[gpu::kFewRows];
#pragma unroll
  for (int n = 0; n < gpu::kFewRows; ++n) x[n] = row_of(n < count ? n : 0) * k;
  LaneSums<F>(
      weight, k, lane, [&](int n) { return values + x[n]; }, count, sum);
  float mine = 0;
#pragma unroll
  for (int n = 0; n < gpu::kFewRows; ++n) {
    const float y = FoldLanes16(sum[n]);
    if (lane == n) mine = y;
  }
  return mine;
}

// Outputs of a block of threads, and which of them, and of the tile's rows, a thread gets.
template <bool kFloats>
struct FewPlace {
  static constexpr int kOutputs = kFloats ? kBlockThreads / kLanes16 : kFewOutputs;
  static constexpr int kAcross = kFloats ? kLanes16 : gpu::kFewRows;
  GPU_FUNCTION static int Output() { return Thread() / kAcross; }
  GPU_FUNCTION static int Row() { return Thread() % kAcross; }
};

template <bool kFloats, typename RowOf>
GPU_FUNCTION float AnySum(const gpu::FewWeight& w, const uint8_t* matrix, int rows, int first, const RowOf& row_of, int count,
                          Shared<float> terms, Shared<Int4> staged) {
  // Formats in the order of kernel_table.inl.
  if constexpr (kFloats) {
    const auto floats = [&]<typename F>(F) {
      return FewFloatSum<F>(matrix, w.row_bytes, rows, first, w.k, w.values, row_of, count);
    };
    switch (w.format - gpu::kBlockFormats) {
      case 0:
        return floats(F32Values());
      case 1:
        return floats(F16Values());
      default:
        return floats(BF16Values());
    }
  } else {
    const auto blocks = [&]<typename F>(F) {
      return FewSum<F>(matrix, w.row_bytes, rows, first, w.k, w.codes, w.scales, w.sums, row_of, count, terms, staged);
    };
    switch (w.format) {
      case 0:
        return blocks(Q4_0());
      case 1:
        return blocks(Q4_1());
      case 2:
        return blocks(Q5_0());
      case 3:
        return blocks(Q5_1());
      case 4:
        return blocks(Q8_0());
      case 5:
        return blocks(Q2_K());
      case 6:
        return blocks(Q3_K());
      case 7:
        return blocks(Q4_K());
      case 8:
        return blocks(Q5_K());
      default:
        return blocks(Q6_K());
    }
  }
}

// What of the chosen experts' weights the next launch reads first, one piece for each of `of` blocks.
GPU_FUNCTION void FetchAhead(const gpu::FewArgs& a, const int32_t* ids, int choices, int part, int of) {
#pragma unroll 1
  for (int j = 0; j < choices; ++j) {
    const int expert = ids[j];
    if (expert < a.first_expert || expert >= a.last_expert || expert < 0 || expert >= a.experts) continue;
#pragma unroll 1
    for (int i = 0; i < 2; ++i) {
      if (!a.ahead[i]) continue;
      const int64_t from = a.ahead_bytes[i] * part / of, to = a.ahead_bytes[i] * (part + 1) / of;
      PrefetchL2(a.ahead[i] + expert * a.ahead_expert_bytes[i] + from, to - from);
    }
  }
}

// Row n: its choices, where there is a router, and its values times their gates.
GPU_FUNCTION void RouteTask(const gpu::FewArgs& a, int n, SharedCursor& cursor) {
  const float* const x = a.in + static_cast<int64_t>(n) * a.d;
  int32_t* const ids = a.ids + n * a.top_k;
  float* const gates = a.gates + n * a.top_k;
  if (a.router) RouteRow(x, a.router, a.d, a.experts, a.top_k, ids, gates, cursor.Take<float>(a.experts));
  FetchAhead(a, ids, a.top_k, 0, 1);
#pragma unroll 1
  for (int j = 0; j < a.top_k; ++j) {
    const float gate = gates[j];
    EmitRow(a.scaled, n * a.top_k + j, a.d, 0, a.d, [&](int i) { return gate * x[i]; });
  }
}

GPU_FUNCTION void SwiGluTask(const gpu::FewArgs& a, int block) {
  const int pieces = (a.width + gpu::kSwiGluValues - 1) / gpu::kSwiGluValues, first = block % pieces * gpu::kSwiGluValues;
  const int64_t row = block / pieces;
  const float* const both = a.both + 2 * row * a.width;
  EmitRow(a.hidden, row, a.width, first, a.width - first < gpu::kSwiGluValues ? a.width : first + gpu::kSwiGluValues,
          [&](int i) { return Silu(both[i]) * both[a.width + i]; });
}

template <bool kFloats>
GPU_FUNCTION void FewJobTask(const gpu::FewArgs& a, const gpu::FewJob& job, int block, SharedCursor& cursor) {
  auto terms = cursor.Take<float>(a.terms);
  auto staged = cursor.Take<Int4>(a.staged);
  using Place = FewPlace<kFloats>;
  // Neighbours share a weight's rows; choices that stand apart are tasks of their own.
  const int choices = job.apart ? a.top_k : 1, tile_at = block % job.tiles, choice = block / job.tiles % choices;
  const int first_output = block / job.tiles / choices * Place::kOutputs;
  const FewTile tile = FewTileOf(a, job, tile_at);
  if (tile.count == 0) return;
  const int first = job.apart ? choice : job.dense.weight ? -1 : 0;
  const int last = job.apart ? choice + 1 : job.routed.weight ? a.top_k : 0;
  bool empty = true;
  float total = 0;
#pragma unroll 1
  for (int j = first; j < last; ++j) {
    const gpu::FewWeight& w = j < 0 ? job.dense : job.routed;
    const uint8_t* matrix = w.weight;
    if (j >= 0) {
      const int expert = a.ids[tile.Row(0) * a.top_k + j];
      if (expert < a.first_expert || expert >= a.last_expert) continue;
      if (expert < 0 || expert >= a.experts) {
        if (Thread() == 0) AtomicMax(a.fault, static_cast<int32_t>(gpu::kExpertOutOfRange));
        continue;
      }
      matrix += expert * w.expert_bytes;
    }
    const float y = AnySum<kFloats>(
        w, matrix, job.rows, first_output, [&](int n) { return j < 0 ? tile.Row(n) : tile.Row(n) * a.top_k + j; }, tile.count,
        terms, staged);
    total = empty ? y : total + y;
    empty = false;
    if (j + 1 < last) SyncBlock();
  }
  const int output = first_output + Place::Output(), row = Place::Row();
  if (empty || Place::Output() >= Place::kOutputs || row >= tile.count || output >= job.rows) return;
  const int64_t to_row = job.apart ? tile.Row(row) * a.top_k + choice : tile.Row(row);
  float* const to = job.out + to_row * job.out_cols + output;
  *to = job.add ? *to + total : total;
}

// Jobs of float weights, or of block formats: of either, since both in one kernel would take registers from each other. grid: [all
// blocks]. Shared: `terms` and `staged`, or E floats for a router.
template <bool kFloats>
GPU_FLOW_KERNEL FewTasks(gpu::FewArgs argument) {
  const gpu::FewArgs& a = InPlace(argument);
  SharedCursor cursor;
  int block = BlockX();
  const int others = a.route_blocks + a.swiglu_blocks + a.fetch_blocks;
  if (block >= others) {
    block -= others;
    int at = 0;
    while (block >= a.job[at].blocks) block -= a.job[at++].blocks;
    const gpu::FewJob& job = a.job[at];
    if (job.dense.weight && block % job.tiles == 0) {  // what is read whatever comes of the launches before
      constexpr int outputs = FewPlace<kFloats>::kOutputs;
      const int first = block / job.tiles * outputs;
      const int64_t rows = job.rows - first < outputs ? job.rows - first : outputs;
      PrefetchL2(job.dense.weight + first * job.dense.row_bytes, rows * job.dense.row_bytes);
    }
    StartNext();
    WaitForEarlier();
    FewJobTask<kFloats>(a, job, block, cursor);
    return;
  }
  if (block < a.route_blocks && a.router) PrefetchL2(a.router, static_cast<int64_t>(a.experts) * a.d * 4);
  StartNext();
  WaitForEarlier();
  if (block < a.route_blocks) return RouteTask(a, block, cursor);
  block -= a.route_blocks;
  if (block < a.swiglu_blocks) return SwiGluTask(a, block);
  FetchAhead(a, a.ids, a.n * a.top_k, block - a.swiglu_blocks, a.fetch_blocks);
}

}  // namespace scout::SCOUT_GPU
