// Packed panels (packed.h) against rounded activations with AVX2. Included by kernels_avx2.cpp inside its unnamed namespace, after
// rounded_avx2.inl, whose loads it shares; the arithmetic is ref/dot.h's.
//
// Half a panel is eight rows: 32 bytes of a line, four codes of each row. A block is taken apart into the first cache once,
// whatever the number of rows of activations, and meets up to four of them at a time:
//   vpmaddubsw  two sums of two products for each row, below 2^15 in magnitude
//   vpaddw      adds up a *run* of such sums, still within 16 bits:
//     Q4_K Q4_0 Q4_1   32 values: 15 * 127 * 2 * 8 = 30,480      Q2_K   16 values:  3 * 127 * 2 * 4 =  3,048
//     Q5_K Q5_0 Q5_1   16 values: 31 * 127 * 2 * 4 = 31,496      Q3_K   16 values, from -4 times the activations' sums
//     Q6_K             16 values, and the sums start at -32 times those of the activations: 32 * 127 * 8 = 32,512. On the way there
//                      a sum may pass 2^15 and wrap; where it ends it is right.
//   vpmaddwd    adds the two and multiplies by the scale, exact in int32
// Codes of Q8_0 are made signed again: their magnitudes times activations that take the sign are at most 128 * 127 * 2 = 32,512.

#include "cpu/packed_places.inl"

constexpr int kBlockGroups = 64;
constexpr int kMostRows = 4;
constexpr int kAheadBytes = 4096;  // what is asked for before it is needed

// `half` is the half panel's first byte in a block's first line.
inline __m256i HalfLine(const unsigned char* half, int line) {
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(half + 64 * line));
}
// `Bits` bits of each byte from bit From on, moved to bit To.
template <int From, int Bits, int To = 0>
inline __m256i Field(__m256i v) {
  const __m256i moved = From > To ? _mm256_srli_epi16(v, From > To ? From - To : 0) : v;
  return _mm256_and_si256(moved, _mm256_set1_epi8(((1 << Bits) - 1) << To));
}

// kGroupsTogether groups, from the fields (packed.h) that begin at `lines`.
template <int Bits>
inline void GroupsOf(const unsigned char* lines, __m256i* c);
template <>
inline void GroupsOf<4>(const unsigned char* lines, __m256i* c) {
  for (int i = 0; i < 4; ++i) {
    c[2 * i] = Field<0, 4>(HalfLine(lines, i));
    c[2 * i + 1] = Field<4, 4>(HalfLine(lines, i));
  }
}
template <>
inline void GroupsOf<2>(const unsigned char* lines, __m256i* c) {
  for (int j = 0; j < 4; ++j) {
    const __m256i line = HalfLine(lines, j);
    c[j] = Field<0, 2>(line);
    c[4 + j] = Field<2, 2>(line);
    c[8 + j] = Field<4, 2>(line);
    c[12 + j] = Field<6, 2>(line);
  }
}
template <>
inline void GroupsOf<6>(const unsigned char* lines, __m256i* c) {
  for (int i = 0; i < 2; ++i) {
    const __m256i a = HalfLine(lines, 3 * i), b = HalfLine(lines, 3 * i + 1), d = HalfLine(lines, 3 * i + 2);
    c[4 * i] = Field<0, 6>(a);
    c[4 * i + 1] = Field<0, 6>(b);
    c[4 * i + 2] = Field<0, 6>(d);
    c[4 * i + 3] = _mm256_or_si256(_mm256_or_si256(Field<6, 2>(a), Field<6, 2, 2>(b)), Field<6, 2, 4>(d));
  }
}
template <>
inline void GroupsOf<5>(const unsigned char* lines, __m256i* c) {
  for (int t = 0; t < 5; ++t) c[t] = Field<0, 5>(HalfLine(lines, t));
  const __m256i d = HalfLine(lines, 3), e = HalfLine(lines, 4);
  c[5] = _mm256_or_si256(Field<5, 3>(HalfLine(lines, 0)), Field<5, 2, 3>(d));
  c[6] = _mm256_or_si256(Field<5, 3>(HalfLine(lines, 1)), Field<5, 2, 3>(e));
  c[7] = _mm256_or_si256(_mm256_or_si256(Field<5, 3>(HalfLine(lines, 2)), Field<7, 1, 3>(d)), Field<7, 1, 4>(e));
}
template <>
inline void GroupsOf<3>(const unsigned char* lines, __m256i* c) {
  for (int t = 0; t < 3; ++t) {
    c[t] = Field<0, 3>(HalfLine(lines, t));
    c[3 + t] = Field<3, 3>(HalfLine(lines, t));
  }
  const __m256i d = HalfLine(lines, 2);
  c[6] = _mm256_or_si256(Field<6, 2>(HalfLine(lines, 0)), Field<6, 1, 2>(d));
  c[7] = _mm256_or_si256(Field<6, 2>(HalfLine(lines, 1)), Field<7, 1, 2>(d));
}

