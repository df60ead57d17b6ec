// Quantised weights against rounded activations with AVX2. Included by kernels_avx2.cpp inside its unnamed namespace; the
// arithmetic is ref/dot.h's, the plan that of rounded_avx512.inl with eight rows and registers of 32 codes:
//   vpmaddubsw  16 sums of two products, below 2^15 in magnitude (63 * 127 * 2, for Q8_0 128 * 127 * 2 = 32,512: it never
//   saturates) vpmaddwd    times the sub-block's scale, eight sums in int32

inline __m256i Load256(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
inline __m128i Load128(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
inline uint32_t Load32(const void* p) {
  uint32_t v;
  __builtin_memcpy(&v, p, 4);
  return v;
}
inline __m256i TwiceOf(__m128i v) { return _mm256_broadcastsi128_si256(v); }

// Lane r: the sum of v[r]'s eight lanes.
inline __m256i Across8(const __m256i* v) {
  const __m256i a = _mm256_hadd_epi32(_mm256_hadd_epi32(v[0], v[1]), _mm256_hadd_epi32(v[2], v[3]));
  const __m256i b = _mm256_hadd_epi32(_mm256_hadd_epi32(v[4], v[5]), _mm256_hadd_epi32(v[6], v[7]));
  return _mm256_add_epi32(_mm256_permute2x128_si256(a, b, 0x20), _mm256_permute2x128_si256(a, b, 0x31));
}

// The lower (upper) 16 bits of eight words as binary16.
inline __m256 LowHalves(__m256i words) {
  const __m256i masked = _mm256_and_si256(words, _mm256_set1_epi32(0xffff));
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(masked, masked), 0x08);
  return _mm256_cvtph_ps(_mm256_castsi256_si128(packed));
}
inline __m256 HighHalves(__m256i words) { return LowHalves(_mm256_srli_epi32(words, 16)); }

// ---- blocks of 256: eight registers of codes in natural order, a scale in every 16-bit lane, 16 factors of the codes' sums.

struct Codes256 {
  __m256i codes[8], scales[8], factors;
};

// Scales of 32 values: one per register.
inline void SpreadScales8(uint64_t scales, __m256i* out) {
  const __m256i all = TwiceOf(_mm_cvtepu8_epi16(_mm_cvtsi64_si128(static_cast<long long>(scales))));
  for (int k = 0; k < 8; ++k) out[k] = _mm256_shuffle_epi8(all, _mm256_set1_epi16(static_cast<short>((2 * k + 1) << 8 | 2 * k)));
}
// Scales of 16 values, as 16-bit numbers: one per half of a register.
inline void SpreadScales16(__m256i scales, __m256i* out) {
  const __m256i halves[2] = {TwiceOf(_mm256_castsi256_si128(scales)), TwiceOf(_mm256_extracti128_si256(scales, 1))};
  for (int k = 0; k < 8; ++k) {
    const int at = 4 * (k & 3);  // byte of the lower half's scale
    const __m128i low = _mm_set1_epi16(static_cast<short>((at + 1) << 8 | at)),
                  high = _mm_set1_epi16(static_cast<short>((at + 3) << 8 | (at + 2)));
    out[k] = _mm256_shuffle_epi8(halves[k >> 2], _mm256_set_m128i(high, low));
  }
}
inline void ScalesAndMinima(const unsigned char* packed, uint64_t* scales, uint64_t* minima) {  // quant/q4_k.h
  const uint32_t a = Load32(packed), b = Load32(packed + 4), c = Load32(packed + 8);
  const uint32_t s1 = (c & 0x0f0f0f0f) | (a >> 2 & 0x30303030), m1 = (c >> 4 & 0x0f0f0f0f) | (b >> 2 & 0x30303030);
  *scales = (a & 0x3f3f3f3f) | static_cast<uint64_t>(s1) << 32;
  *minima = (b & 0x3f3f3f3f) | static_cast<uint64_t>(m1) << 32;
}
inline __m256i EachTwice(uint64_t bytes) {
  const __m128i v = _mm_cvtsi64_si128(static_cast<long long>(bytes));
  return _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(v, v));
}
inline __m256i BitTo(__m256i v, int bit, int value) {  // `value` in each byte of v that has `bit`
  const __m256i one = _mm256_set1_epi8(static_cast<char>(1 << bit));
  return _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_and_si256(v, one), one), _mm256_set1_epi8(static_cast<char>(value)));
}

