// Packed panels of blocks of 32 (Q4_0 Q4_1 Q5_0 Q5_1 Q8_0); see packed_avx512.inl, after which this is included.
//
// A tile of a format with an offset holds its codes times 128 / offset and d divided by it, so that every sum starts at -128 times
// the activations' sum, and at 12582912 beside it: the sum is below 2^22 in magnitude (128 * 127 * 32 = 520,192), so its register
// is a float32 as it stands, and with d of 11 bits 12582912 d is a float32 as well; the rest of the product is rounded once:
//   (12582912 + dots) * d - 12582912 d = dots * d

struct PackedNibbles {
  static constexpr int kLines = 4;
  static inline void Codes(const unsigned char* block, __m512i* c) { GroupsOf<4>(block, c); }
};
struct PackedFives {
  static constexpr int kLines = 5;
  static inline void Codes(const unsigned char* block, __m512i* c) { GroupsOf<5>(block, c); }
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

inline __m512 MinimumTerm(__m512i dots, __m512 d, __m512 m, int code_sum) {
  return _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots), d, _mm512_mul_ps(_mm512_set1_ps(static_cast<float>(code_sum)), m));
}
template <typename F>
inline __m512 FoldSmall(__m512 sum, __m512i dots, __m512 d, __m512 m, int code_sum, float scale) {
  const __m512 term = F::kHasMinimum ? MinimumTerm(dots, d, m, code_sum) : _mm512_mul_ps(_mm512_cvtepi32_ps(dots), d);
  return _mm512_fmadd_ps(term, _mm512_set1_ps(scale), sum);
}

template <typename F, int N>
[[gnu::always_inline]] inline void StreamSmallBlock(const unsigned char* panel, int64_t b, const RoundedRows& x, __m512* sum) {
  const unsigned char* const block = BlockOf<F>(panel, b);
  PrefetchLines(block + kAheadBytes, F::kLines + 1);
  __m512i c[8];
  F::Codes(block, c);
  __m512 d, m;
  FloatsOf<F::kHasMinimum>(FloatLine<F>(panel, b), &d, &m);
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

template <typename F, int N>
inline void Stream32(const unsigned char* panel, int64_t k, const RoundedRows& x, float* y) {
  const int64_t blocks = k / 32;
  __m512 sum[N];
  for (int n = 0; n < N; ++n) sum[n] = _mm512_setzero_ps();
  for (int64_t b = 0; b < blocks; ++b) StreamSmallBlock<F, N>(panel, b, x, sum);
  for (int n = 0; n < N; ++n) _mm512_storeu_ps(y + n * kPanelRows, sum[n]);
}

// Up to eight blocks of P panels; of a format with an offset, m is 12582912 d.
template <int P>
struct SmallTile {
  static constexpr int kBlocks = 8;
  __m512i codes[kBlockGroups * P];
  __m512 d[kBlocks * P], m[kBlocks * P];

  template <typename F>
  inline void Unpack(const unsigned char* block, const unsigned char* floats, int i, int p) {
    __m512i c[8];
    F::Codes(block, c);
    __m512 delta, minimum;
    FloatsOf<F::kHasMinimum>(floats, &delta, &minimum);
    if constexpr (!F::kHasMinimum) {
      constexpr int kShift = F::kOffset == 8 ? 4 : F::kOffset == 16 ? 3 : 0;
      static_assert(F::kOffset << kShift == 128);
      if constexpr (kShift > 0)
        for (int g = 0; g < 8; ++g) c[g] = _mm512_slli_epi16(c[g], kShift);  // no code reaches the byte above
      delta = _mm512_mul_ps(delta, _mm512_set1_ps(1.0f / (1 << kShift)));
      minimum = StartTimes(delta);
    }
    for (int g = 0; g < 8; ++g) codes[(8 * i + g) * P + p] = c[g];
    d[i * P + p] = delta;
    m[i * P + p] = minimum;
  }
};

template <typename F, int P, int R>
inline void Sweep32(const SmallTile<P>& tile, int tile_blocks, const RoundedRows& x, int64_t row, int64_t b, int64_t count,
                    float* y) {
  if constexpr (P == 2 && R >= 6 && !F::kHasMinimum) {
    static_assert(offsetof(SmallTile<P>, m) > offsetof(SmallTile<P>, d));
    constexpr int kMinima = offsetof(SmallTile<P>, m) - offsetof(SmallTile<P>, d);
    float* const other = y + count * kPanelRows;
    if (b == 0) {
      __builtin_memset(y, 0, R * kPanelRows * sizeof(float));
      __builtin_memset(other, 0, R * kPanelRows * sizeof(float));
    }
    const int64_t at = b * x.rows + row;
    return SweepBlocks<R, kMinima>(tile.codes, x.codes + at * 32, x.starts + at, x.scales + at, tile.d, tile_blocks, x.rows, y,
                                   other);
  }
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
      for (int p = 0; p < P; ++p) dots[r][p] = F::kHasMinimum ? Zero() : Spread(x.starts + at + r);
#pragma GCC unroll 8
    for (int g = 0; g < 8; ++g) {
#pragma GCC unroll 6
      for (int r = 0; r < R; ++r) {
        const __m512i a = Spread(codes + r * 32 + 4 * g);
#pragma GCC unroll 2
        for (int p = 0; p < P; ++p) AddDots(dots[r][p], tile.codes[(8 * i + g) * P + p], a);
      }
    }
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      const __m512 scale = _mm512_set1_ps(x.scales[at + r]);
#pragma GCC unroll 2
      for (int p = 0; p < P; ++p) {
        const __m512 d = tile.d[i * P + p], m = tile.m[i * P + p];
        const __m512 term =
            F::kHasMinimum ? MinimumTerm(dots[r][p], d, m, x.sums[at + r]) : _mm512_fmsub_ps(_mm512_castsi512_ps(dots[r][p]), d, m);
        sum[r][p] = _mm512_fmadd_ps(term, scale, sum[r][p]);
      }
    }
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
    NextLines<P> next;
    const int64_t end = b + tile_blocks;
    next.lines = tile_blocks * (F::kLines + 1);
    for (int p = 0; p < P; ++p) {
      next.panel[p] = BlockOf<F>(w.panel[p], end) + kAheadOfTile;
      for (int i = 0; i < tile_blocks; ++i)
        tile.template Unpack<F>(BlockOf<F>(w.panel[p], b + i), FloatLine<F>(w.panel[p], b + i), i, p);
    }
    ForRowTiles<P>(count, [&]<int R>(int64_t row) {
      Sweep32<F, P, R>(tile, tile_blocks, x, row, b, count, y + row * kPanelRows);
      next.AskAfter(row + R, count);
    });
  }
}

