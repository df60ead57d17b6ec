// Q5_K: 256 values in 176 bytes. As Q4_K with a fifth bit per value kept apart.
//
//   0: d, binary16      2: dmin, binary16      4: 12 bytes of scales and minima (packed as in Q4_K)
//  16: 32 bytes of fifth bits      48: 128 bytes of low halves
//
// The fifth bit of value 32 k + l is bit k of byte l. value = (d * S) * code - dmin * M, code 0..31.
#pragma once

#include <cstdint>

#include "quant/f16.h"
#include "quant/q4_k.h"

namespace scout::quant {

#pragma pack(push, 1)
struct BlockQ5_K {
  static constexpr int kValues = 256;
  uint16_t d, dmin;  // binary16
  uint8_t scales[12];
  uint8_t qh[32];
  uint8_t qs[128];
};
#pragma pack(pop)
static_assert(sizeof(BlockQ5_K) == 176);

inline void Decode(const BlockQ5_K& block, float* out) {  // out: [256]
  const float d = F16ToF32(block.d);
  const float dmin = F16ToF32(block.dmin);
  for (int k = 0; k < 8; ++k) {
    int scale = 0, minimum = 0;
    ScaleAndMin(block.scales, k, scale, minimum);
    const float s = d * static_cast<float>(scale);
    const float m = dmin * static_cast<float>(minimum);
    const uint8_t* qs = block.qs + 32 * (k >> 1);
    const int shift = 4 * (k & 1);
    for (int l = 0; l < 32; ++l) {
      const int code = (qs[l] >> shift & 15) | (block.qh[l] >> k & 1) << 4;
      out[32 * k + l] = s * static_cast<float>(code) - m;
    }
  }
}

}  // namespace scout::quant
