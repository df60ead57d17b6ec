#include "backend/page_format.h"

#include "base/error.h"

namespace scout {

uint64_t HeadBytes(DType format, int64_t head_dim) {
  if (format != DType::kF32 && format != DType::kF16 && format != DType::kBF16 && format != DType::kQ8_0)
    Fail(ErrorCode::kArgument, "keys and values cannot be kept as ", InfoOf(format).name, ", expected F32, F16, BF16 or Q8_0");
  const int64_t block = InfoOf(format).values_per_block;
  if (head_dim % block != 0)
    Fail(ErrorCode::kArgument, "keys and values cannot be kept as ", InfoOf(format).name, ": a head has ", head_dim,
         " values, expected a multiple of ", block);
  return RowBytes(format, static_cast<uint64_t>(head_dim));
}

}  // namespace scout
