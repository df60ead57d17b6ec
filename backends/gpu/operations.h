// The operations of the contract as launches of kernels.
#pragma once

#include <span>

#include "backend/backend.h"
#include "gpu/step.h"

namespace scout::gpu {

void Embed(Step& step, const EmbedOp& op);                                     // operations.cpp
void RmsNorm(Step& step, const RmsNormOp& op);                                 // operations.cpp
void GatherRows(Step& step, const GatherRowsOp& op);                           // operations.cpp
void RopeNormStore(Step& step, const RopeNormStoreOp& op);                     // operations.cpp
void Attention(Step& step, const AttentionOp& op);                             // operations.cpp
void MergeAttention(Step& step, const MergeAttentionOp& op);                   // operations.cpp
void Route(Step& step, const RouteOp& op);                                     // operations.cpp
void Linear(Step& step, const LinearOp& op);                                   // products.cpp
void Experts(Step& step, const ExpertsOp& op);                                 // products.cpp
void CombineExperts(Step& step, const CombineExpertsOp& op);                   // products.cpp
void ScatterRows(Step& step, const ScatterRowsOp& op);                         // vision.cpp
void Unfold(Step& step, const UnfoldOp& op);                                   // vision.cpp
void AddPositions(Step& step, const AddPositionsOp& op);                       // vision.cpp
void LayerNorm(Step& step, const LayerNormOp& op);                             // vision.cpp
void Rotate(Step& step, const RotateOp& op);                                   // vision.cpp
void GroupAttention(Step& step, const GroupAttentionOp& op);                   // vision.cpp
void PixelShuffle(Step& step, const PixelShuffleOp& op);                       // vision.cpp
void Sample(Step& step, const SampleOp& op, std::span<SampleResult> results);  // sample.cpp

// What products share.
void LaunchRoute(Step& step, const RouteOp& op);                         // operations.cpp
void LaunchFinish(Step& step, const LinearOp& op, float* y, bool adds);  // products.cpp: bias and gelu over y
struct RoundedRows {
  uint16_t* values = nullptr;  // [rows, k]
  float* scales = nullptr;     // [rows]
};
// products.cpp; format: FloatFormat of F16 or BF16
RoundedRows LaunchRoundRows(Step& step, int format, const float* values, int64_t rows, int64_t k);

constexpr unsigned kThreads = 256;          // of a block
constexpr size_t kSharedLimit = 64 * 1024;  // bytes that every device has for a block
inline void CheckShared(Step& step, const char* what, size_t bytes) {
  if (bytes > kSharedLimit)
    Fail(ErrorCode::kUnsupported, step.device().name(), ": ", what, " of this width needs ", bytes,
         " bytes of shared memory, a block has ", kSharedLimit);
}

// The view's first value on the device. Throws an internal error when the view leaves its buffer.
inline uint8_t* DeviceBytes(const Act& act) {
  SCOUT_CHECK(act.buffer != nullptr && act.rows >= 0 && act.cols >= 0, "a view without a buffer");
  const size_t size = act.buffer->size_bytes();
  const size_t need = static_cast<size_t>(act.rows) * static_cast<size_t>(act.cols) * 4;
  SCOUT_CHECK(act.offset % 4 == 0 && act.offset <= size && need <= size - act.offset, "a view of ", act.rows, " x ", act.cols,
              " at ", act.offset, " leaves its buffer of ", size, " bytes");
  return static_cast<const DeviceBuffer*>(act.buffer)->data() + act.offset;
}
inline float* DeviceF32(const Act& act) { return reinterpret_cast<float*>(DeviceBytes(act)); }
inline int32_t* DeviceI32(const Act& act) { return reinterpret_cast<int32_t*>(DeviceBytes(act)); }
inline const DeviceWeight& OnDevice(const Weight* weight) { return *static_cast<const DeviceWeight*>(weight); }
inline const float* VectorOf(const Weight* weight) {
  return reinterpret_cast<const float*>(OnDevice(weight).parts()[0].block.data());
}

}  // namespace scout::gpu
