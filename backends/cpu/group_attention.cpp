// Attention without a mask inside groups of rows; the arithmetic is told in ref/vision.cpp.
//
// A task is some rows of one head of one group. Keys lie turned (values of sixteen keys side by side), so that both products have
// sums that stay inside a lane; that is done once per head and group, before.
#include <algorithm>
#include <cstring>

#include "cpu/context.h"

namespace scout::cpu {
namespace {

constexpr int64_t kTaskRows = 64;

int64_t RoundUp(int64_t n) { return (n + 15) / 16 * 16; }

}  // namespace

void GroupAttention(Context& context, const GroupAttentionOp& op) {
  const Kernels& kernels = *context.kernels;
  const int64_t rows = op.group_rows, width = op.out.cols, d = width / op.heads, stride = 3 * width;
  const int64_t keys = RoundUp(rows), values = RoundUp(d), heads = op.heads;
  const float* const qkv = HostF32(op.qkv);
  float* const out = HostF32(op.out);
  float* const turned = context.arena.Take<float>(heads * d * keys);       // [H, d, keys]
  float* const padded = context.arena.Take<float>(heads * rows * values);  // [H, rows, values]
  float* const scores = context.arena.Take<float>(context.threads * kTaskRows * keys);
  float* const folded = context.arena.Take<float>(context.threads * kTaskRows * values);
  const int64_t tasks_per_head = (rows + kTaskRows - 1) / kTaskRows;
  for (int64_t first = 0; first < op.qkv.rows; first += rows) {
    const float* const group = qkv + first * stride;
    context.Parallel(heads, [&](int64_t h, int) {
      const float* const k = group + width + h * d;
      const float* const v = k + width;
      float* const k_to = turned + h * d * keys;
      float* const v_to = padded + h * rows * values;
      for (int64_t j0 = 0; j0 < keys; j0 += 16)  // what a cache line holds of each row
        for (int64_t i = 0; i < d; ++i)
          for (int64_t j = j0; j < j0 + 16; ++j) k_to[i * keys + j] = j < rows ? k[j * stride + i] : 0.0f;
      for (int64_t j = 0; j < rows; ++j) {
        std::memcpy(v_to + j * values, v + j * stride, static_cast<size_t>(d) * 4);
        std::fill(v_to + j * values + d, v_to + (j + 1) * values, 0.0f);
      }
    });
    context.Parallel(heads * tasks_per_head, [&](int64_t task, int thread) {
      const int64_t h = task / tasks_per_head, row = task % tasks_per_head * kTaskRows, count = std::min(kTaskRows, rows - row);
      float* const w = scores + thread * kTaskRows * keys;
      float* const o = folded + thread * kTaskRows * values;
      kernels.outer_product(group + row * stride + h * d, stride, count, d, turned + h * d * keys, keys, w, keys);
      float share[kTaskRows];
      for (int64_t n = 0; n < count; ++n) {
        float* const mine = w + n * keys;
        kernels.multiply(mine, op.scale, rows, mine);
        share[n] = 1.0f / kernels.exp_sum(mine, kernels.largest(mine, rows), rows, mine);
      }
      kernels.outer_product(w, keys, count, rows, padded + h * rows * values, values, o, values);
      for (int64_t n = 0; n < count; ++n) kernels.multiply(o + n * values, share[n], d, out + (first + row + n) * width + h * d);
    });
  }
}

}  // namespace scout::cpu
