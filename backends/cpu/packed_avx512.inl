// Packed panels (packed.h) against rounded activations with AVX-512 VNNI. Included by kernels_avx512.cpp inside its unnamed
// namespace, after rounded_avx512.inl, whose loads it shares; the arithmetic is ref/dot.h's.
//
// Lane r of a register is row r of the panel, so a vpdpbusd meets four codes of sixteen rows with four activations broadcast from
// memory. The dots of a *run* of values that share a scale stay within 16 bits, and one vpdpwssd multiplies them by the scale and
// adds them to the block's sum, exact in int32:
//   Q4_K  16 values: 15 * 127 * 16 = 30,480     Q3_K  16 values:  7 * 127 * 16 = 14,224
//   Q5_K   8 values: 31 * 127 *  8 = 31,496     Q2_K  16 values:  3 * 127 * 16 =  6,096
//   Q6_K   8 values, and the sum starts at -32 times the activations' sum: 32 * 127 * 8 = 32,512
//
// Up to kStreamRows rows of activations take the codes apart in registers as they come from memory. More rows sweep a tile: the
// codes of one block of two panels, taken apart once into the first cache, meet kTileRows rows at a time.

constexpr int kStreamRows = 4;
constexpr int kTileRows = 6;  // twelve sums of dots and twelve of blocks, two registers of codes
constexpr int kBlockGroups = 64;
constexpr int kAheadBytes = 4096;  // what a stream asks for before it needs it

template <int N>
inline __m512i Shifted(__m512i v) {  // left by N bits, right where N is negative; bits of neighbouring bytes come in
  if constexpr (N > 0)
    return _mm512_slli_epi16(v, N);
  else if constexpr (N < 0)
    return _mm512_srli_epi16(v, -N);
  else
    return v;
}
// c[t] |= bit (First + t) of `line`, moved to bit `To`.
template <int First, int To>
inline void OrBits(__m512i line, __m512i* c) {
  const __m512i mask = _mm512_set1_epi8(1 << To);
  const auto put = [&](__m512i v, __m512i moved) { return _mm512_ternarylogic_epi32(v, moved, mask, 0xf8); };  // v | (moved & mask)
  c[0] = put(c[0], Shifted<To - First>(line));
  c[1] = put(c[1], Shifted<To - First - 1>(line));
  c[2] = put(c[2], Shifted<To - First - 2>(line));
  c[3] = put(c[3], Shifted<To - First - 3>(line));
}
inline __m512i Line(const unsigned char* block, int line) { return _mm512_load_si512(block + 64 * line); }
inline void NibbleCodes(__m512i first, __m512i second, __m512i* c) {
  const __m512i mask = _mm512_set1_epi8(15);
  c[0] = _mm512_and_si512(first, mask);
  c[1] = _mm512_and_si512(_mm512_srli_epi16(first, 4), mask);
  c[2] = _mm512_and_si512(second, mask);
  c[3] = _mm512_and_si512(_mm512_srli_epi16(second, 4), mask);
}
inline void PairCodes(__m512i line, __m512i* c) {
  const __m512i mask = _mm512_set1_epi8(3);
  c[0] = _mm512_and_si512(line, mask);
  c[1] = _mm512_and_si512(_mm512_srli_epi16(line, 2), mask);
  c[2] = _mm512_and_si512(_mm512_srli_epi16(line, 4), mask);
  c[3] = _mm512_and_si512(_mm512_srli_epi16(line, 6), mask);
}

// Byte I of each 32-bit lane as a 16-bit factor in the lane's lower half.
template <int I>
inline __m512i ByteOfLane(__m512i v) {
  if constexpr (I == 3) return _mm512_srli_epi32(v, 24);
  return _mm512_and_si512(_mm512_srli_epi32(v, 8 * I), _mm512_set1_epi32(255));
}
template <int I>
inline __m512i SignedByteOfLane(__m512i v) {
  const __m512i top = _mm512_and_si512(Shifted<8 - 8 * (I & 1)>(I < 2 ? v : _mm512_srli_epi32(v, 16)), _mm512_set1_epi32(0xff00));
  return _mm512_srai_epi16(top, 8);
}
// Bytes 2 P and 2 P + 1 of each lane as a pair of 16-bit factors; `up` moves them on into the upper byte.
template <int P>
inline __m512i BytePair(__m512i v) {
  const __m512i pick = _mm512_set4_epi32(0x800d800c + P * 0x00020002, 0x80098008 + P * 0x00020002, 0x80058004 + P * 0x00020002,
                                         0x80018000 + P * 0x00020002);
  return _mm512_shuffle_epi8(v, pick);
}

