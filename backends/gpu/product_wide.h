// Weights times many rows under Numerics::kFast where the device has products of four warps (kWideProducts): 128 outputs x 64 or
// 128 rows. A ninth warp keeps bulk copies on their way, of the weights' own blocks and of the activations, each in a ring of its
// own; two groups of four warps make halves of their 64 outputs' blocks in registers, 64 values of K at a time, while the products
// of the 64 before run.
//
// A thread's four values of sixteen, 2 t, 2 t + 1, 2 t + 8, 2 t + 9 to the instruction, are the row's 4 t .. 4 t + 3: PackRows puts
// the activations in that order. Products are the same, and a thread unpacks whole words of codes.
#pragma once

#include "gpu/product_fast.h"

namespace scout::SCOUT_GPU {

// How a lane makes halves of a row's weights. A load is what is copied of a row at once.
template <typename F>
struct WideBlocks {
  static constexpr bool kBf16 = true;
  static constexpr int kLoad = F::kValues > 128 ? F::kValues : 128;
  static constexpr int kBytes = kLoad / F::kValues * F::kBytes;
  static constexpr int kBlock = F::kValues, kBlockBytes = F::kBytes;
  static constexpr int kPieces = F::kBytes % 16 == 0 ? kBytes / 16 : (kBytes + 14 + 15) / 16;  // as in ManyShape
  // Values from `at` on, counted from the load's first, of row `half` of two: sixteen of them for each of a[2 i], a[2 i + 1].
  template <int kSteps>
  GPU_FUNCTION static void Unpack(Shared<Int4> raw, int first, int at, int values, int half, uint32_t (&a)[kSteps][4]) {
    const int t = Thread() % 4;
#pragma unroll
    for (int i = 0; i < kSteps / 2; ++i) {
      const int k = at + 32 * i;
      if (k >= values) {
        a[2 * i][half] = a[2 * i][half + 2] = a[2 * i + 1][half] = a[2 * i + 1][half + 2] = 0;
        continue;
      }
      const uint8_t* const block = SharedBytes(raw, first + k / F::kValues * F::kBytes, F::kBytes);
      const int s = k % F::kValues / 32;
      const float d = F::D(block), m = F::Minimum(block);
      int S[2], M[2];
      F::Scales(block, s, S, M);
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        const float scale = d * static_cast<float>(S[j]), least = F::kMinimum ? m * static_cast<float>(M[j]) : 0.0f;
        const uint32_t word = F::Code(block, s, 4 * j + t);
        a[2 * i + j][half] = Bf16Pair(Fma(scale, FloatOfByte(word, 0), least), Fma(scale, FloatOfByte(word, 1), least));
        a[2 * i + j][half + 2] = Bf16Pair(Fma(scale, FloatOfByte(word, 2), least), Fma(scale, FloatOfByte(word, 3), least));
      }
    }
  }
};
template <typename F>
struct WideHalves {
  static constexpr bool kBf16 = HalfOfFormat<F>::kBf16;
  static constexpr int kLoad = 64, kBytes = 128, kBlock = 8, kBlockBytes = 16, kPieces = 8;
  template <int kSteps>
  GPU_FUNCTION static void Unpack(Shared<Int4> raw, int first, int at, int values, int half, uint32_t (&a)[kSteps][4]) {
    const int t = Thread() % 4;
#pragma unroll
    for (int i = 0; i < kSteps; ++i) {
      const int k = at + 16 * i + 4 * t;
      a[i][half] = a[i][half + 2] = 0;
      if (k >= values) continue;
      const uint8_t* const four = SharedBytes(raw, first + 2 * k, 8);
      a[i][half] = Word(four);
      a[i][half + 2] = Word(four + 4);
    }
  }
};

