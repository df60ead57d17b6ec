// Kernels for any processor: sixteen lanes are an array, the fused multiply-add is base/math.h's.
#include "cpu/kernels.h"

#include "base/math.h"
#include "cpu/rounded_generic.h"
#include "quant/activation.h"
#include "quant/bf16.h"
#include "quant/f16.h"

namespace scout::cpu {
namespace {

struct V {
  static constexpr int kRowTile = 2, kColTile = 2, kOuterRows = 2, kOuterVectors = 1;
  float lane[16];

  template <typename Function>
  static V Each(const Function& function) {
    V v;
    for (int l = 0; l < 16; ++l) v.lane[l] = function(l);
    return v;
  }
  static V Zero() { return Set(0.0f); }
  static V Set(float x) {
    return Each([&](int) { return x; });
  }
  static V Load(const float* p) {
    return Each([&](int l) { return p[l]; });
  }
  static V LoadPart(const float* p, int64_t n) {
    return Each([&](int l) { return l < n ? p[l] : 0.0f; });
  }
  static V LoadF16(const uint16_t* p) {
    return Each([&](int l) { return quant::F16ToF32(p[l]); });
  }
  static V LoadBf16(const uint16_t* p) {
    return Each([&](int l) { return quant::Bf16ToF32(p[l]); });
  }
  static V LoadFirsts(const uint16_t* p) {
    return Each([&](int l) { return quant::Bf16ToF32(p[2 * l]); });
  }
  static V LoadSeconds(const uint16_t* p) {
    return Each([&](int l) { return quant::Bf16ToF32(p[2 * l + 1]); });
  }
  static V SetF16(const unsigned char* p) { return Set(quant::F16ToF32(static_cast<uint16_t>(p[0] | p[1] << 8))); }
  static V LoadCodes(const signed char* p) {
    return Each([&](int l) { return static_cast<float>(p[l]); });
  }
  static void Store(float* p, V v) { StorePart(p, 16, v); }
  static void StorePart(float* p, int64_t n, V v) {
    for (int64_t l = 0; l < n; ++l) p[l] = v.lane[l];
  }
  static V Add(V a, V b) {
    return Each([&](int l) { return a.lane[l] + b.lane[l]; });
  }
  static V Sub(V a, V b) {
    return Each([&](int l) { return a.lane[l] - b.lane[l]; });
  }
  static V Mul(V a, V b) {
    return Each([&](int l) { return a.lane[l] * b.lane[l]; });
  }
  static V Div(V a, V b) {
    return Each([&](int l) { return a.lane[l] / b.lane[l]; });
  }
  static V Fma(V a, V b, V c) {
    return Each([&](int l) { return scout::Fma(a.lane[l], b.lane[l], c.lane[l]); });
  }
  static V Max(V a, V b) {
    return Each([&](int l) { return a.lane[l] > b.lane[l] ? a.lane[l] : b.lane[l]; });
  }
  static V Negate(V a) {
    return Each([&](int l) { return -a.lane[l]; });
  }
  static V Abs(V a) {
    return Each([&](int l) { return std::bit_cast<float>(std::bit_cast<uint32_t>(a.lane[l]) & 0x7fffffff); });
  }
  static V WithSignOf(V a, V b) {
    return Each([&](int l) {
      return std::bit_cast<float>(std::bit_cast<uint32_t>(a.lane[l]) | (std::bit_cast<uint32_t>(b.lane[l]) & 0x80000000));
    });
  }
  static V WhereLess(V a, V b, V yes, V no) {
    return Each([&](int l) { return a.lane[l] < b.lane[l] ? yes.lane[l] : no.lane[l]; });
  }
  static void Turn(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
    for (int64_t i = 0; i < 16; ++i)
      for (int64_t r = 0; r < 16; ++r) to[i * to_stride + r] = from[r * from_stride + i];
  }
  static float Fold(V v) {
    for (int step = 8; step >= 1; step /= 2)
      for (int l = 0; l < step; ++l) v.lane[l] += v.lane[l + step];
    return v.lane[0];
  }
  template <int A, int B>
  static void FoldEach(const V (*sums)[A], float* out) {
    for (int b = 0; b < B; ++b)
      for (int a = 0; a < A; ++a) out[b * A + a] = Fold(sums[b][a]);
  }
  // p * 2^n in two steps; n is a whole number (anything where ExpEnds will not look).
  static V ScaleByPowerOf2(V p, V n) {
    return Each([&](int l) {
      const int whole = n.lane[l] >= -126.0f && n.lane[l] <= 128.0f ? static_cast<int>(n.lane[l]) : 0;
      const int half = whole >> 1;
      const float first = std::bit_cast<float>(static_cast<uint32_t>(half + 127) << 23);
      const float second = std::bit_cast<float>(static_cast<uint32_t>(whole - half + 127) << 23);
      return p.lane[l] * first * second;
    });
  }
  static V ExpEnds(V x, V low, V high, V value) {
    return Each([&](int l) {
      if (x.lane[l] != x.lane[l]) return x.lane[l];
      if (x.lane[l] < low.lane[l]) return 0.0f;
      return x.lane[l] > high.lane[l] ? std::numeric_limits<float>::infinity() : value.lane[l];
    });
  }
};

#include "cpu/float_kernels.inl"

void ToF16(const float* from, int64_t count, uint16_t* to) {
  for (int64_t i = 0; i < count; ++i) to[i] = quant::F32ToF16(from[i]);
}

void Round32(const float* x, int64_t k, int8_t* codes, float* scales, int16_t* sums) {
  quant::QuantizeActivation32(x, static_cast<size_t>(k), codes, scales, sums);
}
void Round256(const float* x, int64_t k, int8_t* codes, float* scales, int16_t* sums) {
  quant::QuantizeActivation256(x, static_cast<size_t>(k), codes, scales, sums);
}

constexpr Kernels kTable = [] {
  Kernels table{};
  SCOUT_FLOAT_KERNELS(table);
  table.to_f16 = ToF16;
  table.round32 = Round32;
  table.round256 = Round256;
  table.q4_0 = generic::Q4_0;
  table.q4_1 = generic::Q4_1;
  table.q5_0 = generic::Q5_0;
  table.q5_1 = generic::Q5_1;
  table.q8_0 = generic::Q8_0;
  table.q2_k = generic::Q2_K;
  table.q3_k = generic::Q3_K;
  table.q4_k = generic::Q4_K;
  table.q5_k = generic::Q5_K;
  table.q6_k = generic::Q6_K;
  return table;
}();

}  // namespace

const Kernels* GenericKernels() { return &kTable; }

}  // namespace scout::cpu
