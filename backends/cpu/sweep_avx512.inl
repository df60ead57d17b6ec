// The inner loops of tiles_avx512.inl: six or seven rows of activations against one block of two panels.
//
// They are assembly because the instructions' number and registers are the whole matter. Of intrinsics, gcc 12 copies the sums from
// register to register at each end of a run. And a broadcast that is an operand of its product is not an instruction of its own:
// a third of all, which counts where another hardware thread shares the core's front end (measured: of the int8 probe 70 -> 79 %
// beside one, 92 -> 90 % alone). All broadcasts like that would be two loads for each row instead of one, more than the ports give.
//
//            dots of a run: row r, panel p    sums of the block, likewise    codes, then scales    activations
//   six      zmm 2 r + p                      12 + 2 r + p                   24, 25                26, 27
//   seven    zmm 2 r + p                      14 + 2 r + p                   28, 29                30, 31

// clang-format off
#define SCOUT_TEXT(...) #__VA_ARGS__
#define SCOUT_LOAD(offset, base, to) "vmovdqa64 " SCOUT_TEXT(offset) "(%[" #base "]), %%zmm" #to "\n\t"
#define SCOUT_ZERO(i) "vpxord %%zmm" #i ", %%zmm" #i ", %%zmm" #i "\n\t"

// A group of codes (in registers c and d) against row r's activations, through register a or from memory. Rows of codes are `apart`
// bytes apart, groups `on`.
#define SCOUT_ROW_BY(apart, on, a, g, r, c, d, first, second) \
  "vpbroadcastd " #r " * " #apart " + " #g " * " #on "(%[codes]), %%zmm" #a "\n\t" \
  "vpdpbusd %%zmm" #a ", %%zmm" #c ", %%zmm" #first "\n\t" \
  "vpdpbusd %%zmm" #a ", %%zmm" #d ", %%zmm" #second "\n\t"
#define SCOUT_ROW(apart, on, g, r, c, d, first, second) \
  "vpdpbusd " #r " * " #apart " + " #g " * " #on "(%[codes])%{1to16%}, %%zmm" #c ", %%zmm" #first "\n\t" \
  "vpdpbusd " #r " * " #apart " + " #g " * " #on "(%[codes])%{1to16%}, %%zmm" #d ", %%zmm" #second "\n\t"

#define SCOUT_SIX_OF(apart, on, g) \
  SCOUT_LOAD(g * 128, tile, 24) SCOUT_LOAD(g * 128 + 64, tile, 25) \
  SCOUT_ROW_BY(apart, on, 26, g, 0, 24, 25, 0, 1) \
  SCOUT_ROW(apart, on, g, 2, 24, 25, 4, 5) SCOUT_ROW(apart, on, g, 3, 24, 25, 6, 7) \
  SCOUT_ROW_BY(apart, on, 27, g, 1, 24, 25, 2, 3) \
  SCOUT_ROW(apart, on, g, 4, 24, 25, 8, 9) SCOUT_ROW(apart, on, g, 5, 24, 25, 10, 11)
#define SCOUT_SEVEN_OF(apart, on, g) \
  SCOUT_LOAD(g * 128, tile, 28) SCOUT_LOAD(g * 128 + 64, tile, 29) \
  SCOUT_ROW_BY(apart, on, 30, g, 0, 28, 29, 0, 1) \
  SCOUT_ROW(apart, on, g, 2, 28, 29, 4, 5) SCOUT_ROW(apart, on, g, 3, 28, 29, 6, 7) \
  SCOUT_ROW_BY(apart, on, 31, g, 1, 28, 29, 2, 3) \
  SCOUT_ROW(apart, on, g, 4, 28, 29, 8, 9) SCOUT_ROW(apart, on, g, 5, 28, 29, 10, 11) \
  SCOUT_ROW_BY(apart, on, 30, g, 6, 28, 29, 12, 13)
