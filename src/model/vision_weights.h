// The weights of a vision tower: which tensors make which matrix.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "model/vision_config.h"
#include "model/weights.h"

namespace scout::model {

struct VisionNorm {
  std::unique_ptr<Weight> weight;  // [1, D]
  std::unique_ptr<Weight> bias;    // [1, D]
};

struct VisionLayerWeights {
  VisionNorm attention_norm;
  std::unique_ptr<Weight> qkv;       // [3 D, D]
  std::unique_ptr<Weight> qkv_bias;  // [3, D]
  std::unique_ptr<Weight> o;         // [D, D]
  std::unique_ptr<Weight> o_bias;    // [1, D]
  VisionNorm feed_norm;
  std::unique_ptr<Weight> up;         // [F, D]
  std::unique_ptr<Weight> up_bias;    // [1, F]
  std::unique_ptr<Weight> down;       // [D, F]
  std::unique_ptr<Weight> down_bias;  // [1, D]
};

struct VisionWeights {
  std::unique_ptr<Weight> patches;    // [D, C s s]
  std::unique_ptr<Weight> class_row;  // [1, D]
  std::unique_ptr<Weight> positions;  // [P + 1, D]
  VisionNorm pre_norm, post_norm;
  std::vector<VisionLayerWeights> layer;
  std::unique_ptr<Weight> adapter_up;    // [adapter, f f D]
  std::unique_ptr<Weight> adapter_down;  // [adapter_out, adapter]
  std::unique_ptr<Weight> projector;     // [out, adapter_out]
};

struct VisionPlan {
  std::vector<const io::TensorInfo*> used;
  uint64_t parameters = 0;
};

// Appends to `plan` what fills `weights` (which must outlive it), bytes included. Throws as PlanWeights does.
VisionPlan PlanVision(const std::shared_ptr<const io::Checkpoint>& checkpoint, const VisionConfig& config, const Backend& backend,
                      const std::shared_ptr<LoadMonitor>& monitor, WeightPlan& plan, VisionWeights& weights);

// Those that are there.
void ForEachWeight(const VisionWeights& weights, const std::function<void(const Weight&)>& body);

}  // namespace scout::model
