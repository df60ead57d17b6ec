// Quantised weights against rounded activations with AVX-512 VNNI. Included by kernels_avx512.cpp inside its unnamed namespace;
// the arithmetic is ref/dot.h's.
//
// A panel is sixteen rows in the file's own layout. A few blocks at a time, each row's codes are taken apart once into registers of
// 64 unsigned bytes in natural order and meet each activation row:
//   vpdpbusd   16 sums of 4 products, each below 2^15 in magnitude (63 * 127 * 4 = 32,004 is the largest)
//   vpdpwssd   times the sub-block's scale, added up: exact in int32
// Sixteen such registers, one per row, are then added up across (Across16), which leaves lane r = row r's isum. What codes'
// offsets and minima need is a product of 16 factors per row with the activations' 16 sums, and is computed with lanes as rows
// from the start. So the float part, one or two fused operations a block, runs on sixteen rows at once.
//
// With one row of activations the weights come from memory, and a visit to a row takes several blocks, so that sixteen streams
// are read in pieces of several lines; with more rows of activations the partial sums want the first cache for themselves.

inline __m512i Load512(const void* p) { return _mm512_loadu_si512(p); }
inline __m256i Load256(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
inline __m128i Load128(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
inline uint32_t Load32(const void* p) {
  uint32_t v;
  __builtin_memcpy(&v, p, 4);
  return v;
}
inline __m512i Twice(__m256i v) { return _mm512_inserti64x4(_mm512_castsi256_si512(v), v, 1); }
inline __m512i Halves(short low, short high) {  // 16-bit lanes of the lower and the upper half
  return _mm512_inserti64x4(_mm512_set1_epi16(low), _mm256_set1_epi16(high), 1);
}
inline __m512i HalvesOfBytes(char low, char high) { return _mm512_inserti64x4(_mm512_set1_epi8(low), _mm256_set1_epi8(high), 1); }

// Adds within each 128-bit lane: r[i] holds rows 4 i .. 4 i + 3, each 128-bit lane their sums of that lane.
inline void AcrossLanes(const __m512i* v, __m512i* r) {
  __m512i pair[8];
  for (int i = 0; i < 8; ++i)
    pair[i] = _mm512_add_epi32(_mm512_unpacklo_epi32(v[2 * i], v[2 * i + 1]), _mm512_unpackhi_epi32(v[2 * i], v[2 * i + 1]));
  for (int i = 0; i < 4; ++i)
    r[i] =
        _mm512_add_epi32(_mm512_unpacklo_epi64(pair[2 * i], pair[2 * i + 1]), _mm512_unpackhi_epi64(pair[2 * i], pair[2 * i + 1]));
}
inline __m512i JoinLanes(__m512i a, __m512i b) {  // [a0 + a1, a2 + a3, b0 + b1, b2 + b3]
  return _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xdd));
}
// Lane r: the sum of v[r]'s sixteen lanes.
inline __m512i Across16(const __m512i* v) {
  __m512i r[4];
  AcrossLanes(v, r);
  return JoinLanes(JoinLanes(r[0], r[1]), JoinLanes(r[2], r[3]));
}
// Lane r of *low: the sum of v[r]'s lower eight lanes; of *high: of the upper eight.
inline void Across8(const __m512i* v, __m512i* low, __m512i* high) {
  __m512i r[4];
  AcrossLanes(v, r);
  const __m512i a = JoinLanes(r[0], r[1]), b = JoinLanes(r[2], r[3]);
  *low = _mm512_shuffle_i32x4(a, b, 0x88);
  *high = _mm512_shuffle_i32x4(a, b, 0xdd);
}

