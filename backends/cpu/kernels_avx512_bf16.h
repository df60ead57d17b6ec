// What kernels_avx512_bf16.cpp gives to the tables of kernels_avx512.cpp.
#pragma once

#include "cpu/kernels.h"

namespace scout::cpu {

void MultiplyBf16(const Panel& panel, const void* x, int64_t count, float* y);  // Kernels::bf16
void RoundToBf16(const float* x, int64_t k, void* to);                          // Kernels::round_bf16

}  // namespace scout::cpu
