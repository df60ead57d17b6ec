// The words of backends/gpu/gpu.h for hipcc. The one place, with gpu_matrix.h beside it, that knows HIP and its architectures.
#pragma once

#include <hip/hip_fp16.h>
#include <hip/hip_runtime.h>

#include <cstddef>
#include <cstdint>

#define GPU_KERNEL __global__ void __launch_bounds__(256)
#define GPU_LARGE_KERNEL GPU_KERNEL
#define GPU_WIDE_KERNEL __global__ void __launch_bounds__(288)
#define GPU_TENSOR_KERNEL(threads, blocks) __global__ void __launch_bounds__(threads)
// In waves of each of four units. gfx906 would spill at four; gfx908 puts what is too much into its accumulation registers, and the
// others have room for five and more.
#ifdef __gfx906__
#define GPU_FLOW_KERNEL __global__ void __launch_bounds__(256, 3)
#else
#define GPU_FLOW_KERNEL __global__ void __launch_bounds__(256, 4)
#endif
#define GPU_FUNCTION __device__ __forceinline__

namespace scout::SCOUT_GPU {

// RDNA has warps of 32, everything else 64. SCOUT_GPU_WARP, which CMake sets, is what the host's half of a kernel file sees too:
// files are compiled for one width at a time.
constexpr int kWarp = SCOUT_GPU_WARP;

GPU_FUNCTION int Thread() { return static_cast<int>(threadIdx.x); }
GPU_FUNCTION int Threads() { return static_cast<int>(blockDim.x); }
GPU_FUNCTION int BlockX() { return static_cast<int>(blockIdx.x); }
GPU_FUNCTION int BlockY() { return static_cast<int>(blockIdx.y); }
GPU_FUNCTION int BlockZ() { return static_cast<int>(blockIdx.z); }
GPU_FUNCTION int GridX() { return static_cast<int>(gridDim.x); }

GPU_FUNCTION void SyncBlock() { __syncthreads(); }
// Lanes of a wave run in step; only the order of memory accesses is to be kept.
template <typename Mask>
GPU_FUNCTION void SyncWarp(Mask) {
  __builtin_amdgcn_fence(__ATOMIC_ACQ_REL, "wavefront");
  __builtin_amdgcn_wave_barrier();
}
template <typename Mask, typename T>
GPU_FUNCTION T ShflXor(Mask, T value, int bits) {
  return __shfl_xor(value, bits, kWarp);
}
template <typename Mask, typename T>
GPU_FUNCTION T Shfl(Mask, T value, int from) {
  return __shfl(value, from, kWarp);
}
template <typename Mask>
GPU_FUNCTION Mask Ballot(Mask, bool value) {
  return static_cast<Mask>(__ballot(value));
}
GPU_FUNCTION int Popcount(uint32_t mask) { return __popc(mask); }
GPU_FUNCTION int Popcount(uint64_t mask) { return __popcll(mask); }

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
    HIP_DYNAMIC_SHARED(uint4, memory)
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
constexpr bool kAsyncCopies = false;
// There are no asynchronous copies to shared memory: the value goes through registers.
GPU_FUNCTION void AsyncCopy16(Int4& to, const void* from) { to = *static_cast<const Int4*>(from); }
GPU_FUNCTION void AsyncCommit() {}
template <int kGroupsLeft>
GPU_FUNCTION void AsyncWait() {}

// In the constant memory that the kernel gets it in: an index that is not known would bring a copy of it to every thread.
template <typename T>
GPU_FUNCTION const T& InPlace(const T&) {
  return *(const T*)__builtin_amdgcn_kernarg_segment_ptr();
}
// Launches follow each other, and nothing is fetched ahead.
GPU_FUNCTION void StartNext() {}
GPU_FUNCTION void WaitForEarlier() {}
GPU_FUNCTION void PrefetchL2(const void*, int64_t) {}

GPU_FUNCTION float Fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
GPU_FUNCTION float Sqrt(float x) { return __fsqrt_rn(x); }
GPU_FUNCTION float Divide(float a, float b) { return __fdiv_rn(a, b); }
GPU_FUNCTION double Divide(double a, double b) { return a / b; }
GPU_FUNCTION int RoundToInt(float x) { return static_cast<int>(__builtin_rintf(x)); }
GPU_FUNCTION uint32_t BitsOf(float x) { return __float_as_uint(x); }
GPU_FUNCTION float FloatOf(uint32_t bits) { return __uint_as_float(bits); }
GPU_FUNCTION uint64_t BitsOf(double x) { return static_cast<uint64_t>(__double_as_longlong(x)); }
GPU_FUNCTION double DoubleOf(uint64_t bits) { return __longlong_as_double(static_cast<long long>(bits)); }
GPU_FUNCTION float F16ToF32(uint16_t h) { return __half2float(__ushort_as_half(h)); }
GPU_FUNCTION uint16_t F32ToF16(float x) { return __half_as_ushort(__float2half_rn(x)); }
GPU_FUNCTION float FloatOfByte(uint32_t word, int i) { return static_cast<float>(static_cast<int8_t>(word >> 8 * i)); }
GPU_FUNCTION int Dot4(uint32_t a, uint32_t b, int c) {
#if defined(__gfx906__) || defined(__gfx908__) || defined(__gfx90a__) || defined(__gfx940__) || defined(__gfx1030__)
  return __builtin_amdgcn_sdot4(static_cast<int>(a), static_cast<int>(b), c, false);
#else
#pragma unroll
  for (int i = 0; i < 32; i += 8) c += static_cast<int8_t>(a >> i) * static_cast<int8_t>(b >> i);
  return c;
#endif
}

template <auto kKernel, typename Arguments>
inline const void* Handle() {
  return reinterpret_cast<const void*>(kKernel);
}

}  // namespace scout::SCOUT_GPU
