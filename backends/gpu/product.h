// y[n, o] = W[o] . x[n], in the defined arithmetic (backends/ref/dot.h), so that the bits are those of every other backend whatever
// the number of rows:
//   kManyRows         any format widened to float32, one sum for each 128 values of K, these sums added from left to right
//   F32, F16          sixteen partial sums by i mod 16, fused multiply-adds in ascending order, folded 8, 4, 2, 1
//   BF16              the same of pairs of values, the second first, with activations rounded to BF16
//   block weights     exact integers inside a block, blocks folded from left to right
// Two forms for block weights: FewSum streams the weight once for up to eight rows, ProductMany (product_many.h) multiplies tiles
// with matrix instructions. Either takes plain rows or tiles of slots grouped by expert (arguments.h); a step of few rows takes
// FewSum in few.h.
#pragma once

#include "gpu/arguments.h"
#include "gpu/blocks.h"
#include "gpu/math.h"

namespace scout::SCOUT_GPU {

// Which rows of activations a block takes.
struct RowTile {
  int expert, first, count;
  const int32_t* order;
  GPU_FUNCTION int64_t Row(int i) const { return order ? order[first + i] : first + i; }
};
GPU_FUNCTION RowTile TileOf(const gpu::ProductArgs& a, int tile_rows) {
  if (a.tiles) {
    const gpu::ProductTile tile = a.tiles[BlockY()];
    return {tile.expert, tile.first, tile.count, a.order};
  }
  const int first = BlockY() * tile_rows, left = a.n - first;
  return {0, first, left < tile_rows ? left : tile_rows, nullptr};
}
GPU_FUNCTION void Write(const gpu::ProductArgs& a, int64_t row, int output, float y) {
  float* const to = a.out + row * a.out_cols + output;
  *to = a.add ? *to + y : y;
}

// A lane's sums of a float weight with up to kFewRows rows, of which `count` are there; x(n) is where row n begins.
template <typename F, typename RowOf>
GPU_FUNCTION void LaneSums(const uint8_t* weight, int k, int lane, const RowOf& x, int count, float (&sum)[gpu::kFewRows]) {
#pragma unroll
  for (int n = 0; n < gpu::kFewRows; ++n) sum[n] = 0;
  if constexpr (F::kPairs) {
    for (int i = 2 * lane; i < k; i += 2 * kLanes16) {
      const bool both = i + 1 < k;
      const float first = F::Value(weight, i), second = both ? F::Value(weight, i + 1) : 0.0f;
#pragma unroll
      for (int n = 0; n < gpu::kFewRows; ++n) {
        if (n >= count) continue;
        const float* const row = x(n);
        const uint32_t pair = Bf16Pair(row[i], both ? row[i + 1] : 0.0f);
        if (both) sum[n] = Fma(second, FloatOf(pair & 0xffff0000), sum[n]);
        sum[n] = Fma(first, FloatOf(pair << 16), sum[n]);
      }
    }
  } else {
    for (int i = lane; i < k; i += kLanes16) {
      const float w = F::Value(weight, i);
#pragma unroll
      for (int n = 0; n < gpu::kFewRows; ++n)
        if (n < count) sum[n] = Fma(w, x(n)[i], sum[n]);
    }
  }
}

// Sixteen threads take an output. grid: [outputs / 16, tiles of 8]
template <typename F>
GPU_KERNEL ProductValues(gpu::ProductArgs a) {
  const RowTile tile = TileOf(a, gpu::kFewRows);
  if (tile.count <= 0) return;
  const int wanted = BlockX() * (kBlockThreads / kLanes16) + Thread() / kLanes16, lane = Thread() % kLanes16;
  const int output = wanted < a.rows ? wanted : a.rows - 1;
  const uint8_t* const weight = a.weight + tile.expert * a.expert_bytes + output * a.row_bytes;
  const float* x[gpu::kFewRows];
  float sum[gpu::kFewRows];
#pragma unroll
  for (int n = 0; n < gpu::kFewRows; ++n) x[n] = a.values + tile.Row(n < tile.count ? n : 0) * a.k;
  LaneSums<F>(
      weight, a.k, lane, [&](int n) { return x[n]; }, tile.count, sum);
#pragma unroll
  for (int n = 0; n < gpu::kFewRows; ++n) {
    const float y = FoldLanes16(sum[n]);
    if (lane == 0 && n < tile.count && wanted < a.rows) Write(a, tile.Row(n), output, y);
  }
}

// A block of the form for weights of the role kManyRows: 64 rows x 64 outputs, 4 x 4 of them for each thread, 32 values of K at a
// time.
struct FloatShape {
  static constexpr int kTile = 64, kStep = 32, kDepth = 128;
  static constexpr int kStride = kStep + 1;  // so that rows meet different banks
  static constexpr int kAcross = 16;         // threads
  static constexpr int kEach = kTile / kAcross;
  static constexpr size_t kSharedBytes = 2 * sizeof(float) * kTile * kStride;
};

// grid: [outputs / 64, rows / 64]
template <typename Row>
GPU_KERNEL ProductFloats(gpu::ProductArgs a) {
  using Shape = FloatShape;
  constexpr int kEach = Shape::kEach;
  SharedCursor cursor;
  auto x = cursor.Take<float>(Shape::kTile * Shape::kStride);
  auto w = cursor.Take<float>(Shape::kTile * Shape::kStride);
  const int first_row = BlockY() * Shape::kTile, first_output = BlockX() * Shape::kTile;
  const int my_row = Thread() / Shape::kAcross, my_output = Thread() % Shape::kAcross;
  float total[kEach][kEach] = {}, sum[kEach][kEach] = {};
  for (int at = 0; at < a.k; at += Shape::kStep) {
    const int values = a.k - at < Shape::kStep ? a.k - at : Shape::kStep;
    for (int i = Thread(); i < Shape::kTile * Shape::kStep; i += kBlockThreads) {
      const int row = i / Shape::kStep, e = i % Shape::kStep;
      const bool inside = first_row + row < a.n && e < values;
      x[row * Shape::kStride + e] = inside ? a.values[static_cast<int64_t>(first_row + row) * a.k + at + e] : 0.0f;
    }
    if (Thread() < Shape::kTile) {
      float value[32] = {};
      if (first_output + Thread() < a.rows) Row::Widen(a.weight + (first_output + Thread()) * a.row_bytes, at, values, value);
      for (int e = 0; e < Shape::kStep; ++e) w[Thread() * Shape::kStride + e] = value[e];
    }
    SyncBlock();
    for (int e = 0; e < values; ++e) {
      float right[kEach];
#pragma unroll
      for (int j = 0; j < kEach; ++j) right[j] = w[(my_output + j * Shape::kAcross) * Shape::kStride + e];
#pragma unroll
      for (int i = 0; i < kEach; ++i) {
        const float left = x[(my_row + i * Shape::kAcross) * Shape::kStride + e];
#pragma unroll
        for (int j = 0; j < kEach; ++j) sum[i][j] = Fma(right[j], left, sum[i][j]);
      }
    }
    const int done = at + values;
    if (done % Shape::kDepth == 0 || done == a.k) {
#pragma unroll
      for (int i = 0; i < kEach; ++i)
#pragma unroll
        for (int j = 0; j < kEach; ++j) {
          total[i][j] = done <= Shape::kDepth ? sum[i][j] : total[i][j] + sum[i][j];
          sum[i][j] = 0;
        }
    }
    SyncBlock();
  }
#pragma unroll
  for (int i = 0; i < kEach; ++i)
#pragma unroll
    for (int j = 0; j < kEach; ++j) {
      const int row = first_row + my_row + i * Shape::kAcross, output = first_output + my_output + j * Shape::kAcross;
      if (row < a.n && output < a.rows) Write(a, row, output, total[i][j]);
    }
}

// One value of a block's 32 against the activations': its part of the block's two integer sums.
template <typename F>
GPU_FUNCTION void Dot32(const uint32_t (&w)[8], const int (&S)[2], const int (&M)[2], const int8_t* codes, const int16_t* sums,
                        int& isum, int& msum) {
  const Int4 low = *reinterpret_cast<const Int4*>(codes), high = *reinterpret_cast<const Int4*>(codes + 16);
  int first = 0, second = 0;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    first = Dot4(w[i], static_cast<uint32_t>(low.x[i]), first);
    second = Dot4(w[i + 4], static_cast<uint32_t>(high.x[i]), second);
  }
  isum = S[0] * first + S[1] * second;
  if (!F::kMinimum)
    msum = 0;
  else if (F::kValues == 32)
    msum = M[0] * sums[0];
  else
    msum = M[0] * sums[0] + M[1] * sums[1];
}
template <typename F>
GPU_FUNCTION float Term(int isum, int msum, float d, float m) {
  if (!F::kMinimum) return static_cast<float>(isum) * d;
  return Fma(static_cast<float>(isum), d, static_cast<float>(msum) * m);
}

