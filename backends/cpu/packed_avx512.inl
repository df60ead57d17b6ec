// Packed panels (packed.h) against rounded activations with AVX-512 VNNI. Included by kernels_avx512.cpp inside its unnamed
// namespace, after rounded_avx512.inl, whose loads it shares; the arithmetic is ref/dot.h's. Blocks of 32 are in
// packed32_avx512.inl; the activations' codes are made in round_block_avx512.inl.
//
// Lane r of a register is row r of the panel, so a vpdpbusd meets four codes of sixteen rows with four activations broadcast from
// memory. Up to kStreamedRows rows of activations take the codes apart in registers as they come from memory. More rows sweep a
// tile: the codes of a block, taken apart once into the first cache, meet four to nine rows at a time (tiles_avx512.inl, and
// pairs_avx512.inl and winograd_avx512.inl for AMD's processors).
//
// The activations' codes lie in pairs of groups of four, 32 values apart: of each 64 values group 0, group 8, group 1, group 9 and
// so on, so that eight of them, broadcast together, meet two runs of 32 at once. The sums of 16 and of 8 codes that CodeSums has
// for formats with an offset lie likewise, 16-wide ones 0, 2, 1, 3 and 8-wide ones 0, 4, 1, 5, 2, 6, 3, 7.
//
// The dots of a *run* of values that share a scale stay within 16 bits, and one vpdpwssd multiplies them by the scale and adds them
// to the block's sum, exact in int32. What always stays within 16 bits is
//   Q4_K  16 values: 15 * 127 * 16 = 30,480     Q3_K  16 values:  7 * 127 * 16 = 14,224
//   Q5_K   8 values: 31 * 127 *  8 = 31,496     Q2_K  16 values:  3 * 127 * 16 =  6,096
//   Q6_K   8 values, and the sum starts at -32 times the activations' sum: 32 * 127 * 8 = 32,512
// Nearly always longer runs do: with P and N the sums of a run's positive and of its negative activation codes, codes 0 .. C give
// dots in -C N .. C P. RoundBlock looks once per row of activations; a tile whose rows are all like that (Wide) saves half or
// three quarters of the vpdpwssd: runs of 32 for Q4_K and Q5_K, of 16 for Q6_K. So does a stream that meets more than one row (one
// alone waits for memory). A row of Q5_K in forty has a run that is too long, so a tile of seven in six; its runs are taken in
// halves.
//
// Codes of two and three bits times their scales are bytes still: a tile of Q2_K or Q3_K (kScaled) holds the products, and its dots
// are the block's sum at once.

#include "cpu/packed_places.inl"

constexpr int kStreamRows = 4;  // together
constexpr int kBlockGroups = 64;
constexpr int kAheadBytes = 2048;  // what a stream of small blocks asks for before it needs it
// A stream of blocks of 256 works for a hundred cycles on a block, in which memory must not rest. The first cache has too few
// buffers for that, so what comes later is asked into the second one. (Paired passes over 600 MB on a Xeon with two threads, of the
// read probe: Q4_K 68 to 82 %, Q6_K 64 to 86, Q2_K 55 to 73; one distance alone gains nothing.)
constexpr int kNearBytes = 4096, kFarBytes = 12288;
// On AMD's processors what is asked for passes through the first cache's 24 buffers wherever it goes, and the hardware follows such
// a stream by itself. There the codes of four bits and more that meet one row, which leave little time, are asked for once, near,
// and past the caches behind. (Paired passes over 800 MB on an EPYC of the fourth generation, of plain reading, one thread and two:
// Q4_K 76 and 91 % to 93 and 100, Q5_K 86 and 95 to 91 and 96, Q6_K 79 and 92 to 93 and 93. Q3_K and Q2_K lose by it, more
// rows 15.)
constexpr int kOnceBytes = 4096;
constexpr int kAheadOfTile = 1024;

// Where run `run` of 16 values lies among the sums in paired order; and where its first group of codes does, in bytes. Each next
// group is eight bytes on.
constexpr int PairedRun(int run) { return run / 4 * 4 + run % 2 * 2 + run / 2 % 2; }
constexpr int PairedCodes(int run) { return run / 4 * 64 + run % 2 * 32 + run / 2 % 2 * 4; }

// How a sweep takes a block's dots: runs of 32, in one or in two halves, centred ones of 16; or all together, where the codes have
// their scales in them, centred or not.
enum class Runs { kOf32, kHalvesOf32, kCentredOf16, kScaled, kScaledCentred };