#define SCOUT_SIX(g) SCOUT_SIX_OF(256, 8, g)
#define SCOUT_SEVEN(g) SCOUT_SEVEN_OF(256, 8, g)
#define SCOUT_SIX_ON(g) SCOUT_SIX_OF(256, 4, g)
#define SCOUT_SEVEN_ON(g) SCOUT_SEVEN_OF(256, 4, g)
#define SCOUT_SIX_NEAR(g) SCOUT_SIX_OF(32, 4, g)
#define SCOUT_SEVEN_NEAR(g) SCOUT_SEVEN_OF(32, 4, g)
#define SCOUT_FOUR_TIMES(rows) rows(0) rows(1) rows(2) rows(3)
#define SCOUT_EIGHT_TIMES(rows) SCOUT_FOUR_TIMES(rows) rows(4) rows(5) rows(6) rows(7)

#define SCOUT_ZERO_12(a, b, c, d, e, f, g, h, i, j, k, l) \
  SCOUT_ZERO(a) SCOUT_ZERO(b) SCOUT_ZERO(c) SCOUT_ZERO(d) SCOUT_ZERO(e) SCOUT_ZERO(f) \
  SCOUT_ZERO(g) SCOUT_ZERO(h) SCOUT_ZERO(i) SCOUT_ZERO(j) SCOUT_ZERO(k) SCOUT_ZERO(l)
#define SCOUT_ZERO_DOTS_6 SCOUT_ZERO_12(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
#define SCOUT_ZERO_DOTS_7 SCOUT_ZERO_DOTS_6 SCOUT_ZERO(12) SCOUT_ZERO(13)
#define SCOUT_ZERO_SUMS_6 SCOUT_ZERO_12(12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23)
#define SCOUT_ZERO_SUMS_7 SCOUT_ZERO_12(14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25) SCOUT_ZERO(26) SCOUT_ZERO(27)

// Both panels' dots of row r begin at the number at `start`, a CodeSums apart, or a number apart.
static_assert(sizeof(CodeSums) == 256);
#define SCOUT_START(apart, r, first, second) \
  "vpbroadcastd " #r " * " #apart "(%[start]), %%zmm" #first "\n\t" \
  "vmovdqa64 %%zmm" #first ", %%zmm" #second "\n\t"
#define SCOUT_START_6_OF(apart) \
  SCOUT_START(apart, 0, 0, 1) SCOUT_START(apart, 1, 2, 3) SCOUT_START(apart, 2, 4, 5) SCOUT_START(apart, 3, 6, 7) \
  SCOUT_START(apart, 4, 8, 9) SCOUT_START(apart, 5, 10, 11)
#define SCOUT_START_7_OF(apart) SCOUT_START_6_OF(apart) SCOUT_START(apart, 6, 12, 13)
#define SCOUT_START_6 SCOUT_START_6_OF(256)
#define SCOUT_START_7 SCOUT_START_7_OF(256)

#define SCOUT_SCALE(c, d, dots, more_dots, sum, more_sum) \
  "vpdpwssd %%zmm" #c ", %%zmm" #dots ", %%zmm" #sum "\n\t" \
  "vpdpwssd %%zmm" #d ", %%zmm" #more_dots ", %%zmm" #more_sum "\n\t"
#define SCOUT_SCALE_6 \
  SCOUT_LOAD(0, scales, 24) SCOUT_LOAD(64, scales, 25) \
  SCOUT_SCALE(24, 25, 0, 1, 12, 13) SCOUT_SCALE(24, 25, 2, 3, 14, 15) SCOUT_SCALE(24, 25, 4, 5, 16, 17) \
  SCOUT_SCALE(24, 25, 6, 7, 18, 19) SCOUT_SCALE(24, 25, 8, 9, 20, 21) SCOUT_SCALE(24, 25, 10, 11, 22, 23)
