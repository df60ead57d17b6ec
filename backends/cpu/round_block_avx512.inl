// Activations for packed panels, with AVX-512. Included by kernels_avx512.cpp inside its unnamed namespace.

// 256 values to codes, and what packed kernels ask of them beside (kernels.h), in the order that packed_avx512.inl tells.
void RoundBlock(const float* x, int8_t* codes, CodeSums* sums, WinogradCodes* winograd) {
  const __m512i one = _mm512_set1_epi8(1), zero = _mm512_setzero_si512(), magnitude = _mm512_set1_epi32(0x7fffffff);
  __m512i max = zero;  // magnitudes order like their bits; NaN and infinity come last
  for (int i = 0; i < 256; i += 16) max = _mm512_max_epu32(max, _mm512_and_si512(Load512(x + i), magnitude));
  const uint32_t bits = _mm512_reduce_max_epu32(max);
  float largest;
  __builtin_memcpy(&largest, &bits, 4);
  const bool zeros = bits >= 0x7f800000 || largest < 0x1p-116f;
  sums->scale = bits >= 0x7f800000 ? __builtin_nanf("") : zeros ? 0.0f : largest / 127.0f;
  const __m512 inverse = _mm512_set1_ps(127.0f / largest);
  const __m512i paired = _mm512_setr_epi32(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
  const auto pairs = [](__m512i v) { return _mm512_add_epi32(v, _mm512_shuffle_epi32(v, _MM_PERM_CDAB)); };
  const auto fours = [](__m512i v) { return _mm512_add_epi32(v, _mm512_shuffle_epi32(v, _MM_PERM_BADC)); };
  const auto lanes = [](__m512i v) { return _mm512_add_epi32(v, _mm512_shuffle_i64x2(v, v, 0xb1)); };
  // With s a run's sum and a that of its magnitudes, max(P, N) = (a + |s|) / 2.
  __m512i most16 = zero, both16 = zero, most32 = zero;
  for (int i = 0; i < 4; ++i) {
    const auto code = [&](int j) {
      return _mm512_cvtepi32_epi8(_mm512_cvt_roundps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + 64 * i + 16 * j), inverse),
                                                           _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    };
    const __m256i low = _mm256_inserti128_si256(_mm256_castsi128_si256(code(0)), code(1), 1),
                  high = _mm256_inserti128_si256(_mm256_castsi128_si256(code(2)), code(3), 1);
    const __m512i v = zeros ? zero : _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
    _mm512_storeu_si512(codes + 64 * i, _mm512_permutexvar_epi32(paired, v));
    const __m512i sum8 = pairs(_mm512_dpbusd_epi32(zero, one, v)), sum16 = fours(sum8), sum32 = lanes(sum16);
    const __m512i size16 = fours(pairs(_mm512_dpbusd_epi32(zero, _mm512_abs_epi8(v), one))), size32 = lanes(size16);
    most16 = _mm512_max_epi32(most16, size16);
    both16 = _mm512_max_epi32(both16, _mm512_add_epi32(size16, _mm512_abs_epi32(sum16)));
    most32 = _mm512_max_epi32(most32, _mm512_add_epi32(size32, _mm512_abs_epi32(sum32)));
    const __m512i centred8 = _mm512_permutexvar_epi32(paired, _mm512_sub_epi32(zero, _mm512_slli_epi32(sum8, 5)));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums->centred8 + 8 * i),
                        _mm512_castsi512_si256(_mm512_maskz_compress_epi32(0x3333, centred8)));
    const __m512i centred16 = _mm512_permutexvar_epi32(paired, _mm512_sub_epi32(zero, _mm512_slli_epi32(sum16, 5)));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(sums->centred16 + 4 * i),
                     _mm512_castsi512_si128(_mm512_maskz_compress_epi32(0x0303, centred16)));
  }
  const __m512i centred = _mm512_shuffle_epi32(Load512(sums->centred16), _MM_PERM_DBCA);
  const __m256i sums16 = _mm512_cvtepi32_epi16(_mm512_srai_epi32(_mm512_sub_epi32(zero, centred), 5));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums->sums16), sums16);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(sums->sums32),
                   _mm256_cvtepi32_epi16(_mm256_madd_epi16(sums16, _mm256_set1_epi16(1))));
  sums->centred256 = 4 * _mm512_reduce_add_epi32(centred);
  const int most = _mm512_reduce_max_epi32(most32);
  sums->runs = (most <= 2 * (32767 / 15) ? kRunsOf4Bits : 0) | (most <= 2 * (32767 / 31) ? kRunsOf5Bits : 0) |
               (_mm512_reduce_max_epi32(most16) <= 32767 / 32 ? kRunsOf6Bits : 0) |
               (_mm512_reduce_max_epi32(both16) <= 2 * (32767 / 31) ? kHalvesOf5Bits : 0);
  if (winograd) RoundWinograd(codes, *sums, winograd);
}