inline void FourBytes(__m512i v, __m512i* out) {
  out[0] = ByteOfLane<0>(v);
  out[1] = ByteOfLane<1>(v);
  out[2] = ByteOfLane<2>(v);
  out[3] = ByteOfLane<3>(v);
}
inline void FourSignedBytes(__m512i v, __m512i* out) {
  out[0] = SignedByteOfLane<0>(v);
  out[1] = SignedByteOfLane<1>(v);
  out[2] = SignedByteOfLane<2>(v);
  out[3] = SignedByteOfLane<3>(v);
}

// ---- blocks of 256. Codes<H>: the four groups of values 32 s + 16 H ... Factors: the scales as 16-bit factors in the lower halves of
// lanes, one for each kScaleValues values, and pairs of what multiplies the activations' sums.

struct Packed45 {
  static constexpr int kScales = 8, kFactors = 4;
  static constexpr bool kHasMinimum = true, kSumsOf32 = true, kCentred = false;
  static inline void Factors(const unsigned char* lines, __m512i* scales, __m512i* factors) {
    const __m512i a = Line(lines, 0), b = Line(lines, 1), c = Line(lines, 2);
    const __m512i six = _mm512_set1_epi8(0x3f), four = _mm512_set1_epi8(15), top = _mm512_set1_epi8(0x30);
    const auto upper = [&](__m512i low, __m512i high) {
      return _mm512_or_si512(_mm512_and_si512(low, four), _mm512_and_si512(_mm512_srli_epi16(high, 2), top));
    };
    FourBytes(_mm512_and_si512(a, six), scales);
    FourBytes(upper(c, a), scales + 4);
    const __m512i m0 = _mm512_and_si512(b, six), m1 = upper(_mm512_srli_epi16(c, 4), b);
    factors[0] = BytePair<0>(m0);
    factors[1] = BytePair<1>(m0);
    factors[2] = BytePair<0>(m1);
    factors[3] = BytePair<1>(m1);
  }
};
struct PackedQ4_K : Packed45 {
  static constexpr int kLines = 35, kScaleLine = 32, kRun = 16;
  template <int H>
  static inline void Codes(const unsigned char* block, int s, __m512i* c) {
    NibbleCodes(Line(block, 4 * s + 2 * H), Line(block, 4 * s + 2 * H + 1), c);
  }
};
struct PackedQ5_K : Packed45 {
  static constexpr int kLines = 43, kScaleLine = 40, kRun = 8;
  template <int H>
  static inline void Codes(const unsigned char* block, int s, __m512i* c) {
    NibbleCodes(Line(block, 4 * s + 2 * H), Line(block, 4 * s + 2 * H + 1), c);
    OrBits<4 * H, 4>(Line(block, 32 + s), c);
  }
};
struct PackedQ6_K {
  static constexpr int kLines = 52, kScaleLine = 48, kRun = 8, kScales = 16, kFactors = 0;
  static constexpr bool kHasMinimum = false, kSumsOf32 = false, kCentred = true;
  template <int H>
  static inline void Codes(const unsigned char* block, int s, __m512i* c) {
    NibbleCodes(Line(block, 4 * s + 2 * H), Line(block, 4 * s + 2 * H + 1), c);
    const __m512i line = Line(block, 32 + 2 * s + H), mask = _mm512_set1_epi8(0x30);
    const auto put = [&](__m512i v, __m512i moved) { return _mm512_ternarylogic_epi32(v, moved, mask, 0xf8); };
    c[0] = put(c[0], _mm512_slli_epi16(line, 4));
    c[1] = put(c[1], _mm512_slli_epi16(line, 2));
    c[2] = put(c[2], line);
    c[3] = put(c[3], _mm512_srli_epi16(line, 2));
  }
  static inline void Factors(const unsigned char* lines, __m512i* scales, __m512i*) {
    for (int i = 0; i < 4; ++i) FourSignedBytes(Line(lines, i), scales + 4 * i);
  }
};
struct PackedQ3_K {
  static constexpr int kLines = 27, kScaleLine = 24, kRun = 16, kScales = 16, kFactors = 8;
  static constexpr bool kHasMinimum = false, kSumsOf32 = false, kCentred = false;
  template <int H>
  static inline void Codes(const unsigned char* block, int s, __m512i* c) {
    PairCodes(Line(block, 2 * s + H), c);
    OrBits<4 * H, 2>(Line(block, 16 + s), c);
  }
  static inline void Factors(const unsigned char* lines, __m512i* scales, __m512i* factors) {
    const __m512i a = Line(lines, 0), b = Line(lines, 1), c = Line(lines, 2);
    const __m512i low = _mm512_set1_epi8(15), high = _mm512_set1_epi8(0x30), offset = _mm512_set1_epi8(32);
    const auto scale = [&](__m512i four, __m512i two) {
      return _mm512_sub_epi8(_mm512_or_si512(_mm512_and_si512(four, low), _mm512_and_si512(two, high)), offset);
    };
    const __m512i all[4] = {scale(a, _mm512_slli_epi16(c, 4)), scale(b, _mm512_slli_epi16(c, 2)), scale(_mm512_srli_epi16(a, 4), c),
                            scale(_mm512_srli_epi16(b, 4), _mm512_srli_epi16(c, 2))};
    for (int i = 0; i < 4; ++i) {
      FourSignedBytes(all[i], scales + 4 * i);
      // Times the offset 4: into the upper byte, then down by six with the sign.
      factors[2 * i] = _mm512_srai_epi16(_mm512_slli_epi16(BytePair<0>(all[i]), 8), 6);
      factors[2 * i + 1] = _mm512_srai_epi16(_mm512_slli_epi16(BytePair<1>(all[i]), 8), 6);
    }
  }
};
struct PackedQ2_K {
  static constexpr int kLines = 20, kScaleLine = 16, kRun = 16, kScales = 16, kFactors = 8;
  static constexpr bool kHasMinimum = true, kSumsOf32 = false, kCentred = false;
  template <int H>
  static inline void Codes(const unsigned char* block, int s, __m512i* c) {
    PairCodes(Line(block, 2 * s + H), c);
  }
  static inline void Factors(const unsigned char* lines, __m512i* scales, __m512i* factors) {
    const __m512i mask = _mm512_set1_epi8(15);
    for (int i = 0; i < 4; ++i) {
      const __m512i v = Line(lines, i), minima = _mm512_and_si512(_mm512_srli_epi16(v, 4), mask);
      FourBytes(_mm512_and_si512(v, mask), scales + 4 * i);
      factors[2 * i] = BytePair<0>(minima);
      factors[2 * i + 1] = BytePair<1>(minima);
    }
  }
};

