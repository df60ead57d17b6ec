// The weights of a text model: which tensors of the file make which matrix, and the matrices once prepared.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "io/checkpoint.h"
#include "io/pack_file.h"
#include "model/config.h"
#include "model/model.h"
#include "model/names.h"

namespace scout::model {

struct LayerWeights {
  std::unique_ptr<Weight> attention_norm;  // [1, D]
  std::unique_ptr<Weight> qkv;             // [(Hq + 2 Hkv) d, D]
  std::unique_ptr<Weight> o;               // [D, Hq d]
  std::unique_ptr<Weight> feed_norm;       // [1, D]
  // A dense layer has its block here; a layer with experts has the shared expert here, where there is one.
  std::unique_ptr<Weight> gate_up;  // [2F, D]
  std::unique_ptr<Weight> down;     // [D, F]
  // null in dense layers
  std::unique_ptr<Weight> router;          // [E, D]
  std::unique_ptr<Weight> expert_gate_up;  // E x [2F, D]
  std::unique_ptr<Weight> expert_down;     // E x [D, F]
};

struct Weights {
  std::unique_ptr<Weight> embedding;   // [V, D]
  std::unique_ptr<Weight> head;        // [V, D]
  std::unique_ptr<Weight> final_norm;  // [1, D]
  std::vector<LayerWeights> layer;
};

// Shared by the tensor sources of one load; after the load they may live on inside a backend, when nobody watches any more.
struct LoadMonitor {
  std::atomic<LoadProgress*> progress{nullptr};
  bool check = true;
};

// One matrix to prepare.
struct WeightJob {
  std::string name;  // of its first tensor, for messages
  WeightDesc desc;
  std::unique_ptr<Weight>* slot = nullptr;
  std::vector<const io::PackPart*> packed;  // where it lies in a packed side-file
  uint64_t file_bytes = 0;
  uint64_t resident_bytes = 0;  // what it will hold, the backend's side tables aside; 0 for what stays in a mapping
};

struct WeightPlan {
  std::deque<WeightJob> jobs;        // in the order in which a step needs them
  std::vector<std::string> skipped;  // tensors that the text model does not need
  std::vector<const io::TensorInfo*> used;
  uint64_t file_bytes = 0;
  uint64_t resident_bytes = 0;
  uint64_t parameters = 0;
};

// Finds every tensor, checks shape and format against `config` and the backend, and describes the matrices that fill `weights`
// (which must outlive the plan). Throws kFormat naming what is missing, doubled or misshapen, kUnsupported naming tensor and
// format.
WeightPlan PlanWeights(const std::shared_ptr<const io::Checkpoint>& checkpoint, const Config& config, const Names& names,
                       const Backend& backend, const std::shared_ptr<LoadMonitor>& monitor, Weights& weights);

// Prepares every matrix of the plan on up to `threads` threads. The first error, or kCancelled, ends it. What lies packed is
// imported from `pack`, with `check_pack` after a look at its hashes.
void PrepareWeights(WeightPlan& plan, Backend& backend, const std::shared_ptr<const io::PackFile>& pack, bool check_pack,
                    LoadProgress& progress, int threads);

// Where the jobs of a text model's plan lie in the side-file; they then take no memory of their own. Throws kFormat naming weight,
// field and both values where the two do not agree.
void PlanPacked(const io::PackFile& pack, WeightPlan& plan);

}  // namespace scout::model
