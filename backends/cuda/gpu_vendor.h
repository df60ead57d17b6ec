// The words of backends/gpu/gpu.h for nvcc. The one place, with gpu_matrix.h beside it, that knows CUDA and its architectures.
#pragma once

#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

#define GPU_KERNEL __global__ void __launch_bounds__(256)
#define GPU_LARGE_KERNEL __global__ void __launch_bounds__(256, 2)
#define GPU_WIDE_KERNEL __global__ void __launch_bounds__(288, 1)
#define GPU_TENSOR_KERNEL(threads, blocks) __global__ void __launch_bounds__(threads, blocks)
#define GPU_FLOW_KERNEL __global__ void __launch_bounds__(256, 4)
#define GPU_FUNCTION __device__ __forceinline__

namespace scout::SCOUT_GPU {

constexpr int kWarp = 32;

GPU_FUNCTION int Thread() { return static_cast<int>(threadIdx.x); }
GPU_FUNCTION int Threads() { return static_cast<int>(blockDim.x); }
GPU_FUNCTION int BlockX() { return static_cast<int>(blockIdx.x); }
GPU_FUNCTION int BlockY() { return static_cast<int>(blockIdx.y); }
GPU_FUNCTION int BlockZ() { return static_cast<int>(blockIdx.z); }
GPU_FUNCTION int GridX() { return static_cast<int>(gridDim.x); }

GPU_FUNCTION void SyncBlock() { __syncthreads(); }
GPU_FUNCTION void SyncWarp(uint32_t mask) { __syncwarp(mask); }
template <typename T>
GPU_FUNCTION T ShflXor(uint32_t mask, T value, int bits) {
  return __shfl_xor_sync(mask, value, bits);
}
template <typename T>
GPU_FUNCTION T Shfl(uint32_t mask, T value, int from) {
  return __shfl_sync(mask, value, from);
}
GPU_FUNCTION uint32_t Ballot(uint32_t mask, bool value) { return __ballot_sync(mask, value); }
GPU_FUNCTION int Popcount(uint32_t mask) { return __popc(mask); }

template <typename T>
struct Shared {
  T* base;
  GPU_FUNCTION T& operator[](int i) const { return base[i]; }
  GPU_FUNCTION Shared From(int first) const { return {base + first}; }
  template <typename U>
  GPU_FUNCTION Shared<U> As() const {
    return {reinterpret_cast<U*>(base)};
  }
};
template <typename T>
GPU_FUNCTION const uint8_t* SharedBytes(Shared<T> from, int first, int) {
  return reinterpret_cast<const uint8_t*>(from.base) + first;
}
class SharedCursor {
 public:
  GPU_FUNCTION SharedCursor() {
    extern __shared__ uint4 memory[];
    at_ = reinterpret_cast<unsigned char*>(memory);
  }
  template <typename T>
  GPU_FUNCTION Shared<T> Take(int count) {
    T* const here = reinterpret_cast<T*>(at_);
    at_ += (count * sizeof(T) + 15) / 16 * 16;
    return {here};
  }

 private:
  unsigned char* at_;
};

GPU_FUNCTION int AtomicAdd(int& to, int value) { return atomicAdd(&to, value); }
GPU_FUNCTION int AtomicMax(int* to, int value) { return atomicMax(to, value); }

struct alignas(16) Int4 {
  int32_t x[4];
};
constexpr bool kAsyncCopies = true;
// Before architecture 8.0 there are no asynchronous copies: the value goes through a register.
GPU_FUNCTION void AsyncCopy16(Int4& to, const void* from) {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(static_cast<uint32_t>(__cvta_generic_to_shared(&to))), "l"(from)
               : "memory");
#else
  to = *static_cast<const Int4*>(from);
#endif
}
GPU_FUNCTION void AsyncCommit() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
template <int kGroupsLeft>
GPU_FUNCTION void AsyncWait() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(kGroupsLeft) : "memory");
#endif
}

