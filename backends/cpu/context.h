// What every operation of the cpu backend works with.
#pragma once

#include <algorithm>
#include <memory>
#include <span>

#include "backend/backend.h"
#include "backend/host_buffer.h"
#include "backend/host_weight.h"
#include "backend/products.h"
#include "base/arena.h"
#include "base/cpu_features.h"
#include "base/thread_pool.h"
#include "cpu/kernels.h"

namespace scout::cpu {

struct Context {
  const Kernels* kernels = nullptr;
  std::shared_ptr<ThreadPool> pool;
  int threads = 1;
  const StepPlan* plan = nullptr;
  // Where the numerics are fast:
  bool fast = false;
  std::unique_ptr<ProductLibrary> library;  // null: own kernels serve
  bool library_all = false;                 // it serves what it can, not what it was measured to be faster at
  Arena arena;                              // given back at the start of each operation

  // task(index, thread) for 0 .. count - 1; `thread` < threads.
  template <typename Task>
  void Parallel(int64_t count, const Task& task) {
    pool->Run(threads, count, task);
  }
  // body(row) for each row, in tasks of at least `least` rows, so that little work stays on one thread.
  template <typename Body>
  void ParallelRows(int64_t rows, int64_t least, const Body& body) {
    const int64_t per_task = std::max(least, (rows + threads * 4 - 1) / (threads * 4));
    Parallel((rows + per_task - 1) / per_task, [&](int64_t task, int) {
      for (int64_t row = task * per_task; row < std::min(rows, (task + 1) * per_task); ++row) body(row);
    });
  }
};

inline const HostWeight& Host(const Weight* weight) { return *static_cast<const HostWeight*>(weight); }

// The values of a weight of the role kVector.
inline const float* VectorOf(const Weight* weight) { return reinterpret_cast<const float*>(Host(weight).parts()[0].Row(0, 0)); }

const Kernels& KernelsFor(Isa isa);  // kernels.cpp

void Embed(Context& context, const EmbedOp& op);                                     // rows.cpp
void RmsNorm(Context& context, const RmsNormOp& op);                                 // rows.cpp
void GatherRows(Context& context, const GatherRowsOp& op);                           // rows.cpp
void RopeNormStore(Context& context, const RopeNormStoreOp& op);                     // rope_norm_store.cpp
void Linear(Context& context, const LinearOp& op);                                   // linear.cpp
void LinearOfFloats(Context& context, const LinearOp& op);                           // float_linear.cpp
void Route(Context& context, const RouteOp& op);                                     // linear.cpp
void Attention(Context& context, const AttentionOp& op);                             // attention.cpp
void MergeAttention(Context& context, const MergeAttentionOp& op);                   // merge_attention.cpp
void Experts(Context& context, const ExpertsOp& op);                                 // experts.cpp
void CombineExperts(Context& context, const CombineExpertsOp& op);                   // experts.cpp
void Sample(Context& context, const SampleOp& op, std::span<SampleResult> results);  // sample.cpp
void ScatterRows(Context& context, const ScatterRowsOp& op);                         // vision.cpp, and all that follow
void Unfold(Context& context, const UnfoldOp& op);
void AddPositions(Context& context, const AddPositionsOp& op);
void LayerNorm(Context& context, const LayerNormOp& op);
void Rotate(Context& context, const RotateOp& op);
void PixelShuffle(Context& context, const PixelShuffleOp& op);
void GroupAttention(Context& context, const GroupAttentionOp& op);  // group_attention.cpp

}  // namespace scout::cpu