// Bytes A, B, C, D of each 32-bit lane in that order; -1 for a byte of zero.
template <int A, int B, int C, int D>
inline __m256i PickBytes(__m256i v) {
  constexpr auto kAt = [](int lane, int byte) { return static_cast<char>(byte < 0 ? -128 : 4 * lane + byte); };
  const __m128i pick = _mm_setr_epi8(kAt(0, A), kAt(0, B), kAt(0, C), kAt(0, D), kAt(1, A), kAt(1, B), kAt(1, C), kAt(1, D),
                                     kAt(2, A), kAt(2, B), kAt(2, C), kAt(2, D), kAt(3, A), kAt(3, B), kAt(3, C), kAt(3, D));
  return _mm256_shuffle_epi8(v, _mm256_broadcastsi128_si256(pick));
}
// Each byte of the lanes as a factor in both 16-bit halves.
inline void FourBytes(__m256i v, __m256i* out) {
  out[0] = PickBytes<0, -1, 0, -1>(v);
  out[1] = PickBytes<1, -1, 1, -1>(v);
  out[2] = PickBytes<2, -1, 2, -1>(v);
  out[3] = PickBytes<3, -1, 3, -1>(v);
}
inline void FourSignedBytes(__m256i v, __m256i* out) {
  out[0] = _mm256_srai_epi16(PickBytes<-1, 0, -1, 0>(v), 8);
  out[1] = _mm256_srai_epi16(PickBytes<-1, 1, -1, 1>(v), 8);
  out[2] = _mm256_srai_epi16(PickBytes<-1, 2, -1, 2>(v), 8);
  out[3] = _mm256_srai_epi16(PickBytes<-1, 3, -1, 3>(v), 8);
}
inline void BytePairs(__m256i v, __m256i* out) {
  out[0] = PickBytes<0, -1, 1, -1>(v);
  out[1] = PickBytes<2, -1, 3, -1>(v);
}

// ---- blocks of 256. Factors: the scales, and pairs of what multiplies the activations' sums. kCentre: what the codes are above
// the values, 0 where minima see to it.

