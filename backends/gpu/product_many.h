// Block weights times many rows, in tiles, by matrix instructions over signed bytes. The bits are those of ProductFew.
//
// A tile takes 128 values of K at a time. The activations' bytes lie in two buffers, the weights' own blocks in one and their codes
// as signed bytes in another. While a warp multiplies, the next activations and the next blocks are on their way:
//
//   wait for the copies, barrier      everybody has finished the step before
//   blocks -> codes, barrier
//   begin the copies of the next step, multiply
//
// A block of 256 values takes two steps: its integer sum stays in registers between them.
#pragma once

#include "gpu/raw_blocks.h"

namespace scout::SCOUT_GPU {

template <typename F, int kTileRows>
struct ManyShape {
  static constexpr int kStep = 128;
  using Raw = RawBlocks<F, kStep>;
  static constexpr int kOutputs = Raw::kOutputs, kLoad = Raw::kLoad, kBlocks = Raw::kBlocks, kPieces = Raw::kPieces;
  static constexpr bool kLong = F::kValues > kStep;             // a block takes two steps
  static constexpr int kWords = kStep / 4 + 4;                  // of a row, four more so that rows meet different banks
  static constexpr int kSubs = kLoad / F::kSub;                 // sub-blocks of a row in a load
  static constexpr int kStepSubs = kStep / F::kSub;             // and in a step
  static constexpr int kScales = kLong ? kOutputs * kSubs : 0;  // S and M of each sub-block: of K-quants
  static constexpr int kSums = F::kMinimum ? kTileRows * kSubs : 0;
  static constexpr size_t kSharedBytes = 4 * static_cast<size_t>(2 * kTileRows + kOutputs) * kWords +
                                         16 * static_cast<size_t>(kOutputs) * kPieces + 8 * kOutputs * kBlocks +
                                         4 * static_cast<size_t>(kTileRows) * kBlocks + 4 * kScales + 2 * kSums;
  static_assert(kSharedBytes <= 65536);
};

// Begins the copies of one step: the activations' bytes, and the blocks where the step is the first of a load.
template <typename F, int kTileRows>
GPU_FUNCTION void CopyStep(const gpu::ProductArgs& a, const RowTile& tile, int at, Shared<uint32_t> x, Shared<Int4> raw) {
  using Shape = ManyShape<F, kTileRows>;
  const int values = a.k - at < Shape::kStep ? a.k - at : Shape::kStep;
  for (int i = Thread(); i < kTileRows * Shape::kStep / 16; i += kBlockThreads) {
    const int row = i / (Shape::kStep / 16), part = i % (Shape::kStep / 16);
    if (row < tile.count && 16 * part < values)
      AsyncCopy16(x.From(row * Shape::kWords + 4 * part).template As<Int4>()[0], a.codes + tile.Row(row) * a.k + at + 16 * part);
  }
  if (at % Shape::kLoad == 0) CopyBlocks<F, Shape::kStep>(a, tile, at, raw);
  AsyncCommit();
}

// grid: [outputs / 64, tiles of kTileRows]
template <typename F, int kTileRows>
GPU_LARGE_KERNEL ProductMany(gpu::ProductArgs a) {
  using Shape = ManyShape<F, kTileRows>;
  using Matrix = MatrixI8<F::kSub>;
  SharedCursor cursor;
  auto x = cursor.Take<uint32_t>(2 * kTileRows * Shape::kWords);
  auto w = cursor.Take<uint32_t>(Shape::kOutputs * Shape::kWords);
  auto raw = cursor.Take<Int4>(Shape::kOutputs * Shape::kPieces);
  auto d = cursor.Take<float>(Shape::kOutputs * Shape::kBlocks);
  auto m = cursor.Take<float>(Shape::kOutputs * Shape::kBlocks);
  auto x_scale = cursor.Take<float>(kTileRows * Shape::kBlocks);
  auto factors = cursor.Take<int16_t>(2 * Shape::kScales);
  auto x_sum = cursor.Take<int16_t>(Shape::kSums);  // of each sub-block
  const RowTile tile = TileOf(a, kTileRows);
  if (tile.count <= 0) return;
  const int first_output = BlockX() * Shape::kOutputs;
  const int warp = Thread() / kWarp, lane = Thread() % kWarp;
  constexpr int kTilesAcross = Shape::kOutputs / Matrix::kCols;
  constexpr int kTiles = kTileRows / Matrix::kRows * kTilesAcross / (kBlockThreads / kWarp);  // of a warp
  constexpr int kValues = Matrix::kValues;
  float sum[kTiles][kValues];
  int32_t isum[kTiles][kValues];
#pragma unroll
  for (int t = 0; t < kTiles; ++t)
#pragma unroll
    for (int i = 0; i < kValues; ++i) {
      sum[t][i] = 0;
      isum[t][i] = 0;
    }

  int buffer = 0;
  CopyStep<F, kTileRows>(a, tile, 0, x, raw);
  for (int at = 0; at < a.k; at += Shape::kStep, buffer = 1 - buffer) {
    const int values = a.k - at < Shape::kStep ? a.k - at : Shape::kStep;
    const bool loaded = at % Shape::kLoad == 0;
    const int load_values = a.k - at < Shape::kLoad ? a.k - at : Shape::kLoad;
    AsyncWait<0>();
    SyncBlock();
    if (loaded) {
      for (int i = Thread(); i < kTileRows * Shape::kBlocks; i += kBlockThreads) {
        const int row = i / Shape::kBlocks, block = i % Shape::kBlocks;
        const bool inside = row < tile.count && block * F::kValues < load_values;
        x_scale[i] = inside ? a.scales[tile.Row(row) * (a.k / F::kValues) + at / F::kValues + block] : 0.0f;
      }
      for (int i = Thread(); i < Shape::kSums; i += kBlockThreads) {
        constexpr int kSumValues = F::kValues == 32 ? 32 : 16;
        const int row = i / Shape::kSubs, sub = i % Shape::kSubs;
        int32_t total = 0;
        if (row < tile.count && sub * F::kSub < load_values) {
          const int16_t* const from = a.sums + tile.Row(row) * (a.k / kSumValues) + (at + sub * F::kSub) / kSumValues;
          for (int j = 0; j < F::kSub / kSumValues; ++j) total += from[j];
        }
        x_sum[i] = static_cast<int16_t>(total);
      }
    }
    // 32 values to a thread.
    for (int i = Thread(); i < Shape::kOutputs * Shape::kStep / 32; i += kBlockThreads) {
      const int row = i / (Shape::kStep / 32), group = i % (Shape::kStep / 32);  // of the step
      if (first_output + row >= a.rows || 32 * group >= values) continue;
      constexpr int kGroups = F::kValues / 32;
      const int in_load = at % Shape::kLoad / 32 + group;
      const uint8_t* const block = CopiedBlock<F, Shape::kStep>(a, tile, row, at + 32 * group, raw);
      uint32_t words[8];
      F::Codes(block, in_load % kGroups, words);
#pragma unroll
      for (int j = 0; j < 8; ++j) w[row * Shape::kWords + 8 * group + j] = words[j];
      if (in_load % kGroups == 0) {
        d[row * Shape::kBlocks + in_load / kGroups] = F::D(block);
        m[row * Shape::kBlocks + in_load / kGroups] = F::Minimum(block);
      }
      if (Shape::kScales > 0) {
        constexpr int kSubsOf32 = 32 / F::kSub;
        int S[2], M[2];
        F::Scales(block, in_load % kGroups, S, M);
#pragma unroll
        for (int j = 0; j < kSubsOf32; ++j) {
          factors[2 * (row * Shape::kSubs + kSubsOf32 * in_load + j)] = static_cast<int16_t>(S[j]);
          factors[2 * (row * Shape::kSubs + kSubsOf32 * in_load + j) + 1] = static_cast<int16_t>(M[j]);
        }
      }
    }
    SyncBlock();
    if (at + Shape::kStep < a.k)
      CopyStep<F, kTileRows>(a, tile, at + Shape::kStep, x.From((1 - buffer) * kTileRows * Shape::kWords), raw);

    auto my_x = x.From(buffer * kTileRows * Shape::kWords);
    const int first_sub = at % Shape::kLoad / F::kSub;
#pragma unroll 1  // more would not fit in registers
    for (int s = 0; s < Shape::kStepSubs && s * F::kSub < values; ++s) {
#pragma unroll
      for (int t = 0; t < kTiles; ++t) {
        const int index = warp * kTiles + t, row0 = index / kTilesAcross * Matrix::kRows,
                  col0 = index % kTilesAcross * Matrix::kCols;
        if (row0 >= tile.count) continue;
        int32_t c[kValues] = {};
        Matrix::MultiplyAdd(c, my_x.From(row0 * Shape::kWords + s * F::kSub / 4), Shape::kWords,
                            w.From(col0 * Shape::kWords + s * F::kSub / 4), Shape::kWords);
#pragma unroll
        for (int i = 0; i < kValues; ++i) {
          const int row = row0 + Matrix::Row(lane, i), col = col0 + Matrix::Col(lane, i);
          if (Shape::kLong) {
            const int S = factors[2 * (col * Shape::kSubs + first_sub + s)];
            isum[t][i] += S * c[i];
          } else {
            const int msum = F::kMinimum ? static_cast<int>(x_sum[row * Shape::kSubs + s]) : 0;
            const float term = Term<F>(c[i], msum, d[col * Shape::kBlocks + s], m[col * Shape::kBlocks + s]);
            sum[t][i] = Fma(term, x_scale[row * Shape::kBlocks + s], sum[t][i]);
          }
        }
      }
    }
    if (Shape::kLong && !(loaded && Shape::kStep < load_values)) {  // the block's last step
#pragma unroll
      for (int t = 0; t < kTiles; ++t) {
        const int index = warp * kTiles + t, row0 = index / kTilesAcross * Matrix::kRows,
                  col0 = index % kTilesAcross * Matrix::kCols;
        if (row0 >= tile.count) continue;
        int32_t msum[kValues] = {};
        if (F::kMinimum) {
#pragma unroll 1
          for (int s = 0; s < Shape::kSubs; ++s)
#pragma unroll
            for (int i = 0; i < kValues; ++i) {
              const int M = factors[2 * ((col0 + Matrix::Col(lane, i)) * Shape::kSubs + s) + 1];
              const int x_of_sub = x_sum[(row0 + Matrix::Row(lane, i)) * Shape::kSubs + s];
              msum[i] += M * x_of_sub;
            }
        }
#pragma unroll
        for (int i = 0; i < kValues; ++i) {
          const int row = row0 + Matrix::Row(lane, i), col = col0 + Matrix::Col(lane, i);
          const float term = Term<F>(isum[t][i], msum[i], d[col], m[col]);
          sum[t][i] = Fma(term, x_scale[row], sum[t][i]);
          isum[t][i] = 0;
        }
      }
    }
  }
#pragma unroll
  for (int t = 0; t < kTiles; ++t) {
    const int index = warp * kTiles + t, row0 = index / kTilesAcross * Matrix::kRows, col0 = index % kTilesAcross * Matrix::kCols;
#pragma unroll
    for (int i = 0; i < kValues; ++i) {
      const int row = row0 + Matrix::Row(lane, i), output = first_output + col0 + Matrix::Col(lane, i);
      if (row < tile.count && output < a.rows) Write(a, tile.Row(row), output, sum[t][i]);
    }
  }
}

}  // namespace scout::SCOUT_GPU
