// Encoders. They serve tests, converters and benchmarks: round to nearest with a small search for the scales, not an
// importance-weighted quantiser. Inputs are finite. That of Q8_0 also writes pages of keys and values, and takes what it gets.
#include <algorithm>
#include <cmath>
#include <limits>

#include "quant/q4_0.h"
#include "quant/q4_1.h"
#include "quant/q4_k.h"
#include "quant/q5_0.h"
#include "quant/q5_1.h"
#include "quant/q6_k.h"
#include "quant/q8_0.h"
#include "quant/rounding.h"

namespace scout::quant {
namespace {

// Scales below this are zero in binary16 by far, and their inverse would overflow.
constexpr float kTiny = 1e-30f;

float MaxMagnitude(const float* x, int n) {
  float max = 0;
  for (int i = 0; i < n; ++i) max = std::max(max, std::fabs(x[i]));
  return max;
}

struct ScaleMin {
  float scale = 0, minimum = 0;
};

// A scale and minimum (both >= 0) so that x ~ scale * code - minimum with codes 0..max_code.
// Starts from the range of x and tries grids a little finer and coarser; each is refitted by least squares (x against its
// codes), and the one with the smallest squared error wins.
ScaleMin FitScaleMin(const float* x, int n, int max_code) {
  float low = std::min(0.0f, *std::min_element(x, x + n));
  const float high = *std::max_element(x, x + n);
  if (!(high - low > kTiny)) return {0, -low};
  ScaleMin best;
  float best_error = INFINITY;
  for (int step = -4; step <= 8; ++step) {
    const float inverse = (static_cast<float>(max_code) + 0.1f * static_cast<float>(step)) / (high - low);
    float sum_q = 0, sum_qq = 0, sum_x = 0, sum_xq = 0;
    for (int i = 0; i < n; ++i) {
      const auto q = static_cast<float>(std::clamp(RoundToEven((x[i] - low) * inverse), 0, max_code));
      sum_q += q;
      sum_qq += q * q;
      sum_x += x[i];
      sum_xq += x[i] * q;
    }
    const auto count = static_cast<float>(n);
    const float determinant = count * sum_qq - sum_q * sum_q;
    if (!(determinant > 0)) continue;
    float scale = (count * sum_xq - sum_x * sum_q) / determinant;
    float minimum = -(sum_qq * sum_x - sum_q * sum_xq) / determinant;
    if (minimum < 0) {  // the format stores minima >= 0
      minimum = 0;
      scale = sum_xq / sum_qq;
    }
    if (!(scale > 0)) continue;
    float error = 0;
    for (int i = 0; i < n; ++i) {
      const int q = std::clamp(RoundToEven((x[i] + minimum) / scale), 0, max_code);
      const float difference = scale * static_cast<float>(q) - minimum - x[i];
      error += difference * difference;
    }
    if (error < best_error) {
      best_error = error;
      best = {scale, minimum};
    }
  }
  return best;
}

// A signed scale so that x ~ scale * code with codes -32..31.
float FitSigned(const float* x, int n) {
  float extreme = 0;  // the value of largest magnitude, with its sign
  for (int i = 0; i < n; ++i)
    if (std::fabs(x[i]) > std::fabs(extreme)) extreme = x[i];
  if (!(std::fabs(extreme) > kTiny)) return 0;
  float best = 0, best_error = INFINITY;
  for (int step = -8; step <= 8; ++step) {
    const float inverse = -(32.0f + 0.1f * static_cast<float>(step)) / extreme;
    float sum_qq = 0, sum_xq = 0;
    for (int i = 0; i < n; ++i) {
      const auto q = static_cast<float>(std::clamp(RoundToEven(x[i] * inverse), -32, 31));
      sum_qq += q * q;
      sum_xq += x[i] * q;
    }
    if (!(sum_qq > 0)) continue;
    const float scale = sum_xq / sum_qq;
    float error = 0;
    for (int i = 0; i < n; ++i) {
      const float difference = scale * static_cast<float>(std::clamp(RoundToEven(x[i] / scale), -32, 31)) - x[i];
      error += difference * difference;
    }
    if (error < best_error) {
      best_error = error;
      best = scale;
    }
  }
  return best;
}

}  // namespace

void Encode(const float* values, BlockQ8_0& block) {
  bool finite = true;
  for (int j = 0; j < 32; ++j) finite &= std::fabs(values[j]) <= std::numeric_limits<float>::max();  // false for NaN
  if (!finite) {
    block = {0x7e00, {}};  // NaN
    return;
  }
  const float d = MaxMagnitude(values, 32) / 127.0f;
  const float inverse = d > kTiny ? 1.0f / d : 0.0f;
  block.d = F32ToF16(d);
  for (int j = 0; j < 32; ++j) block.qs[j] = static_cast<int8_t>(std::clamp(RoundAway(values[j] * inverse), -127, 127));
}

namespace {

// Codes 0..2 * half - 1 around `half`, which the value of largest magnitude does not use up: it gets code 0. Returns the scale.
float SignedCodes(const float* values, int half, uint8_t* codes) {  // values, codes: [32]
  float extreme = 0;
  for (int j = 0; j < 32; ++j)
    if (std::fabs(values[j]) > std::fabs(extreme)) extreme = values[j];
  const float d = extreme / static_cast<float>(-half);
  const double inverse = std::fabs(d) > kTiny ? static_cast<double>(1.0f / d) : 0.0;
  for (int j = 0; j < 32; ++j)
    codes[j] =
        static_cast<uint8_t>(std::clamp(static_cast<int>(static_cast<double>(values[j]) * inverse + half + 0.5), 0, 2 * half - 1));
  return d;
}

// Codes 0..max_code over the range of the values. Returns scale and minimum.
ScaleMin RangeCodes(const float* values, int max_code, uint8_t* codes) {  // values, codes: [32]
  const float low = *std::min_element(values, values + 32), high = *std::max_element(values, values + 32);
  const float d = (high - low) / static_cast<float>(max_code);
  const float inverse = d > kTiny ? 1.0f / d : 0.0f;
  for (int j = 0; j < 32; ++j)
    codes[j] = static_cast<uint8_t>(std::clamp(static_cast<int>((values[j] - low) * inverse + 0.5f), 0, max_code));
  return {d, low};
}

// Low halves two to a byte, fifth bits (where there are any) in the result.
uint32_t PackCodes(const uint8_t* codes, uint8_t* qs) {  // codes: [32], qs: [16]
  uint32_t fifth = 0;
  for (int j = 0; j < 16; ++j) qs[j] = static_cast<uint8_t>((codes[j] & 15) | (codes[16 + j] & 15) << 4);
  for (int j = 0; j < 32; ++j) fifth |= static_cast<uint32_t>(codes[j] >> 4) << j;
  return fifth;
}

}  // namespace

void Encode(const float* values, BlockQ4_0& block) {
  uint8_t codes[32];
  block.d = F32ToF16(SignedCodes(values, 8, codes));
  PackCodes(codes, block.qs);
}

void Encode(const float* values, BlockQ4_1& block) {
  uint8_t codes[32];
  const ScaleMin fit = RangeCodes(values, 15, codes);
  block.d = F32ToF16(fit.scale);
  block.m = F32ToF16(fit.minimum);
  PackCodes(codes, block.qs);
}

void Encode(const float* values, BlockQ5_0& block) {
  uint8_t codes[32];
  block.d = F32ToF16(SignedCodes(values, 16, codes));
  block.qh = PackCodes(codes, block.qs);
}

void Encode(const float* values, BlockQ5_1& block) {
  uint8_t codes[32];
  const ScaleMin fit = RangeCodes(values, 31, codes);
  block.d = F32ToF16(fit.scale);
  block.m = F32ToF16(fit.minimum);
  block.qh = PackCodes(codes, block.qs);
}

void Encode(const float* values, BlockQ4_K& block) {
  ScaleMin fits[8];
  float max_scale = 0, max_minimum = 0;
  for (int k = 0; k < 8; ++k) {
    fits[k] = FitScaleMin(values + 32 * k, 32, 15);
    max_scale = std::max(max_scale, fits[k].scale);
    max_minimum = std::max(max_minimum, fits[k].minimum);
  }
  block = {};
  block.d = F32ToF16(max_scale / 63.0f);
  block.dmin = F32ToF16(max_minimum / 63.0f);
  const float d = F16ToF32(block.d), dmin = F16ToF32(block.dmin);
  for (int k = 0; k < 8; ++k) {
    const int scale = d > 0 ? std::clamp(RoundToEven(fits[k].scale / d), 0, 63) : 0;
    const int minimum = dmin > 0 ? std::clamp(RoundToEven(fits[k].minimum / dmin), 0, 63) : 0;
    PackScaleAndMin(block.scales, k, scale, minimum);
    const float s = d * static_cast<float>(scale), m = dmin * static_cast<float>(minimum);
    if (!(s > 0)) continue;  // codes stay 0
    for (int l = 0; l < 32; ++l) {
      const int code = std::clamp(RoundToEven((values[32 * k + l] + m) / s), 0, 15);
      uint8_t& byte = block.qs[32 * (k >> 1) + l];
      byte = static_cast<uint8_t>(byte | code << 4 * (k & 1));
    }
  }
}

void Encode(const float* values, BlockQ6_K& block) {
  float fits[16];
  float extreme = 0;
  for (int k = 0; k < 16; ++k) {
    fits[k] = FitSigned(values + 16 * k, 16);
    if (std::fabs(fits[k]) > std::fabs(extreme)) extreme = fits[k];
  }
  block = {};
  block.d = F32ToF16(extreme / -128.0f);
  const float d = F16ToF32(block.d);
  for (int k = 0; k < 16; ++k) {
    const int scale = d != 0 ? std::clamp(RoundToEven(fits[k] / d), -128, 127) : 0;
    block.scales[k] = static_cast<int8_t>(scale);
    const float s = d * static_cast<float>(scale);
    const int half = k >> 3, quarter = k >> 1 & 3, first = 16 * (k & 1);
    for (int l = 0; l < 16; ++l) {
      const int code = s != 0 ? std::clamp(RoundToEven(values[16 * k + l] / s), -32, 31) + 32 : 32;
      uint8_t& low = block.ql[64 * half + 32 * (quarter & 1) + first + l];
      uint8_t& high = block.qh[32 * half + first + l];
      low = static_cast<uint8_t>(low | (code & 15) << 4 * (quarter >> 1));
      high = static_cast<uint8_t>(high | (code >> 4) << 2 * quarter);
    }
  }
}

}  // namespace scout::quant
