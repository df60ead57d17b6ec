// Products of four warps on architecture 9.0a: wgmma with its first factor in registers.
#pragma once

namespace scout::SCOUT_GPU {

// Code for one architecture of several in a file: 9.0a alone has them.
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
constexpr bool kWideProducts = true;
#else
constexpr bool kWideProducts = false;
#endif

// Sums are read and written before and after, not while products are on their way.
template <int kValues>
GPU_FUNCTION void HoldSums(float (&c)[kValues]) {
#pragma unroll
  for (int i = 0; i < kValues; ++i) asm volatile("" : "+f"(c[i])::"memory");
}
template <int kValues>
GPU_FUNCTION void WideFence(float (&c)[kValues]) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  HoldSums(c);
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#endif
}
GPU_FUNCTION void WideCommit() {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#endif
}
// `a` are the first factors of what is over then.
template <int kGroupsLeft, int kValues, int kSteps>
GPU_FUNCTION void WideWait(float (&c)[kValues], uint32_t (&a)[kSteps][4]) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kGroupsLeft) : "memory");
  HoldSums(c);
#pragma unroll
  for (int i = 0; i < kSteps; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j) asm volatile("" : "+r"(a[i][j])::"memory");
#endif
}

// clang-format off
#define SCOUT_WIDE_64(format) \
  asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, %37, 0;\n" \
               "wgmma.mma_async.sync.aligned.m64n64k16.f32." format "." format " {" \
               "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
               "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31" \
               "}, {%32, %33, %34, %35}, %36, add, 1, 1, 0;\n}" \
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]), \
                 "+f"(c[4]), "+f"(c[5]), "+f"(c[6]), "+f"(c[7]), \
                 "+f"(c[8]), "+f"(c[9]), "+f"(c[10]), "+f"(c[11]), \
                 "+f"(c[12]), "+f"(c[13]), "+f"(c[14]), "+f"(c[15]), \
                 "+f"(c[16]), "+f"(c[17]), "+f"(c[18]), "+f"(c[19]), \
                 "+f"(c[20]), "+f"(c[21]), "+f"(c[22]), "+f"(c[23]), \
                 "+f"(c[24]), "+f"(c[25]), "+f"(c[26]), "+f"(c[27]), \
                 "+f"(c[28]), "+f"(c[29]), "+f"(c[30]), "+f"(c[31]) \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(1))
#define SCOUT_WIDE_128(format) \
  asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, %69, 0;\n" \
               "wgmma.mma_async.sync.aligned.m64n128k16.f32." format "." format " {" \
               "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
               "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, " \
               "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
               "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63" \
               "}, {%64, %65, %66, %67}, %68, add, 1, 1, 0;\n}" \
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]), \
                 "+f"(c[4]), "+f"(c[5]), "+f"(c[6]), "+f"(c[7]), \
                 "+f"(c[8]), "+f"(c[9]), "+f"(c[10]), "+f"(c[11]), \
                 "+f"(c[12]), "+f"(c[13]), "+f"(c[14]), "+f"(c[15]), \
                 "+f"(c[16]), "+f"(c[17]), "+f"(c[18]), "+f"(c[19]), \
                 "+f"(c[20]), "+f"(c[21]), "+f"(c[22]), "+f"(c[23]), \
                 "+f"(c[24]), "+f"(c[25]), "+f"(c[26]), "+f"(c[27]), \
                 "+f"(c[28]), "+f"(c[29]), "+f"(c[30]), "+f"(c[31]), \
                 "+f"(c[32]), "+f"(c[33]), "+f"(c[34]), "+f"(c[35]), \
                 "+f"(c[36]), "+f"(c[37]), "+f"(c[38]), "+f"(c[39]), \
                 "+f"(c[40]), "+f"(c[41]), "+f"(c[42]), "+f"(c[43]), \
                 "+f"(c[44]), "+f"(c[45]), "+f"(c[46]), "+f"(c[47]), \
                 "+f"(c[48]), "+f"(c[49]), "+f"(c[50]), "+f"(c[51]), \
                 "+f"(c[52]), "+f"(c[53]), "+f"(c[54]), "+f"(c[55]), \
                 "+f"(c[56]), "+f"(c[57]), "+f"(c[58]), "+f"(c[59]), \
                 "+f"(c[60]), "+f"(c[61]), "+f"(c[62]), "+f"(c[63]) \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(1))
// clang-format on

template <bool kBf16, int kColumns>
GPU_FUNCTION void WideMultiplyAdd(float (&c)[kColumns / 2], const uint32_t (&a)[4], uint64_t b) {
  static_assert(kColumns == 64 || kColumns == 128);
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  if constexpr (kColumns == 64 && kBf16) SCOUT_WIDE_64("bf16");
  if constexpr (kColumns == 64 && !kBf16) SCOUT_WIDE_64("f16");
  if constexpr (kColumns == 128 && kBf16) SCOUT_WIDE_128("bf16");
  if constexpr (kColumns == 128 && !kBf16) SCOUT_WIDE_128("f16");
#endif
}
#undef SCOUT_WIDE_64
#undef SCOUT_WIDE_128

}  // namespace scout::SCOUT_GPU
