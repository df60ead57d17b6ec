// Kernels of the vision tower, in the order of backends/ref/vision.cpp.
#pragma once

#include "gpu/arguments.h"
#include "gpu/math.h"

namespace scout::SCOUT_GPU {

// grid: [N]. Rows whose source lies outside stay.
GPU_KERNEL Scatter(gpu::ScatterArgs a) {
  const int64_t row = static_cast<int64_t>(a.rows[BlockX()]) - a.first;
  if (a.rows[BlockX()] < 0 || row < 0 || row >= a.in_rows) return;
  for (int i = Thread(); i < a.cols; i += Threads()) a.out[static_cast<int64_t>(BlockX()) * a.cols + i] = a.in[row * a.cols + i];
}

// grid: [T P]
GPU_KERNEL Unfold(gpu::UnfoldArgs a) {
  const int side = a.tile_size / a.patch_size, area = a.patch_size * a.patch_size;
  const int64_t t = BlockX() / (side * side);
  const int p = BlockX() % (side * side);
  const int values = a.colours * area;
  for (int e = Thread(); e < values; e += Threads()) {
    const int c = e / area, row = p / side * a.patch_size + e % area / a.patch_size,
              column = p % side * a.patch_size + e % a.patch_size;
    const uint8_t byte = a.tiles[((t * a.colours + c) * a.tile_size + row) * a.tile_size + column];
    a.out[static_cast<int64_t>(BlockX()) * values + e] = a.table[byte];
  }
}

// grid: [T (P + 1)]
GPU_KERNEL AddPositions(gpu::AddPositionsArgs a) {
  const int64_t t = BlockX() / (a.patches + 1), p = BlockX() % (a.patches + 1);
  for (int i = Thread(); i < a.cols; i += Threads()) {
    const float x = p < a.patches ? a.in[(t * a.patches + p) * a.cols + i] : a.last[i];
    a.out[static_cast<int64_t>(BlockX()) * a.cols + i] = x + a.position[p * a.cols + i];
  }
}

// grid: [N]. Shared: two floats and cols floats.
GPU_KERNEL LayerNorm(gpu::LayerNormArgs a) {
  SharedCursor cursor;
  auto found = cursor.Take<float>(2);
  auto row = cursor.Take<float>(a.cols);
  const int64_t begin = static_cast<int64_t>(BlockX()) * a.cols;
  for (int i = Thread(); i < a.cols; i += Threads()) row[i] = a.in[begin + i];
  SyncBlock();
  if (Thread() < kWarp) {
    float sum = 0;
    for (int i = Thread() % kLanes16; i < a.cols; i += kLanes16) {
      const float x = row[i];
      sum += x;
    }
    const float mean = Divide(FoldLanes16(sum), static_cast<float>(a.cols));
    sum = 0;
    for (int i = Thread() % kLanes16; i < a.cols; i += kLanes16) {
      const float x = row[i];
      sum = Fma(x - mean, x - mean, sum);
    }
    const float variance = Divide(FoldLanes16(sum), static_cast<float>(a.cols));
    if (Thread() == 0) {
      found[0] = mean;
      found[1] = Divide(1.0f, Sqrt(variance + a.eps));
    }
  }
  SyncBlock();
  const float mean = found[0], scale = found[1];
  for (int i = Thread(); i < a.cols; i += Threads()) {
    const float x = row[i];
    a.out[begin + i] = Fma((x - mean) * scale, a.weight[i], a.bias[i]);
  }
}

// grid: [N]
GPU_KERNEL Rotate(gpu::RotateArgs a) {
  float* const row = a.qkv + static_cast<int64_t>(BlockX()) * a.cols;
  const float* const turn = a.turns + BlockX() % a.turn_rows * static_cast<int64_t>(a.d);
  for (int e = Thread(); e < a.heads * a.d; e += Threads()) {  // pairs of q and k
    const int i = 2 * (e % (a.d / 2)), at = e / (a.d / 2) * a.d + i;
    const float x = row[at], y = row[at + 1], cosine = turn[i], sine = turn[i + 1];
    row[at] = Fma(x, cosine, -(y * sine));
    row[at + 1] = Fma(x, sine, y * cosine);
  }
}

// A row and head: all scores, then the values. grid: [N, H]. Shared: R floats, d floats and 33.
GPU_KERNEL GroupAttend(gpu::GroupAttentionArgs a) {
  const int64_t n = BlockX();
  const int head = BlockY(), keys = a.group_rows, d = a.d, width = a.heads * d;
  const int64_t stride = 3 * static_cast<int64_t>(width);
  const float* const group = a.qkv + n / keys * keys * stride + head * d;
  SharedCursor cursor;
  auto w = cursor.Take<float>(keys);
  auto q = cursor.Take<float>(d);
  auto of_warp = cursor.Take<float>(32);
  auto total = cursor.Take<float>(1);
  for (int i = Thread(); i < d; i += Threads()) q[i] = a.qkv[n * stride + head * d + i];
  SyncBlock();
  float max = -Infinity();
  for (int j = Thread(); j < keys; j += Threads()) {
    const float* const k = group + width + j * stride;
    float score = 0;
    for (int i = 0; i < d; ++i) score = Fma(q[i], k[i], score);
    score *= a.scale;
    w[j] = score;
    max = MaxOf(max, score);
  }
  for (int bits = kWarp / 2; bits > 0; bits /= 2) max = MaxOf(max, ShflXor(kAllLanes, max, bits));
  if (Thread() % kWarp == 0) of_warp[Thread() / kWarp] = max;
  SyncBlock();
  for (int i = 0; i < Threads() / kWarp; ++i) max = MaxOf(max, of_warp[i]);
  for (int j = Thread(); j < keys; j += Threads()) {
    const float score = w[j];
    w[j] = Exp(score - max);
  }
  SyncBlock();
  if (Thread() < kWarp) {
    float sum = 0;
    for (int j = Thread() % kLanes16; j < keys; j += kLanes16) {
      const float weight = w[j];
      sum += weight;
    }
    sum = FoldLanes16(sum);
    if (Thread() == 0) total[0] = Divide(1.0f, sum);
  }
  SyncBlock();
  const float share = total[0];
  for (int i = Thread(); i < d; i += Threads()) {
    float o = 0;
    for (int j = 0; j < keys; ++j) o = Fma(w[j], group[2 * width + j * stride + i], o);
    a.out[n * width + head * d + i] = o * share;
  }
}

// grid: [T (side / f)^2]
GPU_KERNEL PixelShuffle(gpu::PixelShuffleArgs a) {
  const int f = a.factor, small = a.side / f;
  const int64_t t = BlockX() / (small * small);
  const int y = BlockX() % (small * small) / small, x = BlockX() % small;
  for (int e = Thread(); e < f * f * a.cols; e += Threads()) {
    const int part = e / a.cols, dy = part / f, dx = part % f;
    const int64_t row = t * a.group_rows + (f * y + dy) * a.side + f * x + dx;
    a.out[static_cast<int64_t>(BlockX()) * f * f * a.cols + e] = a.in[row * a.cols + e % a.cols];
  }
}

}  // namespace scout::SCOUT_GPU
