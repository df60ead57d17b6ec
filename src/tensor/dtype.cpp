#include "tensor/dtype.h"

namespace scout {

const DTypeInfo& InfoOf(DType dtype) {
  static constexpr DTypeInfo kInfo[] = {
      {"F32", 1, 4},      {"F16", 1, 2},     {"BF16", 1, 2},    {"Q4_0", 32, 18},   {"Q4_1", 32, 20},   {"Q5_0", 32, 22},
      {"Q5_1", 32, 24},   {"Q8_0", 32, 34},  {"Q2_K", 256, 84}, {"Q3_K", 256, 110}, {"Q4_K", 256, 144}, {"Q5_K", 256, 176},
      {"Q6_K", 256, 210}, {"F64", 1, 8},     {"I8", 1, 1},      {"I16", 1, 2},      {"I32", 1, 4},      {"I64", 1, 8},
      {"U8", 1, 1},       {"U16", 1, 2},     {"U32", 1, 4},     {"U64", 1, 8},      {"BOOL", 1, 1},     {"F8_E4M3", 1, 1},
      {"F8_E5M2", 1, 1},  {"unknown", 0, 0},
  };
  static_assert(sizeof kInfo / sizeof kInfo[0] == static_cast<size_t>(DType::kCount));
  return kInfo[static_cast<size_t>(dtype)];
}

uint64_t RowBytes(DType dtype, uint64_t values) {
  const DTypeInfo& info = InfoOf(dtype);
  if (info.values_per_block == 0) Fail(ErrorCode::kUnsupported, "a tensor of unknown format has no row size");
  if (values % info.values_per_block != 0)
    Fail(ErrorCode::kFormat, "a row of ", values, " values is not a whole number of ", info.name, " blocks of ",
         info.values_per_block);
  return CheckedMul(values / info.values_per_block, info.bytes_per_block, "row bytes");
}

}  // namespace scout