// rows[r] is eight 32-bit pairs of factors; out[p] has pair p of row r in lane r.
inline void TransposePairs(const __m256i* rows, __m512i* out) {
  const __m512i low = _mm512_setr_epi32(0, 8, 16, 24, 1, 9, 17, 25, 2, 10, 18, 26, 3, 11, 19, 27);
  const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(4));
  __m512i a[4], b[4];  // four rows each: pairs 0..3, pairs 4..7
  for (int i = 0; i < 4; ++i) {
    const __m512i first = Load512(rows + 4 * i), second = Load512(rows + 4 * i + 2);
    a[i] = _mm512_permutex2var_epi32(first, low, second);
    b[i] = _mm512_permutex2var_epi32(first, high, second);
  }
  for (int half = 0; half < 2; ++half) {
    const __m512i* const s = half == 0 ? a : b;
    const __m512i p = _mm512_shuffle_i32x4(s[0], s[1], 0x44), q = _mm512_shuffle_i32x4(s[2], s[3], 0x44);
    const __m512i t = _mm512_shuffle_i32x4(s[0], s[1], 0xee), u = _mm512_shuffle_i32x4(s[2], s[3], 0xee);
    out[4 * half + 0] = _mm512_shuffle_i32x4(p, q, 0x88);
    out[4 * half + 1] = _mm512_shuffle_i32x4(p, q, 0xdd);
    out[4 * half + 2] = _mm512_shuffle_i32x4(t, u, 0x88);
    out[4 * half + 3] = _mm512_shuffle_i32x4(t, u, 0xdd);
  }
}

inline __m512 LowHalves(__m512i words) { return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(words)); }
inline __m512 HighHalves(__m512i words) { return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(words, 16))); }

// ---- blocks of 256: Unpack fills codes[4] (64 bytes each), scales[4] (16-bit pairs (S, 0), lane by lane the sub-block's) and the
// 16 factors of the activations' sums; Floats(block) gives a word with d in its lower and dmin, if any, in its upper half.

struct Codes256 {
  __m512i codes[4], scales[4];
  __m256i factors;
};

// Scales of 32 values: sub-blocks 2 k and 2 k + 1 are the halves of register k.
inline void SpreadScales8(uint64_t scales, __m512i* out) {
  const __m512i all = _mm512_set1_epi64(static_cast<long long>(scales));
  const __m512i pick = HalvesOfBytes(0, 1);
  const __m512i step = _mm512_set1_epi8(2);
  const __mmask64 first_bytes = 0x1111111111111111;
  __m512i index = pick;
  for (int k = 0; k < 4; ++k) {
    out[k] = _mm512_maskz_shuffle_epi8(first_bytes, all, index);
    index = _mm512_add_epi8(index, step);
  }
}
// Signed scales of 16 values: sub-blocks 4 k .. 4 k + 3 are the 128-bit lanes of register k.
inline void SpreadScales16(__m128i scales, __m512i* out) {
  const __m512i all = _mm512_broadcast_i32x4(scales);
  const __mmask64 second_bytes = 0x2222222222222222;
  __m512i index =
      _mm512_inserti32x4(_mm512_inserti32x4(_mm512_inserti32x4(_mm512_setzero_si512(), _mm_set1_epi8(1), 1), _mm_set1_epi8(2), 2),
                         _mm_set1_epi8(3), 3);
  for (int k = 0; k < 4; ++k) {
    // Into the upper byte of a 16-bit lane, then down with the sign.
    out[k] = _mm512_srai_epi16(_mm512_maskz_shuffle_epi8(second_bytes, all, index), 8);
    index = _mm512_add_epi8(index, _mm512_set1_epi8(4));
  }
}

// The packed 6-bit scales and minima of Q4_K and Q5_K (quant/q4_k.h), eight bytes each.
inline void ScalesAndMinima(const unsigned char* packed, uint64_t* scales, uint64_t* minima) {
  const uint32_t a = Load32(packed), b = Load32(packed + 4), c = Load32(packed + 8);
  const uint32_t s0 = a & 0x3f3f3f3f, m0 = b & 0x3f3f3f3f;
  const uint32_t s1 = (c & 0x0f0f0f0f) | (a >> 2 & 0x30303030), m1 = (c >> 4 & 0x0f0f0f0f) | (b >> 2 & 0x30303030);
  *scales = s0 | static_cast<uint64_t>(s1) << 32;
  *minima = m0 | static_cast<uint64_t>(m1) << 32;
}
inline __m256i EachTwice(uint64_t bytes) {  // eight bytes to 16 factors
  const __m128i v = _mm_cvtsi64_si128(static_cast<long long>(bytes));
  return _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(v, v));
}

