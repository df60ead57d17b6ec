// Q5_0: 32 values in 22 bytes. As Q4_0 with a fifth bit per value kept apart.
//
//   0: d, binary16      2: 32 fifth bits, little-endian (bit n belongs to value n)      6: 16 bytes of low halves
//
// value = d * ((half + 16 * fifth bit) - 16).
#pragma once

#include <cstdint>

#include "quant/f16.h"

namespace scout::quant {

#pragma pack(push, 1)
struct BlockQ5_0 {
  static constexpr int kValues = 32;
  uint16_t d;  // binary16
  uint32_t qh;
  uint8_t qs[16];
};
#pragma pack(pop)
static_assert(sizeof(BlockQ5_0) == 22);

inline void Decode(const BlockQ5_0& block, float* out) {  // out: [32]
  const float d = F16ToF32(block.d);
  const uint32_t qh = block.qh;
  for (int j = 0; j < 16; ++j) {
    const int low = (block.qs[j] & 15) | static_cast<int>(qh >> j & 1) << 4;
    const int high = (block.qs[j] >> 4) | static_cast<int>(qh >> (16 + j) & 1) << 4;
    out[j] = d * static_cast<float>(low - 16);
    out[16 + j] = d * static_cast<float>(high - 16);
  }
}

void Encode(const float* values, BlockQ5_0& block);  // values: [32]

}  // namespace scout::quant
