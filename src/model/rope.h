// Rotary frequencies. Angle of pair i at position p is float32(inv_freq[i] * float32(p)).
//
// Everything is float32 in PyTorch's order, because the reference models are: a frequency that is off by one unit in its last
// place turns a pair by a visible angle at position ten million.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace scout::model {

// base^(-2i / rotary_dims) for the pairs that rotate; 0 for those past them, whose rotation is then the identity. [head_dim / 2]
std::vector<float> BaseFrequencies(double base, int64_t rotary_dims, int64_t head_dim);

// The "llama3" scaling: wavelengths above old_context / low are stretched by `factor`, those below old_context / high are kept,
// those between are blended. low == high (Scout's 16/1/1) has nothing between.
struct Llama3Scaling {
  double factor = 1;
  double low = 1;
  double high = 1;
  double old_context = 8192;
};
void ApplyLlama3Scaling(const Llama3Scaling& scaling, std::span<float> inv_freq);

}  // namespace scout::model