inline __m512i Line(const unsigned char* block, int line) { return _mm512_load_si512(block + 64 * line); }
template <int Bits>
inline __m512i Low(__m512i v) {  // of each byte
  return _mm512_and_si512(v, _mm512_set1_epi8((1 << Bits) - 1));
}
// Shifted bytes have bits of their neighbours in them, until Low takes what is wanted. Below `Bits` those of low, then those of
// high.
template <int Bits>
inline __m512i Above(__m512i low, __m512i high) {
  return _mm512_ternarylogic_epi32(_mm512_set1_epi8((1 << Bits) - 1), low, high, 0xca);
}

// kGroupsTogether groups, from the fields (packed.h) that begin at `lines`.
template <int Bits>
inline void GroupsOf(const unsigned char* lines, __m512i* c);
template <>
inline void GroupsOf<4>(const unsigned char* lines, __m512i* c) {
  for (int i = 0; i < 4; ++i) {
    c[2 * i] = Low<4>(Line(lines, i));
    c[2 * i + 1] = Low<4>(_mm512_srli_epi16(Line(lines, i), 4));
  }
}
template <>
inline void GroupsOf<2>(const unsigned char* lines, __m512i* c) {
  for (int j = 0; j < 4; ++j)
    for (int t = 0; t < 4; ++t) c[4 * t + j] = Low<2>(_mm512_srli_epi16(Line(lines, j), 2 * t));
}
template <>
inline void GroupsOf<6>(const unsigned char* lines, __m512i* c) {
  for (int i = 0; i < 2; ++i) {
    const __m512i a = Line(lines, 3 * i), b = Line(lines, 3 * i + 1), d = Line(lines, 3 * i + 2);
    c[4 * i] = Low<6>(a);
    c[4 * i + 1] = Low<6>(b);
    c[4 * i + 2] = Low<6>(d);
    const __m512i four = Above<2>(_mm512_srli_epi16(a, 6), _mm512_srli_epi16(b, 4));
    c[4 * i + 3] = Low<6>(Above<4>(four, _mm512_srli_epi16(d, 2)));
  }
}
template <>
inline void GroupsOf<5>(const unsigned char* lines, __m512i* c) {
  for (int t = 0; t < 5; ++t) c[t] = Low<5>(Line(lines, t));
  const __m512i d = Line(lines, 3), e = Line(lines, 4);
  c[5] = Low<5>(Above<3>(_mm512_srli_epi16(Line(lines, 0), 5), _mm512_srli_epi16(d, 2)));
  c[6] = Low<5>(Above<3>(_mm512_srli_epi16(Line(lines, 1), 5), _mm512_srli_epi16(e, 2)));
  const __m512i four = Above<3>(_mm512_srli_epi16(Line(lines, 2), 5), _mm512_srli_epi16(d, 4));
  c[7] = Low<5>(Above<4>(four, _mm512_srli_epi16(e, 3)));
}
template <>
inline void GroupsOf<3>(const unsigned char* lines, __m512i* c) {
  const __m512i a = Line(lines, 0), b = Line(lines, 1), d = Line(lines, 2);
  c[0] = Low<3>(a);
  c[1] = Low<3>(b);
  c[2] = Low<3>(d);
  c[3] = Low<3>(_mm512_srli_epi16(a, 3));
  c[4] = Low<3>(_mm512_srli_epi16(b, 3));
  c[5] = Low<3>(_mm512_srli_epi16(d, 3));
  c[6] = Low<3>(Above<2>(_mm512_srli_epi16(a, 6), _mm512_srli_epi16(d, 4)));
  c[7] = Low<3>(Above<2>(_mm512_srli_epi16(b, 6), _mm512_srli_epi16(d, 5)));
}

// In each 32-bit lane, bytes A and B (-1: zero) of it, then C and D.
template <int A, int B, int C, int D>
inline __m512i PickBytes(__m512i v) {
  constexpr auto kAt = [](int lane) {
    const auto byte = [=](int i) { return static_cast<unsigned>(i < 0 ? 0x80 : 4 * lane + i); };
    return static_cast<int>(byte(A) | byte(B) << 8 | byte(C) << 16 | byte(D) << 24);
  };
  return _mm512_shuffle_epi8(v, _mm512_set4_epi32(kAt(3), kAt(2), kAt(1), kAt(0)));
}
// Bytes 2 P and 2 P + 1 of each lane as a pair of 16-bit factors.
template <int P>
inline __m512i BytePair(__m512i v) {
  return PickBytes<2 * P, -1, 2 * P + 1, -1>(v);
}