// The rows from `row` on (RowsFrom in product.h is not for files of a wider instruction set, which share no inline code).
template <int Group>
inline RoundedRows RowsOnward(const RoundedRows& x, int64_t row) {
  RoundedRows from = x;
  from.codes += row * Group;
  if constexpr (Group == 256) {
    from.blocks += row;
    from.winograd = nullptr;  // not for so few
  } else {
    from.scales += row;
    from.sums += row;
    from.starts += row;
  }
  return from;
}

// ---- the table

template <int Group, typename F>
void PackedOf(const PackedPanels& w, const RoundedRows& x, int64_t count, float* y) {
  if (count > kStreamedRows) {
    if constexpr (Group == 256 && requires { F::kWinograd; }) {
      if (x.winograd && w.panels == 2 && FewAreFar(x, w.k / 256, count)) return WinogradTiles(w, x, count, y);
    }
    if constexpr (Group == 256 && requires { F::kWide; }) {
      if (w.amd) return PairTiles256<F>(w, x, count, y);
    }
    if constexpr (Group == 256)
      return w.panels == 2 ? Tiles256<F, 2>(w, x, count, y) : Tiles256<F, 1>(w, x, count, y);
    else
      return w.panels == 2 ? Tiles32<F, 2>(w, x, count, y) : Tiles32<F, 1>(w, x, count, y);
  }
  // One panel after the other: two streams side by side were slower. Rows after the first few find the panel in the second cache.
  for (int p = 0; p < w.panels; ++p) {
    const auto stream = [&]<int N>(int64_t row) {
      float* const to = y + (p * count + row) * kPanelRows;
      if constexpr (Group == 256)
        Stream256<F, N>(w.panel[p], w.k, RowsOnward<Group>(x, row), w.amd, to);
      else
        Stream32<F, N>(w.panel[p], w.k, RowsOnward<Group>(x, row), to);
    };
    for (int64_t row = 0; row < count;) {
      const int64_t left = count - row, passes = (left + kStreamRows - 1) / kStreamRows, take = (left + passes - 1) / passes;
      if (take == 4) stream.template operator()<4>(row);
      if (take == 3) stream.template operator()<3>(row);
      if (take == 2) stream.template operator()<2>(row);
      if (take == 1) stream.template operator()<1>(row);
      row += take;
    }
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
