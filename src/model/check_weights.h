// Finds NaN and infinity in a tensor's bytes as they are read: in every value of a plain format, in every block's scales of a
// quantised one (whose codes cannot be anything but finite). One such value turns all later logits into NaN, long after the
// file could have been blamed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "io/checkpoint.h"

namespace scout::model {

// `bytes` start at `offset` within the tensor; a value that lies only partly inside is not looked at (backends read whole
// rows). Throws kCorrupt naming the tensor, the block and the file offset.
void CheckFinite(const io::TensorInfo& tensor, uint64_t offset, std::span<const std::byte> bytes);

}  // namespace scout::model
