// Q4_0: 32 values in 18 bytes, one binary16 scale and 4-bit codes around 8.
//
//   0: d, binary16      2: 16 bytes of codes
//
// Byte j holds value j in its low half and value 16 + j in its high half; value = d * (code - 8).
// The encoder gives the value of largest magnitude the code 0 (-8): d = that value / -8.
#pragma once

#include <cstdint>

#include "quant/f16.h"

namespace scout::quant {

#pragma pack(push, 1)
struct BlockQ4_0 {
  static constexpr int kValues = 32;
  uint16_t d;  // binary16
  uint8_t qs[16];
};
#pragma pack(pop)
static_assert(sizeof(BlockQ4_0) == 18);

inline void Decode(const BlockQ4_0& block, float* out) {  // out: [32]
  const float d = F16ToF32(block.d);
  for (int j = 0; j < 16; ++j) {
    out[j] = d * static_cast<float>((block.qs[j] & 15) - 8);
    out[16 + j] = d * static_cast<float>((block.qs[j] >> 4) - 8);
  }
}

void Encode(const float* values, BlockQ4_0& block);  // values: [32]

}  // namespace scout::quant
