// What AVX-512 BF16 adds to AVX-512: products of pairs. Everything else is the table of AVX-512.
#include "cpu/kernels.h"

#include <immintrin.h>

namespace scout::cpu {
namespace {

// R rows by 32 outputs stay in registers while the pairs go by. One instruction adds the second product of each pair and then the
// first, each by a fused multiply-add; kernels.cpp makes sure of it.
template <int R>
inline void Tile(const uint16_t* w, const uint16_t* x, int64_t x_stride, int64_t pairs, float* y) {
  __m512 sum[R][2];
  for (int r = 0; r < R; ++r) sum[r][0] = sum[r][1] = _mm512_setzero_ps();
  for (int64_t p = 0; p < pairs; ++p) {
    const auto left = reinterpret_cast<__m512bh>(_mm512_loadu_si512(w + 64 * p));
    const auto right = reinterpret_cast<__m512bh>(_mm512_loadu_si512(w + 64 * p + 32));
    for (int r = 0; r < R; ++r) {
      int pair;
      __builtin_memcpy(&pair, x + r * x_stride + 2 * p, 4);
      const auto both = reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
      sum[r][0] = _mm512_dpbf16_ps(sum[r][0], left, both);
      sum[r][1] = _mm512_dpbf16_ps(sum[r][1], right, both);
    }
  }
  for (int r = 0; r < R; ++r) {
    _mm512_storeu_ps(y + 32 * r, sum[r][0]);
    _mm512_storeu_ps(y + 32 * r + 16, sum[r][1]);
  }
}

void Bf16Product(const uint16_t* w, const uint16_t* x, int64_t x_stride, int64_t rows, int64_t pairs, float* y) {
  int64_t n = 0;
  for (; n + 12 <= rows; n += 12) Tile<12>(w, x + n * x_stride, x_stride, pairs, y + 32 * n);
  for (; n + 4 <= rows; n += 4) Tile<4>(w, x + n * x_stride, x_stride, pairs, y + 32 * n);
  for (; n < rows; ++n) Tile<1>(w, x + n * x_stride, x_stride, pairs, y + 32 * n);
}

}  // namespace

const Kernels* Avx512Bf16Kernels() {
  static const Kernels table = [] {
    Kernels all = *Avx512Kernels();
    all.bf16_product = Bf16Product;
    return all;
  }();
  return &table;
}

}  // namespace scout::cpu
