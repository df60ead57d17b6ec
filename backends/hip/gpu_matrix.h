// Matrix instructions of HIP: MFMA over signed bytes on CDNA, dot products elsewhere.
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

}  // namespace scout::SCOUT_GPU

#include "hip/mma.h"

namespace scout::SCOUT_GPU {

// The host's half of a file takes either: only the device's is run.
#if defined(__gfx908__) || defined(__gfx90a__)
template <int kK>
using MatrixI8 = MfmaMatrix<kK>;
#else
template <int kK>
using MatrixI8 = DotMatrix<kK>;
#endif

}  // namespace scout::SCOUT_GPU
