// Weights times many rows under Numerics::kFast: matrix instructions over halves, with float32 sums in the device's order.
// Activations are rounded to the weight's format, to BF16 where that is of blocks. For F16 a row is first multiplied by a power of
// two that brings its largest value to [2^14, 2^15), so that nothing overflows and what is lost below is at most 2^-39 of the
// largest; the result is divided by it, exactly. Values of blocks are computed in float32 and rounded to BF16.
#pragma once

#include "gpu/raw_blocks.h"

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

// The power of two by which a row is multiplied, from its largest magnitude's bits. A row with infinities or NaN keeps its scale:
// what meets them is lost anyway.
GPU_FUNCTION int HalfShift(uint32_t max_bits) {
  const int exponent = static_cast<int>(max_bits >> 23) - 127;
  return exponent == 128 ? 0 : 14 - exponent < 126 ? 14 - exponent : 126;
}
GPU_FUNCTION float PowerOf2(int exponent) { return FloatOf(static_cast<uint32_t>(127 + exponent) << 23); }

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
    shift = HalfShift(max_bits);
  }
  const float scale = PowerOf2(shift);
  for (int i = Thread(); i < a.k; i += Threads()) {
    const float x = in[i];
    out[i] = kBf16 ? RoundToBf16(x) : F32ToF16(x * scale);
  }
  if (Thread() == 0) a.scales[BlockX()] = PowerOf2(-shift);
}

// What a library has multiplied, times its rows' factors. grid: [rows]
GPU_KERNEL ScaleProduct(gpu::ScaleProductArgs a) {
  const float scale = a.scales[BlockX()];
  const float* const in = a.in + static_cast<int64_t>(BlockX()) * a.in_cols;
  float* const out = a.out + static_cast<int64_t>(BlockX()) * a.out_cols;
  for (int i = Thread(); i < a.cols; i += Threads()) {
    const float y = scale * in[i];
    out[i] = a.add ? out[i] + y : y;
  }
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

// What the warps of a block hold of a tile's 64 outputs.
template <bool kBf16, int kTileRows>
struct FastSums {
  using Matrix = MatrixHalf<kBf16>;
  static constexpr int kOutputs = 64;
  static constexpr int kTilesAcross = kOutputs / Matrix::kCols;
  static constexpr int kTiles = kTileRows / Matrix::kRows * kTilesAcross / (kBlockThreads / kWarp);  // of a warp
  static constexpr int kValues = Matrix::kValues;
  float sum[kTiles][kValues];
  GPU_FUNCTION void Clear() {
#pragma unroll
    for (int t = 0; t < kTiles; ++t)
#pragma unroll
      for (int i = 0; i < kValues; ++i) sum[t][i] = 0;
  }
  GPU_FUNCTION static int Row0(int t) { return (Thread() / kWarp * kTiles + t) / kTilesAcross * Matrix::kRows; }
  GPU_FUNCTION static int Col0(int t) { return (Thread() / kWarp * kTiles + t) % kTilesAcross * Matrix::kCols; }
  // 64 values of K of the first `rows` rows.
  GPU_FUNCTION void MultiplyAdd(int rows, Shared<uint32_t> x, int x_stride, Shared<uint32_t> w, int w_stride) {
#pragma unroll 1  // more would not fit in registers
    for (int s = 0; s < 4; ++s)
#pragma unroll
      for (int t = 0; t < kTiles; ++t)
        if (Row0(t) < rows)
          Matrix::MultiplyAdd(sum[t], x.From(Row0(t) * x_stride + 8 * s), x_stride, w.From(Col0(t) * w_stride + 8 * s), w_stride);
  }
  GPU_FUNCTION void Store(const gpu::ProductArgs& a, const RowTile& tile) const {
    const int lane = Thread() % kWarp, first_output = BlockX() * kOutputs;
#pragma unroll
    for (int t = 0; t < kTiles; ++t)
#pragma unroll
      for (int i = 0; i < kValues; ++i) {
        const int row = Row0(t) + Matrix::Row(lane, i), output = first_output + Col0(t) + Matrix::Col(lane, i);
        if (row < tile.count && output < a.rows) Write(a, tile.Row(row), output, sum[t][i] * a.row_scales[tile.Row(row)]);
      }
  }
};

// grid: [outputs / 64, tiles of kTileRows]
template <typename F, int kTileRows>
GPU_LARGE_KERNEL ProductFast(gpu::ProductArgs a) {
  using Shape = FastShape<kTileRows>;
  SharedCursor cursor;
  auto buffers = cursor.Take<uint32_t>(2 * Shape::kBuffer);
  const RowTile tile = TileOf(a, kTileRows);
  if (tile.count <= 0) return;
  FastSums<HalfOfFormat<F>::kBf16, kTileRows> sums;
  sums.Clear();
  int buffer = 0;
  CopyHalves<kTileRows>(a, tile, 0, buffers);
  for (int at = 0; at < a.k; at += Shape::kStep, buffer = 1 - buffer) {
    AsyncWait<0>();
    SyncBlock();
    if (at + Shape::kStep < a.k) CopyHalves<kTileRows>(a, tile, at + Shape::kStep, buffers.From((1 - buffer) * Shape::kBuffer));
    auto x = buffers.From(buffer * Shape::kBuffer);
    sums.MultiplyAdd(tile.count, x, Shape::kWords, x.From(kTileRows * Shape::kWords), Shape::kWords);
  }
  sums.Store(a, tile);
}

// Sixteen values of a block's 32 from 32 s on, the first or the second, as BF16. D S and Minimum M are exact in float32.
template <typename F>
GPU_FUNCTION void BlockHalves(const uint8_t* block, int s, int half, uint32_t (&to)[8]) {
  int S[2], M[2];
  F::Scales(block, s, S, M);
  const float scale = F::D(block) * static_cast<float>(half == 0 ? S[0] : S[1]);
  const float least = F::kMinimum ? F::Minimum(block) * static_cast<float>(half == 0 ? M[0] : M[1]) : 0.0f;
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    const uint32_t word = F::Code(block, s, 4 * half + j);
#pragma unroll
    for (int i = 0; i < 2; ++i)
      to[2 * j + i] = Bf16Pair(Fma(scale, FloatOfByte(word, 2 * i), least), Fma(scale, FloatOfByte(word, 2 * i + 1), least));
  }
}

