// What a model and its runners take: plain arithmetic over the configuration, checked, before anything is allocated.
#pragma once

#include <array>
#include <cstdint>

#include "backend/ops.h"
#include "model/config.h"
#include "model/runner.h"

namespace scout::model {

// Layers whose keys and values live in a page group.
int32_t LayersInGroup(const Config& config, int group);

PageGroupSpec GroupSpec(const Config& config, int group, const RunnerOptions& options);

// Bytes that one position costs in a group: all its layers, K and V.
uint64_t BytesPerPosition(const Config& config, int group, DType k_format, DType v_format);

// Bytes of all pages of both groups. Throws kLimit where they do not fit 64 bits.
uint64_t KvBytes(const Config& config, const RunnerOptions& options);

// Throws kArgument naming the option that is outside what a runner can do.
void CheckRunnerOptions(const Config& config, const RunnerOptions& options);

// The activations of a step, one behind the other in one buffer; offsets in bytes.
struct WorkspaceLayout {
  struct Slot {
    uint64_t offset = 0;
    int64_t cols = 0;
  };
  Slot x;              // [N, D] the residual stream
  Slot y;              // [N, D] normed
  Slot qkv;            // [N, (Hq + 2 Hkv) d]
  Slot q;              // [N, Hq d]
  Slot o;              // [N, Hq d]
  Slot hidden;         // [N, F] of the dense layers; empty where there are none
  Slot ids;            // [N, k] int32
  Slot gates;          // [N, k]
  Slot picked;         // [M, D] rows that need logits
  Slot picked_normed;  // [M, D]
  Slot logits;         // [M, V]
  uint64_t bytes = 0;
};
WorkspaceLayout PlanWorkspace(const Config& config, const RunnerOptions& options);

}  // namespace scout::model