// Stages of the two rings. Tiles of 64 rows leave the registers and take no more than the shared memory that two blocks of a
// multiprocessor can have; tiles of 128 rows are alone on it.
template <typename W, int kRows, int kBlockOutputs = gpu::kWideOutputs>
struct WideShape {
  static constexpr int kTileRows = kRows, kOutputs = kBlockOutputs, kStep = 64;
  static constexpr int kTile = kTileRows * kStep / 8;  // pieces of sixteen bytes of the activations' tile
  static constexpr int kStride = W::kPieces | 1;       // pieces of a row of weights: odd, so that rows meet different banks
  static constexpr int kStages = 4;                    // of the activations
  static constexpr int kLimit = (kTileRows == 64 ? 112 : 224) * 1024 / 16, kRest = kLimit - kStages * kTile - 16;
  static constexpr int kLoads = kRest / (kOutputs * kStride) < 4 ? kRest / (kOutputs * kStride) : 4;  // of the weights
  static_assert(kLoads >= 2);
  static constexpr int kStepsOfLoad = W::kLoad / kStep;
  static constexpr int kConsumers = 2 * kOutputs;
  static constexpr size_t kSharedBytes = 16 * static_cast<size_t>(kStages * kTile + kLoads * kOutputs * kStride) + 16 * 16;
};

// grid: [rows of a tile / 8, tiles]. Rows of a tile as halves, in the order in which a bulk copy brings 64 values of K of all of
// them: pieces of eight values, first of all rows, then the next eight. Rows behind the tile's last are zero, and so is what lies
// behind the end of K.
template <bool kBf16>
GPU_KERNEL PackRows(gpu::PackRowsArgs a) {
  constexpr int kRows = kBlockThreads / kTeam;
  SharedCursor cursor;
  auto scales = cursor.Take<float>(kRows);
  gpu::ProductArgs rows{};
  rows.tiles = a.tiles;
  rows.order = a.order;
  rows.n = a.n;
  const RowTile tile = TileOf(rows, a.tile_rows);
  if (tile.count <= 0) return;
  const int first = BlockX() * kRows, mine = first + Thread() / kTeam, lane = Thread() % kTeam;
  const bool inside = mine < tile.count;
  const float* const row = a.in + (inside ? tile.Row(mine) : 0) * a.k;
  uint32_t max_bits = 0;
  if (!kBf16 && inside)
    for (int i = lane; i < a.k; i += kTeam) {
      const uint32_t bits = BitsOf(row[i]) & 0x7fffffff;
      max_bits = bits > max_bits ? bits : max_bits;
    }
  if (!kBf16)
    for (int bits = kTeam / 2; bits > 0; bits /= 2) {
      const uint32_t other = ShflXor(kAllLanes, max_bits, bits);
      max_bits = other > max_bits ? other : max_bits;
    }
  const int shift = kBf16 ? 0 : HalfShift(max_bits);
  if (lane == 0) {
    scales[Thread() / kTeam] = PowerOf2(shift);
    if (inside) a.scales[tile.Row(mine)] = PowerOf2(-shift);
  }
  SyncBlock();
  const int pieces = (a.k + 63) / 64 * 8;
  uint32_t* const out = reinterpret_cast<uint32_t*>(a.out) + (static_cast<int64_t>(BlockY()) * pieces * a.tile_rows + first) * 4;
  for (int i = Thread(); i < kRows * pieces; i += kBlockThreads) {
    const int r = i % kRows, piece = i / kRows, k = piece / 2 * 16 + piece % 2 * 2;
    const float scale = scales[r];
    const float* const in = a.in + (first + r < tile.count ? tile.Row(first + r) : 0) * a.k;
    uint32_t* const to = out + static_cast<int64_t>(piece) * a.tile_rows * 4 + 4 * r;
#pragma unroll
    for (int t = 0; t < 4; ++t) {
      uint32_t pair = 0;
      if (first + r < tile.count && k + 4 * t < a.k) {  // K is a multiple of eight
        const float low = in[k + 4 * t], high = in[k + 4 * t + 1];
        pair = kBf16 ? Bf16Pair(low, high) : F32ToF16(low * scale) | static_cast<uint32_t>(F32ToF16(high * scale)) << 16;
      }
      to[t] = pair;
    }
  }
}

