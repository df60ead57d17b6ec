// Tiles of Q4_K for AMD's processors, in which three products of four are made with half as many multiplications. Included by
// kernels_avx512.cpp inside its unnamed namespace, after tiles_avx512.inl.
//
// Winograd's inner product (S. Winograd, A New Algorithm for Inner Product, IEEE Transactions on Computers C-17, 1968): with an
// activation a and a weight's code b of each of two groups,
//   a1 b1 + a2 b2 = (a1 + b2) (a2 + b1) - a1 a2 - b1 b2
// so that one product serves for two, after two additions. What is subtracted is of the activations or of the weight alone, and
// is made once for each of these. Integers all, so the sums are what they were.
//
// A processor of the fourth generation begins one vpdpbusd of 512 bits in a clock, but two instructions if one is an addition:
// its adders rest in an ordinary product. Two vpdpbusd so become one and two vpaddb, one and a half clocks instead of two (alone,
// 1.35 products in the time of one at the instruction's own peak). Then all ports are busy, and the multipliers less than the
// others; so the first two of a run's eight groups stay plain. On Intel's processors both instructions go through the same two
// ports.
//
// (Normally distributed activations, K 5120, EPYC of the fourth generation, one thread and two, weights from memory, of the time of
// pairs_avx512.inl in turns: 16 rows 0.91 and 0.92, 32 rows 0.93, 64 rows 0.91 and 0.90. All groups in this way: 0.96 to 1.06; half
// of them: 0.91 to 0.96.)
//
// The sums have to fit in bytes: with b in 0 .. 15, of which b2 is kept 128 higher, and a of -127 .. 112, a1 + b2 is in 1 .. 255
// and a2 + b1 in -127 .. 127. A group of four activations of which one is larger is *far*: it is 0 in WinogradCodes, and its
// products are made as ever. A block is taken with the sign that has fewer of them, so it is one in every second block where
// activations are normally distributed.

// A block of two panels, taken apart; what belongs to panel p is at [p]. The loops below know where everything is.
struct WinogradTile {
  __m512i codes[kBlockGroups][2];  // 128 more in odd groups but a run's first
  struct {
    __m512i start[2], scale[2];  // less what the codes give of themselves; in the lower halves of lanes
  } runs[8];
  __m512i factors[PackedQ4_K::kFactors][2];
  __m512 d[2], m[2], start_times_m[2];

  // The panels' blocks and floats.
  inline void Unpack(const unsigned char* const* block, const unsigned char* const* floats) {
    for (int64_t p = 0; p < 2; ++p) {
      for (int64_t run = 0; run < 8; ++run) UnpackRun(block[p] + (3 + 4 * run) * 64, run, p);
      __m512i scales[8], pairs[4];
      PackedQ4_K::Factors(block[p], scales, pairs);
      for (int s = 0; s < 8; ++s) runs[s].scale[p] = scales[s];
      for (int f = 0; f < 4; ++f) factors[f][p] = pairs[f];
      FloatsOf<true>(floats[p], &d[p], &m[p]);
      start_times_m[p] = StartTimes(m[p]);
    }
  }
  inline void UnpackRun(const unsigned char* lines, int64_t run, int64_t p) {
    __m512i* const to = &codes[8 * run][p];
    __m512i products = _mm512_setzero_si512();
    for (int i = 0; i < 4; ++i) {
      const __m512i line = Line(lines, i), b1 = Low<4>(line);
      if (i == 0) {
        to[0] = b1;
        to[2] = Low<4>(_mm512_srli_epi16(line, 4));
        continue;
      }
      const __m512i b2 = _mm512_ternarylogic_epi32(_mm512_srli_epi16(line, 4), _mm512_set1_epi8(15), _mm512_set1_epi8(-128), 0xea);
      to[4 * i] = b1;
      to[4 * i + 2] = b2;
      products = _mm512_dpbusd_epi32(products, b2, b1);
    }
    runs[run].start[p] = _mm512_sub_epi32(_mm512_setzero_si512(), products);
  }
};
static_assert(sizeof(WinogradTile::runs) == 2048 && offsetof(WinogradTile, factors) == offsetof(WinogradTile, runs) + 2048);
static_assert(offsetof(WinogradTile, d) == offsetof(WinogradTile, factors) + 512);
static_assert(offsetof(WinogradTile, start_times_m) == offsetof(WinogradTile, d) + 256);
static_assert(sizeof(WinogradCodes) == 320 && offsetof(WinogradCodes, starts) == 256);
static_assert(offsetof(WinogradCodes, scale) == 288 && offsetof(WinogradCodes, sums32) == 296);