struct Q4_K {
  static constexpr int kBytes = 144;
  static constexpr bool kHasMinimum = true;
  static uint32_t Floats(const unsigned char* block) { return Load32(block); }
  static inline void Nibbles(const unsigned char* qs, __m512i* codes) {
    const __m512i mask = _mm512_set1_epi8(15);
    for (int i = 0; i < 2; ++i) {
      const __m512i v = Load512(qs + 64 * i);
      const __m512i low = _mm512_and_si512(v, mask), high = _mm512_and_si512(_mm512_srli_epi16(v, 4), mask);
      codes[2 * i] = _mm512_shuffle_i64x2(low, high, 0x44);
      codes[2 * i + 1] = _mm512_shuffle_i64x2(low, high, 0xee);
    }
  }
  static inline void Unpack(const unsigned char* block, Codes256& out) {
    uint64_t scales, minima;
    ScalesAndMinima(block + 4, &scales, &minima);
    SpreadScales8(scales, out.scales);
    out.factors = EachTwice(minima);
    Nibbles(block + 16, out.codes);
  }
};

struct Q5_K {
  static constexpr int kBytes = 176;
  static constexpr bool kHasMinimum = true;
  static uint32_t Floats(const unsigned char* block) { return Load32(block); }
  static inline void Unpack(const unsigned char* block, Codes256& out) {
    uint64_t scales, minima;
    ScalesAndMinima(block + 4, &scales, &minima);
    SpreadScales8(scales, out.scales);
    out.factors = EachTwice(minima);
    Q4_K::Nibbles(block + 48, out.codes);
    const __m512i fifth = Twice(Load256(block + 16)), sixteen = _mm512_set1_epi8(16);
    __m512i bit = HalvesOfBytes(1, 2);
    for (int k = 0; k < 4; ++k) {
      out.codes[k] = _mm512_mask_add_epi8(out.codes[k], _mm512_test_epi8_mask(fifth, bit), out.codes[k], sixteen);
      bit = _mm512_slli_epi16(bit, 2);
    }
  }
};

struct Q2_K {
  static constexpr int kBytes = 84;
  static constexpr bool kHasMinimum = true;
  static uint32_t Floats(const unsigned char* block) { return Load32(block + 80); }
  static inline void TwoBits(const unsigned char* qs, __m512i* codes) {
    const __m512i three = _mm512_set1_epi8(3);
    for (int h = 0; h < 2; ++h) {
      const __m512i v = Twice(Load256(qs + 32 * h));
      codes[2 * h] = _mm512_and_si512(_mm512_srlv_epi16(v, Halves(0, 2)), three);
      codes[2 * h + 1] = _mm512_and_si512(_mm512_srlv_epi16(v, Halves(4, 6)), three);
    }
  }
  static inline void Unpack(const unsigned char* block, Codes256& out) {
    const __m128i v = Load128(block), mask = _mm_set1_epi8(15);
    SpreadScales16(_mm_and_si128(v, mask), out.scales);
    out.factors = _mm256_cvtepu8_epi16(_mm_and_si128(_mm_srli_epi16(v, 4), mask));
    TwoBits(block + 16, out.codes);
  }
};