struct Packed45 {
  static constexpr int kScales = 8, kFactors = 4, kCentre = 0;
  static constexpr bool kHasMinimum = true, kSumsOf32 = true;
  static inline void Factors(const unsigned char* lines, __m256i* scales, __m256i* factors) {
    const __m256i a = HalfLine(lines, 0), b = HalfLine(lines, 1), c = HalfLine(lines, 2);
    const __m256i six = _mm256_set1_epi8(0x3f), four = _mm256_set1_epi8(15), top = _mm256_set1_epi8(0x30);
    const auto upper = [&](__m256i low, __m256i high) {
      return _mm256_or_si256(_mm256_and_si256(low, four), _mm256_and_si256(_mm256_srli_epi16(high, 2), top));
    };
    FourBytes(_mm256_and_si256(a, six), scales);
    FourBytes(upper(c, a), scales + 4);
    BytePairs(_mm256_and_si256(b, six), factors);
    BytePairs(upper(_mm256_srli_epi16(c, 4), b), factors + 2);
  }
};
struct PackedQ4_K : Packed45 {
  static constexpr int kBits = 4, kLines = 35, kScaleLines = 3, kRun = 32;
};
struct PackedQ5_K : Packed45 {
  static constexpr int kBits = 5, kLines = 43, kScaleLines = 3, kRun = 16;
};
struct PackedQ6_K {
  static constexpr int kBits = 6, kLines = 52, kScaleLines = 4, kRun = 16, kScales = 16, kFactors = 0, kCentre = 32;
  static constexpr bool kHasMinimum = false, kSumsOf32 = false;
  static inline void Factors(const unsigned char* lines, __m256i* scales, __m256i*) {
    for (int i = 0; i < 4; ++i) FourSignedBytes(HalfLine(lines, i), scales + 4 * i);
  }
};
struct PackedQ3_K {
  static constexpr int kBits = 3, kLines = 27, kScaleLines = 3, kRun = 16, kScales = 16, kFactors = 0, kCentre = 4;
  static constexpr bool kHasMinimum = false, kSumsOf32 = false;
  static inline void Factors(const unsigned char* lines, __m256i* scales, __m256i*) {
    const __m256i a = HalfLine(lines, 0), b = HalfLine(lines, 1), c = HalfLine(lines, 2);
    const __m256i low = _mm256_set1_epi8(15), high = _mm256_set1_epi8(0x30), offset = _mm256_set1_epi8(32);
    const auto scale = [&](__m256i four, __m256i two) {
      return _mm256_sub_epi8(_mm256_or_si256(_mm256_and_si256(four, low), _mm256_and_si256(two, high)), offset);
    };
    FourSignedBytes(scale(a, _mm256_slli_epi16(c, 4)), scales);
    FourSignedBytes(scale(b, _mm256_slli_epi16(c, 2)), scales + 4);
    FourSignedBytes(scale(_mm256_srli_epi16(a, 4), c), scales + 8);
    FourSignedBytes(scale(_mm256_srli_epi16(b, 4), _mm256_srli_epi16(c, 2)), scales + 12);
  }
};
struct PackedQ2_K {
  static constexpr int kBits = 2, kLines = 20, kScaleLines = 4, kRun = 16, kScales = 16, kFactors = 8, kCentre = 0;
  static constexpr bool kHasMinimum = true, kSumsOf32 = false;
  static inline void Factors(const unsigned char* lines, __m256i* scales, __m256i* factors) {
    const __m256i mask = _mm256_set1_epi8(15);
    for (int i = 0; i < 4; ++i) {
      const __m256i v = HalfLine(lines, i);
      FourBytes(_mm256_and_si256(v, mask), scales + 4 * i);
      BytePairs(_mm256_and_si256(_mm256_srli_epi16(v, 4), mask), factors + 2 * i);
    }
  }
};

inline __m256i Spread(const void* four_bytes) { return _mm256_set1_epi32(static_cast<int>(Load32(four_bytes))); }

// d and, where there is one, the minimum of eight rows of a block.
template <bool Two>
inline void FloatsOf(const unsigned char* floats, int half, __m256* d, __m256* m) {
  if constexpr (Two) {
    const __m256i words = Load256(floats + 32 * half);
    *d = LowHalves(words);
    *m = HighHalves(words);
  } else {
    *d = _mm256_cvtph_ps(Load128(floats + 16 * half));
    *m = _mm256_setzero_ps();
  }
}
template <typename F>
inline const unsigned char* BlockOf(const unsigned char* panel, int64_t b) {
  return panel + BlockAt<F::kLines, F::kHasMinimum>(b);
}
template <typename F>
inline const unsigned char* FloatLine(const unsigned char* panel, int64_t b) {
  return panel + FloatsAt<F::kLines, F::kHasMinimum>(b);
}

inline void PrefetchLines(const unsigned char* from, int lines) {
  for (int i = 0; i < lines; ++i) _mm_prefetch(reinterpret_cast<const char*>(from + 64 * i), _MM_HINT_T0);
}

// Entry i of half h is at 2 i + h.
template <typename F>
struct BlockTile {
  __m256i codes[2 * kBlockGroups], scales[2 * F::kScales], factors[2 * F::kFactors + 1];
  __m256 d[2], m[2];