struct Q4_K {
  static constexpr int kBytes = 144;
  static constexpr bool kHasMinimum = true;
  static uint32_t Floats(const unsigned char* block) { return Load32(block); }
  static inline void Nibbles(const unsigned char* qs, __m256i* codes) {
    const __m256i mask = _mm256_set1_epi8(15);
    for (int j = 0; j < 4; ++j) {
      const __m256i v = Load256(qs + 32 * j);
      codes[2 * j] = _mm256_and_si256(v, mask);
      codes[2 * j + 1] = _mm256_and_si256(_mm256_srli_epi16(v, 4), mask);
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
    const __m256i fifth = Load256(block + 16);
    for (int k = 0; k < 8; ++k) out.codes[k] = _mm256_or_si256(out.codes[k], BitTo(fifth, k, 16));
  }
};

struct Q2_K {
  static constexpr int kBytes = 84;
  static constexpr bool kHasMinimum = true;
  static uint32_t Floats(const unsigned char* block) { return Load32(block + 80); }
  static inline void TwoBits(const unsigned char* qs, __m256i* codes) {
    for (int k = 0; k < 8; ++k)
      codes[k] = _mm256_and_si256(_mm256_srli_epi16(Load256(qs + 32 * (k >> 2)), 2 * (k & 3)), _mm256_set1_epi8(3));
  }
  static inline void Unpack(const unsigned char* block, Codes256& out) {
    const __m128i v = Load128(block), mask = _mm_set1_epi8(15);
    SpreadScales16(_mm256_cvtepu8_epi16(_mm_and_si128(v, mask)), out.scales);
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
    const __m128i bytes = _mm_sub_epi8(
        _mm_setr_epi32(static_cast<int>((a & low) | (c << 4 & high)), static_cast<int>((b & low) | (c << 2 & high)),
                       static_cast<int>((a >> 4 & low) | (c & high)), static_cast<int>((b >> 4 & low) | (c >> 2 & high))),
        _mm_set1_epi8(32));
    const __m256i scales = _mm256_cvtepi8_epi16(bytes);
    SpreadScales16(scales, out.scales);
    out.factors = _mm256_slli_epi16(scales, 2);  // offset 4
    Q2_K::TwoBits(block + 32, out.codes);
    const __m256i third = Load256(block);
    for (int k = 0; k < 8; ++k) out.codes[k] = _mm256_or_si256(out.codes[k], BitTo(third, k, 4));
  }
};

struct Q6_K {
  static constexpr int kBytes = 210;
  static constexpr bool kHasMinimum = false;
  static uint32_t Floats(const unsigned char* block) { return Load32(block + 206) >> 16; }
  static inline void Unpack(const unsigned char* block, Codes256& out) {
    const __m256i scales = _mm256_cvtepi8_epi16(Load128(block + 192));
    SpreadScales16(scales, out.scales);
    out.factors = _mm256_slli_epi16(scales, 5);  // offset 32
    const __m256i nibble = _mm256_set1_epi8(15), two = _mm256_set1_epi8(3);
    for (int k = 0; k < 8; ++k) {
      const int half = k >> 2, quarter = k & 3;
      const __m256i low = _mm256_srli_epi16(Load256(block + 64 * half + 32 * (quarter & 1)), 4 * (quarter >> 1));
      const __m256i high = _mm256_and_si256(_mm256_srli_epi16(Load256(block + 128 + 32 * half), 2 * quarter), two);
      out.codes[k] = _mm256_or_si256(_mm256_and_si256(low, nibble), _mm256_slli_epi16(high, 4));
    }
  }
};

// Eight rows of a panel from `from` on; missing ones repeat the panel's last.
inline void RowsOf(const Panel& panel, int from, const unsigned char** rows) {
  for (int r = 0; r < 8; ++r)
    rows[r] = panel.first + static_cast<size_t>(from + r < panel.rows ? from + r : panel.rows - 1) * panel.row_bytes;
}
inline void StoreRows(const Panel& panel, int from, __m256 sum, float* y) {
  float lanes[8];
  _mm256_storeu_ps(lanes, sum);
  for (int r = 0; r < 8 && from + r < panel.rows; ++r) y[from + r] = lanes[r];
}

template <typename F, int N>
inline void Tile256(const Panel& panel, int from, const RoundedRows& x, float* y) {
  const unsigned char* rows[8];
  RowsOf(panel, from, rows);
  const int64_t blocks = panel.k / 256;
  __m256 sum[N];
  for (int n = 0; n < N; ++n) sum[n] = _mm256_setzero_ps();
  __m256i isums[N][8], msums[N][8];
  alignas(32) uint32_t words[8];
  for (int64_t b = 0; b < blocks; ++b) {
    for (int r = 0; r < 8; ++r) {
      const unsigned char* const block = rows[r] + b * F::kBytes;
      for (int line = 0; line < F::kBytes; line += 64)
        _mm_prefetch(reinterpret_cast<const char*>(block + 1024 + line), _MM_HINT_T0);
      words[r] = F::Floats(block);
      Codes256 c;
      F::Unpack(block, c);
      for (int n = 0; n < N; ++n) {
        const int8_t* const codes = x.codes + n * panel.k + b * 256;
        const __m256i factor_sums = _mm256_madd_epi16(c.factors, Load256(x.sums + (n * blocks + b) * 16));
        __m256i isum = _mm256_setzero_si256();
        for (int k = 0; k < 8; ++k)
          isum = _mm256_add_epi32(isum, _mm256_madd_epi16(_mm256_maddubs_epi16(c.codes[k], Load256(codes + 32 * k)), c.scales[k]));
        if constexpr (F::kHasMinimum)
          msums[n][r] = factor_sums;
        else
          isum = _mm256_sub_epi32(isum, factor_sums);
        isums[n][r] = isum;
      }
    }
    const __m256i word = Load256(words);
    const __m256 d = LowHalves(word);
    for (int n = 0; n < N; ++n) {
      const __m256 isum = _mm256_cvtepi32_ps(Across8(isums[n]));
      __m256 term;
      if constexpr (F::kHasMinimum)
        term = _mm256_fmsub_ps(isum, d, _mm256_mul_ps(_mm256_cvtepi32_ps(Across8(msums[n])), HighHalves(word)));
      else
        term = _mm256_mul_ps(isum, d);
      sum[n] = _mm256_fmadd_ps(term, _mm256_set1_ps(x.scales[n * blocks + b]), sum[n]);
    }
  }
  for (int n = 0; n < N; ++n) StoreRows(panel, from, sum[n], y + n * kPanelRows);
}

// ---- blocks of 32: one register of codes. Dots(block, values) gives 16 sums of two products.

template <int Bytes, int CodesAt>
struct Block32 {
  static constexpr int kBytes = Bytes;
  static uint32_t Floats(const unsigned char* block) { return Load32(block); }  // d, and m where there is one
  static inline __m256i Nibbles(const unsigned char* block) {
    const __m128i v = Load128(block + CodesAt);
    return _mm256_and_si256(_mm256_set_m128i(_mm_srli_epi16(v, 4), v), _mm256_set1_epi8(15));
  }
  static inline __m256i WithFifthBits(__m256i codes, const unsigned char* block) {
    const __m256i spread =
        _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
    const __m256i bit = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201ull));
    const __m256i bytes = _mm256_shuffle_epi8(_mm256_set1_epi32(static_cast<int>(Load32(block + CodesAt - 4))), spread);
    return _mm256_or_si256(codes, _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit), bit), _mm256_set1_epi8(16)));
  }
};
struct Q4_0 : Block32<18, 2> {
  static constexpr int kOffset = 8;
  static constexpr bool kHasMinimum = false;
  static inline __m256i Codes(const unsigned char* block) { return Nibbles(block); }
};
struct Q4_1 : Block32<20, 4> {
  static constexpr int kOffset = 0;
  static constexpr bool kHasMinimum = true;
  static inline __m256i Codes(const unsigned char* block) { return Nibbles(block); }
};
struct Q5_0 : Block32<22, 6> {
  static constexpr int kOffset = 16;
  static constexpr bool kHasMinimum = false;
  static inline __m256i Codes(const unsigned char* block) { return WithFifthBits(Nibbles(block), block); }
};
struct Q5_1 : Block32<24, 8> {
  static constexpr int kOffset = 0;
  static constexpr bool kHasMinimum = true;
  static inline __m256i Codes(const unsigned char* block) { return WithFifthBits(Nibbles(block), block); }
};
// Signed codes: their magnitudes meet the activations with the codes' signs, so that neither operand needs an offset.
struct Q8_0 : Block32<34, 2> {
  static constexpr int kOffset = 0;
  static constexpr bool kHasMinimum = false;
  static constexpr bool kSigned = true;
  static inline __m256i Codes(const unsigned char* block) { return Load256(block + 2); }
};

