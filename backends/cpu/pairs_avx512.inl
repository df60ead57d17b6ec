// Tiles of packed panels for AMD's processors (packed_avx512.inl): formats whose runs have scales of their own. Included by
// kernels_avx512.cpp inside its unnamed namespace, after tiles_avx512.inl.
//
// A register of a tile has two groups of codes, 32 values apart, of eight rows of the panel: lane 2 i of one row's run A, lane
// 2 i + 1 of its run B. Two such registers make a panel, and both meet eight activations that are broadcast together. When the runs
// end, a row's dots lie beside each other, so one vpackssdw brings those of both registers into 16 bits, and one vpdpwssd
// multiplies them by the scales of A and B and adds the products to the sums of sixteen rows. Where a lane is a row
// (tiles_avx512.inl) that takes two. AMD's multipliers take all of these instructions but the packing; on Intel's the packing, and
// broadcasts that are instructions of their own, cost what the scaling gains.
//
// (Paired runs on an EPYC of the fourth generation with two threads, of the int8 probe beside them, K 5120 from memory: 64 rows
// Q4_K 0.75 to 0.79, Q6_K 0.67 to 0.73; 32 rows 0.69 to 0.72, 0.62 to 0.66; 16 rows 0.64 to 0.66, 0.47 to 0.54; 10 rows 0.48 to
// 0.57, 0.34 to 0.47.)
//
//            dots: row r, register i     sums of row r     codes       activations; scales
//   zmm      2 r + i                     18 + r            27, 28      29, 30, 31; 29

// clang-format off
#define SCOUT_PAIR_ROW(g, r, a, first, second) \
  "vpbroadcastq " #r " * 256 + " #g " * 8(%[codes]), %%zmm" #a "\n\t" \
  "vpdpbusd %%zmm" #a ", %%zmm27, %%zmm" #first "\n\t" \
  "vpdpbusd %%zmm" #a ", %%zmm28, %%zmm" #second "\n\t"
#define SCOUT_PAIR_ROWS_5(g) \
  SCOUT_LOAD(g * 128, tile, 27) SCOUT_LOAD(g * 128 + 64, tile, 28) \
  SCOUT_PAIR_ROW(g, 0, 29, 0, 1) SCOUT_PAIR_ROW(g, 1, 30, 2, 3) SCOUT_PAIR_ROW(g, 2, 31, 4, 5) SCOUT_PAIR_ROW(g, 3, 29, 6, 7) \
  SCOUT_PAIR_ROW(g, 4, 30, 8, 9)
#define SCOUT_PAIR_ROWS_6(g) SCOUT_PAIR_ROWS_5(g) SCOUT_PAIR_ROW(g, 5, 31, 10, 11)
#define SCOUT_PAIR_ROWS_7(g) SCOUT_PAIR_ROWS_6(g) SCOUT_PAIR_ROW(g, 6, 29, 12, 13)
#define SCOUT_PAIR_ROWS_8(g) SCOUT_PAIR_ROWS_7(g) SCOUT_PAIR_ROW(g, 7, 30, 14, 15)
#define SCOUT_PAIR_ROWS_9(g) SCOUT_PAIR_ROWS_8(g) SCOUT_PAIR_ROW(g, 8, 31, 16, 17)
#define SCOUT_PAIR_FOUR(rows, a, b, c, d) \
  SCOUT_PAIR_ROWS_##rows(a) SCOUT_PAIR_ROWS_##rows(b) SCOUT_PAIR_ROWS_##rows(c) SCOUT_PAIR_ROWS_##rows(d)