#define SCOUT_SCALE_7 \
  SCOUT_LOAD(0, scales, 28) SCOUT_LOAD(64, scales, 29) \
  SCOUT_SCALE(28, 29, 0, 1, 14, 15) SCOUT_SCALE(28, 29, 2, 3, 16, 17) SCOUT_SCALE(28, 29, 4, 5, 18, 19) \
  SCOUT_SCALE(28, 29, 6, 7, 20, 21) SCOUT_SCALE(28, 29, 8, 9, 22, 23) SCOUT_SCALE(28, 29, 10, 11, 24, 25) \
  SCOUT_SCALE(28, 29, 12, 13, 26, 27)

// A loop over the runs of a block. Each goes on by tile_bytes in codes of weights; in those of activations by 4, and by what is
// left of two runs' bytes, in turns, of which `turn` is the exclusive or.
#define SCOUT_RUNS(zero_sums, begin, products, scale, tile_bytes, turn) \
  zero_sums "1:\n\t" begin products scale \
  "add $" #tile_bytes ", %[tile]\n\tadd %[on], %[codes]\n\txor $" #turn ", %[on]\n\tadd $4, %[start]\n\t" \
  "sub $-128, %[scales]\n\tdec %[runs]\n\tjnz 1b"
// Codes that have their scales in them need no sums beside the dots.
#define SCOUT_NO_RUNS(begin, products) \
  begin "1:\n\t" products "add $512, %[tile]\n\tadd $16, %[codes]\n\tdec %[runs]\n\tjnz 1b"
// A run of 32 in two halves, each with sums of its own.
#define SCOUT_HALVES_6 \
  SCOUT_FOUR_TIMES(SCOUT_SIX) SCOUT_SCALE_6 SCOUT_ZERO_DOTS_6 SCOUT_SIX(4) SCOUT_SIX(5) SCOUT_SIX(6) SCOUT_SIX(7)
#define SCOUT_HALVES_7 \
  SCOUT_FOUR_TIMES(SCOUT_SEVEN) SCOUT_SCALE_7 SCOUT_ZERO_DOTS_7 SCOUT_SEVEN(4) SCOUT_SEVEN(5) SCOUT_SEVEN(6) SCOUT_SEVEN(7)
#define SCOUT_STORE(i, at) "vmovdqu64 %%zmm" #i ", " #at " * 64(%[sum])\n\t"
#define SCOUT_STORE_6 \
  "\n\t" SCOUT_STORE(12, 0) SCOUT_STORE(13, 1) SCOUT_STORE(14, 2) SCOUT_STORE(15, 3) SCOUT_STORE(16, 4) SCOUT_STORE(17, 5) \
  SCOUT_STORE(18, 6) SCOUT_STORE(19, 7) SCOUT_STORE(20, 8) SCOUT_STORE(21, 9) SCOUT_STORE(22, 10) SCOUT_STORE(23, 11)
#define SCOUT_STORE_7 \
  "\n\t" SCOUT_STORE(14, 0) SCOUT_STORE(15, 1) SCOUT_STORE(16, 2) SCOUT_STORE(17, 3) SCOUT_STORE(18, 4) SCOUT_STORE(19, 5) \
  SCOUT_STORE(20, 6) SCOUT_STORE(21, 7) SCOUT_STORE(22, 8) SCOUT_STORE(23, 9) SCOUT_STORE(24, 10) SCOUT_STORE(25, 11) \
  SCOUT_STORE(26, 12) SCOUT_STORE(27, 13)
#define SCOUT_STORE_DOTS_6 \
  "\n\t" SCOUT_STORE(0, 0) SCOUT_STORE(1, 1) SCOUT_STORE(2, 2) SCOUT_STORE(3, 3) SCOUT_STORE(4, 4) SCOUT_STORE(5, 5) \
  SCOUT_STORE(6, 6) SCOUT_STORE(7, 7) SCOUT_STORE(8, 8) SCOUT_STORE(9, 9) SCOUT_STORE(10, 10) SCOUT_STORE(11, 11)