  inline void Unpack(const unsigned char* block, const unsigned char* floats) {
    for (int h = 0; h < 2; ++h) {
      const unsigned char* const half = block + 32 * h;
      constexpr int kTogether = kGroupsTogether<F::kBits>;
      __m256i c[kTogether], some[16], pairs[F::kFactors + 1];
      for (int g = 0; g < kBlockGroups; g += kTogether) {
        GroupsOf<F::kBits>(half + F::kScaleLines * 64 + g / 8 * F::kBits * 64, c);
        for (int i = 0; i < kTogether; ++i) codes[2 * (g + i) + h] = c[i];
      }
      F::Factors(half, some, pairs);
      for (int i = 0; i < F::kScales; ++i) scales[2 * i + h] = some[i];
      for (int i = 0; i < F::kFactors; ++i) factors[2 * i + h] = pairs[i];
      FloatsOf<F::kHasMinimum>(floats, h, &d[h], &m[h]);
    }
  }
};

// R rows of activations; codes, sums and y are the first row's.
template <typename F, int R>
inline void Sweep256(const BlockTile<F>& tile, const int8_t* codes, const CodeSums* sums, bool first, float* y) {
  constexpr int kGroups = F::kRun / 4, kRunsOfScale = kBlockGroups / F::kScales / kGroups;
  __m256i isum[R][2];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) isum[r][0] = isum[r][1] = _mm256_setzero_si256();
  for (int run = 0; run < kBlockGroups / kGroups; ++run) {
    const __m256i* const tiles = tile.codes + 2 * kGroups * run;
    __m256i dots[R][2];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      if constexpr (F::kCentre > 0) {
        __m256i start = Spread(sums[r].centred16 + run);
        if constexpr (F::kCentre == 4) start = _mm256_srai_epi16(start, 3);
        dots[r][0] = dots[r][1] = start;
      } else {
        dots[r][0] = dots[r][1] = _mm256_setzero_si256();
      }
    }
#pragma GCC unroll 8
    for (int g = 0; g < kGroups; ++g) {
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        const __m256i a = Spread(codes + r * 256 + F::kRun * run + 4 * g);
#pragma GCC unroll 2
        for (int h = 0; h < 2; ++h) dots[r][h] = _mm256_add_epi16(dots[r][h], _mm256_maddubs_epi16(tiles[2 * g + h], a));
      }
    }
    const __m256i* const scale = tile.scales + 2 * (run / kRunsOfScale);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int h = 0; h < 2; ++h) isum[r][h] = _mm256_add_epi32(isum[r][h], _mm256_madd_epi16(dots[r][h], scale[h]));
  }
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
    const CodeSums& x = sums[r];
    const int16_t* const pairs = F::kSumsOf32 ? x.sums32 : x.sums16;
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      float* const to = y + r * kPanelRows + 8 * h;
      __m256 term;
      if constexpr (F::kHasMinimum) {  // fma(isum, d, msum * -dmin), rounded at the same places
        __m256i msum = _mm256_setzero_si256();
        for (int p = 0; p < F::kFactors; ++p)
          msum = _mm256_add_epi32(msum, _mm256_madd_epi16(tile.factors[2 * p + h], Spread(pairs + 2 * p)));
        term = _mm256_fmsub_ps(_mm256_cvtepi32_ps(isum[r][h]), tile.d[h], _mm256_mul_ps(_mm256_cvtepi32_ps(msum), tile.m[h]));
      } else {
        term = _mm256_mul_ps(_mm256_cvtepi32_ps(isum[r][h]), tile.d[h]);
      }
      const __m256 sum = first ? _mm256_setzero_ps() : _mm256_loadu_ps(to);
      _mm256_storeu_ps(to, _mm256_fmadd_ps(term, _mm256_set1_ps(x.scale), sum));
    }
  }
}

// sweep.operator()<R>(row) for all rows, R at a time.
template <typename Sweep>
inline void ForRowTiles(int64_t count, const Sweep& sweep) {
  int64_t row = 0;
  for (; row + kMostRows <= count; row += kMostRows) sweep.template operator()<kMostRows>(row);
  if (count - row == 3) sweep.template operator()<3>(row);
  if (count - row == 2) sweep.template operator()<2>(row);
  if (count - row == 1) sweep.template operator()<1>(row);
}

