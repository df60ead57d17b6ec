// The inner loops of packed_avx512.inl: six or seven rows of activations against one block of two panels.
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

// A group of codes (in registers c and d) against row r's activations, through register a or from memory.
#define SCOUT_ROW_BY(a, g, r, c, d, first, second) \
  "vpbroadcastd " #r " * 256 + " #g " * 4(%[codes]), %%zmm" #a "\n\t" \
  "vpdpbusd %%zmm" #a ", %%zmm" #c ", %%zmm" #first "\n\t" \
  "vpdpbusd %%zmm" #a ", %%zmm" #d ", %%zmm" #second "\n\t"
#define SCOUT_ROW(g, r, c, d, first, second) \
  "vpdpbusd " #r " * 256 + " #g " * 4(%[codes])%{1to16%}, %%zmm" #c ", %%zmm" #first "\n\t" \
  "vpdpbusd " #r " * 256 + " #g " * 4(%[codes])%{1to16%}, %%zmm" #d ", %%zmm" #second "\n\t"

#define SCOUT_SIX(g) \
  SCOUT_LOAD(g * 128, tile, 24) SCOUT_LOAD(g * 128 + 64, tile, 25) \
  SCOUT_ROW_BY(26, g, 0, 24, 25, 0, 1) SCOUT_ROW(g, 2, 24, 25, 4, 5) SCOUT_ROW(g, 3, 24, 25, 6, 7) \
  SCOUT_ROW_BY(27, g, 1, 24, 25, 2, 3) SCOUT_ROW(g, 4, 24, 25, 8, 9) SCOUT_ROW(g, 5, 24, 25, 10, 11)
#define SCOUT_SEVEN(g) \
  SCOUT_LOAD(g * 128, tile, 28) SCOUT_LOAD(g * 128 + 64, tile, 29) \
  SCOUT_ROW_BY(30, g, 0, 28, 29, 0, 1) SCOUT_ROW(g, 2, 28, 29, 4, 5) SCOUT_ROW(g, 3, 28, 29, 6, 7) \
  SCOUT_ROW_BY(31, g, 1, 28, 29, 2, 3) SCOUT_ROW(g, 4, 28, 29, 8, 9) SCOUT_ROW(g, 5, 28, 29, 10, 11) \
  SCOUT_ROW_BY(30, g, 6, 28, 29, 12, 13)
#define SCOUT_FOUR_TIMES(rows) rows(0) rows(1) rows(2) rows(3)
#define SCOUT_EIGHT_TIMES(rows) SCOUT_FOUR_TIMES(rows) rows(4) rows(5) rows(6) rows(7)

#define SCOUT_ZERO_12(a, b, c, d, e, f, g, h, i, j, k, l) \
  SCOUT_ZERO(a) SCOUT_ZERO(b) SCOUT_ZERO(c) SCOUT_ZERO(d) SCOUT_ZERO(e) SCOUT_ZERO(f) \
  SCOUT_ZERO(g) SCOUT_ZERO(h) SCOUT_ZERO(i) SCOUT_ZERO(j) SCOUT_ZERO(k) SCOUT_ZERO(l)
#define SCOUT_ZERO_DOTS_6 SCOUT_ZERO_12(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
#define SCOUT_ZERO_DOTS_7 SCOUT_ZERO_DOTS_6 SCOUT_ZERO(12) SCOUT_ZERO(13)
#define SCOUT_ZERO_SUMS_6 SCOUT_ZERO_12(12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23)
#define SCOUT_ZERO_SUMS_7 SCOUT_ZERO_12(14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25) SCOUT_ZERO(26) SCOUT_ZERO(27)

// Both panels' dots of row r begin at the number at `start`, a CodeSums apart.
static_assert(sizeof(CodeSums) == 256);
#define SCOUT_START(r, first, second) \
  "vpbroadcastd " #r " * 256(%[start]), %%zmm" #first "\n\t" \
  "vmovdqa64 %%zmm" #first ", %%zmm" #second "\n\t"
#define SCOUT_START_6 \
  SCOUT_START(0, 0, 1) SCOUT_START(1, 2, 3) SCOUT_START(2, 4, 5) SCOUT_START(3, 6, 7) SCOUT_START(4, 8, 9) \
  SCOUT_START(5, 10, 11)