struct Q3_K {
  static constexpr int kBytes = 110;
  static constexpr bool kHasMinimum = false;
  static uint32_t Floats(const unsigned char* block) { return Load32(block + 106) >> 16; }
  static inline void Unpack(const unsigned char* block, Codes256& out) {
    const uint32_t a = Load32(block + 96), b = Load32(block + 100), c = Load32(block + 104);
    const uint32_t low = 0x0f0f0f0f, high = 0x30303030;
    const __m128i scales = _mm_sub_epi8(
        _mm_setr_epi32(static_cast<int>((a & low) | (c << 4 & high)), static_cast<int>((b & low) | (c << 2 & high)),
                       static_cast<int>((a >> 4 & low) | (c & high)), static_cast<int>((b >> 4 & low) | (c >> 2 & high))),
        _mm_set1_epi8(32));
    SpreadScales16(scales, out.scales);
    out.factors = _mm256_slli_epi16(_mm256_cvtepi8_epi16(scales), 2);  // offset 4
    Q2_K::TwoBits(block + 32, out.codes);
    const __m512i third = Twice(Load256(block)), four = _mm512_set1_epi8(4);
    __m512i bit = HalvesOfBytes(1, 2);
    for (int k = 0; k < 4; ++k) {
      out.codes[k] = _mm512_mask_add_epi8(out.codes[k], _mm512_test_epi8_mask(third, bit), out.codes[k], four);
      bit = _mm512_slli_epi16(bit, 2);
    }
  }
};

struct Q6_K {
  static constexpr int kBytes = 210;
  static constexpr bool kHasMinimum = false;
  static uint32_t Floats(const unsigned char* block) { return Load32(block + 206) >> 16; }
  static inline void Unpack(const unsigned char* block, Codes256& out) {
    const __m128i scales = Load128(block + 192);
    SpreadScales16(scales, out.scales);
    out.factors = _mm256_slli_epi16(_mm256_cvtepi8_epi16(scales), 5);  // offset 32
    const __m512i nibble = _mm512_set1_epi8(15), top = _mm512_set1_epi8(0x30);
    for (int h = 0; h < 2; ++h) {
      const __m512i low = Load512(block + 64 * h), high = Twice(Load256(block + 128 + 32 * h));
      const __m512i first = _mm512_and_si512(_mm512_sllv_epi16(high, Halves(4, 2)), top);
      const __m512i second = _mm512_and_si512(_mm512_srlv_epi16(high, Halves(0, 2)), top);
      out.codes[2 * h] = _mm512_or_si512(_mm512_and_si512(low, nibble), first);
      out.codes[2 * h + 1] = _mm512_or_si512(_mm512_and_si512(_mm512_srli_epi16(low, 4), nibble), second);
    }
  }
};

// The rows of a panel; missing ones repeat the last.
inline void RowsOf(const Panel& panel, const unsigned char** rows) {
  for (int r = 0; r < 16; ++r) rows[r] = panel.first + static_cast<size_t>(r < panel.rows ? r : panel.rows - 1) * panel.row_bytes;
}

// What lies `ahead` bytes on in the same row comes into the first cache.
inline void Prefetch(const unsigned char* block, int ahead, int bytes) {
  for (int line = 0; line < bytes; line += 64) _mm_prefetch(reinterpret_cast<const char*>(block + ahead + line), _MM_HINT_T0);
}