// What the ninth warp does.
template <typename W, typename Shape>
GPU_FUNCTION void BringTiles(const gpu::ProductArgs& a, const RowTile& tile, Shared<Int4> x, Shared<Int4> raw,
                             Shared<Arrivals> full_x, Shared<Arrivals> free_x, Shared<Arrivals> full_w, Shared<Arrivals> free_w) {
  const int lane = Thread() % kWarp, steps = (a.k + Shape::kStep - 1) / Shape::kStep;
  const int first_output = BlockX() * Shape::kOutputs;
  const uint8_t* const weight = a.weight + tile.expert * a.expert_bytes;
  const uint16_t* const halves = a.halves + static_cast<int64_t>(BlockY()) * steps * Shape::kTile * 8;
  for (int step = 0; step < steps; ++step) {
    if (step % Shape::kStepsOfLoad == 0) {
      const int load = step / Shape::kStepsOfLoad, stage = load % Shape::kLoads, at = load * W::kLoad;
      const int bytes = (a.k - at < W::kLoad ? a.k - at : W::kLoad) / W::kBlock * W::kBlockBytes;
      const auto begin = [&](int row) {
        return weight + (first_output + row) * a.row_bytes + static_cast<int64_t>(at / W::kBlock) * W::kBlockBytes;
      };
      const auto before = [&](int row) { return static_cast<int>(reinterpret_cast<uintptr_t>(begin(row)) % 16); };
      WaitArrivals(free_w[stage], load / Shape::kLoads % 2 ^ 1);
      int expected = 0;
      for (int row = lane; row < Shape::kOutputs && first_output + row < a.rows; row += kWarp)
        expected += (before(row) + bytes + 15) / 16 * 16;
      ArriveExpecting(full_w[stage], expected);
      for (int row = lane; row < Shape::kOutputs && first_output + row < a.rows; row += kWarp)
        BulkCopy(raw[(stage * Shape::kOutputs + row) * Shape::kStride], begin(row) - before(row),
                 (before(row) + bytes + 15) / 16 * 16, full_w[stage]);
    }
    const int stage = step % Shape::kStages;
    if (lane == 0) {  // the wait too: a lane that came to it later might find the phase after
      WaitArrivals(free_x[stage], step / Shape::kStages % 2 ^ 1);
      ArriveExpecting(full_x[stage], 16 * Shape::kTile);
      BulkCopy(x[stage * Shape::kTile], halves + static_cast<int64_t>(step) * Shape::kTile * 8, 16 * Shape::kTile, full_x[stage]);
    }
    SyncWarp(kAllLanes);
  }
}

// The two of a block's outputs whose weights a thread unpacks.
template <typename W, typename Shape>
struct WideRows {
  int output[2];
  int before[2];  // where the first load begins in its first piece

  GPU_FUNCTION WideRows(const gpu::ProductArgs& a, const RowTile& tile, int first, int second) : output{first, second} {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const uint8_t* const row =
          a.weight + tile.expert * a.expert_bytes + (BlockX() * Shape::kOutputs + output[half]) * a.row_bytes;
      before[half] = static_cast<int>(reinterpret_cast<uintptr_t>(row) % 16);
    }
  }
  // A step's values, when its load is there. With the last of a load its stage is free.
  template <int kSteps>
  GPU_FUNCTION void Take(const gpu::ProductArgs& a, Shared<Int4> raw, Shared<Arrivals> full, Shared<Arrivals> free, int step,
                         uint32_t (&halves)[kSteps][4]) const {
    const int load = step / Shape::kStepsOfLoad, stage = load % Shape::kLoads, in_load = step % Shape::kStepsOfLoad;
    if (in_load == 0) WaitArrivals(full[stage], load / Shape::kLoads % 2);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int in_piece = (before[half] + load % 16 * (W::kBytes % 16)) % 16;
      W::template Unpack<kSteps>(raw, (stage * Shape::kOutputs + output[half]) * Shape::kStride * 16 + in_piece,
                                 in_load * Shape::kStep, a.k - load * W::kLoad, half, halves);
    }
    if (in_load == Shape::kStepsOfLoad - 1) {
      SyncWarp(kAllLanes);
      if (Thread() % kWarp == 0) Arrive(free[stage]);
    }
  }
};