#define SCOUT_START_7 SCOUT_START_6 SCOUT_START(6, 12, 13)

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

// A loop over the runs of a block, with the bytes that each goes on by in codes of weights and of activations.
#define SCOUT_RUNS(zero_sums, begin, products, scale, tile_bytes, code_bytes) \
  zero_sums "1:\n\t" begin products scale \
  "add $" #tile_bytes ", %[tile]\n\tadd $" #code_bytes ", %[codes]\n\tadd $4, %[start]\n\tsub $-128, %[scales]\n\t" \
  "dec %[runs]\n\tjnz 1b"
#define SCOUT_STORE(i, at) "vmovdqu64 %%zmm" #i ", " #at " * 64(%[sum])\n\t"
#define SCOUT_STORE_6 \
  "\n\t" SCOUT_STORE(12, 0) SCOUT_STORE(13, 1) SCOUT_STORE(14, 2) SCOUT_STORE(15, 3) SCOUT_STORE(16, 4) SCOUT_STORE(17, 5) \
  SCOUT_STORE(18, 6) SCOUT_STORE(19, 7) SCOUT_STORE(20, 8) SCOUT_STORE(21, 9) SCOUT_STORE(22, 10) SCOUT_STORE(23, 11)
#define SCOUT_STORE_7 \
  "\n\t" SCOUT_STORE(14, 0) SCOUT_STORE(15, 1) SCOUT_STORE(16, 2) SCOUT_STORE(17, 3) SCOUT_STORE(18, 4) SCOUT_STORE(19, 5) \
  SCOUT_STORE(20, 6) SCOUT_STORE(21, 7) SCOUT_STORE(22, 8) SCOUT_STORE(23, 9) SCOUT_STORE(24, 10) SCOUT_STORE(25, 11) \
  SCOUT_STORE(26, 12) SCOUT_STORE(27, 13)
#define SCOUT_SWEEP(text) \
  asm volatile(text \
               : [tile] "+r"(tile), [scales] "+r"(scales), [codes] "+r"(codes), [start] "+r"(start), [runs] "+r"(runs) \
               : [sum] "r"(sum) \
               : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", \
                 "xmm13", "xmm14", "xmm15", "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", \
                 "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "memory", "cc")
// clang-format on

// sum[2 r + p] = sum over the 64 / Groups runs of a block of scale * dots; the dots of a run of row r begin at 0, or at start[run]
// of the row's CodeSums.
template <int R, int Groups, bool Centred>
[[gnu::always_inline]] inline void SweepRuns(const __m512i* tile, const __m512i* scales, const int8_t* codes, const int32_t* start,
                                             __m512i* sum) {
  static_assert(R == 6 || R == 7);
  static_assert((Groups == 8 && !Centred) || (Groups == 4 && Centred));
  int runs = 64 / Groups;
  if constexpr (R == 6 && Groups == 8)
    SCOUT_SWEEP(SCOUT_RUNS(SCOUT_ZERO_SUMS_6, SCOUT_ZERO_DOTS_6, SCOUT_EIGHT_TIMES(SCOUT_SIX), SCOUT_SCALE_6, 1024, 32)
                    SCOUT_STORE_6);
  else if constexpr (R == 6)
    SCOUT_SWEEP(SCOUT_RUNS(SCOUT_ZERO_SUMS_6, SCOUT_START_6, SCOUT_FOUR_TIMES(SCOUT_SIX), SCOUT_SCALE_6, 512, 16) SCOUT_STORE_6);
  else if constexpr (Groups == 8)
    SCOUT_SWEEP(SCOUT_RUNS(SCOUT_ZERO_SUMS_7, SCOUT_ZERO_DOTS_7, SCOUT_EIGHT_TIMES(SCOUT_SEVEN), SCOUT_SCALE_7, 1024, 32)
                    SCOUT_STORE_7);
  else
    SCOUT_SWEEP(SCOUT_RUNS(SCOUT_ZERO_SUMS_7, SCOUT_START_7, SCOUT_FOUR_TIMES(SCOUT_SEVEN), SCOUT_SCALE_7, 512, 16) SCOUT_STORE_7);
}