// d and, where there is one, the minimum of block b, from the floats of a panel.
template <bool Two>
inline void FloatsOf(const unsigned char* floats, int64_t b, __m512* d, __m512* m) {
  if constexpr (Two) {
    const __m512i words = Load512(floats + 64 * b);
    *d = LowHalves(words);
    *m = HighHalves(words);
  } else {
    *d = _mm512_cvtph_ps(Load256(floats + 32 * b));
    *m = _mm512_setzero_ps();
  }
}

inline __m512i Spread(const void* four_bytes) { return _mm512_set1_epi32(static_cast<int>(Load32(four_bytes))); }

// What a block adds to a row's sum.
template <typename F>
inline __m512 FoldBlock(__m512 sum, __m512i isum, const __m512i* factors, int stride, __m512 d, __m512 m, const RoundedRows& x,
                        int64_t at) {
  __m512i factor_sum = _mm512_setzero_si512();
  const int16_t* const sums = F::kSumsOf32 ? x.sums32 + at * 8 : x.sums + at * 16;
  for (int p = 0; p < F::kFactors; ++p) factor_sum = _mm512_dpwssd_epi32(factor_sum, factors[p * stride], Spread(sums + 2 * p));
  __m512 term;
  if constexpr (F::kHasMinimum)  // fma(isum, d, msum * -dmin), rounded at the same places
    term = _mm512_fmsub_ps(_mm512_cvtepi32_ps(isum), d, _mm512_mul_ps(_mm512_cvtepi32_ps(factor_sum), m));
  else if constexpr (F::kFactors > 0)
    term = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_sub_epi32(isum, factor_sum)), d);
  else
    term = _mm512_mul_ps(_mm512_cvtepi32_ps(isum), d);
  return _mm512_fmadd_ps(term, _mm512_set1_ps(x.scales[at]), sum);
}