template <typename F, int N>
inline void Tile256(const Panel& panel, const RoundedRows& x, float* y) {
  constexpr int kVisit = N == 1 ? 2 : 1;  // blocks of a row at a time
  const unsigned char* rows[16];
  RowsOf(panel, rows);
  const int64_t blocks = panel.k / 256;
  __m512 sum[N];
  for (int n = 0; n < N; ++n) sum[n] = _mm512_setzero_ps();
  __m512i isums[kVisit][N][16];
  alignas(64) __m256i factors[kVisit][16];
  alignas(64) uint32_t words[kVisit][16];
  for (int64_t first = 0; first < blocks; first += kVisit) {
    const int count = static_cast<int>(blocks - first < kVisit ? blocks - first : kVisit);
    for (int r = 0; r < 16; ++r) {
      for (int b = 0; b < count; ++b) {
        const unsigned char* const block = rows[r] + (first + b) * F::kBytes;
        Prefetch(block, 2 * kVisit * F::kBytes, F::kBytes);
        words[b][r] = F::Floats(block);
        Codes256 c;
        F::Unpack(block, c);
        factors[b][r] = c.factors;
        for (int n = 0; n < N; ++n) {
          const int8_t* const codes = x.codes + n * panel.k + (first + b) * 256;
          __m512i isum = _mm512_setzero_si512();
          for (int k = 0; k < 4; ++k) {
            const __m512i dots = _mm512_dpbusd_epi32(_mm512_setzero_si512(), c.codes[k], Load512(codes + 64 * k));
            isum = _mm512_dpwssd_epi32(isum, dots, c.scales[k]);
          }
          isums[b][n][r] = isum;
        }
      }
    }
    for (int b = 0; b < count; ++b) {
      __m512i pairs[8];
      TransposePairs(factors[b], pairs);
      const __m512i word = Load512(words[b]);
      const __m512 d = LowHalves(word);
      for (int n = 0; n < N; ++n) {
        const int64_t at = n * blocks + first + b;
        __m512i factor_sum = _mm512_setzero_si512();
        for (int p = 0; p < 8; ++p)
          factor_sum =
              _mm512_dpwssd_epi32(factor_sum, pairs[p], _mm512_set1_epi32(static_cast<int>(Load32(x.sums + at * 16 + 2 * p))));
        const __m512i isum = Across16(isums[b][n]);
        __m512 term;
        if constexpr (F::kHasMinimum) {  // m = -dmin: fma(isum, d, msum * m) = isum * d - msum * dmin, rounded at the same places
          term = _mm512_fmsub_ps(_mm512_cvtepi32_ps(isum), d, _mm512_mul_ps(_mm512_cvtepi32_ps(factor_sum), HighHalves(word)));
        } else {
          term = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_sub_epi32(isum, factor_sum)), d);
        }
        sum[n] = _mm512_fmadd_ps(term, _mm512_set1_ps(x.scales[at]), sum[n]);
      }
    }
  }
  for (int n = 0; n < N; ++n) _mm512_mask_storeu_ps(y + n * kPanelRows, FirstLanes(panel.rows), sum[n]);
}

// ---- blocks of 32, two at a time: the lower half of a register is one block, the upper half the next.

template <int Bytes, int CodesAt>
struct Pair {
  static constexpr int kBytes = Bytes;
  static uint32_t Floats(const unsigned char* block) { return Load32(block); }  // d, and m where there is one
  // Nibbles of both blocks in natural order.
  static inline __m512i Nibbles(const unsigned char* first, const unsigned char* second) {
    const __m256i a = _mm256_broadcastsi128_si256(Load128(first + CodesAt)),
                  b = _mm256_broadcastsi128_si256(Load128(second + CodesAt));
    const __m512i shift =
        _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_inserti128_si256(_mm256_setzero_si256(), _mm_set1_epi16(4), 1)),
                           _mm256_inserti128_si256(_mm256_setzero_si256(), _mm_set1_epi16(4), 1), 1);
    return _mm512_and_si512(_mm512_srlv_epi16(_mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1), shift), _mm512_set1_epi8(15));
  }
  static inline __m512i WithFifthBits(__m512i codes, const unsigned char* first, const unsigned char* second) {
    const __mmask64 bits = Load32(first + CodesAt - 4) | static_cast<uint64_t>(Load32(second + CodesAt - 4)) << 32;
    return _mm512_mask_add_epi8(codes, bits, codes, _mm512_set1_epi8(16));
  }
};
struct Q4_0 : Pair<18, 2> {
  static constexpr int kOffset = 8;
  static constexpr bool kHasMinimum = false;
  static inline __m512i Codes(const unsigned char* a, const unsigned char* b) { return Nibbles(a, b); }
};
struct Q4_1 : Pair<20, 4> {
  static constexpr int kOffset = 0;
  static constexpr bool kHasMinimum = true;
  static inline __m512i Codes(const unsigned char* a, const unsigned char* b) { return Nibbles(a, b); }
};
struct Q5_0 : Pair<22, 6> {
  static constexpr int kOffset = 16;
  static constexpr bool kHasMinimum = false;
  static inline __m512i Codes(const unsigned char* a, const unsigned char* b) { return WithFifthBits(Nibbles(a, b), a, b); }
};
struct Q5_1 : Pair<24, 8> {
  static constexpr int kOffset = 0;
  static constexpr bool kHasMinimum = true;
  static inline __m512i Codes(const unsigned char* a, const unsigned char* b) { return WithFifthBits(Nibbles(a, b), a, b); }
};
struct Q8_0 : Pair<34, 2> {
  static constexpr int kOffset = 128;
  static constexpr bool kHasMinimum = false;
  static inline __m512i Codes(const unsigned char* a, const unsigned char* b) {
    const __m512i v = _mm512_inserti64x4(_mm512_castsi256_si512(Load256(a + 2)), Load256(b + 2), 1);
    return _mm512_xor_si512(v, _mm512_set1_epi8(static_cast<char>(0x80)));
  }
};

