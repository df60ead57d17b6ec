// Tiles of packed panels (packed_avx512.inl, after which this is included): one block of one or two panels, taken apart, against
// six or seven rows of activations at a time, or what fewer are left.

#include "cpu/sweep_avx512.inl"

// One block of P panels, taken apart; entry i of panel p is at i * P + p. Runs lie one after the other, those of 16 values with
// their scales in paired order; where no runs are told apart, all groups do.
template <typename F, int P>
struct BlockTile {
  static constexpr int Place(int group) {
    const int s = group / 8, i = group % 8;  // of 32 values
    if (F::kScaled) return 16 * (s / 2) + 2 * i + s % 2;
    return F::kCentred ? 16 * (s / 2) + 8 * (i / 4) + 4 * (s % 2) + i % 4 : group;
  }
  __m512i codes[kBlockGroups * P], scales[F::kScales * P], factors[F::kFactors * P + 1];  // scales unless they are in the codes
  __m512 d[P], m[P], start_times_m[P];

  inline void Unpack(const unsigned char* block, const unsigned char* floats, int p) {
    constexpr int kTogether = kGroupsTogether<F::kBits>;
    __m512i c[kTogether], some[16], pairs[F::kFactors + 1];
    F::Factors(block, some, pairs);
    for (int g = 0; g < kBlockGroups; g += kTogether) {
      GroupsOf<F::kBits>(block + F::kScaleLines * 64 + g / 8 * F::kBits * 64, c);
      if constexpr (F::kScaled)
        for (int i = 0; i < kTogether; i += 4) F::Scale(c + i, some[(g + i) / 4]);
      for (int i = 0; i < kTogether; ++i) codes[Place(g + i) * P + p] = c[i];
    }
    for (int i = 0; i < F::kScales && !F::kScaled; ++i) scales[(F::kCentred ? PairedRun(i) : i) * P + p] = some[i];
    for (int i = 0; i < F::kFactors; ++i) factors[i * P + p] = pairs[i];
    FloatsOf<F::kHasMinimum>(floats, &d[p], &m[p]);
    if constexpr (F::kScaled && !F::kHasMinimum) d[p] = _mm512_sub_ps(_mm512_setzero_ps(), d[p]);
    start_times_m[p] = StartTimes(m[p]);
  }
};

// sum += codes . a, and sum += dots . scale. As statements of their own: of the intrinsics, gcc 12 copies a third of the sums from
// register to register in each round of a sweep, on the ports that the products want.
inline void AddDots(__m512i& sum, __m512i codes, __m512i a) { asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(codes), "v"(a)); }
inline void AddScaled(__m512i& sum, __m512i dots, const __m512i& scale) {
  asm("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(dots), "vm"(scale));
}
inline __m512i Zero() {
  __m512i zero;
  asm volatile("vpxord %0, %0, %0" : "=v"(zero));
  return zero;
}

// dots[r][p] += the products of Groups groups of codes, whose activations are Apart bytes apart.
template <int P, int R, int Groups, int Apart>
[[gnu::always_inline]] inline void DotGroups(const __m512i* tiles, const int8_t* codes, __m512i (*dots)[P]) {
#pragma GCC unroll 8
  for (int g = 0; g < Groups; ++g) {
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      const __m512i a = Spread(codes + r * 256 + Apart * g);
#pragma GCC unroll 2
      for (int p = 0; p < P; ++p) AddDots(dots[r][p], tiles[g * P + p], a);
    }
  }
}

template <typename F, int P, int R, typename Tile>
[[gnu::always_inline]] inline void FoldTile256(const Tile& tile, const __m512i (*isum)[P], const CodeSums* sums, bool first,
                                               int64_t count, float* y) {
  // Copies, or every store to y would make gcc load all of a tile's factors again.
  __m512i factors[F::kFactors * P + 1];
  __m512 d[P], m[P], start_times_m[P];
#pragma GCC unroll 16
  for (int i = 0; i < F::kFactors * P; ++i) factors[i] = tile.factors[i];
#pragma GCC unroll 2
  for (int p = 0; p < P; ++p) d[p] = tile.d[p], m[p] = tile.m[p], start_times_m[p] = tile.start_times_m[p];
#pragma GCC unroll 7
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p) {
      float* const to = y + (p * count + r) * kPanelRows;
      const __m512 sum = first ? _mm512_setzero_ps() : _mm512_loadu_ps(to);
      _mm512_storeu_ps(to, FoldBlock<F>(sum, isum[r][p], factors + p, P, d[p], m[p], start_times_m[p], sums[r]));
    }
  }
}

// R rows of activations against a tile; codes, sums and y are the first row's.
template <typename F, int P, int R, bool Wide>
inline void Sweep256(const BlockTile<F, P>& tile, const int8_t* codes, const CodeSums* sums, bool first, int64_t count, float* y) {
  constexpr int kRun = Wide ? F::kWideRun : F::kRun, kGroups = kRun / 4, kRunsOfScale = 64 / F::kScales / kGroups;
  constexpr int kSumStride = sizeof(CodeSums) / sizeof(int32_t);
  __m512i isum[R][P];
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p) isum[r][p] = Zero();
  const __m512i* tiles = tile.codes;
  for (int run = 0; run < kBlockGroups / kGroups; ++run) {
    // The tile's run is of these values, 16 of a centred format in paired order.
    const int value = F::kCentred ? 16 * PairedRun(kRun * run / 16) + kRun * run % 16 : kRun * run;
    const int8_t* const from = codes + PairedCodes(value / 16) + value % 16 * 2;
    const int32_t* const start =
        kRun == 16 ? sums->centred16 + run : sums->centred8 + value / 64 * 8 + value % 32 / 8 * 2 + value / 32 % 2;
    __m512i dots[R][P];
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int p = 0; p < P; ++p) dots[r][p] = F::kCentred ? Spread(start + r * kSumStride) : Zero();
    DotGroups<P, R, kGroups, 8>(tiles, from, dots);
    tiles += kGroups * P;
    const __m512i* const scale = tile.scales + run / kRunsOfScale * P;
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int p = 0; p < P; ++p) AddScaled(isum[r][p], dots[r][p], scale[p]);
  }
  FoldTile256<F, P, R>(tile, isum, sums, first, count, y);
}

