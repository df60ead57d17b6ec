// The operations of the contract, one function each, in their most readable form. What they mean is told in backend/ops.h;
// in which order they round, here and in dot.h.
#pragma once

#include <span>
#include <vector>

#include "backend/backend.h"
#include "backend/host_weight.h"
#include "ref/dot.h"

namespace scout::ref {

// What a step works with; the vectors grow to the largest seen and then stay.
struct Context {
  Numerics numerics = Numerics::kInvariant;
  const StepPlan* plan = nullptr;

  Activations in, hidden_in;
  ProductScratch product;
  std::vector<float> y, hidden, expert_in, key, value, scores, sum;
  std::vector<double> folded;
  std::vector<int32_t> order;
};

inline const HostWeight& Host(const Weight* weight) { return *static_cast<const HostWeight*>(weight); }
inline const float* VectorOf(const Weight* weight) { return reinterpret_cast<const float*>(Host(weight).parts()[0].Row(0, 0)); }

// The sequence that row n belongs to.
int SequenceOf(const StepPlan& plan, int n);

void Embed(Context& context, const EmbedOp& op);                                     // rows.cpp
void RmsNorm(Context& context, const RmsNormOp& op);                                 // rows.cpp
void GatherRows(Context& context, const GatherRowsOp& op);                           // rows.cpp
void Linear(Context& context, const LinearOp& op);                                   // linear.cpp
void RopeNormStore(Context& context, const RopeNormStoreOp& op);                     // rope_norm_store.cpp
void Attention(Context& context, const AttentionOp& op);                             // attention.cpp
void MergeAttention(Context& context, const MergeAttentionOp& op);                   // attention.cpp
void Route(Context& context, const RouteOp& op);                                     // route.cpp
void Experts(Context& context, const ExpertsOp& op);                                 // experts.cpp
void CombineExperts(Context& context, const CombineExpertsOp& op);                   // experts.cpp
void Sample(Context& context, const SampleOp& op, std::span<SampleResult> results);  // sample.cpp
void ScatterRows(Context& context, const ScatterRowsOp& op);                         // vision.cpp, and all that follow
void Unfold(Context& context, const UnfoldOp& op);
void AddPositions(Context& context, const AddPositionsOp& op);
void LayerNorm(Context& context, const LayerNormOp& op);
void Rotate(Context& context, const RotateOp& op);
void GroupAttention(Context& context, const GroupAttentionOp& op);
void PixelShuffle(Context& context, const PixelShuffleOp& op);

// 1 / sqrt(mean(x^2) + eps): the sum as DotFloat(x, x), then one division, one addition, one root, one division.
float InverseRms(Numerics numerics, const float* x, int64_t count, float eps);

// hidden[j] = silu(y[j]) * y[F + j]
void SwiGlu(const float* y, int64_t hidden_width, float* hidden);

}  // namespace scout::ref
