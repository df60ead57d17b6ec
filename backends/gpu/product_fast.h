// F16 and BF16 weights times many rows under Numerics::kFast: matrix instructions over halves, with float32 sums in the device's
// order. Activations are rounded to the weight's format. For F16 a row is first multiplied by a power of two that brings its
// largest value to [2^14, 2^15), so that nothing overflows and what is lost below is at most 2^-39 of the largest; the result is
// divided by it, exactly.
#pragma once

#include "gpu/product.h"

namespace scout::SCOUT_GPU {

template <typename F>
struct HalfOfFormat;
template <>
struct HalfOfFormat<F16Values> {
  static constexpr bool kBf16 = false;
};
template <>
struct HalfOfFormat<BF16Values> {
  static constexpr bool kBf16 = true;
};

// grid: [rows]. Shared: one word for each warp.
template <typename F>
GPU_KERNEL RoundRows(gpu::RoundRowsArgs a) {
  constexpr bool kBf16 = HalfOfFormat<F>::kBf16;
  SharedCursor cursor;
  auto of_warp = cursor.Take<uint32_t>(kBlockThreads / kWarp);
  const float* const in = a.in + static_cast<int64_t>(BlockX()) * a.k;
  uint16_t* const out = a.out + static_cast<int64_t>(BlockX()) * a.k;
  int shift = 0;
  if (!kBf16) {
    uint32_t max_bits = 0;  // magnitudes order like their bits
    for (int i = Thread(); i < a.k; i += Threads()) {
      const uint32_t bits = BitsOf(in[i]) & 0x7fffffff;
      max_bits = bits > max_bits ? bits : max_bits;
    }
    for (int bits = kWarp / 2; bits > 0; bits /= 2) {
      const uint32_t other = ShflXor(kAllLanes, max_bits, bits);
      max_bits = other > max_bits ? other : max_bits;
    }
    if (Thread() % kWarp == 0) of_warp[Thread() / kWarp] = max_bits;
    SyncBlock();
    for (int w = 0; w < kBlockThreads / kWarp; ++w) {
      const uint32_t other = of_warp[w];
      max_bits = other > max_bits ? other : max_bits;
    }
    // A row with infinities or NaN keeps its scale: what meets them is lost anyway.
    const int exponent = static_cast<int>(max_bits >> 23) - 127;
    shift = exponent == 128 ? 0 : 14 - exponent < 126 ? 14 - exponent : 126;
  }
  const float scale = FloatOf(static_cast<uint32_t>(127 + shift) << 23);
  for (int i = Thread(); i < a.k; i += Threads()) {
    const float x = in[i];
    out[i] = kBf16 ? RoundToBf16(x) : F32ToF16(x * scale);
  }
  if (Thread() == 0) a.scales[BlockX()] = FloatOf(static_cast<uint32_t>(127 - shift) << 23);
}

// A tile takes 64 values of K at a time, in two buffers.
template <int kTileRows>
struct FastShape {
  static constexpr int kOutputs = 64, kStep = 64;
  static constexpr int kWords = kStep / 2 + 4;  // of a row, four more so that rows meet different banks
  static constexpr int kBuffer = (kTileRows + kOutputs) * kWords;
  static constexpr size_t kSharedBytes = 2 * sizeof(uint32_t) * kBuffer;
  static_assert(kSharedBytes <= 65536);
};

// Begins the copies of the values from `at` on; what lies beyond the end of K is zero in both factors.
template <int kTileRows>
GPU_FUNCTION void CopyHalves(const gpu::ProductArgs& a, const RowTile& tile, int at, Shared<uint32_t> buffer) {
  using Shape = FastShape<kTileRows>;
  constexpr int kPieces = Shape::kStep / 8;  // of eight values
  const int first_output = BlockX() * Shape::kOutputs;
  for (int i = Thread(); i < (kTileRows + Shape::kOutputs) * kPieces; i += kBlockThreads) {
    const int row = i / kPieces, piece = i % kPieces, k = at + 8 * piece, output = first_output + row - kTileRows;
    auto&& to = buffer.From(row * Shape::kWords + 4 * piece).template As<Int4>()[0];
    const bool inside = row < kTileRows ? row < tile.count : output < a.rows;
    if (k < a.k && inside)
      AsyncCopy16(to, row < kTileRows
                          ? static_cast<const void*>(a.halves + tile.Row(row) * a.k + k)
                          : a.weight + tile.expert * a.expert_bytes + output * a.row_bytes + 2 * static_cast<int64_t>(k));
    else
      to = Int4{{0, 0, 0, 0}};
  }
  AsyncCommit();
}

// grid: [outputs / 64, tiles of kTileRows]
template <typename F, int kTileRows>
GPU_LARGE_KERNEL ProductFast(gpu::ProductArgs a) {
  using Shape = FastShape<kTileRows>;
  using Matrix = MatrixHalf<HalfOfFormat<F>::kBf16>;
  SharedCursor cursor;
  auto buffers = cursor.Take<uint32_t>(2 * Shape::kBuffer);
  const RowTile tile = TileOf(a, kTileRows);
  if (tile.count <= 0) return;
  const int warp = Thread() / kWarp, lane = Thread() % kWarp;
  constexpr int kTilesAcross = Shape::kOutputs / Matrix::kCols;
  constexpr int kTiles = kTileRows / Matrix::kRows * kTilesAcross / (kBlockThreads / kWarp);  // of a warp
  constexpr int kValues = Matrix::kValues;
  float sum[kTiles][kValues];
#pragma unroll
  for (int t = 0; t < kTiles; ++t)
#pragma unroll
    for (int i = 0; i < kValues; ++i) sum[t][i] = 0;

  int buffer = 0;
  CopyHalves<kTileRows>(a, tile, 0, buffers);
  for (int at = 0; at < a.k; at += Shape::kStep, buffer = 1 - buffer) {
    AsyncWait<0>();
    SyncBlock();
    if (at + Shape::kStep < a.k) CopyHalves<kTileRows>(a, tile, at + Shape::kStep, buffers.From((1 - buffer) * Shape::kBuffer));
    auto x = buffers.From(buffer * Shape::kBuffer), w = x.From(kTileRows * Shape::kWords);
#pragma unroll 1  // more would not fit in registers
    for (int s = 0; s < Shape::kStep / 16; ++s)
#pragma unroll
      for (int t = 0; t < kTiles; ++t) {
        const int index = warp * kTiles + t, row0 = index / kTilesAcross * Matrix::kRows,
                  col0 = index % kTilesAcross * Matrix::kCols;
        if (row0 < tile.count)
          Matrix::MultiplyAdd(sum[t], x.From(row0 * Shape::kWords + 8 * s), Shape::kWords, w.From(col0 * Shape::kWords + 8 * s),
                              Shape::kWords);
      }
  }
  const int first_output = BlockX() * Shape::kOutputs;
#pragma unroll
  for (int t = 0; t < kTiles; ++t) {
    const int index = warp * kTiles + t, row0 = index / kTilesAcross * Matrix::kRows, col0 = index % kTilesAcross * Matrix::kCols;
#pragma unroll
    for (int i = 0; i < kValues; ++i) {
      const int row = row0 + Matrix::Row(lane, i), output = first_output + col0 + Matrix::Col(lane, i);
      if (row < tile.count && output < a.rows) Write(a, tile.Row(row), output, sum[t][i] * a.row_scales[tile.Row(row)]);
    }
  }
}

}  // namespace scout::SCOUT_GPU