#define SCOUT_STORE_DOTS_7 SCOUT_STORE_DOTS_6 SCOUT_STORE(12, 12) SCOUT_STORE(13, 13)
#define SCOUT_CHANGED \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", \
  "xmm15", "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", \
  "xmm29", "xmm30", "xmm31", "memory", "cc"
#define SCOUT_SWEEP(text) \
  asm volatile(text \
               : [tile] "+r"(tile), [scales] "+r"(scales), [codes] "+r"(codes), [start] "+r"(start), [runs] "+r"(runs), \
                 [on] "+r"(on) \
               : [sum] "r"(sum) \
               : SCOUT_CHANGED)
// clang-format on

// sum[2 r + p] = sum over the runs of a block of scale * dots, or of the dots alone; the dots of row r begin at 0, or, where they
// are centred, at the number at `start`, which goes on with the runs, in the row's CodeSums.
template <int R, Runs runs_are>
[[gnu::always_inline]] inline void SweepRuns(const __m512i* tile, const __m512i* scales, const int8_t* codes, const int32_t* start,
                                             __m512i* sum) {
  static_assert(R == 6 || R == 7);
  int runs = runs_are == Runs::kOf32 || runs_are == Runs::kHalvesOf32 ? 8 : 16;
  int64_t on = 4;
  if constexpr (runs_are == Runs::kOf32 && R == 6)
    SCOUT_SWEEP(SCOUT_RUNS(SCOUT_ZERO_SUMS_6, SCOUT_ZERO_DOTS_6, SCOUT_EIGHT_TIMES(SCOUT_SIX), SCOUT_SCALE_6, 1024, 4 ^ 60)
                    SCOUT_STORE_6);
  else if constexpr (runs_are == Runs::kOf32)
    SCOUT_SWEEP(SCOUT_RUNS(SCOUT_ZERO_SUMS_7, SCOUT_ZERO_DOTS_7, SCOUT_EIGHT_TIMES(SCOUT_SEVEN), SCOUT_SCALE_7, 1024, 4 ^ 60)
                    SCOUT_STORE_7);
  else if constexpr (runs_are == Runs::kHalvesOf32 && R == 6)
    SCOUT_SWEEP(SCOUT_RUNS(SCOUT_ZERO_SUMS_6, SCOUT_ZERO_DOTS_6, SCOUT_HALVES_6, SCOUT_SCALE_6, 1024, 4 ^ 60) SCOUT_STORE_6);
  else if constexpr (runs_are == Runs::kHalvesOf32)
    SCOUT_SWEEP(SCOUT_RUNS(SCOUT_ZERO_SUMS_7, SCOUT_ZERO_DOTS_7, SCOUT_HALVES_7, SCOUT_SCALE_7, 1024, 4 ^ 60) SCOUT_STORE_7);
  else if constexpr (runs_are == Runs::kCentredOf16 && R == 6)
    SCOUT_SWEEP(SCOUT_RUNS(SCOUT_ZERO_SUMS_6, SCOUT_START_6, SCOUT_FOUR_TIMES(SCOUT_SIX), SCOUT_SCALE_6, 512, 4 ^ 28)
                    SCOUT_STORE_6);
  else if constexpr (runs_are == Runs::kCentredOf16)
    SCOUT_SWEEP(SCOUT_RUNS(SCOUT_ZERO_SUMS_7, SCOUT_START_7, SCOUT_FOUR_TIMES(SCOUT_SEVEN), SCOUT_SCALE_7, 512, 4 ^ 28)
                    SCOUT_STORE_7);
  else if constexpr (runs_are == Runs::kScaled && R == 6)
    SCOUT_SWEEP(SCOUT_NO_RUNS(SCOUT_ZERO_DOTS_6, SCOUT_FOUR_TIMES(SCOUT_SIX_ON)) SCOUT_STORE_DOTS_6);
  else if constexpr (runs_are == Runs::kScaled)
    SCOUT_SWEEP(SCOUT_NO_RUNS(SCOUT_ZERO_DOTS_7, SCOUT_FOUR_TIMES(SCOUT_SEVEN_ON)) SCOUT_STORE_DOTS_7);
  else if constexpr (R == 6)
    SCOUT_SWEEP(SCOUT_NO_RUNS(SCOUT_START_6, SCOUT_FOUR_TIMES(SCOUT_SIX_ON)) SCOUT_STORE_DOTS_6);
  else
    SCOUT_SWEEP(SCOUT_NO_RUNS(SCOUT_START_7, SCOUT_FOUR_TIMES(SCOUT_SEVEN_ON)) SCOUT_STORE_DOTS_7);
}

