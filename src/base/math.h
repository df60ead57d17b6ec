// Our own exp, log, error function, sine and cosine, and a fused multiply-add that every machine rounds alike.
//
// A logit must not depend on the machine's math library or on which vector unit evaluated it, so nothing in a backend calls
// libm for these. Each float32 function is written as a fixed sequence of correctly rounded operations (+ - * / fma and integer
// ones); the vector kernels of the cpu backend repeat the same sequence lane by lane and so give the same bits.
//
// This header is for files compiled with the baseline flags. Kernel files with flags of their own do not include it: an inline
// function compiled there could replace the baseline one at link time.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace scout {

// a * b + c with one rounding.
//
// The product of two float32 values is exact in float64, so only the addition rounds: once to 53 bits, once to 24. Rounding twice
// differs from rounding once only where the float64 sum lies exactly between two float32 values although the true sum does not;
// there the sum is moved one unit in the direction of what the addition lost (found by TwoSum). Where the result is a float32
// subnormal the places to be between are elsewhere, so those always take the careful way.
inline float Fma(float a, float b, float c) {
#if defined(__aarch64__)
  return __builtin_fmaf(a, b, c);
#else
  const double product = static_cast<double>(a) * static_cast<double>(b);
  const double addend = static_cast<double>(c);
  const double sum = product + addend;
  const uint64_t bits = std::bit_cast<uint64_t>(sum);
  const uint64_t exponent = bits >> 52 & 0x7ff;
  // 1023 - 126 = 897: from here on the float32 result is normal. 2047: infinity or NaN.
  if (((bits & 0x1fffffff) != 0x10000000 && exponent >= 897) || exponent == 2047) [[likely]]
    return static_cast<float>(sum);
  const double part = sum - product;
  const double lost = (product - (sum - part)) + (addend - part);
  if (lost == 0 || (bits & 1) != 0) return static_cast<float>(sum);
  // The last bit is even: move it towards what was lost ("round to odd"). Away from zero adds one to the bits.
  const bool away = (lost > 0) == (sum > 0);
  return static_cast<float>(std::bit_cast<double>(away ? bits + 1 : bits - 1));
#endif
}

// e^x. At most 1 ulp from the true value (tested over all of float32's range that matters); 0 below -87.33654 (so never a
// subnormal), infinity above 88.7228, NaN for NaN.
//
// x = n ln 2 + r with |r| <= ln 2 / 2, ln 2 in two parts; e^r by a polynomial of degree 6 (minimax on the interval, off by
// 2^-28); 2^n by adding n to the exponent in two halves, since n may be 128.
namespace exp_constants {
constexpr float kLow = -87.33654f;  // just above ln 2^-126
constexpr float kHigh = 88.72283172607421875f;
constexpr float kLog2E = 1.44269504088896341f;
constexpr float kRound = 12582912.0f;           // 1.5 * 2^23: adding and subtracting it rounds to an integer, ties to even
constexpr float kLn2High = 0.693145751953125f;  // 16 bits
constexpr float kLn2Low = 0x1.7f7d1cp-20f;
constexpr float kC6 = 0x1.6b6e1ap-10f, kC5 = 0x1.122fc2p-7f, kC4 = 0x1.555688p-5f, kC3 = 0x1.5554a4p-3f, kC2 = 0.5f;
}  // namespace exp_constants

inline float Exp(float x) {
  using namespace exp_constants;
  if (!(x >= kLow)) return x != x ? x : 0.0f;
  if (x > kHigh) return std::numeric_limits<float>::infinity();
  const float n = Fma(x, kLog2E, kRound) - kRound;
  float r = Fma(n, -kLn2High, x);
  r = Fma(n, -kLn2Low, r);
  float p = kC6;
  p = Fma(p, r, kC5);
  p = Fma(p, r, kC4);
  p = Fma(p, r, kC3);
  p = Fma(p, r, kC2);
  p = Fma(p, r, 1.0f);
  p = Fma(p, r, 1.0f);
  const int whole = static_cast<int>(n);
  const int half = whole >> 1;
  const float first = std::bit_cast<float>(static_cast<uint32_t>(half + 127) << 23);
  const float second = std::bit_cast<float>(static_cast<uint32_t>(whole - half + 127) << 23);
  return p * first * second;
}

// 1 / (1 + e^-x)
inline float Sigmoid(float x) { return 1.0f / (1.0f + Exp(-x)); }

// x * sigmoid(x), written as one division
inline float Silu(float x) { return x / (1.0f + Exp(-x)); }

