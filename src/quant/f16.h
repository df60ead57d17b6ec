// F16: IEEE 754 binary16. One sign bit, five bits of exponent (bias 15), ten bits of mantissa.
//
// Exponent 0 holds zero and the subnormals (mantissa * 2^-24), exponent 31 holds infinity and NaN; everything else is
// (1 + mantissa/1024) * 2^(exponent - 15). Every binary16 value is a binary32 value, so widening is exact; a NaN keeps its
// payload. Narrowing rounds to nearest, ties to even, and goes to infinity from 65520 on. Both are integer arithmetic, so
// no rounding mode and no flush-to-zero flag of the host can change them.
#pragma once

#include <bit>
#include <cstdint>

namespace scout::quant {

inline float F16ToF32(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000) << 16;
  const uint32_t exponent = h >> 10 & 31;
  uint32_t mantissa = h & 0x3ff;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000 | mantissa << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
  if (mantissa == 0) return std::bit_cast<float>(sign);
  // A subnormal: shift its highest bit to the hidden place and count.
  const auto shift = static_cast<uint32_t>(std::countl_zero(mantissa)) - 21;  // 1..10
  mantissa = mantissa << shift & 0x3ff;
  return std::bit_cast<float>(sign | (113 - shift) << 23 | mantissa << 13);
}

inline uint16_t F32ToF16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return static_cast<uint16_t>(sign | 0x7e00 | (magnitude >> 13 & 0x1ff));  // NaN, made quiet
  if (magnitude >= 0x477ff000) return static_cast<uint16_t>(sign | 0x7c00);                             // >= 65520
  if (magnitude >= 0x38800000) {  // >= 2^-14: a normal binary16
    const uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
    return static_cast<uint16_t>(sign | (rounded - 0x38000000) >> 13);
  }
  if (magnitude < 0x33000000) return sign;  // < 2^-25: rounds to zero
  // A subnormal result: mantissa with its hidden bit, shifted right by 14 to 24 places with rounding.
  const uint32_t shift = 126 - (magnitude >> 23);
  const uint32_t mantissa = (magnitude & 0x7fffff) | 0x800000;
  const uint32_t whole = mantissa >> shift;
  const uint32_t rest = mantissa & ((1u << shift) - 1);
  const uint32_t half = 1u << (shift - 1);
  return static_cast<uint16_t>(sign | (whole + (rest > half || (rest == half && (whole & 1)))));
}

}  // namespace scout::quant