// grid: [outputs / 128, tiles of kTileRows], 288 threads
template <typename W, int kTileRows>
GPU_WIDE_KERNEL ProductWide(gpu::ProductArgs a) {
  if constexpr (!kWideProducts) {
    return;
  } else {
    using Shape = WideShape<W, kTileRows>;
    constexpr int kStages = Shape::kStages, kLoads = Shape::kLoads, kSteps = Shape::kStep / 16;
    SharedCursor cursor;
    auto x = cursor.Take<Int4>(kStages * Shape::kTile);
    auto raw = cursor.Take<Int4>(kLoads * Shape::kOutputs * Shape::kStride);
    auto full_x = cursor.Take<Arrivals>(kStages), free_x = cursor.Take<Arrivals>(kStages);
    auto full_w = cursor.Take<Arrivals>(kLoads), free_w = cursor.Take<Arrivals>(kLoads);
    const RowTile tile = TileOf(a, kTileRows);
    if (tile.count <= 0) return;
    if (Thread() == 0) {
      for (int i = 0; i < kStages; ++i) {
        InitArrivals(full_x[i], 1);
        InitArrivals(free_x[i], Shape::kConsumers / kWarp);
      }
      for (int i = 0; i < kLoads; ++i) {
        InitArrivals(full_w[i], kWarp);
        InitArrivals(free_w[i], Shape::kConsumers / kWarp);
      }
    }
    SyncBlock();
    if (Thread() >= Shape::kConsumers) {
      BringTiles<W, Shape>(a, tile, x, raw, full_x, free_x, full_w, free_w);
      return;
    }
    const int group = Thread() / 128, thread = Thread() % 128, lane = Thread() % kWarp;
    const int steps = (a.k + Shape::kStep - 1) / Shape::kStep;
    const int first = 64 * group + WideFragment::Row(thread, 0);
    const WideRows<W, Shape> rows(a, tile, first, first + 8);
    float sum[kTileRows / 2];
#pragma unroll
    for (int i = 0; i < kTileRows / 2; ++i) sum[i] = 0;
    uint32_t first_factor[2][kSteps][4];

    const auto take = [&](int step, uint32_t(&a_now)[kSteps][4], uint32_t(&a_before)[kSteps][4]) {
      const int stage = step % kStages;
      rows.Take(a, raw, full_w, free_w, step, a_now);
      WaitArrivals(full_x[stage], step / kStages % 2);
      WideFence(sum);
#pragma unroll
      for (int i = 0; i < kSteps; ++i)
        WideMultiplyAdd<W::kBf16, kTileRows>(sum, a_now[i],
                                             WideFragment::Tile(x.From(stage * Shape::kTile + 2 * i * kTileRows), 16 * kTileRows));
      WideCommit();
      WideWait<1>(sum, a_before);
      SyncWarp(kAllLanes);
      if (step > 0 && lane == 0) Arrive(free_x[(step - 1) % kStages]);
    };
    for (int step = 0; step < steps; step += 2) {
      take(step, first_factor[0], first_factor[1]);
      if (step + 1 < steps) take(step + 1, first_factor[1], first_factor[0]);
    }
    WideWait<0>(sum, first_factor[0]);
#pragma unroll
    for (int i = 0; i < kTileRows / 2; ++i) {
      const int row = WideFragment::Col(thread, i), to = BlockX() * Shape::kOutputs + rows.output[i / 2 % 2];
      if (row < tile.count && to < a.rows) Write(a, tile.Row(row), to, sum[i] * a.row_scales[tile.Row(row)]);
    }
  }
}

}  // namespace scout::SCOUT_GPU
