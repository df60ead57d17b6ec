// One block of any quantised format as plain integers: what the defined arithmetic works on.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace scout::ref {

struct IntegerBlock {
  int values = 0;      // 32 or 256
  int sub_values = 0;  // values per sub-block: 16 or 32
  bool has_minimum = false;
  float d = 0, m = 0;  // value = d * S * code + m * M; m = -dmin for K formats
  int8_t code[256];    // [values], offsets applied
  int S[16], M[16];    // [values / sub_values]
};

// `block` points at one block of `format`, one of the ten quantised ones.
void Unpack(DType format, const std::byte* block, IntegerBlock& out);

}  // namespace scout::ref
