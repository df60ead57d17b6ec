// BF16: the upper half of a binary32. Eight bits of exponent, seven of mantissa; widening appends sixteen zero bits.
// Narrowing rounds to nearest, ties to even (adding just under half a unit, plus the lowest kept bit, before cutting); a
// NaN is made quiet instead, so that rounding cannot carry it into infinity.
#pragma once

#include <bit>
#include <cstdint>

namespace scout::quant {

inline float Bf16ToF32(uint16_t h) { return std::bit_cast<float>(static_cast<uint32_t>(h) << 16); }

inline uint16_t F32ToBf16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

}  // namespace scout::quant
