// Matrix instructions of CUDA: mma.sync over signed bytes.
#pragma once

namespace scout::SCOUT_GPU {

// c[16, 8] += a[16, kK] b[kK, 8], fragments as in mma.h. Architecture 7.5 has m8n8k16 only: the same fragments, piece by piece.
template <int kK>
GPU_FUNCTION void MmaS8(uint32_t, int32_t (&c)[4], const uint32_t (&a)[kK / 8], const uint32_t (&b)[kK / 16]) {
#if __CUDA_ARCH__ >= 800
  if constexpr (kK == 32) {
    asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  } else {
    asm("mma.sync.aligned.m16n8k16.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
        : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(b[0]));
  }
#else
#pragma unroll
  for (int i = 0; i < kK / 16; ++i)
#pragma unroll
    for (int half = 0; half < 2; ++half)
      asm("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%0,%1}, {%2}, {%3}, {%0,%1};"
          : "+r"(c[2 * half]), "+r"(c[2 * half + 1])
          : "r"(a[2 * i + half]), "r"(b[i]));
#endif
}

}  // namespace scout::SCOUT_GPU

#include "cuda/mma.h"

namespace scout::SCOUT_GPU {

template <int kK>
using MatrixI8 = MmaMatrix<kK>;

}  // namespace scout::SCOUT_GPU