constexpr int kFewOutputs = kBlockThreads / kTeam;  // of a block: one for each team of 32 threads
constexpr int kSegment = 32 * kTeam;                // values that a team takes at once: 32 for each thread
// Blocks that lie at multiples of 2 bytes would take a load for every two bytes. Where copies are asynchronous they go to shared
// memory in aligned pieces of sixteen bytes, with what lies beside them, two segments ahead of their use. Not Q3_K: unpacking it
// leaves no registers for that.
template <typename F>
inline constexpr bool kFewStaged = F::kBytes % 4 != 0 && kAsyncCopies;
template <>
inline constexpr bool kFewStaged<Q3_K> = false;
template <typename F>
struct FewShape {
  static constexpr bool kStaged = kFewStaged<F>;
  static constexpr int kStages = 3;
  static constexpr int kSegmentBytes = kSegment / F::kValues * F::kBytes;
  static constexpr int kPieces = kStaged ? (kSegmentBytes + 14 + 15) / 16 : 0;
  static constexpr int kTerms = kSegment / F::kValues;  // blocks of a segment
  static constexpr int kStride = kTerms + 1;            // so that folding threads meet different banks
  static constexpr int kFloats = kFewOutputs * gpu::kFewRows * kStride;
  static constexpr size_t kSharedBytes = 2 * sizeof(float) * kFloats + 16 * static_cast<size_t>(kStages * kFewOutputs * kPieces);
};

