// What a device can do at all, beside which speeds are told: bytes copied from its memory to its memory, and products of signed
// bytes as the kernels here ask for them, from registers.
#pragma once

#include "gpu/arguments.h"
#include "gpu/gpu.h"

namespace scout::SCOUT_GPU {

// grid: [any]
GPU_KERNEL ProbeCopy(gpu::ProbeCopyArgs a) {
  const int64_t step = static_cast<int64_t>(GridX()) * Threads();
  const auto* const from = static_cast<const Int4*>(a.from);
  auto* const to = static_cast<Int4*>(a.to);
  for (int64_t i = static_cast<int64_t>(BlockX()) * Threads() + Thread(); i < a.pieces; i += step) to[i] = from[i];
}

// Every warp multiplies one tile by kProbeTiles others, again and again. grid: [any]. Shared: the tiles.
GPU_KERNEL ProbeMatrix(gpu::ProbeMatrixArgs a) {
  using Matrix = MatrixI8<32>;
  constexpr int kStride = 32 / 4 + 4;
  SharedCursor cursor;
  auto x = cursor.Take<uint32_t>(Matrix::kRows * kStride);
  auto w = cursor.Take<uint32_t>(gpu::kProbeTiles * Matrix::kCols * kStride);
  for (int i = Thread(); i < Matrix::kRows * kStride; i += Threads()) x[i] = 0x01020304u * static_cast<uint32_t>(i + 1);
  for (int i = Thread(); i < gpu::kProbeTiles * Matrix::kCols * kStride; i += Threads())
    w[i] = 0x04030201u * static_cast<uint32_t>(i);
  SyncBlock();
  int32_t c[gpu::kProbeTiles][Matrix::kValues] = {};
  for (int i = 0; i < a.rounds; ++i)
#pragma unroll
    for (int t = 0; t < gpu::kProbeTiles; ++t) Matrix::MultiplyAdd(c[t], x, kStride, w.From(t * Matrix::kCols * kStride), kStride);
  int32_t sum = 0;
  for (int t = 0; t < gpu::kProbeTiles; ++t)
    for (int i = 0; i < Matrix::kValues; ++i) sum ^= c[t][i];
  a.out[static_cast<int64_t>(BlockX()) * Threads() + Thread()] = sum;
  if (Thread() == 0 && BlockX() == 0) *a.tile_operations = 2 * Matrix::kRows * Matrix::kCols * 32;
}

}  // namespace scout::SCOUT_GPU
