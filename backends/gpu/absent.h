// Words for a device without bulk copies and products of four warps: they are there to be compiled and do nothing. Kernels that use
// them return at once where kWideProducts is false.
#pragma once

namespace scout::SCOUT_GPU {

constexpr bool kWideProducts = false;

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

}  // namespace scout::SCOUT_GPU