template <typename F>
inline __m512 Fold32(__m512 sum, __m512i dots, __m512i words, int code_sum, float scale) {
  __m512 term;
  if constexpr (F::kHasMinimum) {
    term = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots), LowHalves(words),
                           _mm512_mul_ps(_mm512_set1_ps(static_cast<float>(code_sum)), HighHalves(words)));
  } else {
    term = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_sub_epi32(dots, _mm512_set1_epi32(F::kOffset * code_sum))), LowHalves(words));
  }
  return _mm512_fmadd_ps(term, _mm512_set1_ps(scale), sum);
}

template <typename F, int N>
inline void Tile32(const Panel& panel, const RoundedRows& x, float* y) {
  constexpr int kVisit = N == 1 ? 8 : 1;  // pairs of blocks of a row at a time
  const unsigned char* rows[16];
  RowsOf(panel, rows);
  const int64_t blocks = panel.k / 32, pairs = (blocks + 1) / 2;
  __m512 sum[N];
  for (int n = 0; n < N; ++n) sum[n] = _mm512_setzero_ps();
  __m512i dots[kVisit][N][16];
  alignas(64) uint32_t words[kVisit][2][16];
  for (int64_t first = 0; first < pairs; first += kVisit) {
    const int count = static_cast<int>(pairs - first < kVisit ? pairs - first : kVisit);
    for (int r = 0; r < 16; ++r) {
      for (int p = 0; p < count; ++p) {
        const int64_t b = 2 * (first + p);
        const bool both = b + 1 < blocks;  // a last block alone is taken twice and counted once
        const unsigned char* const block = rows[r] + b * F::kBytes;
        const unsigned char* const second = both ? block + F::kBytes : block;
        Prefetch(block, 4 * kVisit * F::kBytes, 2 * F::kBytes);
        words[p][0][r] = F::Floats(block);
        words[p][1][r] = F::Floats(second);
        const __m512i codes = F::Codes(block, second);
        for (int n = 0; n < N; ++n) {
          const int8_t* const a = x.codes + n * panel.k + b * 32;
          const __m512i values = both ? Load512(a) : _mm512_zextsi256_si512(Load256(a));
          dots[p][n][r] = _mm512_dpbusd_epi32(_mm512_setzero_si512(), codes, values);
        }
      }
    }
    for (int p = 0; p < count; ++p) {
      const __m512i low_words = Load512(words[p][0]), high_words = Load512(words[p][1]);
      for (int n = 0; n < N; ++n) {
        const int64_t at = n * blocks + 2 * (first + p);
        __m512i low, high;
        Across8(dots[p][n], &low, &high);
        sum[n] = Fold32<F>(sum[n], low, low_words, x.sums[at], x.scales[at]);
        if (2 * (first + p) + 1 < blocks) sum[n] = Fold32<F>(sum[n], high, high_words, x.sums[at + 1], x.scales[at + 1]);
      }
    }
  }
  for (int n = 0; n < N; ++n) _mm512_mask_storeu_ps(y + n * kPanelRows, FirstLanes(panel.rows), sum[n]);
}

