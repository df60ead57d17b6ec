// Q2_K: 256 values in 84 bytes, sixteen sub-blocks of 16 values with 4-bit scales and minima.
//
//   0: 16 bytes, sub-block k: scale in the low half, minimum in the high half
//  16: 64 bytes of 2-bit codes      80: d, binary16      82: dmin, binary16
//
// Value n = 128 H + 32 s + l (l in 0..31): its code is bits 2s, 2s+1 of byte 32 H + l; its sub-block is n / 16.
// value = (d * scale) * code - dmin * minimum.
#pragma once

#include <cstdint>

#include "quant/f16.h"

namespace scout::quant {

#pragma pack(push, 1)
struct BlockQ2_K {
  static constexpr int kValues = 256;
  uint8_t scales[16];
  uint8_t qs[64];
  uint16_t d, dmin;  // binary16
};
#pragma pack(pop)
static_assert(sizeof(BlockQ2_K) == 84);

inline void Decode(const BlockQ2_K& block, float* out) {  // out: [256]
  const float d = F16ToF32(block.d);
  const float dmin = F16ToF32(block.dmin);
  for (int k = 0; k < 16; ++k) {  // sub-block k = 8 H + 2 s + (upper half of l)
    const float scale = d * static_cast<float>(block.scales[k] & 15);
    const float minimum = dmin * static_cast<float>(block.scales[k] >> 4);
    const uint8_t* qs = block.qs + 32 * (k >> 3) + 16 * (k & 1);
    const int shift = 2 * (k >> 1 & 3);
    for (int l = 0; l < 16; ++l) out[16 * k + l] = scale * static_cast<float>(qs[l] >> shift & 3) - minimum;
  }
}

}  // namespace scout::quant
