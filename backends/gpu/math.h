// exp, log, sine and cosine on a device: the sequences of src/base/math.h, operation by operation, so that the bits are the same on
// every device and on the host. A test compares them.
#pragma once

#include "gpu/gpu.h"

namespace scout::SCOUT_GPU {

GPU_FUNCTION float Infinity() { return FloatOf(kInfinityBits); }
GPU_FUNCTION bool IsFinite(float x) { return (BitsOf(x) & kInfinityBits) != kInfinityBits; }
GPU_FUNCTION float MaxOf(float a, float b) { return b > a ? b : a; }

GPU_FUNCTION float Exp(float x) {
  if (!(x >= -87.33654f)) return x != x ? x : 0.0f;
  if (x > 88.72283172607421875f) return Infinity();
  const float n = Fma(x, 1.44269504088896341f, 12582912.0f) - 12582912.0f;
  float r = Fma(n, -0.693145751953125f, x);
  r = Fma(n, -0x1.7f7d1cp-20f, r);
  float p = 0x1.6b6e1ap-10f;
  p = Fma(p, r, 0x1.122fc2p-7f);
  p = Fma(p, r, 0x1.555688p-5f);
  p = Fma(p, r, 0x1.5554a4p-3f);
  p = Fma(p, r, 0.5f);
  p = Fma(p, r, 1.0f);
  p = Fma(p, r, 1.0f);
  const int whole = static_cast<int>(n), half = whole >> 1;
  const float first = FloatOf(static_cast<uint32_t>(half + 127) << 23);
  const float second = FloatOf(static_cast<uint32_t>(whole - half + 127) << 23);
  return p * first * second;
}

GPU_FUNCTION float Sigmoid(float x) { return Divide(1.0f, 1.0f + Exp(-x)); }
GPU_FUNCTION float Silu(float x) { return Divide(x, 1.0f + Exp(-x)); }

GPU_FUNCTION float Erf(float x) {
  const float t = FloatOf(BitsOf(x) & 0x7fffffff);
  if (t < 1.0f) {
    const float s = x * x;
    float p = 0x1.4ae4dp-14f;
    p = Fma(p, s, -0x1.a485ecp-11f);
    p = Fma(p, s, 0x1.5419f6p-8f);
    p = Fma(p, s, -0x1.b7fbb4p-6f);
    p = Fma(p, s, 0x1.ce2d20p-4f);
    p = Fma(p, s, -0x1.81273ep-2f);
    p = Fma(p, s, 0x1.06eba8p-3f);
    return Fma(p, x, x);
  }
  const float end = 4.0f < t ? 4.0f : t;
  float q = 0x1.86dd9ap-13f;
  q = Fma(q, end, -0x1.825b06p-9f);
  q = Fma(q, end, 0x1.65cb7ep-6f);
  q = Fma(q, end, -0x1.a65346p-4f);
  q = Fma(q, end, -0x1.46baecp-1f);
  q = Fma(q, end, -0x1.2088eap+0f);
  q = Fma(q, end, -0x1.661cb2p-12f);
  const float magnitude = 1.0f - Exp(q);
  return FloatOf((BitsOf(magnitude) & 0x7fffffff) | (BitsOf(x) & 0x80000000));
}
GPU_FUNCTION float Gelu(float x) { return 0.5f * x * (1.0f + Erf(x * 0.70710678118654752f)); }

GPU_FUNCTION double Log(double x) {
  constexpr uint64_t kInfinity = 0x7ff0000000000000ull;
  if (x != x || x < 0) return DoubleOf(kInfinity | 1ull << 51);
  if (x == 0) return DoubleOf(kInfinity | 1ull << 63);
  if (BitsOf(x) == kInfinity) return x;
  uint64_t bits = BitsOf(x);
  int n = static_cast<int>(bits >> 52) - 1023;
  bits = (bits & 0xfffffffffffffull) | 0x3ff0000000000000ull;
  double m = DoubleOf(bits);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    ++n;
  }
  const double s = Divide(m - 1, m + 1), z = s * s;
  double sum = 0;
  for (int k = 21; k >= 1; k -= 2) sum = sum * z + Divide(1.0, static_cast<double>(k));
  return n * 0.69314718055994530942 + 2 * s * sum;
}

GPU_FUNCTION void SinCosOf(float angle, float& sine_out, float& cosine_out) {
  constexpr double kRound = 6755399441055744.0;
  const double x = static_cast<double>(angle);
  const double k = (x * 0.63661977236758134308 + kRound) - kRound;
  const double r = ((x - k * 0x1.921fb54p+0) - k * 0x1.10b461p-30) - k * 0x1.a62633145c06ep-58;
  const double z = r * r;
  double s = 0, c = 0;
  s = (s + -1.0 / 1307674368000) * z, c = (c + -1.0 / 87178291200) * z;
  s = (s + 1.0 / 6227020800) * z, c = (c + 1.0 / 479001600) * z;
  s = (s + -1.0 / 39916800) * z, c = (c + -1.0 / 3628800) * z;
  s = (s + 1.0 / 362880) * z, c = (c + 1.0 / 40320) * z;
  s = (s + -1.0 / 5040) * z, c = (c + -1.0 / 720) * z;
  s = (s + 1.0 / 120) * z, c = (c + 1.0 / 24) * z;
  s = (s + -1.0 / 6) * z, c = (c + -1.0 / 2) * z;
  const float sine = static_cast<float>(r + r * s), cosine = static_cast<float>(1.0 + c);
  const int quarter = static_cast<int>(static_cast<int64_t>(k) & 3);
  sine_out = quarter == 0 ? sine : quarter == 1 ? cosine : quarter == 2 ? -sine : -cosine;
  cosine_out = quarter == 0 ? cosine : quarter == 1 ? -sine : quarter == 2 ? -cosine : sine;
}

// The fold of sixteen partial sums, one per lane: l takes l + 8, l + 4, l + 2, l + 1. Every lane of the sixteen gets the sum. All
// lanes of the warp come here.
GPU_FUNCTION float FoldLanes16(float sum) {
  for (int bits = 8; bits > 0; bits /= 2) sum += ShflXor(kAllLanes, sum, bits);
  return sum;
}

}  // namespace scout::SCOUT_GPU