template <int Group, typename F, int N>
inline void TileOf(const Panel& panel, const RoundedRows& x, int64_t at, float* y) {
  const int64_t k = panel.k;
  constexpr int kSums = Group == 32 ? 32 : 16;
  const RoundedRows mine = {x.codes + at * k, x.scales + at * (k / Group), x.sums + at * (k / kSums)};
  if constexpr (Group == 32)
    Tile32<F, N>(panel, mine, y + at * kPanelRows);
  else
    Tile256<F, N>(panel, mine, y + at * kPanelRows);
}

template <int Group, typename F>
void RoundedPanelOf(const Panel& panel, const RoundedRows& x, int64_t count, float* y) {
  int64_t n = 0;
  for (; n + 4 <= count; n += 4) TileOf<Group, F, 4>(panel, x, n, y);
  if (count - n == 3) TileOf<Group, F, 3>(panel, x, n, y);
  if (count - n == 2) TileOf<Group, F, 2>(panel, x, n, y);
  if (count - n == 1) TileOf<Group, F, 1>(panel, x, n, y);
}

// ---- activations to bytes (quant/activation.h)

template <int Group, int SumGroup>
void RoundOf(const float* x, int64_t k, int8_t* codes, float* scales, int16_t* sums) {
  const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
  for (int64_t at = 0; at < k; at += Group) {
    __m512i max = _mm512_setzero_si512();  // magnitudes order like their bits; NaN and infinity come last
    for (int i = 0; i < Group; i += 16) max = _mm512_max_epu32(max, _mm512_and_si512(Load512(x + at + i), magnitude));
    const uint32_t bits = _mm512_reduce_max_epu32(max);
    float largest;
    __builtin_memcpy(&largest, &bits, 4);
    if (bits >= 0x7f800000 || largest < 0x1p-116f) {
      scales[at / Group] = bits >= 0x7f800000 ? __builtin_nanf("") : 0.0f;
      __builtin_memset(codes + at, 0, Group);
      __builtin_memset(sums + at / SumGroup, 0, Group / SumGroup * sizeof(int16_t));
      continue;
    }
    scales[at / Group] = largest / 127.0f;
    const __m512 inverse = _mm512_set1_ps(127.0f / largest);
    for (int i = 0; i < Group; i += SumGroup) {
      __m512i sum = _mm512_setzero_si512();
      for (int j = i; j < i + SumGroup; j += 16) {
        const __m512i code = _mm512_cvt_roundps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + at + j), inverse),
                                                      _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(codes + at + j), _mm512_cvtepi32_epi8(code));
        sum = _mm512_add_epi32(sum, code);
      }
      sums[(at + i) / SumGroup] = static_cast<int16_t>(_mm512_reduce_add_epi32(sum));
    }
  }
}

#define SCOUT_ROUNDED_KERNELS(table)        \
  (table).q4_0 = RoundedPanelOf<32, Q4_0>;  \
  (table).q4_1 = RoundedPanelOf<32, Q4_1>;  \
  (table).q5_0 = RoundedPanelOf<32, Q5_0>;  \
  (table).q5_1 = RoundedPanelOf<32, Q5_1>;  \
  (table).q8_0 = RoundedPanelOf<32, Q8_0>;  \
  (table).q2_k = RoundedPanelOf<256, Q2_K>; \
  (table).q3_k = RoundedPanelOf<256, Q3_K>; \
  (table).q4_k = RoundedPanelOf<256, Q4_K>; \
  (table).q5_k = RoundedPanelOf<256, Q5_K>; \
  (table).q6_k = RoundedPanelOf<256, Q6_K>; \
  (table).round32 = RoundOf<32, 32>;        \
  (table).round256 = RoundOf<256, 16>