// clang-format off
//            dots: row r, panel p     sums of row r     codes       activations; sums
//   zmm      2 r + p                  12 + 2 r + p      24 to 27    28, 29; these and 30, 31
#define SCOUT_CROSS(at, r, first, second) \
  "vpbroadcastd " #r " * 320 + " #at "(%[codes]), %%zmm28\n\tvpbroadcastd " #r " * 320 + 8 + " #at "(%[codes]), %%zmm29\n\t" \
  "vpaddb %%zmm26, %%zmm28, %%zmm30\n\tvpaddb %%zmm24, %%zmm29, %%zmm31\n\tvpdpbusd %%zmm31, %%zmm30, %%zmm" #first "\n\t" \
  "vpaddb %%zmm27, %%zmm28, %%zmm28\n\tvpaddb %%zmm25, %%zmm29, %%zmm29\n\tvpdpbusd %%zmm29, %%zmm28, %%zmm" #second "\n\t"
#define SCOUT_PLAIN(at, r, first, second) \
  "vpbroadcastd " #r " * 320 + " #at "(%[codes]), %%zmm28\n\tvpbroadcastd " #r " * 320 + 8 + " #at "(%[codes]), %%zmm29\n\t" \
  "vpdpbusd %%zmm28, %%zmm24, %%zmm" #first "\n\tvpdpbusd %%zmm28, %%zmm25, %%zmm" #second "\n\t" \
  "vpdpbusd %%zmm29, %%zmm26, %%zmm" #first "\n\tvpdpbusd %%zmm29, %%zmm27, %%zmm" #second "\n\t"
#define SCOUT_PLAIN_ROWS_4(at) \
  SCOUT_PLAIN(at, 0, 0, 1) SCOUT_PLAIN(at, 1, 2, 3) SCOUT_PLAIN(at, 2, 4, 5) SCOUT_PLAIN(at, 3, 6, 7)
#define SCOUT_PLAIN_ROWS_5(at) SCOUT_PLAIN_ROWS_4(at) SCOUT_PLAIN(at, 4, 8, 9)
#define SCOUT_PLAIN_ROWS_6(at) SCOUT_PLAIN_ROWS_5(at) SCOUT_PLAIN(at, 5, 10, 11)
#define SCOUT_CROSS_ROWS_4(at) \
  SCOUT_CROSS(at, 0, 0, 1) SCOUT_CROSS(at, 1, 2, 3) SCOUT_CROSS(at, 2, 4, 5) SCOUT_CROSS(at, 3, 6, 7)
#define SCOUT_CROSS_ROWS_5(at) SCOUT_CROSS_ROWS_4(at) SCOUT_CROSS(at, 4, 8, 9)
#define SCOUT_CROSS_ROWS_6(at) SCOUT_CROSS_ROWS_5(at) SCOUT_CROSS(at, 5, 10, 11)
// Two groups of both panels, from line `line` of the tile on.
#define SCOUT_GROUPS(kind, rows, line, at) \
  SCOUT_LOAD((line) * 64, tile, 24) SCOUT_LOAD((line) * 64 + 64, tile, 25) SCOUT_LOAD((line) * 64 + 128, tile, 26) \
  SCOUT_LOAD((line) * 64 + 192, tile, 27) SCOUT_##kind##_ROWS_##rows(at)

// each(row, its dots, its sums)
#define SCOUT_CROSS_EACH_4(each) each(0, 0, 1, 12, 13) each(1, 2, 3, 14, 15) each(2, 4, 5, 16, 17) each(3, 6, 7, 18, 19)
#define SCOUT_CROSS_EACH_5(each) SCOUT_CROSS_EACH_4(each) each(4, 8, 9, 20, 21)
#define SCOUT_CROSS_EACH_6(each) SCOUT_CROSS_EACH_5(each) each(5, 10, 11, 22, 23)

// The sums begin where begin[r] says.
#define SCOUT_CROSS_BEGIN(r, first, second, sum, other) \
  "mov " #r " * 8(%[begin]), %%rax\n\tvmovdqa64 (%%rax), %%zmm" #sum "\n\tvmovdqa64 64(%%rax), %%zmm" #other "\n\t"