// Blocks of 32 whose dots are float32 as they stand (packed32_avx512.inl): sum += (dots * d - m) * scale, the sums in registers
// over all blocks of a tile. d and m of both panels take the place of codes and activations.
// clang-format off
#define SCOUT_LOAD_SUM(r, first, second) \
  "vmovups " #r " * 64(%[y]), %%zmm" #first "\n\tvmovups " #r " * 64(%[other]), %%zmm" #second "\n\t"
#define SCOUT_STORE_SUM(r, first, second) \
  "vmovups %%zmm" #first ", " #r " * 64(%[y])\n\tvmovups %%zmm" #second ", " #r " * 64(%[other])\n\t"
#define SCOUT_FOLD_DOTS(r, d, m, other_d, other_m, first, second, sum, other_sum) \
  "vfmsub132ps %%zmm" #d ", %%zmm" #m ", %%zmm" #first "\n\t" \
  "vfmsub132ps %%zmm" #other_d ", %%zmm" #other_m ", %%zmm" #second "\n\t" \
  "vfmadd231ps " #r " * 4(%[row_scales])%{1to16%}, %%zmm" #first ", %%zmm" #sum "\n\t" \
  "vfmadd231ps " #r " * 4(%[row_scales])%{1to16%}, %%zmm" #second ", %%zmm" #other_sum "\n\t"
#define SCOUT_LOAD_FLOATS(d, m, other_d, other_m) \
  "vmovaps (%[floats]), %%zmm" #d "\n\tvmovaps 64(%[floats]), %%zmm" #other_d "\n\t" \
  "vmovaps %c[minima](%[floats]), %%zmm" #m "\n\tvmovaps 64 + %c[minima](%[floats]), %%zmm" #other_m "\n\t"
#define SCOUT_FOLD_DOTS_6 \
  SCOUT_LOAD_FLOATS(24, 25, 26, 27) \
  SCOUT_FOLD_DOTS(0, 24, 25, 26, 27, 0, 1, 12, 13) SCOUT_FOLD_DOTS(1, 24, 25, 26, 27, 2, 3, 14, 15) \
  SCOUT_FOLD_DOTS(2, 24, 25, 26, 27, 4, 5, 16, 17) SCOUT_FOLD_DOTS(3, 24, 25, 26, 27, 6, 7, 18, 19) \
  SCOUT_FOLD_DOTS(4, 24, 25, 26, 27, 8, 9, 20, 21) SCOUT_FOLD_DOTS(5, 24, 25, 26, 27, 10, 11, 22, 23)
#define SCOUT_FOLD_DOTS_7 \
  SCOUT_LOAD_FLOATS(28, 29, 30, 31) \
  SCOUT_FOLD_DOTS(0, 28, 29, 30, 31, 0, 1, 14, 15) SCOUT_FOLD_DOTS(1, 28, 29, 30, 31, 2, 3, 16, 17) \
  SCOUT_FOLD_DOTS(2, 28, 29, 30, 31, 4, 5, 18, 19) SCOUT_FOLD_DOTS(3, 28, 29, 30, 31, 6, 7, 20, 21) \
  SCOUT_FOLD_DOTS(4, 28, 29, 30, 31, 8, 9, 22, 23) SCOUT_FOLD_DOTS(5, 28, 29, 30, 31, 10, 11, 24, 25) \
  SCOUT_FOLD_DOTS(6, 28, 29, 30, 31, 12, 13, 26, 27)
