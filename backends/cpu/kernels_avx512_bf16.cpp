// BF16 times BF16 by the instruction that AVX-512 BF16 has for it: lane l adds the products of values 2 l + 1 and then of 2 l, each
// rounded as a fused multiply-add would be (ref/dot.h), with what is below the smallest normal number taken for 0.
#include "cpu/kernels_avx512_bf16.h"

#include <immintrin.h>

namespace scout::cpu {
namespace {

#include "cpu/vector_avx512.inl"

#include "cpu/dot_tiles.inl"

struct Pairs {
  using Value = uint16_t;
  using Other = uint16_t;
  using Factor = __m512bh;
  static constexpr int kStep = 32, kParts = 1;
  static constexpr int64_t Bytes(int64_t values) { return values * 2; }
  static inline Factor Left(const Value* row, int64_t i, int) { return reinterpret_cast<Factor>(_mm512_loadu_si512(row + i)); }
  static inline Factor LeftPart(const Value* row, int64_t i, int64_t n, int) {
    return reinterpret_cast<Factor>(_mm512_maskz_loadu_epi16(static_cast<__mmask32>((uint64_t{1} << n) - 1), row + i));
  }
  static inline Factor Right(const Other* row, int64_t i, int) { return Left(row, i, 0); }
  static inline Factor RightPart(const Other* row, int64_t i, int64_t, int) { return Left(row, i, 0); }
  static inline V MultiplyAdd(Factor l, Factor r, V sum) { return {_mm512_dpbf16_ps(sum.v, l, r)}; }
  static constexpr int64_t Stride(int64_t k) { return (k + kStep - 1) / kStep * kStep; }
};

}  // namespace

void MultiplyBf16(const Panel& panel, const void* x, int64_t count, float* y) {
  DotPanel<Pairs>(panel, static_cast<const uint16_t*>(x), count, y);
}

void RoundToBf16(const float* x, int64_t k, void* to) {
  auto* out = static_cast<uint16_t*>(to);
  const __m512i half = _mm512_set1_epi32(0x7fff), one = _mm512_set1_epi32(1), quiet = _mm512_set1_epi32(0x40);
  for (int64_t i = 0; i < Pairs::Stride(k); i += 16) {
    const __m512 value = i + 16 <= k ? _mm512_loadu_ps(x + i) : _mm512_maskz_loadu_ps(i < k ? FirstLanes(k - i) : 0, x + i);
    const __m512i bits = _mm512_castps_si512(value), high = _mm512_srli_epi32(bits, 16);
    const __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(_mm512_add_epi32(bits, half), _mm512_and_si512(high, one)), 16);
    const __mmask16 nan = _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q);
    const __m512i out32 = _mm512_mask_or_epi32(rounded, nan, high, quiet);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), _mm512_cvtepi32_epi16(out32));
  }
}

}  // namespace scout::cpu
