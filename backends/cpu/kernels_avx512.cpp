// Kernels for AVX-512 with VNNI: sixteen lanes are one register.
#include "cpu/kernels.h"
#include "cpu/kernels_avx512_bf16.h"

#include <immintrin.h>

namespace scout::cpu {
namespace {

#include "cpu/vector_avx512.inl"

#include "cpu/float_kernels.inl"

#include "cpu/rounded_avx512.inl"

#include "cpu/packed_avx512.inl"

#include "cpu/tiles_avx512.inl"

#include "cpu/winograd_avx512.inl"

#include "cpu/pairs_avx512.inl"

#include "cpu/round_block_avx512.inl"

#include "cpu/packed32_avx512.inl"

#include "cpu/to_f16.inl"

constexpr Kernels TableOf(bool amd, bool bf16) {
  Kernels table{};
  table.amd = amd;
  SCOUT_FLOAT_KERNELS(table);
  if (bf16) {
    table.bf16 = MultiplyBf16;
    table.round_bf16 = RoundToBf16;
    table.bf16_bytes = 2;
  }
  table.to_f16 = ToF16;
  SCOUT_ROUNDED_KERNELS(table);
  SCOUT_PACKED_KERNELS(table);
  return table;
}
constexpr Kernels kTables[2][2] = {{TableOf(false, false), TableOf(false, true)}, {TableOf(true, false), TableOf(true, true)}};

}  // namespace

const Kernels* Avx512Kernels(bool amd, bool bf16) { return &kTables[amd ? 1 : 0][bf16 ? 1 : 0]; }

}  // namespace scout::cpu