#define SCOUT_CROSS_START(of_run, r, first, second) \
  "vpbroadcastd " #r " * 320 + 256 + " #of_run "(%[of]), %%zmm28\n\t" \
  "vpaddd %%zmm30, %%zmm28, %%zmm" #first "\n\tvpaddd %%zmm31, %%zmm28, %%zmm" #second "\n\t"
#define SCOUT_CROSS_START_0(r, first, second, sum, other) SCOUT_CROSS_START(0, r, first, second)
#define SCOUT_CROSS_START_1(r, first, second, sum, other) SCOUT_CROSS_START(4, r, first, second)
#define SCOUT_CROSS_SCALE(r, first, second, sum, other) \
  "vpdpwssd %%zmm30, %%zmm" #first ", %%zmm" #sum "\n\tvpdpwssd %%zmm31, %%zmm" #second ", %%zmm" #other "\n\t"
// The same for dots that may be beyond 16 bits.
#define SCOUT_CROSS_SCALE_LONG(r, first, second, sum, other) \
  "vpmulld %%zmm30, %%zmm" #first ", %%zmm" #first "\n\tvpaddd %%zmm" #first ", %%zmm" #sum ", %%zmm" #sum "\n\t" \
  "vpmulld %%zmm31, %%zmm" #second ", %%zmm" #second "\n\tvpaddd %%zmm" #second ", %%zmm" #other ", %%zmm" #other "\n\t"
#define SCOUT_CROSS_RUN(rows, run, line, at, scale) \
  SCOUT_LOAD(run * 256, side, 30) SCOUT_LOAD(run * 256 + 64, side, 31) SCOUT_CROSS_EACH_##rows(SCOUT_CROSS_START_##run) \
  SCOUT_GROUPS(PLAIN, rows, line, at) SCOUT_GROUPS(CROSS, rows, line + 4, at + 16) \
  SCOUT_GROUPS(CROSS, rows, line + 8, at + 32) SCOUT_GROUPS(CROSS, rows, line + 12, at + 48) \
  SCOUT_LOAD(run * 256 + 128, side, 30) SCOUT_LOAD(run * 256 + 192, side, 31) SCOUT_CROSS_EACH_##rows(scale)

// What FoldBlock does (packed_avx512.inl), `of` being 32 bytes on by then: factors in 0 to 7, d in 8 and 9, m in 10 and 11,
// start_times_m in 24 and 25, kFloatStart in 26. y += scale * (sum * d - minima * m)
#define SCOUT_CROSS_MINIMA(r, pair, f, g) \
  "vpdpwssd " #r " * 320 + 296 - 32 + 4 * " #pair "(%[of])%{1to16%}, %%zmm" #f ", %%zmm28\n\t" \
  "vpdpwssd " #r " * 320 + 296 - 32 + 4 * " #pair "(%[of])%{1to16%}, %%zmm" #g ", %%zmm29\n\t"
#define SCOUT_CROSS_FOLD(r, first, second, sum, other) \
  "vmovdqa64 %%zmm26, %%zmm28\n\tvmovdqa64 %%zmm26, %%zmm29\n\tvbroadcastss " #r " * 320 + 288 - 32(%[of]), %%zmm30\n\t" \
  SCOUT_CROSS_MINIMA(r, 0, 0, 1) SCOUT_CROSS_MINIMA(r, 1, 2, 3) SCOUT_CROSS_MINIMA(r, 2, 4, 5) SCOUT_CROSS_MINIMA(r, 3, 6, 7) \
  "vcvtdq2ps %%zmm" #sum ", %%zmm" #sum "\n\tvcvtdq2ps %%zmm" #other ", %%zmm" #other "\n\t" \
  "vfmsub213ps %%zmm24, %%zmm10, %%zmm28\n\tvfmsub213ps %%zmm25, %%zmm11, %%zmm29\n\t" \
  "vfmsub213ps %%zmm28, %%zmm8, %%zmm" #sum "\n\tvfmsub213ps %%zmm29, %%zmm9, %%zmm" #other "\n\t" \
  "vfmadd213ps " #r " * 64(%[y]), %%zmm30, %%zmm" #sum "\n\tvfmadd213ps " #r " * 64(%[other]), %%zmm30, %%zmm" #other "\n\t" \
  "vmovups %%zmm" #sum ", " #r " * 64(%[y])\n\tvmovups %%zmm" #other ", " #r " * 64(%[other])\n\t"
