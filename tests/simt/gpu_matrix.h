// Which matrix instruction the kernels use on the emulator: a warp of 32 has the one of backends/cuda, a warp of 64 that of
// backends/hip, each over fragments in software.
#pragma once

#include <type_traits>

#include "mma_software.h"
#include "tensor_software.h"
#include "wide_software.h"

#include "cuda/mma.h"
#include "hip/mma.h"

namespace scout::SCOUT_GPU {

constexpr bool kWideProducts = kWarp == 32;  // so that devices with and without are tested
constexpr bool kTensorProducts = kWarp == 32;

template <int kK>
using MatrixI8 = std::conditional_t<kWarp == 32, MmaMatrix<kK>, MfmaMatrix<kK>>;
template <bool kBf16>
using MatrixHalf = std::conditional_t<kWarp == 32, MmaHalf<kBf16>, MfmaHalf<kBf16>>;

}  // namespace scout::SCOUT_GPU
