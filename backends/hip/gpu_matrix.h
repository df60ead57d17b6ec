// Matrix instructions of HIP: MFMA over signed bytes and over halves on CDNA, dot products elsewhere.
#pragma once

namespace scout::SCOUT_GPU {

typedef int32_t MatrixAccumulator __attribute__((ext_vector_type(4)));

// c[16, 16] += a[16, 16] b[16, 16]^T, fragments as in mma.h.
GPU_FUNCTION void MfmaS8(uint64_t, int32_t (&c)[4], uint32_t a, uint32_t b) {
#if defined(__gfx908__) || defined(__gfx90a__)
  MatrixAccumulator sum = {c[0], c[1], c[2], c[3]};
  sum = __builtin_amdgcn_mfma_i32_16x16x16i8(static_cast<int>(a), static_cast<int>(b), sum, 0, 0, 0);
  for (int i = 0; i < 4; ++i) c[i] = sum[i];
#endif
}

#if defined(__gfx908__) || defined(__gfx90a__) || defined(__gfx940__)
#define SCOUT_GPU_MFMA_HALF
#endif
typedef float FloatAccumulator __attribute__((ext_vector_type(4)));
typedef _Float16 FourF16 __attribute__((ext_vector_type(4)));
typedef short FourBf16 __attribute__((ext_vector_type(4)));
typedef short TwoBf16 __attribute__((ext_vector_type(2)));

// c[16, 16] += a[16, 16] b[16, 16]^T of f16 or bf16.
template <bool kBf16>
GPU_FUNCTION void MfmaF32(uint64_t, float (&c)[4], const uint32_t (&a)[2], const uint32_t (&b)[2]) {
#if defined(SCOUT_GPU_MFMA_HALF)
  FloatAccumulator sum = {c[0], c[1], c[2], c[3]};
  if constexpr (!kBf16) {
    FourF16 left, right;
    __builtin_memcpy(&left, a, 8);
    __builtin_memcpy(&right, b, 8);
    sum = __builtin_amdgcn_mfma_f32_16x16x16f16(left, right, sum, 0, 0, 0);
  } else {
#if defined(__gfx908__)
    // Eight deep: either half of every lane's four values, the same of both factors.
    for (int i = 0; i < 2; ++i) {
      TwoBf16 left, right;
      __builtin_memcpy(&left, a + i, 4);
      __builtin_memcpy(&right, b + i, 4);
      sum = __builtin_amdgcn_mfma_f32_16x16x8bf16(left, right, sum, 0, 0, 0);
    }
#else
    FourBf16 left, right;
    __builtin_memcpy(&left, a, 8);
    __builtin_memcpy(&right, b, 8);
    sum = __builtin_amdgcn_mfma_f32_16x16x16bf16_1k(left, right, sum, 0, 0, 0);
#endif
  }
  for (int i = 0; i < 4; ++i) c[i] = sum[i];
#endif
}

}  // namespace scout::SCOUT_GPU

#include "gpu/absent.h"
#include "hip/mma.h"

namespace scout::SCOUT_GPU {

GPU_FUNCTION uint32_t Bf16Pair(float low, float high) { return TwoToBf16(low, high); }

// The host's half of a file takes either: only the device's is run.
#if defined(__gfx908__) || defined(__gfx90a__)
template <int kK>
using MatrixI8 = MfmaMatrix<kK>;
#else
template <int kK>
using MatrixI8 = DotMatrix<kK>;
#endif

#if defined(SCOUT_GPU_MFMA_HALF)
template <bool kBf16>
using MatrixHalf = MfmaHalf<kBf16>;
#else
template <bool kBf16>
using MatrixHalf = DotHalf<kBf16>;
#endif

}  // namespace scout::SCOUT_GPU