#define SCOUT_CROSS_FOLDING \
  SCOUT_LOAD(0, side, 0) SCOUT_LOAD(64, side, 1) SCOUT_LOAD(128, side, 2) SCOUT_LOAD(192, side, 3) SCOUT_LOAD(256, side, 4) \
  SCOUT_LOAD(320, side, 5) SCOUT_LOAD(384, side, 6) SCOUT_LOAD(448, side, 7) SCOUT_LOAD(512, side, 8) SCOUT_LOAD(576, side, 9) \
  SCOUT_LOAD(640, side, 10) SCOUT_LOAD(704, side, 11) SCOUT_LOAD(768, side, 24) SCOUT_LOAD(832, side, 25) \
  "mov $0x4b400000, %%eax\n\tvpbroadcastd %%eax, %%zmm26\n\t"

#define SCOUT_CROSS_ASK(at) "prefetcht0 " #at "(%[ask])\n\tprefetcht0 " #at "(%[ask], %[apart])\n\t"
// A loop over pairs of runs, whose activations lie in turns. What the next tiles need is asked for meanwhile (pairs_avx512.inl).
#define SCOUT_CROSS_BLOCK(rows, scale) \
  SCOUT_CROSS_EACH_##rows(SCOUT_CROSS_BEGIN) "mov $4, %%ecx\n1:\n\t" \
  SCOUT_CROSS_ASK(0) SCOUT_CROSS_ASK(64) SCOUT_CROSS_ASK(128) SCOUT_CROSS_ASK(192) SCOUT_CROSS_ASK(256) \
  SCOUT_CROSS_RUN(rows, 0, 0, 0, scale) SCOUT_CROSS_RUN(rows, 1, 16, 4, scale) \
  "add $2048, %[tile]\n\tadd $512, %[side]\n\tadd $64, %[codes]\n\tadd $8, %[of]\n\tadd %[ask_step], %[ask]\n\t" \
  "dec %%ecx\n\tjnz 1b\n\t" SCOUT_CROSS_FOLDING SCOUT_CROSS_EACH_##rows(SCOUT_CROSS_FOLD)
#define SCOUT_SWEEP_CROSS(rows, scale) \
  asm volatile(SCOUT_CROSS_BLOCK(rows, scale) \
               : [tile] "+r"(tile_codes), [side] "+r"(side), [codes] "+r"(codes), [of] "+r"(of), [ask] "+r"(ask) \
               : [y] "r"(y), [other] "r"(other), [begin] "r"(begin), [ask_step] "r"(ask_step), [apart] "r"(apart) \
               : "rax", "rcx", SCOUT_CHANGED)
// clang-format on

constexpr int kWinogradRows = 6;  // a sweep takes four to six

// y[r] += what R rows from `of` on give with panel 0 of a tile, and `other` with panel 1; row r's sums begin at begin[r] [2]. With
// each pair of runs lines from `ask` on are asked for, and those `apart` bytes further, and it goes on by ask_step bytes.
template <int R, bool Fits>
[[gnu::always_inline]] inline void SweepCross(const WinogradTile& tile, const __m512i* const* begin, const WinogradCodes* of,
                                              const unsigned char* ask, int64_t apart, int64_t ask_step, float* y, float* other) {
  static_assert(R >= 4 && R <= kWinogradRows);
  const void *tile_codes = tile.codes, *side = tile.runs;
  const int8_t* codes = of->codes;
  if constexpr (Fits) {
    if constexpr (R == 4) SCOUT_SWEEP_CROSS(4, SCOUT_CROSS_SCALE);
    if constexpr (R == 5) SCOUT_SWEEP_CROSS(5, SCOUT_CROSS_SCALE);
    if constexpr (R == 6) SCOUT_SWEEP_CROSS(6, SCOUT_CROSS_SCALE);
  } else {
    if constexpr (R == 4) SCOUT_SWEEP_CROSS(4, SCOUT_CROSS_SCALE_LONG);
    if constexpr (R == 5) SCOUT_SWEEP_CROSS(5, SCOUT_CROSS_SCALE_LONG);
    if constexpr (R == 6) SCOUT_SWEEP_CROSS(6, SCOUT_CROSS_SCALE_LONG);
  }
}

// What the sums of some rows begin with: their far groups' products.
struct FarSums {
  static constexpr int kMostRows = 60;
  __m512i sums[kMostRows][2], none[2];
  const __m512i* begin[kMostRows];

