// Quantised weights against rounded activations, for any processor. The arithmetic is ref/dot.h's.
#pragma once

#include "cpu/kernels.h"

namespace scout::cpu::generic {

void Q4_0(const Panel& panel, const RoundedRows& x, int64_t count, float* y);
void Q4_1(const Panel& panel, const RoundedRows& x, int64_t count, float* y);
void Q5_0(const Panel& panel, const RoundedRows& x, int64_t count, float* y);
void Q5_1(const Panel& panel, const RoundedRows& x, int64_t count, float* y);
void Q8_0(const Panel& panel, const RoundedRows& x, int64_t count, float* y);
void Q2_K(const Panel& panel, const RoundedRows& x, int64_t count, float* y);
void Q3_K(const Panel& panel, const RoundedRows& x, int64_t count, float* y);
void Q4_K(const Panel& panel, const RoundedRows& x, int64_t count, float* y);
void Q5_K(const Panel& panel, const RoundedRows& x, int64_t count, float* y);
void Q6_K(const Panel& panel, const RoundedRows& x, int64_t count, float* y);

}  // namespace scout::cpu::generic