template <typename F>
inline __m256i Dots(__m256i codes, __m256i values) {
  __m256i pairs;
  if constexpr (requires { F::kSigned; })
    pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(codes), _mm256_sign_epi8(values, codes));
  else
    pairs = _mm256_maddubs_epi16(codes, values);
  return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

template <typename F, int N>
inline void Tile32(const Panel& panel, int from, const RoundedRows& x, float* y) {
  const unsigned char* rows[8];
  RowsOf(panel, from, rows);
  const int64_t blocks = panel.k / 32;
  __m256 sum[N];
  for (int n = 0; n < N; ++n) sum[n] = _mm256_setzero_ps();
  __m256i dots[N][8];
  alignas(32) uint32_t words[8];
  for (int64_t b = 0; b < blocks; ++b) {
    for (int r = 0; r < 8; ++r) {
      const unsigned char* const block = rows[r] + b * F::kBytes;
      _mm_prefetch(reinterpret_cast<const char*>(block + 1024), _MM_HINT_T0);
      words[r] = F::Floats(block);
      const __m256i codes = F::Codes(block);
      for (int n = 0; n < N; ++n) dots[n][r] = Dots<F>(codes, Load256(x.codes + n * panel.k + b * 32));
    }
    const __m256i word = Load256(words);
    const __m256 d = LowHalves(word);
    for (int n = 0; n < N; ++n) {
      const int64_t at = n * blocks + b;
      const int code_sum = x.sums[at];
      __m256 term;
      if constexpr (F::kHasMinimum) {
        term = _mm256_fmadd_ps(_mm256_cvtepi32_ps(Across8(dots[n])), d,
                               _mm256_mul_ps(_mm256_set1_ps(static_cast<float>(code_sum)), HighHalves(word)));
      } else {
        term = _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_sub_epi32(Across8(dots[n]), _mm256_set1_epi32(F::kOffset * code_sum))), d);
      }
      sum[n] = _mm256_fmadd_ps(term, _mm256_set1_ps(x.scales[at]), sum[n]);
    }
  }
  for (int n = 0; n < N; ++n) StoreRows(panel, from, sum[n], y + n * kPanelRows);
}

