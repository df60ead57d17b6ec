// Q3_K: 256 values in 110 bytes, sixteen sub-blocks of 16 values with signed 6-bit scales.
//
//   0: 32 bytes of third bits      32: 64 bytes of the two low bits      96: 12 bytes of scales      108: d, binary16
//
// Value n = 128 H + 32 s + l: its low bits are bits 2s, 2s+1 of byte 32 H + l, its third bit is bit 4 H + s of byte l of the
// first part, and a third bit of 0 subtracts 4, so that codes run from -4 to 3.
// The scale of sub-block k (0..15) is six bits minus 32: the low four in half k / 8 of byte k mod 8 of the scales, the high two
// in bits 2 (k / 4), 2 (k / 4) + 1 of byte 8 + k mod 4. value = (d * scale) * code.
#pragma once

#include <cstdint>

#include "quant/f16.h"

namespace scout::quant {

#pragma pack(push, 1)
struct BlockQ3_K {
  static constexpr int kValues = 256;
  uint8_t hmask[32];
  uint8_t qs[64];
  uint8_t scales[12];
  uint16_t d;  // binary16
};
#pragma pack(pop)
static_assert(sizeof(BlockQ3_K) == 110);

inline int ScaleOf(const BlockQ3_K& block, int k) {  // -32..31
  const int low = k < 8 ? block.scales[k] & 15 : block.scales[k - 8] >> 4;
  const int high = block.scales[8 + (k & 3)] >> 2 * (k >> 2) & 3;
  return (low | high << 4) - 32;
}

inline void Decode(const BlockQ3_K& block, float* out) {  // out: [256]
  const float d = F16ToF32(block.d);
  for (int k = 0; k < 16; ++k) {
    const float scale = d * static_cast<float>(ScaleOf(block, k));
    const int first = 16 * (k & 1);  // l of the sub-block's first value
    const uint8_t* qs = block.qs + 32 * (k >> 3) + first;
    const uint8_t* third = block.hmask + first;
    const int shift = 2 * (k >> 1 & 3);
    const int bit = 4 * (k >> 3) + (k >> 1 & 3);
    for (int l = 0; l < 16; ++l) {
      const int code = (qs[l] >> shift & 3) - ((third[l] >> bit & 1) ? 0 : 4);
      out[16 * k + l] = scale * static_cast<float>(code);
    }
  }
}

}  // namespace scout::quant