  // The first far group of every row that has one, then the next ones: lists, so that no branch depends on a row.
  inline void Make(const WinogradTile& tile, const WinogradCodes* of, const int8_t* codes, int64_t rows) {
    uint64_t left[kMostRows];
    int64_t open[kMostRows], count = 0;
    none[0] = none[1] = _mm512_setzero_si512();
    for (int64_t r = 0; r < rows; ++r) {
      const uint64_t far = of[r].far & ~WinogradCodes::kFits;
      begin[r] = far != 0 ? sums[r] : none;
      open[count] = r;
      count += far != 0;
    }
    const auto each = [&](const auto& add) {
      int64_t still = 0;
      for (int64_t i = 0; i < count; ++i) {
        const int64_t r = open[i];
        const uint64_t rest = add(r);
        left[r] = rest;
        open[still] = r;
        still += rest != 0;
      }
      count = still;
    };
    each([&](int64_t r) __attribute__((always_inline)) {
      const uint64_t far = of[r].far & ~WinogradCodes::kFits;
      AddGroup(tile, far, Spread(of[r].first_far), none[0], none[1], sums[r]);
      return far & (far - 1);
    });
    while (count > 0)
      each([&](int64_t r) __attribute__((always_inline)) {
        const __m512i same = Spread(codes + r * 256 + 4 * __builtin_ctzll(left[r])), zero = _mm512_setzero_si512();
        const auto flipped = static_cast<__mmask64>(of[r].scale < 0 ? -1 : 0);
        AddGroup(tile, left[r], _mm512_mask_sub_epi8(same, flipped, zero, same), sums[r][0], sums[r][1], sums[r]);
        return left[r] & (left[r] - 1);
      });
  }
  // The lowest of the groups `far`, in the codes' order, whose activations are `a`.
  static inline void AddGroup(const WinogradTile& tile, uint64_t far, __m512i a, __m512i first, __m512i second, __m512i* sum) {
    const int64_t g = __builtin_ctzll(far), run = g >> 4 << 1 | (g & 1), group = run << 3 | (g >> 1 & 7);
    const __m512i low = _mm512_set1_epi8(15), zero = _mm512_setzero_si512();
    const __m512i *const of_group = tile.codes[group], *const scale = tile.runs[run].scale;
    sum[0] = _mm512_dpwssd_epi32(first, _mm512_dpbusd_epi32(zero, _mm512_and_si512(of_group[0], low), a), scale[0]);
    sum[1] = _mm512_dpwssd_epi32(second, _mm512_dpbusd_epi32(zero, _mm512_and_si512(of_group[1], low), a), scale[1]);
  }
};

// A block's codes, in paired order, and its sums, as the sweeps want them.
inline void RoundWinograd(const int8_t* codes, const CodeSums& sums, WinogradCodes* to) {
  const __m512i most = _mm512_set1_epi8(112), zero = _mm512_setzero_si512();
  uint64_t far[2] = {};
  for (int i = 0; i < 4; ++i) {
    const __m512i v = Load512(codes + 64 * i);
    const auto groups = [&](__mmask64 beyond) {
      const __m512i in_far = _mm512_maskz_mov_epi8(beyond, v);
      return static_cast<uint64_t>(_mm512_mask_test_epi32_mask(0xfff0, in_far, in_far)) << 16 * i;
    };
    far[0] |= groups(_mm512_cmpgt_epi8_mask(v, most));
    far[1] |= groups(_mm512_cmpgt_epi8_mask(_mm512_sub_epi8(zero, v), most));
  }
  const bool flipped = __builtin_popcountll(far[1]) < __builtin_popcountll(far[0]);
  to->far = far[flipped];
  to->scale = flipped ? -sums.scale : sums.scale;
  const __m128i sums32 = _mm_loadu_si128(reinterpret_cast<const __m128i*>(sums.sums32));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to->sums32), flipped ? _mm_sub_epi16(_mm_setzero_si128(), sums32) : sums32);
  const int first_far = to->far == 0 ? 0 : __builtin_ctzll(to->far);
  for (int j = 0; j < 4; ++j) {
    const int8_t code = codes[4 * first_far + j];
    to->first_far[j] = static_cast<int8_t>(flipped ? -code : code);
  }
  for (int i = 0; i < 4; ++i) {
    const __m512i v = Load512(codes + 64 * i);
    const __m512i near =
        _mm512_maskz_mov_epi32(static_cast<__mmask16>(~(to->far >> 16 * i)), flipped ? _mm512_sub_epi8(zero, v) : v);
    _mm512_storeu_si512(to->codes + 64 * i, near);
    const __m512i products = _mm512_maskz_dpbusd_epi32(  // of groups 2 and 3, 4 and 5, ... in the lower halves of each 128 bits
        0xfff0, zero, _mm512_xor_si512(near, _mm512_set1_epi8(-128)), _mm512_shuffle_epi32(near, _MM_PERM_BADC));
    const __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(products), _mm512_extracti64x4_epi64(products, 1));
    const __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to->starts + 2 * i), _mm_sub_epi32(_mm_setzero_si128(), sum));
  }
  if (sums.runs & PackedQ4_K::kWideRuns) to->far |= WinogradCodes::kFits;
}

