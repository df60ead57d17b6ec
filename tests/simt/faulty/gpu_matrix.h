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
#endif
