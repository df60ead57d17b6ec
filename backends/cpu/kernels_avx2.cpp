// Kernels for AVX2, FMA and F16C: sixteen lanes are two registers.
#include "cpu/kernels.h"

#include <immintrin.h>

namespace scout::cpu {
namespace {

struct V {
  static constexpr int kOuterRows = 6, kOuterVectors = 1;
  static constexpr int kRowTile = 2, kColTile = 2;  // 4 sums of two registers each, and their loads
  __m256 a, b;                                      // lanes 0..7, 8..15

  static V Zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
  static V Set(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
  static V Load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  static V LoadPart(const float* p, int64_t n) {
    float part[16] = {};
    for (int64_t i = 0; i < n; ++i) part[i] = p[i];
    return Load(part);
  }
  static V LoadF16(const uint16_t* p) {
    return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))),
            _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 8)))};
  }
  static __m256 WidenBf16(const uint16_t* p) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))), 16));
  }
  static V LoadBf16(const uint16_t* p) { return {WidenBf16(p), WidenBf16(p + 8)}; }
  static __m256i LoadPairs(const uint16_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static V LoadFirsts(const uint16_t* p) {
    return {_mm256_castsi256_ps(_mm256_slli_epi32(LoadPairs(p), 16)),
            _mm256_castsi256_ps(_mm256_slli_epi32(LoadPairs(p + 16), 16))};
  }
  static V LoadSeconds(const uint16_t* p) {
    const __m256i high = _mm256_set1_epi32(static_cast<int>(0xffff0000));
    return {_mm256_castsi256_ps(_mm256_and_si256(LoadPairs(p), high)),
            _mm256_castsi256_ps(_mm256_and_si256(LoadPairs(p + 16), high))};
  }
  static V SetF16(const unsigned char* p) {
    const __m256 d = _mm256_cvtph_ps(_mm_set1_epi16(static_cast<short>(p[0] | p[1] << 8)));
    return {d, d};
  }
  static __m256 WidenCodes(const signed char* p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
  }
  static V LoadCodes(const signed char* p) { return {WidenCodes(p), WidenCodes(p + 8)}; }
  static void Store(float* p, V v) {
    _mm256_storeu_ps(p, v.a);
    _mm256_storeu_ps(p + 8, v.b);
  }
  static void StorePart(float* p, int64_t n, V v) {
    float part[16];
    Store(part, v);
    for (int64_t i = 0; i < n; ++i) p[i] = part[i];
  }
  static V Add(V x, V y) { return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)}; }
  static V Sub(V x, V y) { return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)}; }
  static V Mul(V x, V y) { return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)}; }
  static V Div(V x, V y) { return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)}; }
  static V Fma(V x, V y, V z) { return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)}; }
  static V Max(V x, V y) { return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)}; }
  static V Negate(V x) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return {_mm256_xor_ps(x.a, sign), _mm256_xor_ps(x.b, sign)};
  }
  static V Abs(V x) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return {_mm256_andnot_ps(sign, x.a), _mm256_andnot_ps(sign, x.b)};
  }
  static V WithSignOf(V x, V y) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return {_mm256_or_ps(x.a, _mm256_and_ps(sign, y.a)), _mm256_or_ps(x.b, _mm256_and_ps(sign, y.b))};
  }
  static V WhereLess(V x, V y, V yes, V no) {
    return {_mm256_blendv_ps(no.a, yes.a, _mm256_cmp_ps(x.a, y.a, _CMP_LT_OQ)),
            _mm256_blendv_ps(no.b, yes.b, _mm256_cmp_ps(x.b, y.b, _CMP_LT_OQ))};
  }
  static float Fold(V v) {
    const __m256 eight = _mm256_add_ps(v.a, v.b);
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
  }
  template <int A, int B>
  static void FoldEach(const V (*sums)[A], float* out) {
    for (int b = 0; b < B; ++b)
      for (int a = 0; a < A; ++a) out[b * A + a] = Fold(sums[b][a]);
  }
  // to[i][r] = from[r][i] for eight by eight.
  static void Turn8(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
    __m256 row[8], two[8];
    for (int r = 0; r < 8; ++r) row[r] = _mm256_loadu_ps(from + r * from_stride);
    for (int r = 0; r < 8; r += 2) {
      two[r] = _mm256_unpacklo_ps(row[r], row[r + 1]);
      two[r + 1] = _mm256_unpackhi_ps(row[r], row[r + 1]);
    }
    const auto pairs = [](__m256 first, __m256 second, bool high) {
      const __m256d c = _mm256_castps_pd(first), d = _mm256_castps_pd(second);
      return _mm256_castpd_ps(high ? _mm256_unpackhi_pd(c, d) : _mm256_unpacklo_pd(c, d));
    };
    for (int j = 0; j < 4; ++j) {  // columns j and 4 + j of rows 0..3 and of rows 4..7
      const __m256 low = pairs(two[j / 2], two[2 + j / 2], j % 2 != 0), high = pairs(two[4 + j / 2], two[6 + j / 2], j % 2 != 0);
      _mm256_storeu_ps(to + j * to_stride, _mm256_permute2f128_ps(low, high, 0x20));
      _mm256_storeu_ps(to + (4 + j) * to_stride, _mm256_permute2f128_ps(low, high, 0x31));
    }
  }
  static void Turn(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
    for (int64_t i = 0; i < 16; i += 8)
      for (int64_t r = 0; r < 16; r += 8) Turn8(from + r * from_stride + i, from_stride, to + i * to_stride + r, to_stride);
  }
  static __m256 Scale(__m256 p, __m256 n) {
    const __m256i whole = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(whole, 1), bias = _mm256_set1_epi32(127);
    const __m256i first = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
    const __m256i second = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(whole, half), bias), 23);
    return _mm256_mul_ps(_mm256_mul_ps(p, _mm256_castsi256_ps(first)), _mm256_castsi256_ps(second));
  }
  static V ScaleByPowerOf2(V p, V n) { return {Scale(p.a, n.a), Scale(p.b, n.b)}; }
  static __m256 Ends(__m256 x, __m256 low, __m256 high, __m256 value) {
    value = _mm256_blendv_ps(value, _mm256_set1_ps(__builtin_inff()), _mm256_cmp_ps(x, high, _CMP_GT_OQ));
    value = _mm256_andnot_ps(_mm256_cmp_ps(x, low, _CMP_LT_OQ), value);
    return _mm256_blendv_ps(value, x, _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
  }
  static V ExpEnds(V x, V low, V high, V value) { return {Ends(x.a, low.a, high.a, value.a), Ends(x.b, low.b, high.b, value.b)}; }
};

#include "cpu/float_kernels.inl"

#include "cpu/rounded_avx2.inl"

#include "cpu/packed_avx2.inl"

#include "cpu/to_f16.inl"

constexpr Kernels kTable = [] {
  Kernels table{};
  SCOUT_FLOAT_KERNELS(table);
  table.to_f16 = ToF16;
  SCOUT_ROUNDED_KERNELS(table);
  SCOUT_PACKED_KERNELS(table);
  return table;
}();

}  // namespace

const Kernels* Avx2Kernels() { return &kTable; }

}  // namespace scout::cpu
