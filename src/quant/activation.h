// Activations as signed bytes: how a row of float32 is rounded before it meets quantised weights.
//
// This is a definition, not a suggestion: in the quantised arithmetic every backend rounds activations exactly like this, so
// that a row's codes depend on that row alone and integer products agree bit for bit whatever the instruction set.
//
// A group of G values shares one float32 scale. With m = max |x| over the group:
//   scale = m / 127            (one float32 division)
//   code  = round(x * (127 / m))   (127 / m is one float32 division; nearest, ties to even; -127..127)
// A group with m < 2^-116 is a group of zeros: scale 0, codes 0 (so that neither 127 / m overflows nor scale is subnormal).
// A group that holds a NaN or an infinity has scale NaN and codes 0, so that every product with it is NaN and the check on
// the logits sees it.
// The sums of the codes come along, because a format whose values are d * q - m needs them:
//   G = 32,  for Q4_0 Q4_1 Q5_0 Q5_1 Q8_0:       one sum per 32 codes
//   G = 256, for Q2_K Q3_K Q4_K Q5_K Q6_K:       one sum per 16 codes
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace scout::quant {

constexpr float kSmallestActivation = 0x1p-116f;

// k is a multiple of 32. codes: [k], scales: [k / 32], sums: [k / 32].
void QuantizeActivation32(const float* x, size_t k, int8_t* codes, float* scales, int16_t* sums);

// k is a multiple of 256. codes: [k], scales: [k / 256], sums: [k / 16].
void QuantizeActivation256(const float* x, size_t k, int8_t* codes, float* scales, int16_t* sums);

// Values per activation scale when a weight has this format: 32, 256, or 0 for weights that meet float activations.
int ActivationGroup(DType weight);

// Whether activations are rounded to the weight's own format, BF16 (quant/bf16.h), each value alone.
inline bool MeetsBf16(DType weight) { return weight == DType::kBF16; }

}  // namespace scout::quant