// each(row, its dots, its sum)
#define SCOUT_EACH_OF_5(each) each(0, 0, 1, 18) each(1, 2, 3, 19) each(2, 4, 5, 20) each(3, 6, 7, 21) each(4, 8, 9, 22)
#define SCOUT_EACH_OF_6(each) SCOUT_EACH_OF_5(each) each(5, 10, 11, 23)
#define SCOUT_EACH_OF_7(each) SCOUT_EACH_OF_6(each) each(6, 12, 13, 24)
#define SCOUT_EACH_OF_8(each) SCOUT_EACH_OF_7(each) each(7, 14, 15, 25)
#define SCOUT_EACH_OF_9(each) SCOUT_EACH_OF_8(each) each(8, 16, 17, 26)
#define SCOUT_PAIR_ZERO_SUM(r, first, second, sum) SCOUT_ZERO(sum)
#define SCOUT_PAIR_ZERO(r, first, second, sum) SCOUT_ZERO(first) SCOUT_ZERO(second)
#define SCOUT_PAIR_START(r, first, second, sum) \
  "vpbroadcastq " #r " * 256(%[start]), %%zmm" #first "\n\tvmovdqa64 %%zmm" #first ", %%zmm" #second "\n\t"
#define SCOUT_PAIR_SCALE(r, first, second, sum) \
  "vpackssdw %%zmm" #second ", %%zmm" #first ", %%zmm" #first "\n\tvpdpwssd %%zmm29, %%zmm" #first ", %%zmm" #sum "\n\t"
#define SCOUT_PAIR_STORE(r, first, second, sum) "vmovdqu64 %%zmm" #sum ", " #r " * 64(%[sum])\n\t"
#define SCOUT_PAIR_SCALES(rows) SCOUT_LOAD(0, scales, 29) SCOUT_EACH_OF_##rows(SCOUT_PAIR_SCALE)

// A loop over a block's pairs of runs. What the next tiles need is asked for meanwhile, a few lines at a time: as many at once as a
// sweep is due would fill the buffers that its own loads need.
static_assert(sizeof(CodeSums) == 256);
#define SCOUT_PAIR_RUNS(rows, products, tile_bytes, code_bytes) \
  SCOUT_EACH_OF_##rows(SCOUT_PAIR_ZERO_SUM) "1:\n\t" \
  "prefetcht0 (%[ask])\n\tprefetcht0 64(%[ask])\n\tprefetcht0 128(%[ask])\n\tprefetcht0 192(%[ask])\n\tprefetcht0 256(%[ask])\n\t" \
  products SCOUT_PAIR_SCALES(rows) \
  "add $" #tile_bytes ", %[tile]\n\tadd $" #code_bytes ", %[codes]\n\tadd $8, %[start]\n\tadd $64, %[scales]\n\t" \
  "add %[ask_step], %[ask]\n\tdec %[runs]\n\tjnz 1b\n\t" SCOUT_EACH_OF_##rows(SCOUT_PAIR_STORE)
#define SCOUT_PAIRS_OF_32(rows) \
  SCOUT_PAIR_RUNS(rows, SCOUT_EACH_OF_##rows(SCOUT_PAIR_ZERO) SCOUT_PAIR_FOUR(rows, 0, 1, 2, 3) \
                  SCOUT_PAIR_FOUR(rows, 4, 5, 6, 7), 1024, 64)
