// A 64-bit name for what decides keys and values: the configuration and the weights.
#pragma once

#include <cstdint>
#include <span>

#include "io/checkpoint.h"
#include "model/config.h"

namespace scout::model {

// Hashes every hyper-parameter, each used tensor's name, format and shape, and the first and last 4 KiB of its bytes: enough to
// tell fine-tunes and quantisations apart without a pass over a hundred gigabytes. It does not defend against an adversary.
uint64_t Fingerprint(const io::Checkpoint& checkpoint, const Config& config, std::span<const io::TensorInfo* const> tensors);

}  // namespace scout::model