inline __m512i BothHalves(__m512i lower) { return _mm512_or_si512(lower, _mm512_slli_epi32(lower, 16)); }

// Each byte of the lanes as a 16-bit factor in the lane's lower half.
inline void FourBytes(__m512i v, __m512i* out) {
  out[0] = PickBytes<0, -1, -1, -1>(v);
  out[1] = PickBytes<1, -1, -1, -1>(v);
  out[2] = PickBytes<2, -1, -1, -1>(v);
  out[3] = PickBytes<3, -1, -1, -1>(v);
}
inline void FourSignedBytes(__m512i v, __m512i* out) {
  out[0] = _mm512_srai_epi16(PickBytes<-1, 0, -1, -1>(v), 8);
  out[1] = _mm512_srai_epi16(PickBytes<-1, 1, -1, -1>(v), 8);
  out[2] = _mm512_srai_epi16(PickBytes<-1, 2, -1, -1>(v), 8);
  out[3] = _mm512_srai_epi16(PickBytes<-1, 3, -1, -1>(v), 8);
}

// ---- blocks of 256. Factors: the scales as 16-bit factors in the lower halves of lanes, and pairs of what multiplies the
// activations' sums.

struct Packed45 {
  static constexpr int kScales = 8, kFactors = 4, kWideRun = 32;
  static constexpr Runs kWide = Runs::kOf32;
  static constexpr bool kHasMinimum = true, kSumsOf32 = true, kCentred = false, kScaled = false;
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
  static constexpr int kBits = 4, kLines = 35, kScaleLines = 3, kRun = 16;
  static constexpr bool kWinograd = true;
  static constexpr uint32_t kWideRuns = kRunsOf4Bits, kHalfRuns = 0;
};
struct PackedQ5_K : Packed45 {
  static constexpr int kBits = 5, kLines = 43, kScaleLines = 3, kRun = 8;
  static constexpr uint32_t kWideRuns = kRunsOf5Bits, kHalfRuns = kHalvesOf5Bits;
};
struct PackedQ6_K {
  static constexpr int kBits = 6, kLines = 52, kScaleLines = 4, kRun = 8, kScales = 16, kFactors = 0, kWideRun = 16;
  static constexpr bool kHasMinimum = false, kSumsOf32 = false, kCentred = true, kScaled = false;
  static constexpr uint32_t kWideRuns = kRunsOf6Bits, kHalfRuns = 0;
  static constexpr Runs kWide = Runs::kCentredOf16;
  static inline void Factors(const unsigned char* lines, __m512i* scales, __m512i*) {
    for (int i = 0; i < 4; ++i) FourSignedBytes(Line(lines, i), scales + 4 * i);
  }
};
struct PackedQ3_K {
  static constexpr int kBits = 3, kLines = 27, kScaleLines = 3, kRun = 16, kScales = 16, kFactors = 0;
  static constexpr bool kHasMinimum = false, kSumsOf32 = false, kCentred = true, kScaled = true;
  // 128 + (4 - code) * scale, 0 .. 252; so a tile's dots start at -128 times the activations' sum and are those of -d.
  static inline void Scale(__m512i* c, __m512i scale) {
    const __m512i both = BothHalves(scale), low = _mm512_set1_epi16(0x00ff);
    const __m512i sum = _mm512_and_si512(_mm512_add_epi16(_mm512_slli_epi16(both, 2), _mm512_set1_epi16(128)), low);
    const __m512i start = _mm512_or_si512(sum, _mm512_slli_epi16(sum, 8));
    for (int i = 0; i < 4; ++i) {
      const __m512i even = _mm512_mullo_epi16(_mm512_and_si512(c[i], low), both);
      const __m512i odd = _mm512_mullo_epi16(_mm512_andnot_si512(low, c[i]), both);
      c[i] = _mm512_sub_epi8(start, _mm512_ternarylogic_epi32(low, even, odd, 0xca));  // low ? even : odd
    }
  }
  static inline void Factors(const unsigned char* lines, __m512i* scales, __m512i*) {
    const __m512i a = Line(lines, 0), b = Line(lines, 1), c = Line(lines, 2);
    const __m512i low = _mm512_set1_epi8(15), high = _mm512_set1_epi8(0x30), offset = _mm512_set1_epi8(32);
    const auto scale = [&](__m512i four, __m512i two) {
      return _mm512_sub_epi8(_mm512_or_si512(_mm512_and_si512(four, low), _mm512_and_si512(two, high)), offset);
    };
    FourSignedBytes(scale(a, _mm512_slli_epi16(c, 4)), scales);
    FourSignedBytes(scale(b, _mm512_slli_epi16(c, 2)), scales + 4);
    FourSignedBytes(scale(_mm512_srli_epi16(a, 4), c), scales + 8);
    FourSignedBytes(scale(_mm512_srli_epi16(b, 4), _mm512_srli_epi16(c, 2)), scales + 12);
  }
};
struct PackedQ2_K {
  static constexpr int kBits = 2, kLines = 20, kScaleLines = 4, kRun = 16, kScales = 16, kFactors = 8;
  static constexpr bool kHasMinimum = true, kSumsOf32 = false, kCentred = false, kScaled = true;
  static inline void Scale(__m512i* c, __m512i scale) {  // code * scale, 0 .. 45
    const __m512i both = BothHalves(scale);
    for (int i = 0; i < 4; ++i) c[i] = _mm512_mullo_epi16(c[i], both);
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

// d and, where there is one, the minimum of a block.
template <bool Two>
inline void FloatsOf(const unsigned char* floats, __m512* d, __m512* m) {
  if constexpr (Two) {
    const __m512i words = Load512(floats);
    *d = LowHalves(words);
    *m = HighHalves(words);
  } else {
    *d = _mm512_cvtph_ps(Load256(floats));
    *m = _mm512_setzero_ps();
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

inline __m512i Spread(const void* four_bytes) { return _mm512_set1_epi32(static_cast<int>(Load32(four_bytes))); }

// 12582912 (kFloatStart) times a binary16 number, which float32 holds.
inline __m512 StartTimes(__m512 m) { return _mm512_mul_ps(m, _mm512_set1_ps(12582912.0f)); }

// sum += the pair of factors . the pair of numbers at `pair`, which is broadcast as an operand (gcc 12 makes an instruction of it).
inline void AddScaledPair(__m512i& sum, __m512i factors, const int16_t* pair) {
  asm("vpdpwssd %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(factors), "m"(*reinterpret_cast<const uint32_t*>(pair)));
}

// What a block adds to a row's sum. Sums of minima are below 2^22, so they are added up where they can be read as float32 at once:
// (start + msum) * m - start * m is msum * m, rounded once.
template <typename F>
inline __m512 FoldBlock(__m512 sum, __m512i isum, const __m512i* factors, int stride, __m512 d, __m512 m, __m512 start_times_m,
                        const CodeSums& x) {
  __m512 term;
  if constexpr (F::kHasMinimum) {  // fma(isum, d, msum * -dmin), rounded at the same places
    const int16_t* const sums = F::kSumsOf32 ? x.sums32 : x.sums16;
    __m512i factor_sum = _mm512_set1_epi32(kFloatStart);
#pragma GCC unroll 8
    for (int p = 0; p < F::kFactors; ++p) AddScaledPair(factor_sum, factors[p * stride], sums + 2 * p);
    term = _mm512_fmsub_ps(_mm512_cvtepi32_ps(isum), d, _mm512_fmsub_ps(_mm512_castsi512_ps(factor_sum), m, start_times_m));
  } else {
    term = _mm512_mul_ps(_mm512_cvtepi32_ps(isum), d);
  }
  return _mm512_fmadd_ps(term, _mm512_set1_ps(x.scale), sum);
}

inline void PrefetchLines(const unsigned char* from, int lines) {
  for (int i = 0; i < lines; ++i) _mm_prefetch(reinterpret_cast<const char*>(from + 64 * i), _MM_HINT_T0);
}
// Lines first .. last - 1 of what lies ahead of a stream: the far ones into the second cache, the near ones into the first.
// Unrolled, and the far ones first: as a loop, or taking turns, they gain nothing.
[[gnu::always_inline]] inline void AskAhead(const unsigned char* block, int first, int last, bool once) {
  if (once) {
#pragma GCC unroll 8
    for (int i = first; i < last; ++i) _mm_prefetch(reinterpret_cast<const char*>(block + kOnceBytes + 64 * i), _MM_HINT_NTA);
    return;
  }
#pragma GCC unroll 8
  for (int i = first; i < last; ++i) _mm_prefetch(reinterpret_cast<const char*>(block + kFarBytes + 64 * i), _MM_HINT_T1);
#pragma GCC unroll 8
  for (int i = first; i < last; ++i) _mm_prefetch(reinterpret_cast<const char*>(block + kNearBytes + 64 * i), _MM_HINT_T0);
}

// Part j of sixteen of a block's lines, its floats among them.
template <typename F>
[[gnu::always_inline]] inline void AskAheadPart(const unsigned char* block, int j, bool once) {
  constexpr int kAsked = F::kLines + 1;
  AskAhead(block, kAsked * j / 16, kAsked * (j + 1) / 16, once);
}
// What is read and asked for stays where it is written. gcc 12 would bring a block's loads together, and its questions, and memory
// would rest in between. (Passes over weights of 160 to 430 MB in turns, EPYC of the fourth generation, of plain reading, one
// thread and two, before and after: Q3_K 0.82 and 0.93 to 0.98 and 0.97, Q4_K 0.95, 0.98 to 0.99, 1.00; two rows with two threads:
// Q2_K 0.90 to 0.97, Q3_K 0.89 to 0.99. With three rows arithmetic takes longer, and loses by it.)
inline void KeepOrder() { asm volatile("" ::: "memory"); }

// What block b of one panel adds to N rows' sums; Wide: the dots of runs of kWideRun values fit in 16 bits.
template <typename F, int N, bool Wide>
[[gnu::always_inline]] inline void StreamBlock(const unsigned char* panel, int64_t b, const RoundedRows& x, bool once,
                                               __m512* sum) {
  const unsigned char* const block = BlockOf<F>(panel, b);
  __m512i scales[F::kScales], factors[F::kFactors + 1];
  F::Factors(block, scales, factors);
  constexpr int kRun = [] {
    if constexpr (Wide) return F::kWideRun;
    return F::kRun;
  }();
  __m512i isum[N], dots[N];
  for (int n = 0; n < N; ++n) isum[n] = _mm512_setzero_si512();
  const auto half = [&](const __m512i* c, int j) __attribute__((always_inline)) {  // values 16 j .. 16 j + 15 of the block
    const __m512i scale = scales[F::kScales == 8 ? j / 2 : j];
    for (int n = 0; n < N; ++n) {
      const int8_t* const codes = x.codes + (b * x.rows + n) * 256 + PairedCodes(j);
      const CodeSums& sums = x.blocks[b * x.rows + n];
      __m512i first = kRun == 32 && j % 2 != 0 ? dots[n] : _mm512_setzero_si512(), second = _mm512_setzero_si512();
      if constexpr (F::kCentred && F::kScaled) {
        first = _mm512_srai_epi32(Spread(sums.centred16 + PairedRun(j)), 3);  // of codes that are 4 above the values
      } else if constexpr (F::kCentred && kRun == 16) {
        first = Spread(sums.centred16 + PairedRun(j));
      } else if constexpr (F::kCentred) {
        const int32_t* const start = sums.centred8 + j / 4 * 8 + j % 2 * 4 + j / 2 % 2;
        first = Spread(start);
        second = Spread(start + 2);
      }
      first = _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(first, c[0], Spread(codes)), c[1], Spread(codes + 8));
      if constexpr (kRun == 8) {
        second = _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(second, c[2], Spread(codes + 16)), c[3], Spread(codes + 24));
        isum[n] = _mm512_dpwssd_epi32(_mm512_dpwssd_epi32(isum[n], first, scale), second, scale);
        continue;
      }
      first = _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(first, c[2], Spread(codes + 16)), c[3], Spread(codes + 24));
      if (kRun == 32 && j % 2 == 0)
        dots[n] = first;
      else
        isum[n] = _mm512_dpwssd_epi32(isum[n], first, scale);
    }
  };
  __m512i c[8];
#pragma GCC unroll 16
  for (int j = 0; j < 16; ++j) {
    AskAheadPart<F>(block, j, once);
    const unsigned char* const lines = block + F::kScaleLines * 64;
    if constexpr (F::kBits == 2)  // of four lines, all of which would be too many registers
      for (int i = 0; i < 4; ++i) c[i] = Low<2>(_mm512_srli_epi16(Line(lines, j / 4 * 4 + i), j % 4 * 2));
    else if (j % 2 == 0)
      GroupsOf<F::kBits>(lines + j / 2 * F::kBits * 64, c);
    if constexpr (N <= 2) KeepOrder();
    half(F::kBits == 2 ? c : c + j % 2 * 4, j);
    if constexpr (N <= 2) KeepOrder();
  }
  __m512 d, m;
  FloatsOf<F::kHasMinimum>(FloatLine<F>(panel, b), &d, &m);
  const __m512 start_times_m = StartTimes(m);
  for (int n = 0; n < N; ++n) sum[n] = FoldBlock<F>(sum[n], isum[n], factors, 1, d, m, start_times_m, x.blocks[b * x.rows + n]);
}

// The same for codes of two bits and one row: masked, not shifted. The fields' sums are 1, 4, 16 and 64 times the dots; those of
// the first and the third, shifted into the upper half, meet their two scales in one vpdpwssd, as those of the second and the
// fourth do, beside which four times the dots still fit 16 bits (4 * 6,096 = 24,384).
[[gnu::always_inline]] inline void StreamTwoBits(const unsigned char* panel, int64_t b, const RoundedRows& x, __m512* sum) {
  using F = PackedQ2_K;
  const unsigned char* const block = BlockOf<F>(panel, b);
  const int8_t* const codes = x.codes + b * x.rows * 256;
  const __m512i mask = _mm512_set1_epi8(15), lower = _mm512_set1_epi32(0xffff);
  __m512i scales[8], factors[8];
  for (int i = 0; i < 4; ++i) {
    const __m512i v = Line(block, i), four = _mm512_and_si512(v, mask), minima = _mm512_and_si512(_mm512_srli_epi16(v, 4), mask);
    scales[2 * i] = PickBytes<0, -1, 2, -1>(four);
    scales[2 * i + 1] = PickBytes<1, -1, 3, -1>(four);
    factors[2 * i] = BytePair<0>(minima);
    factors[2 * i + 1] = BytePair<1>(minima);
  }
  __m512i isum = _mm512_setzero_si512(), four_times = isum;
  const auto add_pair = [&](__m512i & to, __m512i dots, __m512i sixteen_times, __m512i pair) __attribute__((always_inline)) {
    const __m512i both = _mm512_ternarylogic_epi32(lower, dots, _mm512_slli_epi32(sixteen_times, 12), 0xca);  // lower ? a : b
    to = _mm512_dpwssd_epi32(to, both, pair);
  };
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {  // of 64 values
    __m512i dots[4];
    for (int t = 0; t < 4; ++t) dots[t] = _mm512_setzero_si512();
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      AskAheadPart<F>(block, 4 * i + j, false);
      const __m512i line = Line(block, F::kScaleLines + 4 * i + j);
      KeepOrder();
#pragma GCC unroll 4
      for (int t = 0; t < 4; ++t) {
        const __m512i c = _mm512_and_si512(line, _mm512_set1_epi8(static_cast<char>(3 << 2 * t)));
        dots[t] = _mm512_dpbusd_epi32(dots[t], c, Spread(codes + PairedCodes(4 * i + t) + 8 * j));
      }
    }
    add_pair(isum, dots[0], dots[2], scales[2 * i]);
    add_pair(four_times, dots[1], dots[3], scales[2 * i + 1]);
  }
  __m512 d, m;
  FloatsOf<true>(FloatLine<F>(panel, b), &d, &m);
  isum = _mm512_add_epi32(isum, _mm512_srai_epi32(four_times, 2));
  sum[0] = FoldBlock<F>(sum[0], isum, factors, 1, d, m, StartTimes(m), x.blocks[b * x.rows]);
}

template <typename F, int N>
inline void Stream256(const unsigned char* panel, int64_t k, const RoundedRows& x, bool once, float* y) {
  const int64_t blocks = k / 256;
  __m512 sum[N];
  for (int n = 0; n < N; ++n) sum[n] = _mm512_setzero_ps();
  for (int64_t b = 0; b < blocks; ++b) {
    if constexpr (N == 1 && F::kBits == 2) {
      StreamTwoBits(panel, b, x, sum);
      continue;
    }
    if constexpr (N > 1 && !F::kScaled) {
      uint32_t runs = F::kWideRuns;
      for (int n = 0; n < N; ++n) runs &= x.blocks[b * x.rows + n].runs;
      if (runs != 0) {
        StreamBlock<F, N, true>(panel, b, x, false, sum);
        continue;
      }
    }
    StreamBlock<F, N, false>(panel, b, x, N == 1 && F::kBits > 3 && once, sum);
  }
  for (int n = 0; n < N; ++n) _mm512_storeu_ps(y + n * kPanelRows, sum[n]);
}
