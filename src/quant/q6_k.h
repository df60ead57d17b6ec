// Q6_K: 256 values in 210 bytes, sixteen sub-blocks of 16 values with signed 8-bit scales.
//
//   0: 128 bytes of low halves      128: 64 bytes of the two high bits      192: 16 signed scales      208: d, binary16
//
// Value n = 128 H + 32 s + l: the low four bits are in byte 64 H + 32 (s mod 2) + l, in its low half for s < 2 and its high
// half for s >= 2; the high two bits are bits 2s, 2s+1 of byte 32 H + l of the second part. value = (d * scale[n / 16]) *
// (code - 32).
#pragma once

#include <cstdint>

#include "quant/f16.h"

namespace scout::quant {

#pragma pack(push, 1)
struct BlockQ6_K {
  static constexpr int kValues = 256;
  uint8_t ql[128];
  uint8_t qh[64];
  int8_t scales[16];
  uint16_t d;  // binary16
};
#pragma pack(pop)
static_assert(sizeof(BlockQ6_K) == 210);

inline void Decode(const BlockQ6_K& block, float* out) {  // out: [256]
  const float d = F16ToF32(block.d);
  for (int k = 0; k < 16; ++k) {
    const float scale = d * static_cast<float>(block.scales[k]);
    const int half = k >> 3, s = k >> 1 & 3, first = 16 * (k & 1);
    const uint8_t* ql = block.ql + 64 * half + 32 * (s & 1) + first;
    const uint8_t* qh = block.qh + 32 * half + first;
    for (int l = 0; l < 16; ++l) {
      const int code = (ql[l] >> 4 * (s >> 1) & 15) | (qh[l] >> 2 * s & 3) << 4;
      out[16 * k + l] = scale * static_cast<float>(code - 32);
    }
  }
}

void Encode(const float* values, BlockQ6_K& block);  // values: [256]

}  // namespace scout::quant