// As Sweep256 for six or seven rows and runs of another length.
template <typename F, int R, Runs runs>
inline void SweepMany(const BlockTile<F, 2>& tile, const int8_t* codes, const CodeSums* sums, bool first, int64_t count, float* y) {
  __m512i isum[R][2];
  SweepRuns<R, runs>(tile.codes, tile.scales, codes, runs == Runs::kScaledCentred ? &sums->centred256 : sums->centred16, isum[0]);
  FoldTile256<F, 2, R>(tile, isum, sums, first, count, y);
}

// As above where the codes have their scales in them.
template <typename F, int P, int R>
inline void SweepScaled(const BlockTile<F, P>& tile, const int8_t* codes, const CodeSums* sums, bool first, int64_t count,
                        float* y) {
  constexpr Runs kRuns = F::kHasMinimum ? Runs::kScaled : Runs::kScaledCentred;
  if constexpr (P == 2 && R >= 6) return SweepMany<F, R, kRuns>(tile, codes, sums, first, count, y);
  __m512i isum[R][P];
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p) isum[r][p] = F::kHasMinimum ? Zero() : Spread(&sums[r].centred256);
  for (int g = 0; g < kBlockGroups; g += 4) DotGroups<P, R, 4, 4>(tile.codes + g * P, codes + 4 * g, isum);
  FoldTile256<F, P, R>(tile, isum, sums, first, count, y);
}

// sweep.operator()<R>(row) for all rows, R at a time: as many as a tile takes, and no few at the end where that can be helped. One
// panel alone is rare, and takes two at a time: every shape of a sweep is some kilobytes of code for each format.
template <int P, typename Sweep>
inline void ForRowTiles(int64_t count, const Sweep& sweep) {
  for (int64_t row = 0; row < count;) {
    const int64_t left = count - row;
    int64_t take = left < 2 ? left : 2;
    if constexpr (P == 2) {
      const int64_t tiles = (left + 6) / 7;  // of six and seven rows, where they come out even
      if (6 * tiles <= left)
        take = left > 6 * tiles ? 7 : 6;
      else
        take = left < 4 ? left : left == 5 || left == 9 ? 3 : 4;
      if (take == 7) sweep.template operator()<7>(row);
      if (take == 6) sweep.template operator()<6>(row);
      if (take == 4) sweep.template operator()<4>(row);
      if (take == 3) sweep.template operator()<3>(row);
    }
    if (take == 2) sweep.template operator()<2>(row);
    if (take == 1) sweep.template operator()<1>(row);
    row += take;
  }
}

// Asks for the lines of P panels after those of a tile, a few with each sweep: all at once would fill the buffers that the sweeps'
// own loads need.
template <int P>
struct NextLines {
  const unsigned char* panel[P];
  int lines, asked = 0;
  inline void AskAfter(int64_t rows_done, int64_t rows) {
    for (const int until = static_cast<int>(lines * rows_done / rows); asked < until; ++asked)
      for (int p = 0; p < P; ++p) _mm_prefetch(reinterpret_cast<const char*>(panel[p] + 64 * asked), _MM_HINT_T0);
  }
};

template <typename F, int P>
inline void Tiles256(const PackedPanels& w, const RoundedRows& x, int64_t count, float* y) {
  const int64_t blocks = w.k / 256;
  alignas(64) BlockTile<F, P> tile;
  for (int64_t b = 0; b < blocks; ++b) {
    NextLines<P> next;
    next.lines = F::kLines + 1;
    for (int p = 0; p < P; ++p) {
      const unsigned char* const block = BlockOf<F>(w.panel[p], b);
      next.panel[p] = block + F::kLines * 64 + kAheadOfTile;
      tile.Unpack(block, FloatLine<F>(w.panel[p], b), p);
    }
    ForRowTiles<P>(count, [&]<int R>(int64_t row) {
      const int64_t at = b * x.rows + row;
      const int8_t* const codes = x.codes + at * 256;
      const CodeSums* const sums = x.blocks + at;
      float* const to = y + row * kPanelRows;
      if constexpr (F::kScaled) {
        SweepScaled<F, P, R>(tile, codes, sums, b == 0, count, to);
      } else {
        uint32_t runs = P == 2 ? F::kWideRuns | F::kHalfRuns : 0;
        for (int r = 0; r < R; ++r) runs &= sums[r].runs;
        if constexpr (P == 2 && R >= 6) {
          if (runs & F::kWideRuns)
            SweepMany<F, R, F::kWide>(tile, codes, sums, b == 0, count, to);
          else if (F::kHalfRuns != 0 && runs != 0)
            SweepMany<F, R, Runs::kHalvesOf32>(tile, codes, sums, b == 0, count, to);
          else
            Sweep256<F, P, R, false>(tile, codes, sums, b == 0, count, to);
        } else if (P == 2 && (runs & F::kWideRuns)) {
          Sweep256<F, P, R, true>(tile, codes, sums, b == 0, count, to);
        } else {
          Sweep256<F, P, R, false>(tile, codes, sums, b == 0, count, to);
        }
      }
      next.AskAfter(row + R, count);
    });
  }
}