// The sums of a block of threads over one weight: eight outputs from `first_output` on, for the rows row_of(0 .. count - 1) of the
// activations. A thread takes 32 values, a block's terms go to shared memory, and one thread for each (output, row), output * 8 +
// row, folds them from left to right while the others are at the next segment; it gets the sum. Every thread of the block comes
// here; shared memory is free again for the next barrier's other side.
template <typename F, typename RowOf>
GPU_FUNCTION float FewSum(const uint8_t* matrix, int64_t row_bytes, int rows, int first_output, int k, const int8_t* codes,
                          const float* scales, const int16_t* sums, const RowOf& row_of, int count, Shared<float> terms,
                          Shared<Int4> staged) {
  using Shape = FewShape<F>;
  const int team = Thread() / kTeam, lane = Thread() % kTeam;
  const int wanted = first_output + team, output = wanted < rows ? wanted : rows - 1;
  const uint8_t* const weight = matrix + output * row_bytes;
  constexpr int kGroups = F::kValues / 32;  // threads of a block
  // As a folding thread.
  const int my_output = Thread() / gpu::kFewRows, my_row = Thread() % gpu::kFewRows;
  const bool folds = my_output < kFewOutputs && my_row < count && first_output + my_output < rows;
  const float* const my_scales = scales + (folds ? row_of(my_row) : 0) * (k / F::kValues);
  float sum = 0;

  const auto segment_at = [&](int segment) { return weight + static_cast<int64_t>(segment / F::kValues) * F::kBytes; };
  // Bytes that lie before a segment in its first piece.
  const int first_before = static_cast<int>(reinterpret_cast<uintptr_t>(weight) % 16);
  const auto before = [&](int segment) { return (first_before + segment / kSegment * (Shape::kSegmentBytes % 16)) % 16; };
  const auto stage_at = [&](int stage) { return (stage * kFewOutputs + team) * Shape::kPieces; };
  const auto copy = [&](int segment, int stage) {
    if (segment < k) {
      const uint8_t* const begin = segment_at(segment);
      const int values = k - segment < kSegment ? k - segment : kSegment, end = before(segment) + values / F::kValues * F::kBytes;
      for (int piece = lane; 16 * piece < end; piece += kTeam)
        AsyncCopy16(staged[stage_at(stage) + piece], begin - before(segment) + 16 * piece);
    }
    AsyncCommit();
  };
  if (Shape::kStaged)
    for (int i = 0; i + 1 < Shape::kStages; ++i) copy(i * kSegment, i);

  int buffer = 0, stage = 0;
  for (int segment = 0; segment < k; segment += kSegment, buffer = 1 - buffer) {
    const int at = segment + 32 * lane;
    const bool inside = at < k;
    if (Shape::kStaged) {
      AsyncWait<Shape::kStages - 2>();
      SyncWarp(kAllLanes);
      copy(segment + (Shape::kStages - 1) * kSegment, stage == 0 ? Shape::kStages - 1 : stage - 1);
    }
    uint32_t w[8] = {};
    int S[2] = {}, M[2] = {};
    float d = 0, m = 0;
    if (inside) {
      const uint8_t* block = segment_at(at);
      if (Shape::kStaged)
        block = SharedBytes(staged, 16 * stage_at(stage) + before(segment) + lane / kGroups * F::kBytes, F::kBytes);
      F::Codes(block, lane % kGroups, w);
      F::Scales(block, lane % kGroups, S, M);
      d = F::D(block);
      m = F::Minimum(block);
    }
    for (int n = 0; n < count; ++n) {
      int isum = 0, msum = 0;
      if (inside) {
        const int64_t row = row_of(n);
        constexpr int kSumValues = F::kValues == 32 ? 32 : 16;
        Dot32<F>(w, S, M, codes + row * k + at, sums + row * (k / kSumValues) + at / kSumValues, isum, msum);
      }
#pragma unroll
      for (int bits = kGroups / 2; bits > 0; bits /= 2) {
        isum += ShflXor(kAllLanes, isum, bits);
        if (F::kMinimum) msum += ShflXor(kAllLanes, msum, bits);
      }
      if (lane % kGroups == 0)
        terms[buffer * Shape::kFloats + (team * gpu::kFewRows + n) * Shape::kStride + lane / kGroups] = Term<F>(isum, msum, d, m);
    }
    stage = stage + 1 == Shape::kStages ? 0 : stage + 1;
    SyncBlock();
    if (folds) {
      const int blocks = (k - segment) / F::kValues < Shape::kTerms ? (k - segment) / F::kValues : Shape::kTerms;
      auto mine = terms.From(buffer * Shape::kFloats + Thread() * Shape::kStride);
      for (int b = 0; b < blocks; ++b) {
        const float term = mine[b];
        sum = Fma(term, my_scales[segment / F::kValues + b], sum);
      }
    }
  }
  if (Shape::kStaged) AsyncWait<0>();
  return sum;
}

// grid: [outputs / 8, tiles of 8]
template <typename F>
GPU_FLOW_KERNEL ProductFew(gpu::ProductArgs a) {
  using Shape = FewShape<F>;
  SharedCursor cursor;
  auto terms = cursor.Take<float>(2 * Shape::kFloats);
  auto staged = cursor.Take<Int4>(Shape::kStages * kFewOutputs * Shape::kPieces);
  const RowTile tile = TileOf(a, gpu::kFewRows);
  if (tile.count <= 0) return;
  const int first_output = BlockX() * kFewOutputs;
  const float sum = FewSum<F>(
      a.weight + tile.expert * a.expert_bytes, a.row_bytes, a.rows, first_output, a.k, a.codes, a.scales, a.sums,
      [&](int n) { return tile.Row(n); }, tile.count, terms, staged);
  const int output = Thread() / gpu::kFewRows, row = Thread() % gpu::kFewRows;
  if (output < kFewOutputs && row < tile.count && first_output + output < a.rows)
    Write(a, tile.Row(row), first_output + output, sum);
}

}  // namespace scout::SCOUT_GPU
