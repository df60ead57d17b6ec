// Q8_0: 32 values in 34 bytes, one binary16 scale and signed bytes.
//
//   0: d, binary16      2: 32 signed codes
//
// value = d * code, which float32 holds exactly. The encoder takes d = max|value| / 127 and rounds halves away from zero. Values
// that are not all finite give a scale of NaN: what was NaN does not become a number.
#pragma once

#include <cstdint>

#include "quant/f16.h"

namespace scout::quant {

#pragma pack(push, 1)
struct BlockQ8_0 {
  static constexpr int kValues = 32;
  uint16_t d;  // binary16
  int8_t qs[32];
};
#pragma pack(pop)
static_assert(sizeof(BlockQ8_0) == 34);

inline void Decode(const BlockQ8_0& block, float* out) {  // out: [32]
  const float d = F16ToF32(block.d);
  for (int j = 0; j < 32; ++j) out[j] = d * static_cast<float>(block.qs[j]);
}

void Encode(const float* values, BlockQ8_0& block);  // values: [32]

}  // namespace scout::quant