template <typename F>
inline void Tiles256(const unsigned char* panel, int64_t k, const RoundedRows& x, int64_t count, float* y) {
  const int64_t blocks = k / 256;
  alignas(64) BlockTile<F> tile;
  for (int64_t b = 0; b < blocks; ++b) {
    const unsigned char* const block = BlockOf<F>(panel, b);
    PrefetchLines(block + kAheadBytes, F::kLines + 1);
    tile.Unpack(block, FloatLine<F>(panel, b));
    ForRowTiles(count, [&]<int R>(int64_t row) {
      const int64_t at = b * x.rows + row;
      Sweep256<F, R>(tile, x.codes + at * 256, x.blocks + at, b == 0, y + row * kPanelRows);
    });
  }
}

// ---- blocks of 32. kRun values are added up in 16 bits; 0 where not even two sums can be.

struct PackedNibbles {
  static constexpr int kLines = 4, kRun = 32;
  static inline void Codes(const unsigned char* half, __m256i* c) { GroupsOf<4>(half, c); }
};
struct PackedFives {
  static constexpr int kLines = 5, kRun = 16;
  static inline void Codes(const unsigned char* half, __m256i* c) { GroupsOf<5>(half, c); }
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
  static constexpr int kLines = 8, kRun = 0, kOffset = 0;  // signed from here on
  static constexpr bool kHasMinimum = false;
  static inline void Codes(const unsigned char* half, __m256i* c) {
    for (int i = 0; i < 8; ++i) c[i] = _mm256_xor_si256(HalfLine(half, i), _mm256_set1_epi8(static_cast<char>(0x80)));
  }
};

struct SmallTile {
  static constexpr int kBlocks = 8;
  __m256i codes[2 * kBlockGroups];
  __m256 d[2 * kBlocks], m[2 * kBlocks];
};

template <typename F, int R>
inline void Sweep32(const SmallTile& tile, int tile_blocks, const RoundedRows& x, int64_t row, int64_t b, float* y) {
  const __m256i ones = _mm256_set1_epi16(1);
  __m256 sum[R][2];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) sum[r][h] = b == 0 ? _mm256_setzero_ps() : _mm256_loadu_ps(y + r * kPanelRows + 8 * h);
  for (int i = 0; i < tile_blocks; ++i) {
    const int64_t at = (b + i) * x.rows + row;
    const int8_t* const codes = x.codes + at * 32;
    const __m256i* const tiles = tile.codes + 16 * i;
    __m256i dots[R][2], run[R][2];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) dots[r][0] = dots[r][1] = _mm256_set1_epi32(-F::kOffset * x.sums[at + r]);
#pragma GCC unroll 8
    for (int g = 0; g < 8; ++g) {
      constexpr int kGroups = F::kRun / 4;
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        const __m256i a = Spread(codes + r * 32 + 4 * g);
#pragma GCC unroll 2
        for (int h = 0; h < 2; ++h) {
          const __m256i c = tiles[2 * g + h];
          if constexpr (kGroups == 0) {
            const __m256i two = _mm256_maddubs_epi16(_mm256_abs_epi8(c), _mm256_sign_epi8(a, c));
            dots[r][h] = _mm256_add_epi32(dots[r][h], _mm256_madd_epi16(two, ones));
          } else {
            const __m256i two = _mm256_maddubs_epi16(c, a);
            run[r][h] = g % kGroups == 0 ? two : _mm256_add_epi16(run[r][h], two);
            if (g % kGroups == kGroups - 1) dots[r][h] = _mm256_add_epi32(dots[r][h], _mm256_madd_epi16(run[r][h], ones));
          }
        }
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
      for (int h = 0; h < 2; ++h) {
        const __m256 value = _mm256_cvtepi32_ps(dots[r][h]), d = tile.d[2 * i + h];
        __m256 term;
        if constexpr (F::kHasMinimum)
          term = _mm256_fmadd_ps(value, d, _mm256_mul_ps(_mm256_set1_ps(static_cast<float>(x.sums[at + r])), tile.m[2 * i + h]));
        else
          term = _mm256_mul_ps(value, d);
        sum[r][h] = _mm256_fmadd_ps(term, _mm256_set1_ps(x.scales[at + r]), sum[r][h]);
      }
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) _mm256_storeu_ps(y + r * kPanelRows + 8 * h, sum[r][h]);
}