template <int Group, typename F, int N>
inline void TileOf(const Panel& panel, const RoundedRows& x, int64_t at, float* y) {
  const int64_t k = panel.k;
  constexpr int kSums = Group == 32 ? 32 : 16;
  const RoundedRows mine = {x.codes + at * k, x.scales + at * (k / Group), x.sums + at * (k / kSums)};
  for (int from = 0; from < panel.rows; from += 8) {
    if constexpr (Group == 32)
      Tile32<F, N>(panel, from, mine, y + at * kPanelRows);
    else
      Tile256<F, N>(panel, from, mine, y + at * kPanelRows);
  }
}

template <int Group, typename F>
void RoundedPanelOf(const Panel& panel, const RoundedRows& x, int64_t count, float* y) {
  int64_t n = 0;
  for (; n + 4 <= count; n += 4) TileOf<Group, F, 4>(panel, x, n, y);
  for (; n < count; ++n) TileOf<Group, F, 1>(panel, x, n, y);
}

// ---- activations to bytes (quant/activation.h)

template <int Group, int SumGroup>
void RoundOf(const float* x, int64_t k, int8_t* codes, float* scales, int16_t* sums) {
  const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
  for (int64_t at = 0; at < k; at += Group) {
    __m256i max = _mm256_setzero_si256();  // magnitudes order like their bits; NaN and infinity come last
    for (int i = 0; i < Group; i += 8) max = _mm256_max_epu32(max, _mm256_and_si256(Load256(x + at + i), magnitude));
    uint32_t lanes[8];
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(lanes), max);
    uint32_t bits = 0;
    for (int l = 0; l < 8; ++l) bits = lanes[l] > bits ? lanes[l] : bits;
    float largest;
    __builtin_memcpy(&largest, &bits, 4);
    if (bits >= 0x7f800000 || largest < 0x1p-116f) {
      scales[at / Group] = bits >= 0x7f800000 ? __builtin_nanf("") : 0.0f;
      __builtin_memset(codes + at, 0, Group);
      __builtin_memset(sums + at / SumGroup, 0, Group / SumGroup * sizeof(int16_t));
      continue;
    }
    scales[at / Group] = largest / 127.0f;
    const __m256 inverse = _mm256_set1_ps(127.0f / largest);
    for (int i = 0; i < Group; i += SumGroup) {
      int sum = 0;
      for (int j = i; j < i + SumGroup; j += 16) {
        __m256i code[2];
        for (int h = 0; h < 2; ++h) {
          const __m256 scaled = _mm256_mul_ps(_mm256_loadu_ps(x + at + j + 8 * h), inverse);
          code[h] = _mm256_cvtps_epi32(_mm256_round_ps(scaled, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
        }
        const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(code[0], code[1]), 0xd8);  // 16 in order
        const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(codes + at + j), bytes);
        const __m256i pairs = _mm256_madd_epi16(words, _mm256_set1_epi16(1));
        __m128i four = _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
        four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
        sum += _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 0xb1)));
      }
      sums[(at + i) / SumGroup] = static_cast<int16_t>(sum);
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
