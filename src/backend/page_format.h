// Which formats pages of keys and values can have.
#pragma once

#include <cstdint>

#include "tensor/dtype.h"

namespace scout {

// Bytes of one head of `head_dim` values in a page. Throws kArgument naming the format unless it is F32, F16, BF16 or Q8_0 and the
// head is whole blocks of it.
uint64_t HeadBytes(DType format, int64_t head_dim);

}  // namespace scout
