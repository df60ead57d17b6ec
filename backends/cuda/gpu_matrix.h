// Matrix instructions of CUDA: mma.sync over signed bytes and over halves.
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

// c[16, 8] += a[16, 16] b[16, 8] of f16 or bf16. Architecture 7.5 has no such instruction for bf16 and goes without for both.
template <bool kBf16>
GPU_FUNCTION void MmaF32(uint32_t, float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if __CUDA_ARCH__ >= 800
  if constexpr (kBf16) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  } else {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  }
#endif
}

GPU_FUNCTION uint32_t Bf16Pair(float low, float high) {
#if __CUDA_ARCH__ >= 800
  uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
#else
  return TwoToBf16(low, high);
#endif
}

}  // namespace scout::SCOUT_GPU

#include "cuda/mma.h"
#include "cuda/tensor_memory.h"
#include "cuda/wide.h"

namespace scout::SCOUT_GPU {

template <int kK>
using MatrixI8 = MmaMatrix<kK>;

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
template <bool kBf16>
using MatrixHalf = DotHalf<kBf16>;
#else
template <bool kBf16>
using MatrixHalf = MmaHalf<kBf16>;
#endif

}  // namespace scout::SCOUT_GPU
