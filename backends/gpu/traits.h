// What differs between devices, as types and constants.
#pragma once

#include <cstdint>

namespace scout::SCOUT_GPU {

template <int kLanes>
struct WarpTraits;
template <>
struct WarpTraits<32> {
  using Mask = uint32_t;
};
template <>
struct WarpTraits<64> {
  using Mask = uint64_t;
};
using LaneMask = typename WarpTraits<kWarp>::Mask;
constexpr LaneMask kAllLanes = static_cast<LaneMask>(~LaneMask{0});

// Threads that share a row or a group of values, whatever the width of a warp: neither crosses the end of one.
constexpr int kTeam = 32;
constexpr int kLanes16 = 16;  // the partial sums of a float product (ref/dot.h)

// Threads of a block in every kernel here.
constexpr int kBlockThreads = 256;

constexpr uint32_t kInfinityBits = 0x7f800000;
GPU_FUNCTION uint16_t RoundToBf16(float x) {
  const uint32_t bits = BitsOf(x);
  if ((bits & 0x7fffffff) > kInfinityBits) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
// A word of two, the first in its low half, where a device has no instruction for it (Bf16Pair).
GPU_FUNCTION uint32_t TwoToBf16(float low, float high) { return RoundToBf16(low) | static_cast<uint32_t>(RoundToBf16(high)) << 16; }

// A type MatrixI8<K>, K = 16 or 32, multiplies signed bytes with a whole warp, exactly:
//   kRows, kCols     of a tile of the result
//   kValues          of the result that each lane holds
//   Row(lane, i), Col(lane, i)     where value i of a lane lies in the tile
//   MultiplyAdd(c, a, a_stride, b, b_stride)     c += a b^T; a: [kRows][K] and b: [kCols][K] in shared memory, as words of four
//                                                bytes, a stride in words between rows
// It comes from <gpu_matrix.h>: backends/cuda/mma.h (mma.sync), backends/hip/mma.h (MFMA), or DotMatrix below.

// Without matrix instructions: each lane takes whole dot products.
template <int kK>
struct DotMatrix {
  static constexpr int kRows = 16, kCols = 16;
  static constexpr int kValues = kRows * kCols / kWarp;
  GPU_FUNCTION static int Row(int lane, int i) { return (lane + i * kWarp) / kCols; }
  GPU_FUNCTION static int Col(int lane, int i) { return (lane + i * kWarp) % kCols; }
  GPU_FUNCTION static void MultiplyAdd(int32_t (&c)[kValues], Shared<uint32_t> a, int a_stride, Shared<uint32_t> b, int b_stride) {
    const int lane = Thread() % kWarp;
    for (int i = 0; i < kValues; ++i)
      for (int w = 0; w < kK / 4; ++w) c[i] = Dot4(a[Row(lane, i) * a_stride + w], b[Col(lane, i) * b_stride + w], c[i]);
  }
};

// Products of four warps of 32 lanes, 128 threads that begin at a multiple of 128, where kWideProducts: c[64, columns] += a[64, 16]
// b[16, columns] of halves with sums in float32, columns 64 or 128. `a` is in registers and b in shared memory, where bulk copies
// have brought it. WideFragment tells where values lie.
//   WideFence(c)                                  before the first product that follows other uses of c
//   WideMultiplyAdd<kBf16, columns>(c, a, b)      begins one; b is a WideFragment::Tile
//   WideCommit()                                  what was begun is a group
//   WideWait<groups left>(c, a)                   older groups are over. Until then c is not there, and neither a nor b may change

// Products of 128 rows by one thread where kTensorProducts: c[128, columns] += a[128, 16] b[16, columns] of halves with sums in
// float32, columns 64 or 128. c and a are in tensor memory, 128 lanes by columns of words that a block reserves, b in shared
// memory, where bulk copies have brought it. TensorFragment tells where values lie. Words of a warp, whose fragments are 16 rows as
// those of WideFragment, of lanes that the warp reaches:
//   TensorReserve<columns>(shared)      32 to 512, a power of two; after a barrier their address is in shared memory
//   TensorFree<columns>(address)        by the same warp, when nobody uses them any more; before the kernel ends
//   TensorStore(address, a)             64 values of K of the first factor, as WideMultiplyAdd takes 16
//   TensorLoad(address, c)              32 columns of sums; they are there when it returns
//   TensorDone()                        what the warp has stored and loaded is over, before it tells others of it (Arrive,
//   SyncBlock)
// and of any thread:
//   TensorFence()                       after a wait for others (WaitArrivals, SyncBlock), before what they have done is used
//   TensorMultiplyAdd(c, a, b, instruction, add)     begins a product, in the order of the thread's; without add c was nothing
//   before TensorCommit(shared)                arrives once when all that the thread has begun are over

// A type MatrixHalf<kBf16> is the same for bf16 or f16, 16 values of K at a time (8 words of two values): products are exact, and
// sums are float32 in an order of the device's own. kInstruction tells whether the device has instructions for it. From
// <gpu_matrix.h> too, or:
template <bool kBf16>
GPU_FUNCTION float WidenHalf(uint32_t bits) {
  return kBf16 ? FloatOf(bits << 16) : F16ToF32(static_cast<uint16_t>(bits));
}
template <bool kBf16>
struct DotHalf {
  static constexpr bool kInstruction = false;
  static constexpr int kRows = 16, kCols = 16;
  static constexpr int kValues = kRows * kCols / kWarp;
  GPU_FUNCTION static int Row(int lane, int i) { return lane / kCols + i * (kWarp / kCols); }
  GPU_FUNCTION static int Col(int lane, int) { return lane % kCols; }
  GPU_FUNCTION static void MultiplyAdd(float (&c)[kValues], Shared<uint32_t> a, int a_stride, Shared<uint32_t> b, int b_stride) {
    const int lane = Thread() % kWarp;
#pragma unroll 1  // more would not fit in registers
    for (int w = 0; w < 8; ++w) {
      const uint32_t right = b[Col(lane, 0) * b_stride + w];
      const float right0 = WidenHalf<kBf16>(right & 0xffff), right1 = WidenHalf<kBf16>(right >> 16);
#pragma unroll
      for (int i = 0; i < kValues; ++i) {
        const uint32_t left = a[Row(lane, i) * a_stride + w];
        c[i] = Fma(WidenHalf<kBf16>(left & 0xffff), right0, c[i]);
        c[i] = Fma(WidenHalf<kBf16>(left >> 16), right1, c[i]);
      }
    }
  }
};

}  // namespace scout::SCOUT_GPU