#define SCOUT_PAIRS_OF_HALVES(rows) \
  SCOUT_PAIR_RUNS(rows, SCOUT_EACH_OF_##rows(SCOUT_PAIR_ZERO) SCOUT_PAIR_FOUR(rows, 0, 1, 2, 3) SCOUT_PAIR_SCALES(rows) \
                  SCOUT_EACH_OF_##rows(SCOUT_PAIR_ZERO) SCOUT_PAIR_FOUR(rows, 4, 5, 6, 7), 1024, 64)
#define SCOUT_PAIRS_CENTRED(rows) \
  SCOUT_PAIR_RUNS(rows, SCOUT_EACH_OF_##rows(SCOUT_PAIR_START) SCOUT_PAIR_FOUR(rows, 0, 1, 2, 3), 512, 32)
#define SCOUT_SWEEP_PAIRS(text) \
  asm volatile(text \
               : [tile] "+r"(tile), [scales] "+r"(scales), [codes] "+r"(codes), [start] "+r"(start), [runs] "+r"(runs), \
                 [ask] "+r"(ask) \
               : [sum] "r"(sum), [ask_step] "r"(ask_step) \
               : SCOUT_CHANGED)
#define SCOUT_SWEEP_ROWS(which) \
  if constexpr (R == 5) SCOUT_SWEEP_PAIRS(which(5)); \
  if constexpr (R == 6) SCOUT_SWEEP_PAIRS(which(6)); \
  if constexpr (R == 7) SCOUT_SWEEP_PAIRS(which(7)); \
  if constexpr (R == 8) SCOUT_SWEEP_PAIRS(which(8)); \
  if constexpr (R == 9) SCOUT_SWEEP_PAIRS(which(9))
// clang-format on

constexpr int kPairRows = 9;       // a sweep takes five to nine
constexpr int kLinesAskedFor = 5;  // at a time
constexpr int PairsOfRuns(Runs runs) { return runs == Runs::kCentredOf16 ? 8 : 4; }

// sum[r] = sum over the runs of a block of scale * dots; the dots of row r begin at 0, or, where they are centred, at the numbers
// at `start`. With each pair of runs lines from `ask` on are asked for, and it goes on by ask_step bytes.
template <int R, Runs runs_are>
[[gnu::always_inline]] inline void SweepPairs(const __m512i* tile, const __m512i* scales, const int8_t* codes, const int32_t* start,
                                              const unsigned char* ask, int64_t ask_step, __m512i* sum) {
  static_assert(R >= 5 && R <= kPairRows);
  int runs = PairsOfRuns(runs_are);
  if constexpr (runs_are == Runs::kOf32) {
    SCOUT_SWEEP_ROWS(SCOUT_PAIRS_OF_32);
  } else if constexpr (runs_are == Runs::kHalvesOf32) {
    SCOUT_SWEEP_ROWS(SCOUT_PAIRS_OF_HALVES);
  } else {
    static_assert(runs_are == Runs::kCentredOf16);
    SCOUT_SWEEP_ROWS(SCOUT_PAIRS_CENTRED);
  }
}

// One block of a panel, taken apart.
template <typename F>
struct PairTile {
  static constexpr int kScales = F::kScales / 2, kParts = 5;
  __m512i codes[kBlockGroups], scales[kScales], factors[F::kFactors + 1];
  __m512 d[1], m[1], start_times_m[1];

  // One part of kParts.
  inline void Unpack(const unsigned char* block, const unsigned char* floats, int part) {
    if (part < 4) {
      __m512i a[8], b[8];
      const unsigned char* const lines = block + (F::kScaleLines + 2 * part * F::kBits) * 64;
      GroupsOf<F::kBits>(lines, a);
      GroupsOf<F::kBits>(lines + F::kBits * 64, b);
      for (int i = 0; i < 8; ++i) {
        codes[16 * part + 2 * i] = _mm512_unpacklo_epi32(a[i], b[i]);
        codes[16 * part + 2 * i + 1] = _mm512_unpackhi_epi32(a[i], b[i]);
      }
      return;
    }
    __m512i some[16];
    F::Factors(block, some, factors);
    constexpr int kOfRun = F::kScales / 8;  // 32 values have so many
    for (int i = 0; i < kScales; ++i) {
      const int of_a = i / kOfRun * 2 * kOfRun + i % kOfRun;
      const __m512i a = _mm512_and_si512(some[of_a], _mm512_set1_epi32(0xffff));
      scales[i] = _mm512_or_si512(a, _mm512_slli_epi32(some[of_a + kOfRun], 16));
    }
    FloatsOf<F::kHasMinimum>(floats, d, m);
    start_times_m[0] = StartTimes(m[0]);
  }
};

inline __m512i SpreadEight(const void* eight_bytes) {
  long long both;
  __builtin_memcpy(&both, eight_bytes, sizeof both);
  return _mm512_set1_epi64(both);
}

// As SweepPairs for activations whose longer runs do not fit in 16 bits, which is rare: runs of 8.
template <typename F, int R>
inline void SweepShortPairs(const PairTile<F>& tile, const int8_t* codes, const CodeSums* sums, __m512i* sum) {
  for (int r = 0; r < R; ++r) {
    sum[r] = _mm512_setzero_si512();
    for (int run = 0; run < 16; ++run) {
      __m512i first = F::kCentred ? SpreadEight(sums[r].centred8 + 2 * run) : _mm512_setzero_si512(), second = first;
      for (int g = 2 * run; g < 2 * run + 2; ++g) {
        const __m512i a = SpreadEight(codes + r * 256 + 8 * g);
        first = _mm512_dpbusd_epi32(first, tile.codes[2 * g], a);
        second = _mm512_dpbusd_epi32(second, tile.codes[2 * g + 1], a);
      }
      sum[r] = _mm512_dpwssd_epi32(sum[r], _mm512_packs_epi32(first, second), tile.scales[run * PairTile<F>::kScales / 16]);
    }
  }
}

// Two tiles take turns: while one meets the rows, the next one, of the other panel or of the next block, is taken apart between
// the sweeps, whose products leave the ports for that free.
template <typename F>
inline void PairTiles256(const PackedPanels& w, const RoundedRows& x, int64_t count, float* y) {
  constexpr int kParts = PairTile<F>::kParts, kLines = F::kLines + 1;  // with the line of floats
  const int two = w.panels - 1;                                        // tile t is of block t >> two, and of panel t & two
  const int64_t tiles = w.k / 256 * w.panels, sweeps = (count + kPairRows - 1) / kPairRows, runs = sweeps * PairsOfRuns(F::kWide);
  const int64_t rows_of_sweep = count / sweeps, larger_sweeps = count % sweeps, ask_step = (kLines + runs - 1) / runs * 64;
  alignas(64) PairTile<F> both[2];
  const auto unpack = [&](int64_t t, int part) {
    const unsigned char* const panel = w.panel[t & two];
    both[t % 2].Unpack(BlockOf<F>(panel, t >> two), FloatLine<F>(panel, t >> two), part);
  };
  for (int part = 0; part < kParts; ++part) unpack(0, part);
  for (int64_t t = 0; t < tiles; ++t) {
    const int64_t b = t >> two, p = t & two, next = t + 1 < tiles ? t + 1 : t;
    const PairTile<F>& tile = both[t % 2];
    const unsigned char* ask = BlockOf<F>(w.panel[next & two], next >> two) + F::kLines * 64 + kAheadOfTile;
    const auto sweep = [&]<int R>(int64_t row) {
      const int64_t at = b * x.rows + row;
      const int8_t* const codes = x.codes + at * 256;
      const CodeSums* const sums = x.blocks + at;
      uint32_t fits = F::kWideRuns | F::kHalfRuns;
      for (int r = 0; r < R; ++r) fits &= sums[r].runs;
      constexpr bool kHalvesAlwaysFit = F::kRun == 16;
      __m512i isum[R][1];
      if (fits & F::kWideRuns)
        SweepPairs<R, F::kWide>(tile.codes, tile.scales, codes, sums->centred16, ask, ask_step, isum[0]);
      else if (!F::kCentred && (kHalvesAlwaysFit || fits != 0))
        SweepPairs<R, Runs::kHalvesOf32>(tile.codes, tile.scales, codes, nullptr, ask, ask_step, isum[0]);
      else
        SweepShortPairs<F, R>(tile, codes, sums, isum[0]);
      FoldTile256<F, 1, R>(tile, isum, sums, b == 0, count, y + (p * count + row) * kPanelRows);
      ask += ask_step * PairsOfRuns(F::kWide);
    };
    int64_t row = 0, due = 0;
    int unpacked = 0;
    for (int64_t i = 0; i < sweeps; ++i) {
      const int64_t take = rows_of_sweep + (i < larger_sweeps ? 1 : 0);
      if (take == 9) sweep.template operator()<9>(row);
      if (take == 8) sweep.template operator()<8>(row);
      if (take == 7) sweep.template operator()<7>(row);
      if (take == 6) sweep.template operator()<6>(row);
      if (take == 5) sweep.template operator()<5>(row);
      row += take;
      if (next == t) continue;
      for (due += kParts; due >= sweeps; due -= sweeps) unpack(next, unpacked++);
    }
  }
}