// Arrivals and bulk copies are of architecture 9.0 on; kernels that use them are compiled for 9.0a (kWideProducts), 10.0a and 10.3a
// (kTensorProducts) only.
using Arrivals = uint64_t;
template <typename T>
GPU_FUNCTION uint32_t SharedAddress(T& at) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(&at));
}
GPU_FUNCTION void InitArrivals(Arrivals& at, int count) {
#if __CUDA_ARCH__ >= 900
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(SharedAddress(at)), "r"(count) : "memory");
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
#endif
}
GPU_FUNCTION void Arrive(Arrivals& at) {
#if __CUDA_ARCH__ >= 900
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(SharedAddress(at)) : "memory");
#endif
}
GPU_FUNCTION void ArriveExpecting(Arrivals& at, int bytes) {
#if __CUDA_ARCH__ >= 900
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(SharedAddress(at)), "r"(bytes) : "memory");
#endif
}
GPU_FUNCTION void BulkCopy(Int4& to, const void* from, int bytes, Arrivals& arrivals) {
#if __CUDA_ARCH__ >= 900
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(SharedAddress(to)),
               "l"(__cvta_generic_to_global(from)), "r"(bytes), "r"(SharedAddress(arrivals))
               : "memory");
#endif
}
GPU_FUNCTION void WaitArrivals(Arrivals& at, int parity) {
#if __CUDA_ARCH__ >= 900
  uint32_t over = 0;
  while (over == 0)
    asm volatile(
        "{\n.reg .pred over;\n"
        "mbarrier.try_wait.parity.shared::cta.b64 over, [%1], %2;\n"
        "selp.u32 %0, 1, 0, over;\n}"
        : "=r"(over)
        : "r"(SharedAddress(at)), "r"(parity)
        : "memory");
#endif
}

template <typename T>
GPU_FUNCTION const T& InPlace(const T& argument) {
  return argument;
}
// Since architecture 9.0 a launch may begin before the one before it has ended.
GPU_FUNCTION void StartNext() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}
GPU_FUNCTION void WaitForEarlier() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
GPU_FUNCTION void PrefetchL2(const void* from, int64_t bytes) {
#if __CUDA_ARCH__ >= 900
  constexpr int64_t kPiece = 16 * 1024;
  const uintptr_t begin = reinterpret_cast<uintptr_t>(from) / 16 * 16,
                  end = (reinterpret_cast<uintptr_t>(from) + bytes + 15) / 16 * 16;
  for (uintptr_t at = begin + threadIdx.x * kPiece; at < end; at += blockDim.x * kPiece) {
    const uint32_t size = static_cast<uint32_t>(end - at < kPiece ? end - at : kPiece);
    asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(__cvta_generic_to_global(reinterpret_cast<const void*>(at))),
                 "r"(size));
  }
#elif __CUDA_ARCH__ >= 800
  constexpr int64_t kLine = 128;
  for (int64_t at = threadIdx.x * kLine; at < bytes; at += blockDim.x * kLine)
    asm volatile("prefetch.global.L2 [%0];" ::"l"(__cvta_generic_to_global(static_cast<const char*>(from) + at)));
#endif
}

GPU_FUNCTION float Fma(float a, float b, float c) { return __fmaf_rn(a, b, c); }
GPU_FUNCTION float Sqrt(float x) { return __fsqrt_rn(x); }
GPU_FUNCTION float Divide(float a, float b) { return __fdiv_rn(a, b); }
GPU_FUNCTION double Divide(double a, double b) { return __ddiv_rn(a, b); }
GPU_FUNCTION int RoundToInt(float x) { return __float2int_rn(x); }
GPU_FUNCTION uint32_t BitsOf(float x) { return __float_as_uint(x); }
GPU_FUNCTION float FloatOf(uint32_t bits) { return __uint_as_float(bits); }
GPU_FUNCTION uint64_t BitsOf(double x) { return static_cast<uint64_t>(__double_as_longlong(x)); }
GPU_FUNCTION double DoubleOf(uint64_t bits) { return __longlong_as_double(static_cast<long long>(bits)); }
GPU_FUNCTION float F16ToF32(uint16_t h) { return __half2float(__ushort_as_half(h)); }
GPU_FUNCTION uint16_t F32ToF16(float x) { return __half_as_ushort(__float2half_rn(x)); }
// Under the exponent of 2^23 a byte is a whole number; its sign bit counts 128.
GPU_FUNCTION float FloatOfByte(uint32_t word, int i) {
  return __uint_as_float(__byte_perm(word ^ 0x80808080, 0x4b000000, 0x7650 | i)) - 8388736.0f;
}
GPU_FUNCTION int Dot4(uint32_t a, uint32_t b, int c) { return __dp4a(static_cast<int>(a), static_cast<int>(b), c); }

template <auto kKernel, typename Arguments>
inline const void* Handle() {
  return reinterpret_cast<const void*>(kKernel);
}

}  // namespace scout::SCOUT_GPU
