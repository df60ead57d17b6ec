// Element formats of tensors: what a file may hold and what an activation may be. Only the geometry lives here (values
// per block, bytes per block); how a block is decoded is told in quant/.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/checked.h"

namespace scout {

enum class DType : uint8_t {
  kF32,
  kF16,
  kBF16,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ8_0,
  kQ2_K,
  kQ3_K,
  kQ4_K,
  kQ5_K,
  kQ6_K,
  kF64,
  kI8,
  kI16,
  kI32,
  kI64,
  kU8,
  kU16,
  kU32,
  kU64,
  kBool,
  kF8E4M3,
  kF8E5M2,
  kUnknown,  // listed and sized by the file, but nothing here can decode it
  kCount,
};

struct DTypeInfo {
  std::string_view name;      // as printed by `scout inspect`, upper case
  uint32_t values_per_block;  // along the fastest axis
  uint32_t bytes_per_block;
};

// Geometry of a format. kUnknown has zero sizes.
const DTypeInfo& InfoOf(DType dtype);

// Bytes of one row of `values` elements; throws kFormat when the row is not a whole number of blocks.
uint64_t RowBytes(DType dtype, uint64_t values);

}  // namespace scout