// The error function. At most 2 ulp from the true value (tested over all of float32's range).
//
// |x| < 1: x + x P(x^2), P of degree 6 (minimax, off by 2^-29 of the result); else 1 - e^Q(|x|), where Q of degree 6 is minimax for
// ln(1 - erf) on [1, 4], off by 2^-29 of the result; from 4 on the result is 1.
namespace erf_constants {
constexpr float kSmall[] = {0x1.06eba8p-3f, -0x1.81273ep-2f,  0x1.ce2d20p-4f, -0x1.b7fbb4p-6f,
                            0x1.5419f6p-8f, -0x1.a485ecp-11f, 0x1.4ae4dp-14f};
constexpr float kLarge[] = {-0x1.661cb2p-12f, -0x1.2088eap+0f, -0x1.46baecp-1f, -0x1.a65346p-4f,
                            0x1.65cb7ep-6f,   -0x1.825b06p-9f, 0x1.86dd9ap-13f};
constexpr float kEnd = 4.0f;
}  // namespace erf_constants

inline float Erf(float x) {
  using namespace erf_constants;
  const float t = std::bit_cast<float>(std::bit_cast<uint32_t>(x) & 0x7fffffff);
  if (t < 1.0f) {
    const float s = x * x;
    float p = kSmall[6];
    for (int i = 5; i >= 0; --i) p = Fma(p, s, kSmall[i]);
    return Fma(p, x, x);
  }
  const float end = kEnd < t ? kEnd : t;
  float q = kLarge[6];
  for (int i = 5; i >= 0; --i) q = Fma(q, end, kLarge[i]);
  const float magnitude = 1.0f - Exp(q);
  return std::bit_cast<float>((std::bit_cast<uint32_t>(magnitude) & 0x7fffffff) | (std::bit_cast<uint32_t>(x) & 0x80000000));
}

// x times the share of the normal distribution below x: the exact form, by the error function.
inline float Gelu(float x) { return 0.5f * x * (1.0f + Erf(x * 0.70710678118654752f)); }

// The natural logarithm of x > 0, normal. Relative error below 2^-50: x = 2^n * m with m in [sqrt(1/2), sqrt(2)); with
// s = (m - 1) / (m + 1), ln m = 2 (s + s^3/3 + s^5/5 + ...), |s| <= 0.1716, so that 11 terms leave less than 2^-55.
inline double Log(double x) {
  if (x != x || x < 0) return std::numeric_limits<double>::quiet_NaN();
  if (x == 0) return -std::numeric_limits<double>::infinity();
  if (x == std::numeric_limits<double>::infinity()) return x;
  uint64_t bits = std::bit_cast<uint64_t>(x);
  int n = static_cast<int>(bits >> 52) - 1023;
  bits = (bits & 0xfffffffffffffull) | 0x3ff0000000000000ull;
  double m = std::bit_cast<double>(bits);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    ++n;
  }
  const double s = (m - 1) / (m + 1);
  const double z = s * s;
  double sum = 0;
  for (int k = 21; k >= 1; k -= 2) sum = sum * z + 1.0 / k;
  return n * 0.69314718055994530942 + 2 * s * sum;
}

// Sine and cosine of a float32 angle, |angle| < 2^26: correctly rounded but for about one case in 2^25.
//
// angle = k * pi/2 + r. pi/2 comes in three parts, two of 27 bits and the rest, so that k times each of the first two is exact in
// float64 for k below 2^26, and so are both subtractions (the terms share a grid of 2^-56 and cancel). What is left over is
// below 2^-80. Then Taylor polynomials on |r| <= pi/4 in float64, each below 2^-52.
struct SinCos {
  float sin, cos;
};

inline SinCos SinCosOf(float angle) {
  constexpr double kTwoOverPi = 0.63661977236758134308;
  constexpr double kPart1 = 0x1.921fb54p+0, kPart2 = 0x1.10b461p-30, kPart3 = 0x1.a62633145c06ep-58;
  constexpr double kRound = 6755399441055744.0;  // 1.5 * 2^52
  const double x = static_cast<double>(angle);
  const double k = (x * kTwoOverPi + kRound) - kRound;
  const double r = ((x - k * kPart1) - k * kPart2) - k * kPart3;
  const double z = r * r;
  constexpr double kSin[] = {-1.0 / 6,        1.0 / 120,        -1.0 / 5040,         1.0 / 362880,
                             -1.0 / 39916800, 1.0 / 6227020800, -1.0 / 1307674368000};
  constexpr double kCos[] = {-1.0 / 2, 1.0 / 24, -1.0 / 720, 1.0 / 40320, -1.0 / 3628800, 1.0 / 479001600, -1.0 / 87178291200};
  double s = 0, c = 0;
  for (int i = 6; i >= 0; --i) {
    s = (s + kSin[i]) * z;
    c = (c + kCos[i]) * z;
  }
  const float sine = static_cast<float>(r + r * s);
  const float cosine = static_cast<float>(1.0 + c);
  switch (static_cast<int64_t>(k) & 3) {
    case 0:
      return {sine, cosine};
    case 1:
      return {cosine, -sine};
    case 2:
      return {-sine, -cosine};
    default:
      return {-cosine, sine};
  }
}

// Does not ask the compiler, who may have been told that there are no NaNs.
inline bool IsFinite(float x) { return (std::bit_cast<uint32_t>(x) & 0x7f800000) != 0x7f800000; }

}  // namespace scout
