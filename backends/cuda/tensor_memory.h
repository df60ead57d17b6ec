// Products with sums in tensor memory, on architectures 10.0a and 10.3a: tcgen05 with its first factor in tensor memory too.
#pragma once

namespace scout::SCOUT_GPU {

#if defined(__CUDA_ARCH_FEAT_SM100_ALL) || defined(__CUDA_ARCH_FEAT_SM103_ALL)
#define SCOUT_TENSOR(...) asm volatile(__VA_ARGS__)
constexpr bool kTensorProducts = true;
#else
#define SCOUT_TENSOR(...) static_cast<void>(0)
constexpr bool kTensorProducts = false;
#endif

// Reserving, freeing, storing and loading are of a whole warp, whose lanes may have left a wait one by one.
template <int kColumns>
GPU_FUNCTION void TensorReserve(uint32_t& to) {
  __syncwarp();
  SCOUT_TENSOR("tcgen05.alloc.cta_group::1.sync.aligned.shared::cta.b32 [%0], %1;" ::"r"(SharedAddress(to)), "n"(kColumns)
               : "memory");
  // Another block of the multiprocessor may come.
  SCOUT_TENSOR("tcgen05.relinquish_alloc_permit.cta_group::1.sync.aligned;" ::: "memory");
}
template <int kColumns>
GPU_FUNCTION void TensorFree(uint32_t at) {
  __syncwarp();
  SCOUT_TENSOR("tcgen05.dealloc.cta_group::1.sync.aligned.b32 %0, %1;" ::"r"(at), "n"(kColumns) : "memory");
}

GPU_FUNCTION void TensorStore(uint32_t at, const uint32_t (&a)[4][4]) {
  __syncwarp();
  SCOUT_TENSOR(
      "tcgen05.st.sync.aligned.16x128b.x8.b32 [%0], {%1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16};" ::"r"(
          at),
      "r"(a[0][0]), "r"(a[0][1]), "r"(a[0][2]), "r"(a[0][3]), "r"(a[1][0]), "r"(a[1][1]), "r"(a[1][2]), "r"(a[1][3]), "r"(a[2][0]),
      "r"(a[2][1]), "r"(a[2][2]), "r"(a[2][3]), "r"(a[3][0]), "r"(a[3][1]), "r"(a[3][2]), "r"(a[3][3])
      : "memory");
}
GPU_FUNCTION void TensorLoad(uint32_t at, float (&c)[16]) {
  __syncwarp();
  SCOUT_TENSOR(
      "tcgen05.ld.sync.aligned.16x256b.x4.b32 {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15}, [%16];\n"
      "tcgen05.wait::ld.sync.aligned;"
      : "=f"(c[0]), "=f"(c[1]), "=f"(c[2]), "=f"(c[3]), "=f"(c[4]), "=f"(c[5]), "=f"(c[6]), "=f"(c[7]), "=f"(c[8]), "=f"(c[9]),
        "=f"(c[10]), "=f"(c[11]), "=f"(c[12]), "=f"(c[13]), "=f"(c[14]), "=f"(c[15])
      : "r"(at)
      : "memory");
}
GPU_FUNCTION void TensorDone() { SCOUT_TENSOR("tcgen05.wait::st.sync.aligned;\ntcgen05.fence::before_thread_sync;" ::: "memory"); }
GPU_FUNCTION void TensorFence() { SCOUT_TENSOR("tcgen05.fence::after_thread_sync;" ::: "memory"); }

GPU_FUNCTION void TensorMultiplyAdd(uint32_t c, uint32_t a, uint64_t b, uint32_t instruction, bool add) {
  SCOUT_TENSOR(
      "{\n.reg .pred add;\nsetp.ne.b32 add, %4, 0;\n"
      "tcgen05.mma.cta_group::1.kind::f16 [%0], [%1], %2, %3, add;\n}" ::"r"(c),
      "r"(a), "l"(b), "r"(instruction), "r"(add ? 1 : 0)
      : "memory");
}
GPU_FUNCTION void TensorCommit(Arrivals& at) {
  SCOUT_TENSOR("tcgen05.commit.cta_group::1.mbarrier::arrive::one.shared::cluster.b64 [%0];" ::"r"(SharedAddress(at)) : "memory");
}
#undef SCOUT_TENSOR

}  // namespace scout::SCOUT_GPU
