// What a sampler needs of a row of logits, 4,096 ids to a thread block: the largest value, the sum of exponentials in the order of
// backends/ref/sample.cpp, and the best few ids. The host folds the blocks of a row (fifty of them for 202,048 ids).
#pragma once

#include "gpu/arguments.h"
#include "gpu/math.h"

namespace scout::SCOUT_GPU {

// Whether (a, a_id) comes before (b, b_id): larger first, ties to the lower id.
GPU_FUNCTION bool Before(float a, int a_id, float b, int b_id) { return a > b || (a == b && a_id < b_id); }

// grid: [blocks, jobs]. Shared: kSampleIds + 2 * 16 floats and 2 ints.
GPU_KERNEL SampleBlocks(gpu::SampleArgs a) {
  const gpu::SampleJob job = a.jobs[BlockY()];
  constexpr int kEach = gpu::kSampleIds / kBlockThreads;
  constexpr int kWarps = kBlockThreads / kWarp;
  const int first = BlockX() * gpu::kSampleIds;
  const int count = a.vocabulary - first < gpu::kSampleIds ? a.vocabulary - first : gpu::kSampleIds;
  const float* const logits = a.logits + static_cast<int64_t>(job.row) * a.vocabulary + first;
  SharedCursor cursor;
  auto values = cursor.Take<float>(gpu::kSampleIds);
  auto warp_best = cursor.Take<float>(kWarps);
  auto warp_id = cursor.Take<int>(kWarps);
  auto bad = cursor.Take<int>(1);
  if (Thread() == 0) bad[0] = 0;
  for (int i = Thread(); i < count; i += kBlockThreads) values[i] = logits[i];
  SyncBlock();
  // The edits of this block's ids: each id at most once.
  for (int e = job.edit_begin + Thread(); e < job.edit_end; e += kBlockThreads) {
    const gpu::SampleEdit edit = a.edits[e];
    const int i = edit.id - first;
    if (i < 0 || i >= count) continue;
    const float l = values[i];
    values[i] = (l > 0 ? Divide(l, edit.repetition) : l * edit.repetition) + edit.add;
  }
  SyncBlock();
  float v[kEach];
  bool any_bad = false;
#pragma unroll
  for (int t = 0; t < kEach; ++t) {
    const int i = Thread() + t * kBlockThreads;
    v[t] = -Infinity();
    if (i >= count) continue;
    const float own = logits[i];
    any_bad = any_bad || own != own || own == Infinity();
    v[t] = values[i];
    if (job.mask >= 0 && (a.masks[job.mask + (first + i) / 64] >> (first + i) % 64 & 1) == 0) v[t] = -Infinity();
  }
  if (any_bad) AtomicAdd(bad[0], 1);

  // The best ids one by one: each thread's best, its warp's, the block's.
  const int64_t result = static_cast<int64_t>(BlockY()) * a.blocks + BlockX();
  float taken = Infinity();  // the last best one: what comes after it is still to be listed
  int taken_id = -1, listed = 0;
  for (int k = 0; k < job.best; ++k) {
    float best = -Infinity();
    int best_id = 0x7fffffff;
#pragma unroll
    for (int t = 0; t < kEach; ++t) {
      const int id = first + Thread() + t * kBlockThreads;
      if (v[t] != -Infinity() && Before(taken, taken_id, v[t], id) && Before(v[t], id, best, best_id)) {
        best = v[t];
        best_id = id;
      }
    }
    for (int bits = kWarp / 2; bits > 0; bits /= 2) {
      const float other = ShflXor(kAllLanes, best, bits);
      const int other_id = ShflXor(kAllLanes, best_id, bits);
      if (Before(other, other_id, best, best_id)) {
        best = other;
        best_id = other_id;
      }
    }
    if (Thread() % kWarp == 0) {
      warp_best[Thread() / kWarp] = best;
      warp_id[Thread() / kWarp] = best_id;
    }
    SyncBlock();
    for (int i = 0; i < kWarps; ++i) {
      const float other = warp_best[i];
      const int other_id = warp_id[i];
      if (Before(other, other_id, best, best_id)) {
        best = other;
        best_id = other_id;
      }
    }
    SyncBlock();
    if (best_id == 0x7fffffff) break;
    if (Thread() == 0) {
      a.best[result * a.best_stride + k] = best;
      a.best_id[result * a.best_stride + k] = best_id;
    }
    taken = best;
    taken_id = best_id;
    ++listed;
  }

  float max = -Infinity();
#pragma unroll
  for (int t = 0; t < kEach; ++t) {
    v[t] = Divide(v[t], job.temperature);
    if (Thread() + t * kBlockThreads < count) max = MaxOf(max, v[t]);
  }
  for (int bits = kWarp / 2; bits > 0; bits /= 2) max = MaxOf(max, ShflXor(kAllLanes, max, bits));
  if (Thread() % kWarp == 0) warp_best[Thread() / kWarp] = max;
  SyncBlock();
  for (int i = 0; i < kWarps; ++i) max = MaxOf(max, warp_best[i]);
#pragma unroll
  for (int t = 0; t < kEach; ++t) {
    const int i = Thread() + t * kBlockThreads;
    if (i < count) values[i] = max == -Infinity() ? 0.0f : Exp(v[t] - max);
  }
  SyncBlock();
  if (Thread() >= kWarp) return;
  float sum = 0;
  for (int i = Thread() % kLanes16; i < count; i += kLanes16) {
    const float value = values[i];
    sum += value;
  }
  sum = FoldLanes16(sum);
  if (Thread() == 0) {
    const int wrong = bad[0];
    a.result[result] = {max, sum, wrong == 0, listed};
  }
}

}  // namespace scout::SCOUT_GPU
