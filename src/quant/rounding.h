// Rounding to integers that does not ask the host's rounding mode.
#pragma once

namespace scout::quant {

// Nearest integer, ties to even; |x| < 2^31. `x - whole` is exact below 2^24 and 0 above.
inline int RoundToEven(float x) {
  const int whole = static_cast<int>(x);
  const float rest = x - static_cast<float>(whole);
  if (rest > 0.5f || (rest == 0.5f && (whole & 1))) return whole + 1;
  if (rest < -0.5f || (rest == -0.5f && (whole & 1))) return whole - 1;
  return whole;
}

// Nearest integer, ties away from zero; |x| < 2^31.
inline int RoundAway(float x) {
  const int whole = static_cast<int>(x);
  const float rest = x - static_cast<float>(whole);
  if (rest >= 0.5f) return whole + 1;
  if (rest <= -0.5f) return whole - 1;
  return whole;
}

}  // namespace scout::quant