inline void PrefetchLines(const unsigned char* from, int lines) {
  for (int i = 0; i < lines; ++i) _mm_prefetch(reinterpret_cast<const char*>(from + 64 * i), _MM_HINT_T0);
}

template <typename F, int N>
inline void Stream256(const unsigned char* panel, int64_t k, const RoundedRows& x, float* y) {
  const int64_t blocks = k / 256;
  const unsigned char* const floats = panel + blocks * F::kLines * 64;
  __m512 sum[N];
  for (int n = 0; n < N; ++n) sum[n] = _mm512_setzero_ps();
  for (int64_t b = 0; b < blocks; ++b) {
    const unsigned char* const block = panel + b * F::kLines * 64;
    PrefetchLines(block + kAheadBytes, F::kLines);
    __m512i scales[F::kScales], factors[F::kFactors + 1];
    F::Factors(block + F::kScaleLine * 64, scales, factors);
    __m512i isum[N];
    for (int n = 0; n < N; ++n) isum[n] = _mm512_setzero_si512();
    const auto half = [&](const __m512i* c, int j) __attribute__((always_inline)) {  // values 16 j .. 16 j + 15 of the block
      const __m512i scale = scales[F::kScales == 8 ? j / 2 : j];
      for (int n = 0; n < N; ++n) {
        const int8_t* const codes = x.codes + (b * x.rows + n) * 256 + 16 * j;
        __m512i first = _mm512_setzero_si512(), second = first;
        if constexpr (F::kCentred) {
          const int32_t* const start = x.centred + (b * x.rows + n) * 32 + 2 * j;
          first = Spread(start);
          second = Spread(start + 1);
        }
        first = _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(first, c[0], Spread(codes)), c[1], Spread(codes + 4));
        if constexpr (F::kRun == 16) {
          first = _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(first, c[2], Spread(codes + 8)), c[3], Spread(codes + 12));
          isum[n] = _mm512_dpwssd_epi32(isum[n], first, scale);
        } else {
          second = _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(second, c[2], Spread(codes + 8)), c[3], Spread(codes + 12));
          isum[n] = _mm512_dpwssd_epi32(_mm512_dpwssd_epi32(isum[n], first, scale), second, scale);
        }
      }
    };
#pragma GCC unroll 8
    for (int s = 0; s < 8; ++s) {
      __m512i c[4];
      F::template Codes<0>(block, s, c);
      half(c, 2 * s);
      F::template Codes<1>(block, s, c);
      half(c, 2 * s + 1);
    }
    __m512 d, m;
    FloatsOf<F::kHasMinimum>(floats, b, &d, &m);
    for (int n = 0; n < N; ++n) sum[n] = FoldBlock<F>(sum[n], isum[n], factors, 1, d, m, x, b * x.rows + n);
  }
  for (int n = 0; n < N; ++n) _mm512_storeu_ps(y + n * kPanelRows, sum[n]);
}

// One block of P panels, taken apart; entry i of panel p is at i * P + p.
template <typename F, int P>
struct BlockTile {
  __m512i codes[kBlockGroups * P], scales[F::kScales * P], factors[F::kFactors * P + 1];
  __m512 d[P], m[P];

  inline void Unpack(const unsigned char* block, const unsigned char* floats, int64_t b, int p) {
    __m512i c[4], some[16];
    for (int s = 0; s < 8; ++s) {
      F::template Codes<0>(block, s, c);
      for (int i = 0; i < 4; ++i) codes[(8 * s + i) * P + p] = c[i];
      F::template Codes<1>(block, s, c);
      for (int i = 0; i < 4; ++i) codes[(8 * s + 4 + i) * P + p] = c[i];
    }
    __m512i pairs[F::kFactors + 1];
    F::Factors(block + F::kScaleLine * 64, some, pairs);
    for (int i = 0; i < F::kScales; ++i) scales[i * P + p] = some[i];
    for (int i = 0; i < F::kFactors; ++i) factors[i * P + p] = pairs[i];
    FloatsOf<F::kHasMinimum>(floats, b, &d[p], &m[p]);
  }
};