#define SCOUT_LOAD_SUMS_6 \
  SCOUT_LOAD_SUM(0, 12, 13) SCOUT_LOAD_SUM(1, 14, 15) SCOUT_LOAD_SUM(2, 16, 17) SCOUT_LOAD_SUM(3, 18, 19) \
  SCOUT_LOAD_SUM(4, 20, 21) SCOUT_LOAD_SUM(5, 22, 23)
#define SCOUT_LOAD_SUMS_7 \
  SCOUT_LOAD_SUM(0, 14, 15) SCOUT_LOAD_SUM(1, 16, 17) SCOUT_LOAD_SUM(2, 18, 19) SCOUT_LOAD_SUM(3, 20, 21) \
  SCOUT_LOAD_SUM(4, 22, 23) SCOUT_LOAD_SUM(5, 24, 25) SCOUT_LOAD_SUM(6, 26, 27)
#define SCOUT_STORE_SUMS_6 \
  SCOUT_STORE_SUM(0, 12, 13) SCOUT_STORE_SUM(1, 14, 15) SCOUT_STORE_SUM(2, 16, 17) SCOUT_STORE_SUM(3, 18, 19) \
  SCOUT_STORE_SUM(4, 20, 21) SCOUT_STORE_SUM(5, 22, 23)
#define SCOUT_STORE_SUMS_7 \
  SCOUT_STORE_SUM(0, 14, 15) SCOUT_STORE_SUM(1, 16, 17) SCOUT_STORE_SUM(2, 18, 19) SCOUT_STORE_SUM(3, 20, 21) \
  SCOUT_STORE_SUM(4, 22, 23) SCOUT_STORE_SUM(5, 24, 25) SCOUT_STORE_SUM(6, 26, 27)
#define SCOUT_BLOCKS(load, start, products, fold, store) \
  load "1:\n\t" start products fold \
  "add $1024, %[tile]\n\tadd %[code_step], %[codes]\n\tadd %[row_step], %[start]\n\tadd %[row_step], %[row_scales]\n\t" \
  "sub $-128, %[floats]\n\tdec %[blocks]\n\tjnz 1b\n\t" store
#define SCOUT_SWEEP_BLOCKS(text) \
  asm volatile(text \
               : [tile] "+r"(tile), [codes] "+r"(codes), [start] "+r"(start), [row_scales] "+r"(row_scales), \
                 [floats] "+r"(floats), [blocks] "+r"(blocks) \
               : [y] "r"(y), [other] "r"(other), [code_step] "r"(32 * rows), [row_step] "r"(4 * rows), [minima] "i"(kMinima) \
               : SCOUT_CHANGED)
// clang-format on

// `blocks` blocks of a tile; codes, start and row_scales are those of row r of the first one, which `rows` rows are in. floats: d
// of both panels, block after block, and kMinima bytes later m. y and other: the sums of the panels' rows.
template <int R, int kMinima>
[[gnu::always_inline]] inline void SweepBlocks(const __m512i* tile, const int8_t* codes, const int32_t* start,
                                               const float* row_scales, const __m512* floats, int blocks, int64_t rows, float* y,
                                               float* other) {
  static_assert(R == 6 || R == 7);
  if constexpr (R == 6)
    SCOUT_SWEEP_BLOCKS(SCOUT_BLOCKS(SCOUT_LOAD_SUMS_6, SCOUT_START_6_OF(4), SCOUT_EIGHT_TIMES(SCOUT_SIX_NEAR), SCOUT_FOLD_DOTS_6,
                                    SCOUT_STORE_SUMS_6));
  else
    SCOUT_SWEEP_BLOCKS(SCOUT_BLOCKS(SCOUT_LOAD_SUMS_7, SCOUT_START_7_OF(4), SCOUT_EIGHT_TIMES(SCOUT_SEVEN_NEAR), SCOUT_FOLD_DOTS_7,
                                    SCOUT_STORE_SUMS_7));
}
