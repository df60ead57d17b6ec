// Weights times many rows under Numerics::kFast where the device multiplies in tensor memory (kTensorProducts): 128 outputs x 64
// rows, or 256 x 128. What product_wide.h does with one difference: the warps that make halves of the weights store them to tensor
// memory, in a ring of their own, and go on; a last warp begins the products, of all outputs at once, whose sums are there too and
// leave the registers free.
//
// A stage is of both factors, activations in shared memory and weights in tensor memory: it is full when the copy and every warp
// that makes halves have arrived, and free when the device says that its products are over.
#pragma once

#include "gpu/product_wide.h"

namespace scout::SCOUT_GPU {

// Columns of tensor memory: sums of every 128 outputs, then the stages, each of them for all outputs.
template <typename W, int kRows>
struct TensorShape : WideShape<W, kRows, gpu::kTensorOutputs[kRows / 64 - 1]> {
  using Base = WideShape<W, kRows, gpu::kTensorOutputs[kRows / 64 - 1]>;
  static constexpr int kParts = Base::kOutputs / TensorFragment::kRows, kSums = kParts * kRows;
  static constexpr int kFactor = Base::kStep / 2;  // 64 values, two in a word
  static constexpr int kUsed = kSums + Base::kStages * kParts * kFactor, kColumns = kUsed <= 256 ? 256 : 512;
  static_assert(kUsed <= 512);
  static constexpr int kThreads = Base::kConsumers + 2 * kWarp;
  static_assert(!kTensorProducts || kThreads == gpu::kTensorThreads[kRows / 64 - 1]);
};

// What the last warp's first lane does.
template <typename W, typename Shape>
GPU_FUNCTION void MultiplyTiles(int steps, Shared<Int4> x, Shared<Arrivals> full, Shared<Arrivals> free, uint32_t sums,
                                uint32_t factors) {
  constexpr int kTileRows = Shape::kTileRows;
  const uint32_t instruction = TensorFragment::Instruction(W::kBf16, kTileRows);
  for (int step = 0; step < steps; ++step) {
    const int stage = step % Shape::kStages;
    WaitArrivals(full[stage], step / Shape::kStages % 2);
    TensorFence();
#pragma unroll
    for (int i = 0; i < Shape::kStep / 16; ++i) {
      const uint64_t tile = TensorFragment::Tile(x.From(stage * Shape::kTile + 2 * i * kTileRows), 16 * kTileRows);
#pragma unroll
      for (int part = 0; part < Shape::kParts; ++part)
        TensorMultiplyAdd(TensorFragment::At(sums, 0, part * kTileRows),
                          TensorFragment::At(factors, 0, (stage * Shape::kParts + part) * Shape::kFactor + 8 * i), tile,
                          instruction, step + i > 0);
    }
    TensorCommit(free[stage]);
  }
}

// grid: [outputs / Shape::kOutputs, tiles of kTileRows], Shape::kThreads threads
template <typename W, int kTileRows>
GPU_TENSOR_KERNEL(2 * gpu::kTensorOutputs[kTileRows / 64 - 1] + 64, kTileRows == 64 ? 2 : 1)
ProductTensor(gpu::ProductArgs a) {
  if constexpr (!kTensorProducts) {
    return;
  } else {
    using Shape = TensorShape<W, kTileRows>;
    constexpr int kStages = Shape::kStages, kLoads = Shape::kLoads, kUnpackers = Shape::kConsumers / kWarp;
    SharedCursor cursor;
    auto x = cursor.Take<Int4>(kStages * Shape::kTile);
    auto raw = cursor.Take<Int4>(kLoads * Shape::kOutputs * Shape::kStride);
    auto full = cursor.Take<Arrivals>(kStages), free = cursor.Take<Arrivals>(kStages);
    auto full_w = cursor.Take<Arrivals>(kLoads), free_w = cursor.Take<Arrivals>(kLoads);
    auto where = cursor.Take<uint32_t>(1);
    const RowTile tile = TileOf(a, kTileRows);
    if (tile.count <= 0) return;
    const int warp = Thread() / kWarp, lane = Thread() % kWarp;
    if (Thread() == 0) {
      for (int i = 0; i < kStages; ++i) {
        InitArrivals(full[i], kUnpackers + 1);
        InitArrivals(free[i], 1);
      }
      for (int i = 0; i < kLoads; ++i) {
        InitArrivals(full_w[i], kWarp);
        InitArrivals(free_w[i], kUnpackers);
      }
    }
    if (warp == kUnpackers + 1) TensorReserve<Shape::kColumns>(where[0]);
    SyncBlock();
    const uint32_t sums = where[0], factors = TensorFragment::At(sums, 0, Shape::kSums);
    const int steps = (a.k + Shape::kStep - 1) / Shape::kStep;
    if (warp == kUnpackers) {
      BringTiles<W, Shape>(a, tile, x, raw, full, free, full_w, free_w);
    } else if (warp > kUnpackers) {
      if (lane == 0) MultiplyTiles<W, Shape>(steps, x, full, free, sums, factors);
      SyncWarp(kAllLanes);
    } else {
      const int part = warp / 8, first_row = TensorFragment::FirstRow(warp);
      const int first = part * TensorFragment::kRows + first_row + lane / 4;
      const WideRows<W, Shape> rows(a, tile, first, first + 8);
      for (int step = 0; step < steps; ++step) {
        const int stage = step % kStages;
        uint32_t halves[Shape::kStep / 16][4];
        rows.Take(a, raw, full_w, free_w, step, halves);
        WaitArrivals(free[stage], step / kStages % 2 ^ 1);
        TensorFence();
        TensorStore(TensorFragment::At(factors, first_row, (stage * Shape::kParts + part) * Shape::kFactor), halves);
        TensorDone();
        SyncWarp(kAllLanes);
        if (lane == 0) Arrive(full[stage]);
      }
      WaitArrivals(free[(steps - 1) % kStages], (steps - 1) / kStages % 2);
      TensorFence();
      for (int column = 0; column < tile.count; column += 32) {
        float sum[16];
        TensorLoad(TensorFragment::At(sums, first_row, part * kTileRows + column), sum);
#pragma unroll
        for (int i = 0; i < 16; ++i) {
          const int row = column + WideFragment::Col(lane, i), to = BlockX() * Shape::kOutputs + rows.output[i / 2 % 2];
          if (row < tile.count && to < a.rows) Write(a, tile.Row(row), to, sum[i] * a.row_scales[tile.Row(row)]);
        }
      }
      TensorDone();
    }
    SyncBlock();
    TensorFence();
    if (warp == kUnpackers + 1) TensorFree<Shape::kColumns>(sums);
  }
}

}  // namespace scout::SCOUT_GPU