// R rows of activations, the first at `row`, against a tile; y is the first row's.
template <typename F, int P, int R>
inline void Sweep256(const BlockTile<F, P>& tile, const RoundedRows& x, int64_t row, int64_t b, int64_t count, float* y) {
  const int64_t at = b * x.rows + row;
  const int8_t* codes = x.codes + at * 256;
  const int32_t* centred = F::kCentred ? x.centred + at * 32 : nullptr;
  constexpr int kGroups = F::kRun / 4, kRunsOfScale = 64 / F::kScales / kGroups;
  __m512i isum[R][P];
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p) isum[r][p] = _mm512_setzero_si512();
  const __m512i* tiles = tile.codes;
  for (int run = 0; run < kBlockGroups / kGroups; ++run) {
    __m512i dots[R][P];
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int p = 0; p < P; ++p) dots[r][p] = F::kCentred ? Spread(centred + r * 32) : _mm512_setzero_si512();
#pragma GCC unroll 4
    for (int g = 0; g < kGroups; ++g) {
#pragma GCC unroll 6
      for (int r = 0; r < R; ++r) {
        const __m512i a = Spread(codes + r * 256 + 4 * g);
#pragma GCC unroll 2
        for (int p = 0; p < P; ++p) dots[r][p] = _mm512_dpbusd_epi32(dots[r][p], tiles[g * P + p], a);
      }
    }
    tiles += kGroups * P;
    codes += F::kRun;
    ++centred;
    const __m512i* const scale = tile.scales + run / kRunsOfScale * P;
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int p = 0; p < P; ++p) isum[r][p] = _mm512_dpwssd_epi32(isum[r][p], dots[r][p], scale[p]);
  }
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p) {
      float* const to = y + (p * count + r) * kPanelRows;
      const __m512 sum = b == 0 ? _mm512_setzero_ps() : _mm512_loadu_ps(to);
      _mm512_storeu_ps(to, FoldBlock<F>(sum, isum[r][p], tile.factors + p, P, tile.d[p], tile.m[p], x, at + r));
    }
  }
}

// sweep.operator()<R>(row) for all rows, R at a time: as many as a tile takes, and no few at the end where that can be helped.
template <typename Sweep>
inline void ForRowTiles(int64_t count, const Sweep& sweep) {
  for (int64_t row = 0; row < count;) {
    const int64_t left = count - row;
    const int64_t take = left <= kTileRows ? left : left < 2 * kTileRows ? (left + 1) / 2 : kTileRows;
    switch (take) {
      case 6:
        sweep.template operator()<6>(row);
        break;
      case 5:
        sweep.template operator()<5>(row);
        break;
      case 4:
        sweep.template operator()<4>(row);
        break;
      case 3:
        sweep.template operator()<3>(row);
        break;
      case 2:
        sweep.template operator()<2>(row);
        break;
      default:
        sweep.template operator()<1>(row);
    }
    row += take;
  }
}

template <typename F, int P>
inline void Tiles256(const PackedPanels& w, const RoundedRows& x, int64_t count, float* y) {
  const int64_t blocks = w.k / 256;
  alignas(64) BlockTile<F, P> tile;
  for (int64_t b = 0; b < blocks; ++b) {
    for (int p = 0; p < P; ++p) {
      const unsigned char* const block = w.panel[p] + b * F::kLines * 64;
      PrefetchLines(block + 2 * F::kLines * 64, F::kLines);
      tile.Unpack(block, w.panel[p] + blocks * F::kLines * 64, b, p);
    }
    ForRowTiles(count, [&]<int R>(int64_t row) { Sweep256<F, P, R>(tile, x, row, b, count, y + row * kPanelRows); });
  }
}

// ---- blocks of 32

struct PackedNibbles {
  static constexpr int kLines = 4;
  static inline void Codes(const unsigned char* block, __m512i* c) {
    NibbleCodes(Line(block, 0), Line(block, 1), c);
    NibbleCodes(Line(block, 2), Line(block, 3), c + 4);
  }
};
struct PackedFives {
  static constexpr int kLines = 5;
  static inline void Codes(const unsigned char* block, __m512i* c) {
    PackedNibbles::Codes(block, c);
    OrBits<0, 4>(Line(block, 4), c);
    OrBits<4, 4>(Line(block, 4), c + 4);
  }
};
struct PackedQ4_0 : PackedNibbles {
  static constexpr int kOffset = 8;
  static constexpr bool kHasMinimum = false;
};
struct PackedQ4_1 : PackedNibbles {
  static constexpr int kOffset = 0;
  static constexpr bool kHasMinimum = true;
};
struct PackedQ5_0 : PackedFives {
  static constexpr int kOffset = 16;
  static constexpr bool kHasMinimum = false;
};
struct PackedQ5_1 : PackedFives {
  static constexpr int kOffset = 0;
  static constexpr bool kHasMinimum = true;
};
struct PackedQ8_0 {
  static constexpr int kLines = 8, kOffset = 128;
  static constexpr bool kHasMinimum = false;
  static inline void Codes(const unsigned char* block, __m512i* c) {
    for (int i = 0; i < 8; ++i) c[i] = Line(block, i);
  }
};