// The same for block weights: activations have two buffers, the weights' own blocks one, which is filled again once they are
// unpacked, and their halves another.
template <typename F, int kTileRows>
struct FastBlockShape {
  static constexpr int kStep = 64;
  using Raw = RawBlocks<F, kStep>;
  static constexpr int kOutputs = Raw::kOutputs, kLoad = Raw::kLoad, kPieces = Raw::kPieces;
  static constexpr int kWords = kStep / 2 + 4;  // of a row
  static constexpr size_t kSharedBytes =
      4 * static_cast<size_t>(2 * kTileRows + kOutputs) * kWords + 16 * static_cast<size_t>(kOutputs) * kPieces;
  static_assert(kSharedBytes <= 65536);
};

// Begins the copies of one step: the activations, and the blocks where the step is the first of a load.
template <typename F, int kTileRows>
GPU_FUNCTION void CopyFastStep(const gpu::ProductArgs& a, const RowTile& tile, int at, Shared<uint32_t> x, Shared<Int4> raw) {
  using Shape = FastBlockShape<F, kTileRows>;
  constexpr int kPieces = Shape::kStep / 8;
  for (int i = Thread(); i < kTileRows * kPieces; i += kBlockThreads) {
    const int row = i / kPieces, piece = i % kPieces, k = at + 8 * piece;
    if (row < tile.count && k < a.k)
      AsyncCopy16(x.From(row * Shape::kWords + 4 * piece).template As<Int4>()[0], a.halves + tile.Row(row) * a.k + k);
  }
  if (at % Shape::kLoad == 0) CopyBlocks<F, Shape::kStep>(a, tile, at, raw);
  AsyncCommit();
}

// grid: [outputs / 64, tiles of kTileRows]
template <typename F, int kTileRows>
GPU_LARGE_KERNEL ProductFastBlocks(gpu::ProductArgs a) {
  using Shape = FastBlockShape<F, kTileRows>;
  SharedCursor cursor;
  auto x = cursor.Take<uint32_t>(2 * kTileRows * Shape::kWords);
  auto w = cursor.Take<uint32_t>(Shape::kOutputs * Shape::kWords);
  auto raw = cursor.Take<Int4>(Shape::kOutputs * Shape::kPieces);
  const RowTile tile = TileOf(a, kTileRows);
  if (tile.count <= 0) return;
  const int first_output = BlockX() * Shape::kOutputs;
  FastSums<true, kTileRows> sums;
  sums.Clear();
  int buffer = 0;
  CopyFastStep<F, kTileRows>(a, tile, 0, x, raw);
  for (int at = 0; at < a.k; at += Shape::kStep, buffer = 1 - buffer) {
    AsyncWait<0>();
    SyncBlock();
    // Sixteen values to a thread; behind the end of K the weights are zero, and so are the activations.
    constexpr int kSixteens = Shape::kStep / 16;
    for (int i = Thread(); i < Shape::kOutputs * kSixteens; i += kBlockThreads) {
      const int row = i / kSixteens, sixteen = i % kSixteens, k = at + 16 * sixteen;
      uint32_t halves[8] = {};
      if (first_output + row < a.rows && k < a.k)
        BlockHalves<F>(CopiedBlock<F, Shape::kStep>(a, tile, row, k, raw), k % F::kValues / 32, sixteen % 2, halves);
#pragma unroll
      for (int j = 0; j < 8; ++j) w[row * Shape::kWords + 8 * sixteen + j] = halves[j];
    }
    if (at + Shape::kStep > a.k) {
      const int first = (a.k - at) / 2, words = Shape::kStep / 2 - first;
      auto mine = x.From(buffer * kTileRows * Shape::kWords);
      for (int i = Thread(); i < kTileRows * words; i += kBlockThreads) mine[i / words * Shape::kWords + first + i % words] = 0;
    }
    SyncBlock();
    if (at + Shape::kStep < a.k)
      CopyFastStep<F, kTileRows>(a, tile, at + Shape::kStep, x.From((1 - buffer) * kTileRows * Shape::kWords), raw);
    sums.MultiplyAdd(tile.count, x.From(buffer * kTileRows * Shape::kWords), Shape::kWords, w, Shape::kWords);
  }
  sums.Store(a, tile);
}

}  // namespace scout::SCOUT_GPU
