// Words for a device without bulk copies, products of four warps and tensor memory: they are there to be compiled and do nothing.
// Kernels that use them return at once where kWideProducts or kTensorProducts is false.
#pragma once

namespace scout::SCOUT_GPU {

constexpr bool kWideProducts = false;
constexpr bool kTensorProducts = false;

using Arrivals = uint64_t;
GPU_FUNCTION void InitArrivals(Arrivals&, int) {}
GPU_FUNCTION void Arrive(Arrivals&) {}
GPU_FUNCTION void ArriveExpecting(Arrivals&, int) {}
GPU_FUNCTION void BulkCopy(Int4&, const void*, int, Arrivals&) {}
GPU_FUNCTION void WaitArrivals(Arrivals&, int) {}

struct WideFragment {
  GPU_FUNCTION static int Row(int, int) { return 0; }
  GPU_FUNCTION static int Col(int, int) { return 0; }
  GPU_FUNCTION static uint64_t Tile(Shared<Int4>, int) { return 0; }
};
template <int kValues>
GPU_FUNCTION void WideFence(float (&)[kValues]) {}
template <bool kBf16, int kColumns>
GPU_FUNCTION void WideMultiplyAdd(float (&)[kColumns / 2], const uint32_t (&)[4], uint64_t) {}
GPU_FUNCTION void WideCommit() {}
template <int kGroupsLeft, int kValues, int kSteps>
GPU_FUNCTION void WideWait(float (&)[kValues], uint32_t (&)[kSteps][4]) {}

struct TensorFragment {
  static constexpr int kRows = 128;
  GPU_FUNCTION static int FirstRow(int) { return 0; }
  GPU_FUNCTION static uint32_t At(uint32_t, int, int) { return 0; }
  GPU_FUNCTION static uint64_t Tile(Shared<Int4>, int) { return 0; }
  GPU_FUNCTION static uint32_t Instruction(bool, int) { return 0; }
};
template <int kColumns>
GPU_FUNCTION void TensorReserve(uint32_t&) {}
template <int kColumns>
GPU_FUNCTION void TensorFree(uint32_t) {}
GPU_FUNCTION void TensorStore(uint32_t, const uint32_t (&)[4][4]) {}
GPU_FUNCTION void TensorLoad(uint32_t, float (&)[16]) {}
GPU_FUNCTION void TensorDone() {}
GPU_FUNCTION void TensorFence() {}
GPU_FUNCTION void TensorMultiplyAdd(uint32_t, uint32_t, uint64_t, uint32_t, bool) {}
GPU_FUNCTION void TensorCommit(Arrivals&) {}

}  // namespace scout::SCOUT_GPU
