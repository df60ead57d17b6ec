// Q4_K: 256 values in 144 bytes, eight sub-blocks of 32 values with 6-bit scales and minima.
//
//   0: d, binary16      2: dmin, binary16      4: 12 bytes of scales and minima      16: 128 bytes of 4-bit codes
//
// Sub-block k (0..7) has a scale S and a minimum M of six bits each: for k < 4 they are the low six bits of bytes k and k + 4;
// for k >= 4 their low four bits are the halves of byte k + 4 and their high two bits are the top bits that bytes k - 4 and k
// had to spare. Codes: bytes 32 (k / 2) .. + 31, low halves for even k, high halves for odd k.
// value = (d * S) * code - dmin * M.
#pragma once

#include <cstdint>

#include "quant/f16.h"

namespace scout::quant {

#pragma pack(push, 1)
struct BlockQ4_K {
  static constexpr int kValues = 256;
  uint16_t d, dmin;  // binary16
  uint8_t scales[12];
  uint8_t qs[128];
};
#pragma pack(pop)
static_assert(sizeof(BlockQ4_K) == 144);

// The packed scales and minima that Q4_K and Q5_K share.
inline void ScaleAndMin(const uint8_t* packed, int k, int& scale, int& minimum) {  // packed: [12]
  if (k < 4) {
    scale = packed[k] & 63;
    minimum = packed[k + 4] & 63;
  } else {
    scale = (packed[k + 4] & 15) | (packed[k - 4] >> 6) << 4;
    minimum = packed[k + 4] >> 4 | (packed[k] >> 6) << 4;
  }
}

inline void PackScaleAndMin(uint8_t* packed, int k, int scale, int minimum) {  // packed: [12], zeroed before k = 0
  if (k < 4) {
    packed[k] = static_cast<uint8_t>(packed[k] | scale);
    packed[k + 4] = static_cast<uint8_t>(packed[k + 4] | minimum);
  } else {
    packed[k + 4] = static_cast<uint8_t>((scale & 15) | (minimum & 15) << 4);
    packed[k - 4] = static_cast<uint8_t>(packed[k - 4] | (scale >> 4) << 6);
    packed[k] = static_cast<uint8_t>(packed[k] | (minimum >> 4) << 6);
  }
}

inline void Decode(const BlockQ4_K& block, float* out) {  // out: [256]
  const float d = F16ToF32(block.d);
  const float dmin = F16ToF32(block.dmin);
  for (int k = 0; k < 8; ++k) {
    int scale = 0, minimum = 0;
    ScaleAndMin(block.scales, k, scale, minimum);
    const float s = d * static_cast<float>(scale);
    const float m = dmin * static_cast<float>(minimum);
    const uint8_t* qs = block.qs + 32 * (k >> 1);
    const int shift = 4 * (k & 1);
    for (int l = 0; l < 32; ++l) out[32 * k + l] = s * static_cast<float>(qs[l] >> shift & 15) - m;
  }
}

void Encode(const float* values, BlockQ4_K& block);  // values: [256]

}  // namespace scout::quant