template <typename F>
inline __m512 FoldSmall(__m512 sum, __m512i dots, __m512 d, __m512 m, int code_sum, float scale) {
  __m512 term;
  if constexpr (F::kHasMinimum)
    term = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots), d, _mm512_mul_ps(_mm512_set1_ps(static_cast<float>(code_sum)), m));
  else
    term = _mm512_mul_ps(_mm512_cvtepi32_ps(dots), d);
  return _mm512_fmadd_ps(term, _mm512_set1_ps(scale), sum);
}

template <typename F, int N>
inline void Stream32(const unsigned char* panel, int64_t k, const RoundedRows& x, float* y) {
  const int64_t blocks = k / 32;
  const unsigned char* const floats = panel + blocks * F::kLines * 64;
  __m512 sum[N];
  for (int n = 0; n < N; ++n) sum[n] = _mm512_setzero_ps();
  for (int64_t b = 0; b < blocks; ++b) {
    const unsigned char* const block = panel + b * F::kLines * 64;
    PrefetchLines(block + kAheadBytes, F::kLines);
    __m512i c[8];
    F::Codes(block, c);
    __m512 d, m;
    FloatsOf<F::kHasMinimum>(floats, b, &d, &m);
    for (int n = 0; n < N; ++n) {
      const int64_t at = b * x.rows + n;
      const int8_t* const codes = x.codes + at * 32;
      __m512i first = _mm512_set1_epi32(-F::kOffset * x.sums[at]), second = _mm512_setzero_si512();
      for (int g = 0; g < 4; ++g) {
        first = _mm512_dpbusd_epi32(first, c[g], Spread(codes + 4 * g));
        second = _mm512_dpbusd_epi32(second, c[4 + g], Spread(codes + 16 + 4 * g));
      }
      sum[n] = FoldSmall<F>(sum[n], _mm512_add_epi32(first, second), d, m, x.sums[at], x.scales[at]);
    }
  }
  for (int n = 0; n < N; ++n) _mm512_storeu_ps(y + n * kPanelRows, sum[n]);
}

// Up to eight blocks of P panels.
template <int P>
struct SmallTile {
  static constexpr int kBlocks = 8;
  __m512i codes[kBlockGroups * P];
  __m512 d[kBlocks * P], m[kBlocks * P];
};

template <typename F, int P, int R>
inline void Sweep32(const SmallTile<P>& tile, int tile_blocks, const RoundedRows& x, int64_t row, int64_t b, int64_t count,
                    float* y) {
  __m512 sum[R][P];
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p) sum[r][p] = b == 0 ? _mm512_setzero_ps() : _mm512_loadu_ps(y + (p * count + r) * kPanelRows);
  for (int i = 0; i < tile_blocks; ++i) {
    const int64_t at = (b + i) * x.rows + row;
    const int8_t* const codes = x.codes + at * 32;
    __m512i dots[R][P];
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int p = 0; p < P; ++p) dots[r][p] = _mm512_set1_epi32(-F::kOffset * x.sums[at + r]);
#pragma GCC unroll 8
    for (int g = 0; g < 8; ++g) {
#pragma GCC unroll 6
      for (int r = 0; r < R; ++r) {
        const __m512i a = Spread(codes + r * 32 + 4 * g);
#pragma GCC unroll 2
        for (int p = 0; p < P; ++p) dots[r][p] = _mm512_dpbusd_epi32(dots[r][p], tile.codes[(8 * i + g) * P + p], a);
      }
    }
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int p = 0; p < P; ++p)
        sum[r][p] = FoldSmall<F>(sum[r][p], dots[r][p], tile.d[i * P + p], tile.m[i * P + p], x.sums[at + r], x.scales[at + r]);
  }
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p) _mm512_storeu_ps(y + (p * count + r) * kPanelRows, sum[r][p]);
}

