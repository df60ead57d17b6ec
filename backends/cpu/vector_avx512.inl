// Sixteen lanes in one register of AVX-512: the V that float_kernels.inl and dot_tiles.inl ask for.

inline __mmask16 FirstLanes(int64_t n) { return static_cast<__mmask16>((1u << n) - 1); }

struct V {
  static constexpr int kOuterRows = 8, kOuterVectors = 3;
  static constexpr int kRowTile = 4, kColTile = 5;  // Llama 4 has five query heads to a key head
  __m512 v;

  static V Zero() { return {_mm512_setzero_ps()}; }
  static V Set(float x) { return {_mm512_set1_ps(x)}; }
  static V Load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static V LoadPart(const float* p, int64_t n) { return {_mm512_maskz_loadu_ps(FirstLanes(n), p)}; }
  static V LoadF16(const uint16_t* p) { return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))}; }
  static V LoadBf16(const uint16_t* p) {
    const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16))};
  }
  static V LoadFirsts(const uint16_t* p) { return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_loadu_si512(p), 16))}; }
  static V LoadSeconds(const uint16_t* p) {
    const __m512i high = _mm512_set1_epi32(static_cast<int>(0xffff0000));
    return {_mm512_castsi512_ps(_mm512_and_si512(_mm512_loadu_si512(p), high))};
  }
  static V SetF16(const unsigned char* p) { return {_mm512_cvtph_ps(_mm256_set1_epi16(static_cast<short>(p[0] | p[1] << 8)))}; }
  static V LoadCodes(const signed char* p) {
    return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))))};
  }
  static void Store(float* p, V x) { _mm512_storeu_ps(p, x.v); }
  static void StorePart(float* p, int64_t n, V x) { _mm512_mask_storeu_ps(p, FirstLanes(n), x.v); }
  static V Add(V x, V y) { return {_mm512_add_ps(x.v, y.v)}; }
  static V Sub(V x, V y) { return {_mm512_sub_ps(x.v, y.v)}; }
  static V Mul(V x, V y) { return {_mm512_mul_ps(x.v, y.v)}; }
  static V Div(V x, V y) { return {_mm512_div_ps(x.v, y.v)}; }
  static V Fma(V x, V y, V z) { return {_mm512_fmadd_ps(x.v, y.v, z.v)}; }
  static V Max(V x, V y) { return {_mm512_max_ps(x.v, y.v)}; }
  static V Negate(V x) { return {_mm512_xor_ps(x.v, _mm512_set1_ps(-0.0f))}; }
  static V Abs(V x) { return {_mm512_andnot_ps(_mm512_set1_ps(-0.0f), x.v)}; }
  static V WithSignOf(V x, V y) { return {_mm512_or_ps(x.v, _mm512_and_ps(_mm512_set1_ps(-0.0f), y.v))}; }
  static V WhereLess(V x, V y, V yes, V no) { return {_mm512_mask_mov_ps(no.v, _mm512_cmp_ps_mask(x.v, y.v, _CMP_LT_OQ), yes.v)}; }
  static float Fold(V x) {
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(x.v), _mm512_extractf32x8_ps(x.v, 1));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
  }
  template <int A, int B>
  static void FoldEach(const V (*sums)[A], float* out) {
    static_assert(A == 4);
    const auto add = [](__m512 a, __m512 b) { return _mm512_add_ps(a, b); };
    __m512 four[B];  // of each a
#pragma GCC unroll 8
    for (int i = 0; i < B; ++i) {
      const __m512 a = sums[i][0].v, b = sums[i][1].v, c = sums[i][2].v, d = sums[i][3].v;
      // Eight lanes of a and of b, of c and of d; four of each.
      const __m512 ab = add(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
      const __m512 cd = add(_mm512_shuffle_f32x4(c, d, 0x44), _mm512_shuffle_f32x4(c, d, 0xee));
      four[i] = add(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xdd));
    }
    constexpr int kWhole = B / 4 * 4;
#pragma GCC unroll 2
    for (int i = 0; i < kWhole; i += 4) {  // two of four b; one, the b of each a together
      const __m512 first = add(_mm512_shuffle_ps(four[i], four[i + 1], 0x44), _mm512_shuffle_ps(four[i], four[i + 1], 0xee));
      const __m512 last = add(_mm512_shuffle_ps(four[i + 2], four[i + 3], 0x44), _mm512_shuffle_ps(four[i + 2], four[i + 3], 0xee));
      const __m512 one = add(_mm512_shuffle_ps(first, last, 0x88), _mm512_shuffle_ps(first, last, 0xdd));
      const __m512i turned = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
      _mm512_storeu_ps(out + 4 * i, _mm512_permutexvar_ps(turned, one));
    }
#pragma GCC unroll 4
    for (int i = kWhole; i < B; ++i) {
      const __m512 two = add(four[i], _mm512_permute_ps(four[i], 0x4e)), one = add(two, _mm512_permute_ps(two, 0xb1));
      _mm_storeu_ps(out + 4 * i, _mm512_castps512_ps128(_mm512_maskz_compress_ps(0x1111, one)));
    }
  }
  // to[i][r] = from[r][i] for sixteen by sixteen.
  static void Turn(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
    __m512 row[16], two[16], four[16];
    for (int r = 0; r < 16; ++r) row[r] = _mm512_loadu_ps(from + r * from_stride);
    for (int r = 0; r < 16; r += 2) {
      two[r] = _mm512_unpacklo_ps(row[r], row[r + 1]);
      two[r + 1] = _mm512_unpackhi_ps(row[r], row[r + 1]);
    }
    const auto pairs = [](__m512 a, __m512 b, bool high) {
      const __m512d c = _mm512_castps_pd(a), d = _mm512_castps_pd(b);
      return _mm512_castpd_ps(high ? _mm512_unpackhi_pd(c, d) : _mm512_unpacklo_pd(c, d));
    };
    // four[r + j]: in 128-bit lane l, column 4 l + j of rows r .. r + 3.
    for (int r = 0; r < 16; r += 4)
      for (int j = 0; j < 4; ++j) four[r + j] = pairs(two[r + j / 2], two[r + 2 + j / 2], j % 2 != 0);
    for (int j = 0; j < 4; ++j) {
      const __m512 a = _mm512_shuffle_f32x4(four[j], four[4 + j], 0x88), b = _mm512_shuffle_f32x4(four[j], four[4 + j], 0xdd);
      const __m512 c = _mm512_shuffle_f32x4(four[8 + j], four[12 + j], 0x88),
                   d = _mm512_shuffle_f32x4(four[8 + j], four[12 + j], 0xdd);
      _mm512_storeu_ps(to + j * to_stride, _mm512_shuffle_f32x4(a, c, 0x88));
      _mm512_storeu_ps(to + (4 + j) * to_stride, _mm512_shuffle_f32x4(b, d, 0x88));
      _mm512_storeu_ps(to + (8 + j) * to_stride, _mm512_shuffle_f32x4(a, c, 0xdd));
      _mm512_storeu_ps(to + (12 + j) * to_stride, _mm512_shuffle_f32x4(b, d, 0xdd));
    }
  }
  static V ScaleByPowerOf2(V p, V n) {
    const __m512i whole = _mm512_cvtps_epi32(n.v), half = _mm512_srai_epi32(whole, 1), bias = _mm512_set1_epi32(127);
    const __m512i first = _mm512_slli_epi32(_mm512_add_epi32(half, bias), 23);
    const __m512i second = _mm512_slli_epi32(_mm512_add_epi32(_mm512_sub_epi32(whole, half), bias), 23);
    return {_mm512_mul_ps(_mm512_mul_ps(p.v, _mm512_castsi512_ps(first)), _mm512_castsi512_ps(second))};
  }
  static V ExpEnds(V x, V low, V high, V value) {
    __m512 out = _mm512_mask_mov_ps(value.v, _mm512_cmp_ps_mask(x.v, high.v, _CMP_GT_OQ), _mm512_set1_ps(__builtin_inff()));
    out = _mm512_mask_mov_ps(out, _mm512_cmp_ps_mask(x.v, low.v, _CMP_LT_OQ), _mm512_setzero_ps());
    return {_mm512_mask_mov_ps(out, _mm512_cmp_ps_mask(x.v, x.v, _CMP_UNORD_Q), x.v)};
  }
};