template <typename F>
inline void Tiles32(const unsigned char* panel, int64_t k, const RoundedRows& x, int64_t count, float* y) {
  const int64_t blocks = k / 32;
  alignas(64) SmallTile tile;
  for (int64_t b = 0; b < blocks; b += SmallTile::kBlocks) {
    const int tile_blocks = static_cast<int>(blocks - b < SmallTile::kBlocks ? blocks - b : SmallTile::kBlocks);
    for (int i = 0; i < tile_blocks; ++i) {
      const unsigned char* const block = BlockOf<F>(panel, b + i);
      PrefetchLines(block + kAheadBytes, F::kLines + 1);
      for (int h = 0; h < 2; ++h) {
        __m256i c[8];
        F::Codes(block + 32 * h, c);
        for (int g = 0; g < 8; ++g) tile.codes[2 * (8 * i + g) + h] = c[g];
        FloatsOf<F::kHasMinimum>(FloatLine<F>(panel, b + i), h, &tile.d[2 * i + h], &tile.m[2 * i + h]);
      }
    }
    ForRowTiles(count, [&]<int R>(int64_t row) { Sweep32<F, R>(tile, tile_blocks, x, row, b, y + row * kPanelRows); });
  }
}

template <int Group, typename F>
void PackedOf(const PackedPanels& w, const RoundedRows& x, int64_t count, float* y) {
  for (int p = 0; p < w.panels; ++p) {
    float* const of_panel = y + p * count * kPanelRows;
    if constexpr (Group == 256)
      Tiles256<F>(w.panel[p], w.k, x, count, of_panel);
    else
      Tiles32<F>(w.panel[p], w.k, x, count, of_panel);
  }
}

// 256 values to codes, and what packed kernels ask of them beside: centred16 are two 16-bit sums, of the first and of the second
// two codes of each four.
void RoundBlock(const float* x, int8_t* codes, CodeSums* sums, WinogradCodes*) {
  RoundOf<256, 16>(x, 256, codes, &sums->scale, sums->sums16);
  for (int i = 0; i < 8; ++i) {
    sums->sums32[i] = static_cast<int16_t>(sums->sums16[2 * i] + sums->sums16[2 * i + 1]);
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), Load256(codes + 32 * i));
    const __m256i eight = _mm256_add_epi16(pairs, _mm256_shuffle_epi32(pairs, 0xb1));
    const __m256i sixteen = _mm256_add_epi16(eight, _mm256_shuffle_epi32(eight, 0x4e));
    const __m256i centred = _mm256_sub_epi16(_mm256_setzero_si256(), _mm256_slli_epi16(sixteen, 5));
    sums->centred16[2 * i] = _mm256_extract_epi32(centred, 0);
    sums->centred16[2 * i + 1] = _mm256_extract_epi32(centred, 4);
  }
}

#define SCOUT_PACKED_KERNELS(table)                \
  (table).packed_q4_0 = PackedOf<32, PackedQ4_0>;  \
  (table).packed_q4_1 = PackedOf<32, PackedQ4_1>;  \
  (table).packed_q5_0 = PackedOf<32, PackedQ5_0>;  \
  (table).packed_q5_1 = PackedOf<32, PackedQ5_1>;  \
  (table).packed_q8_0 = PackedOf<32, PackedQ8_0>;  \
  (table).packed_q2_k = PackedOf<256, PackedQ2_K>; \
  (table).packed_q3_k = PackedOf<256, PackedQ3_K>; \
  (table).packed_q4_k = PackedOf<256, PackedQ4_K>; \
  (table).packed_q5_k = PackedOf<256, PackedQ5_K>; \
  (table).packed_q6_k = PackedOf<256, PackedQ6_K>; \
  (table).round_block = RoundBlock
