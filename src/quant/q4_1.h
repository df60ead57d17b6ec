// Q4_1: 32 values in 20 bytes, a binary16 scale and a binary16 minimum.
//
//   0: d, binary16      2: m, binary16      4: 16 bytes of codes
//
// Halves of the bytes as in Q4_0; value = d * code + m, code 0..15.
// The encoder spreads the codes over the range of the values.
#pragma once

#include <cstdint>

#include "quant/f16.h"

namespace scout::quant {

#pragma pack(push, 1)
struct BlockQ4_1 {
  static constexpr int kValues = 32;
  uint16_t d, m;  // binary16
  uint8_t qs[16];
};
#pragma pack(pop)
static_assert(sizeof(BlockQ4_1) == 20);

inline void Decode(const BlockQ4_1& block, float* out) {  // out: [32]
  const float d = F16ToF32(block.d);
  const float m = F16ToF32(block.m);
  for (int j = 0; j < 16; ++j) {
    out[j] = d * static_cast<float>(block.qs[j] & 15) + m;
    out[16 + j] = d * static_cast<float>(block.qs[j] >> 4) + m;
  }
}

void Encode(const float* values, BlockQ4_1& block);  // values: [32]

}  // namespace scout::quant