// Whether far groups are few enough for all this to be worth it, of 32 blocks here and there: one and a half for each cost what is
// gained. (Uniformly distributed activations have eleven.)
inline bool FewAreFar(const RoundedRows& x, int64_t blocks, int64_t count) {
  constexpr int64_t kLookedAt = 32;
  int far = 0;
  for (int64_t i = 0; i < kLookedAt; ++i)
    far += __builtin_popcountll(x.winograd[i * 7 % blocks * x.rows + i * count / kLookedAt].far);
  return far <= kLookedAt * 5 / 2;  // each counts kFits
}

// One block's tile after the other meets all rows.
inline void WinogradTiles(const PackedPanels& w, const RoundedRows& x, int64_t count, float* y) {
  using F = PackedQ4_K;
  constexpr int kLines = F::kLines + 1;
  constexpr int64_t kSweepsOfFar = FarSums::kMostRows / kWinogradRows;
  const int64_t blocks = w.k / 256, sweeps = (count + kWinogradRows - 1) / kWinogradRows;
  const int64_t rows_of_sweep = count / sweeps, larger_sweeps = count % sweeps;
  const int64_t pairs = 4 * sweeps, ask_step = (kLines + pairs - 1) / pairs * 64;
  alignas(64) WinogradTile tile;
  alignas(64) FarSums far;
  const auto apart = static_cast<int64_t>(reinterpret_cast<uintptr_t>(w.panel[1]) - reinterpret_cast<uintptr_t>(w.panel[0]));
  __builtin_memset(y, 0, static_cast<size_t>(2 * count * kPanelRows) * sizeof(float));
  for (int64_t b = 0; b < blocks; ++b) {
    const unsigned char* const block[2] = {BlockOf<F>(w.panel[0], b), BlockOf<F>(w.panel[1], b)};
    const unsigned char* const floats[2] = {FloatLine<F>(w.panel[0], b), FloatLine<F>(w.panel[1], b)};
    tile.Unpack(block, floats);
    const unsigned char* ask = block[0] + F::kLines * 64 + kAheadOfTile;
    const auto begin_of = [&](int64_t sweep) { return sweep * rows_of_sweep + (sweep < larger_sweeps ? sweep : larger_sweeps); };
    for (int64_t i = 0; i < sweeps; ++i) {
      const int64_t row = begin_of(i), take = begin_of(i + 1) - row, at = b * x.rows + row;
      const WinogradCodes* const of = x.winograd + at;
      if (i % kSweepsOfFar == 0) {
        const int64_t end = begin_of(i + kSweepsOfFar < sweeps ? i + kSweepsOfFar : sweeps);
        far.Make(tile, of, x.codes + at * 256, end - row);
      }
      const __m512i* const* const begin = far.begin + (row - begin_of(i / kSweepsOfFar * kSweepsOfFar));
      float *const to = y + row * kPanelRows, *const other = to + count * kPanelRows;
      const auto sweep = [&]<int R>() {
        uint64_t fits = WinogradCodes::kFits;
        for (int r = 0; r < R; ++r) fits &= of[r].far;
        if (fits != 0)
          SweepCross<R, true>(tile, begin, of, ask, apart, ask_step, to, other);
        else
          SweepCross<R, false>(tile, begin, of, ask, apart, ask_step, to, other);
      };
      if (take == 6) sweep.template operator()<6>();
      if (take == 5) sweep.template operator()<5>();
      if (take == 4) sweep.template operator()<4>();
      ask += ask_step * 4;
    }
  }
}