template <typename F, int P>
inline void Tiles32(const PackedPanels& w, const RoundedRows& x, int64_t count, float* y) {
  const int64_t blocks = w.k / 32;
  alignas(64) SmallTile<P> tile;
  for (int64_t b = 0; b < blocks; b += SmallTile<P>::kBlocks) {
    const int tile_blocks = static_cast<int>(blocks - b < SmallTile<P>::kBlocks ? blocks - b : SmallTile<P>::kBlocks);
    for (int p = 0; p < P; ++p) {
      const unsigned char* const floats = w.panel[p] + blocks * F::kLines * 64;
      for (int i = 0; i < tile_blocks; ++i) {
        const unsigned char* const block = w.panel[p] + (b + i) * F::kLines * 64;
        PrefetchLines(block + 2 * SmallTile<P>::kBlocks * F::kLines * 64, F::kLines);
        __m512i c[8];
        F::Codes(block, c);
        for (int g = 0; g < 8; ++g) tile.codes[(8 * i + g) * P + p] = c[g];
        FloatsOf<F::kHasMinimum>(floats, b + i, &tile.d[i * P + p], &tile.m[i * P + p]);
      }
    }
    ForRowTiles(count, [&]<int R>(int64_t row) {
      Sweep32<F, P, R>(tile, tile_blocks, x, row, b, count, y + row * kPanelRows);
    });
  }
}

template <int Group, typename F>
void PackedOf(const PackedPanels& w, const RoundedRows& x, int64_t count, float* y) {
  if (count > kStreamRows) {
    if constexpr (Group == 256)
      return w.panels == 2 ? Tiles256<F, 2>(w, x, count, y) : Tiles256<F, 1>(w, x, count, y);
    else
      return w.panels == 2 ? Tiles32<F, 2>(w, x, count, y) : Tiles32<F, 1>(w, x, count, y);
  }
  const auto stream = [&]<int N>() {
    for (int p = 0; p < w.panels; ++p) {
      if constexpr (Group == 256)
        Stream256<F, N>(w.panel[p], w.k, x, y + p * count * kPanelRows);
      else
        Stream32<F, N>(w.panel[p], w.k, x, y + p * count * kPanelRows);
    }
  };
  if (count == 1) return stream.template operator()<1>();
  if (count == 2) return stream.template operator()<2>();
  if (count == 3) return stream.template operator()<3>();
  if (count == 4) return stream.template operator()<4>();
}

// What packed kernels ask of a block of 256 codes beside them (kernels.h).
void FoldCodes(const int8_t* codes, const int16_t* sums, int16_t* sums32, int32_t* centred) {
  for (int i = 0; i < 8; ++i) sums32[i] = static_cast<int16_t>(sums[2 * i] + sums[2 * i + 1]);
  const __m512i factor = _mm512_set1_epi8(32);
  for (int i = 0; i < 256; i += 64) {
    const __m512i fours = _mm512_dpbusd_epi32(_mm512_setzero_si512(), factor, Load512(codes + i));
    const __m512i eights = _mm512_add_epi32(fours, _mm512_srli_epi64(fours, 32));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(centred + i / 8),
                        _mm256_sub_epi32(_mm256_setzero_si256(), _mm512_cvtepi64_epi32(eights)));
  }
}

#define SCOUT_PACKED_KERNELS(table)                  \
  (table).packed_q4_0 = PackedOf<32, PackedQ4_0>;    \
  (table).packed_q4_1 = PackedOf<32, PackedQ4_1>;    \
  (table).packed_q5_0 = PackedOf<32, PackedQ5_0>;    \
  (table).packed_q5_1 = PackedOf<32, PackedQ5_1>;    \
  (table).packed_q8_0 = PackedOf<32, PackedQ8_0>;    \
  (table).packed_q2_k = PackedOf<256, PackedQ2_K>;   \
  (table).packed_q3_k = PackedOf<256, PackedQ3_K>;   \
  (table).packed_q4_k = PackedOf<256, PackedQ4_K>;   \
  (table).packed_q5_k = PackedOf<256, PackedQ5_K>;   \
  (table).packed_q6_k = PackedOf<256, PackedQ6_K>;   \
  (table).fold_codes = FoldCodes
