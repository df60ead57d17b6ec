#pragma once

#include "../gpu_matrix.h"

#if SCOUT_PLANTED == 1
namespace scout::SCOUT_GPU {

// Lanes that take a neighbour's column of the result for their own.
template <int kK>
struct WrongMatrix : MatrixI8<kK> {
  static int Col(int lane, int i) { return MatrixI8<kK>::Col(lane ^ 1, i); }
};

}  // namespace scout::SCOUT_GPU
#define MatrixI8 WrongMatrix
#elif SCOUT_PLANTED == 7
namespace scout::SCOUT_GPU {

// The first factor by itself.
template <bool kBf16>
struct WrongHalf : MatrixHalf<kBf16> {
  static void MultiplyAdd(float (&c)[4], Shared<uint32_t> a, int a_stride, Shared<uint32_t>, int) {
    MatrixHalf<kBf16>::MultiplyAdd(c, a, a_stride, a, a_stride);
  }
};

}  // namespace scout::SCOUT_GPU
#define MatrixHalf WrongHalf
#elif SCOUT_PLANTED == 10 || SCOUT_PLANTED == 12
namespace scout::SCOUT_GPU {

struct WrongFragment : WideFragment {
  static int Col(int thread, int i) { return WideFragment::Col(SCOUT_PLANTED == 10 ? thread ^ 1 : thread, i); }
  static uint64_t Tile(Shared<Int4> at, int next_k) { return WideFragment::Tile(at, SCOUT_PLANTED == 12 ? next_k / 2 : next_k); }
};

}  // namespace scout::SCOUT_GPU
#define WideFragment WrongFragment
#elif SCOUT_PLANTED == 11
namespace scout::SCOUT_GPU {

template <int kGroupsLeft, size_t kValues, size_t kSteps>
inline void LateWideWait(float (&c)[kValues], uint32_t (&a)[kSteps][4]) {
  WideWait<kGroupsLeft + 1>(c, a);
}

}  // namespace scout::SCOUT_GPU
#define WideWait LateWideWait
#elif SCOUT_PLANTED == 14
namespace scout::SCOUT_GPU {

template <size_t kValues>
inline void NoWideFence(float (&)[kValues]) {}

}  // namespace scout::SCOUT_GPU
#define WideFence NoWideFence
#elif SCOUT_PLANTED == 18
namespace scout::SCOUT_GPU {

inline void NoTensorFence() {}

}  // namespace scout::SCOUT_GPU
#define TensorFence NoTensorFence
#elif SCOUT_PLANTED == 19
namespace scout::SCOUT_GPU {

inline void NoTensorDone() {}

}  // namespace scout::SCOUT_GPU
#define TensorDone NoTensorDone
#elif SCOUT_PLANTED == 20
namespace scout::SCOUT_GPU {

inline void NoTensorCommit(SharedRef<Arrivals>) {}

}  // namespace scout::SCOUT_GPU
#define TensorCommit NoTensorCommit
#elif SCOUT_PLANTED == 21 || SCOUT_PLANTED == 25
namespace scout::SCOUT_GPU {

struct WrongTensor : TensorFragment {
  static uint64_t Tile(Shared<Int4> at, int next_k) { return TensorFragment::Tile(at, SCOUT_PLANTED == 21 ? next_k / 2 : next_k); }
  static uint32_t Instruction(bool bf16, int columns) {
    return TensorFragment::Instruction(bf16 == (SCOUT_PLANTED == 21), columns);
  }
};

}  // namespace scout::SCOUT_GPU
#define TensorFragment WrongTensor
#elif SCOUT_PLANTED == 22 || SCOUT_PLANTED == 23
namespace scout::SCOUT_GPU {

template <int kColumns>
inline void HalfReserve(SharedRef<uint32_t> to) {
  TensorReserve<SCOUT_PLANTED == 23 ? kColumns / 2 : kColumns>(to);
}
template <int kColumns>
inline void NoTensorFree(uint32_t) {}

}  // namespace scout::SCOUT_GPU
#define TensorReserve HalfReserve
#define TensorFree NoTensorFree
#elif SCOUT_PLANTED == 24
namespace scout::SCOUT_GPU {

inline void WrongTensorStore(uint32_t at, const uint32_t (&a)[4][4]) {
  uint32_t exchanged[4][4];
  for (int step = 0; step < 4; ++step)
    for (int i = 0; i < 4; ++i) exchanged[step][i] = a[step][step == 3 && i % 3 != 0 ? 3 - i : i];
  TensorStore(at, exchanged);
}

}  // namespace scout::SCOUT_GPU
#define TensorStore WrongTensorStore
#elif SCOUT_PLANTED == 8
#define MatrixI8 DotMatrix
#define MatrixHalf DotHalf
#endif
