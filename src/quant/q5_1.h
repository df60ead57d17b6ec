// Q5_1: 32 values in 24 bytes. As Q4_1 with a fifth bit per value kept apart, where Q5_0 keeps it.
//
//   0: d, binary16      2: m, binary16      4: 32 fifth bits, little-endian      8: 16 bytes of low halves
//
// value = d * (half + 16 * fifth bit) + m.
#pragma once

#include <cstdint>

#include "quant/f16.h"

namespace scout::quant {

#pragma pack(push, 1)
struct BlockQ5_1 {
  static constexpr int kValues = 32;
  uint16_t d, m;  // binary16
  uint32_t qh;
  uint8_t qs[16];
};
#pragma pack(pop)
static_assert(sizeof(BlockQ5_1) == 24);

inline void Decode(const BlockQ5_1& block, float* out) {  // out: [32]
  const float d = F16ToF32(block.d);
  const float m = F16ToF32(block.m);
  const uint32_t qh = block.qh;
  for (int j = 0; j < 16; ++j) {
    const int low = (block.qs[j] & 15) | static_cast<int>(qh >> j & 1) << 4;
    const int high = (block.qs[j] >> 4) | static_cast<int>(qh >> (16 + j) & 1) << 4;
    out[j] = d * static_cast<float>(low) + m;
    out[16 + j] = d * static_cast<float>(high) + m;
  }
}

void Encode(const float* values, BlockQ5_1& block);  // values: [32]

}  // namespace scout::quant
