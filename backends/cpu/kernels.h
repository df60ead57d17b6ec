// The table of kernels, one for each instruction set. Plain data only: the files that fill a table are compiled with flags of
// their own, so this header holds no inline function and includes none.
//
// All tables give the same bits: the order of every sum is told in ref/dot.h and ref/attention.cpp, and float kernels are one
// source (float_kernels.inl) over a vector of sixteen lanes.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace scout::cpu {

// Rows of a weight that a kernel works on at once.
constexpr int kPanelRows = 16;

// Rows of activations, at most, that AVX-512 takes a weight's codes apart in registers for.
constexpr int kStreamedRows = 8;  // in two goes, of which the second finds the panel in the second cache

// Up to kPanelRows rows of a weight in the file's own layout.
struct Panel {
  const unsigned char* first;  // row r begins at first + r * row_bytes
  size_t row_bytes;
  int rows;   // 1 .. kPanelRows
  int64_t k;  // values of a row
};

// What packed kernels ask of 256 codes of activations beside them: one line, one more for Q6_K, two more where that one will not
// do.
struct CodeSums {
  float scale;
  uint32_t runs;       // which dots stay within 16 bits, below
  int32_t centred256;  // -128 times the sum of all codes
  uint32_t unused;
  int16_t sums32[8], sums16[16];  // of 32 and of 16 codes
  int32_t centred16[16];          // -32 times the sum of 16 codes; AVX-512 has them in its codes' order (packed_avx512.inl)
  int32_t centred8[32];           // and of 8 codes, likewise
};
static_assert(sizeof(CodeSums) == 256);

// 256 codes as Winograd's inner product takes them (winograd_avx512.inl), in the codes' order. They, their sums and the scale may
// have the other sign, all of them.
struct WinogradCodes {
  int8_t codes[256];  // those of far groups are 0
  int32_t starts[8];  // of runs of 32: less what they give of themselves
  float scale;
  int8_t first_far[4];  // the codes of the first far group, if there is one
  int16_t sums32[8];
  uint64_t far;                         // bit g: group g is far, which groups 0, 1, 16, 17 and so on never are
  static constexpr uint64_t kFits = 1;  // beside them: dots of runs of 32 stay within 16 bits
};

// A dot of weight and activation codes over a longer run than always fits 16 bits fits for nearly all activations:
constexpr uint32_t kRunsOf4Bits = 1;    // 32 codes against 0 .. 15
constexpr uint32_t kRunsOf5Bits = 2;    // 32 codes against 0 .. 31
constexpr uint32_t kRunsOf6Bits = 4;    // 16 codes against -32 .. 31
constexpr uint32_t kHalvesOf5Bits = 8;  // 16 codes against 0 .. 31

// Where sums of blocks of 32 begin in packed kernels: this many plus an integer below 2^22 in magnitude, read as float32, is
// 12582912 plus the integer.
constexpr int32_t kFloatStart = 0x4b400000;

// Activations as bytes (quant/activation.h), G = 32 or 256 to a block. Rows lie one after the other, each with its blocks in order;
// for packed weights blocks lie one after the other, each with its rows in order, so that a tile's rows are neighbours.
struct RoundedRows {
  const int8_t* codes;  // [count, K], or [K / G, rows, G]; where there are `blocks`, in the order of the table that rounded them
  // Null for packed weights and G = 256:
  const float* scales;  // [count, K / G], or [K / 32, rows]
  const int16_t* sums;  // [count, K / 32] for G = 32, [count, K / 16] for G = 256; or [K / 32, rows]
  // For packed weights, else 0 and null:
  int64_t rows = 0;                         // of a block
  const int32_t* starts = nullptr;          // G = 32: [K / 32, rows] kFloatStart - 128 times the sum
  const CodeSums* blocks = nullptr;         // G = 256: [K / 256, rows]
  const WinogradCodes* winograd = nullptr;  // where kernels make use of them, the same, else null
};

// One or two panels of a packed weight (packed.h), of the same format.
struct PackedPanels {
  const unsigned char* panel[2];
  int panels;
  int64_t k;
  bool amd;  // Kernels'
};

// y[n * kPanelRows + r] = W[r] . x[n]; entries of missing rows are left alone: a neighbour may have written them.
using FloatPanel = void (*)(const Panel& panel, const float* x, int64_t count, float* y);  // x: [count, K]
using Bf16Panel = void (*)(const Panel& panel, const void* x, int64_t count, float* y);    // x: rows as round_bf16 makes them
using RoundedPanel = void (*)(const Panel& panel, const RoundedRows& x, int64_t count, float* y);
// y[(p * count + n) * kPanelRows + r] = W[panel p, row r] . x[n]
using PackedProduct = void (*)(const PackedPanels& w, const RoundedRows& x, int64_t count, float* y);

// Keys or values of one head: rows of d values that follow each other by `stride` bytes. While a row is worked on, the one as far
// behind `next` is asked for, unless that is null; it need not be there.
struct HeadRows {
  const unsigned char* first;
  size_t stride;
  int64_t count;
  const unsigned char* next;
};

struct Kernels {
  FloatPanel f32, f16;
  Bf16Panel bf16;
  // A row of activations to BF16, as `bf16` takes it: bf16_bytes of memory for each value, and for those up to the next multiple
  // of 32.
  void (*round_bf16)(const float* x, int64_t k, void* to);
  int64_t bf16_bytes;  // 2 where an instruction multiplies them, 4 where they are widened
  RoundedPanel q4_0, q4_1, q5_0, q5_1, q8_0, q2_k, q3_k, q4_k, q5_k, q6_k;
  // All or none: null where weights stay in the file's blocks.
  PackedProduct packed_q4_0, packed_q4_1, packed_q5_0, packed_q5_1, packed_q8_0;
  PackedProduct packed_q2_k, packed_q3_k, packed_q4_k, packed_q5_k, packed_q6_k;
  // Packed kernels take what suits AMD's processors: streams ask for memory otherwise, tiles are of pairs (packed_avx512.inl).
  bool amd;
  // 256 values to codes (quant/activation.h), and what of `sums` the packed kernels of this table use; and `winograd`, unless that
  // is null.
  void (*round_block)(const float* x, int8_t* codes, CodeSums* sums, WinogradCodes* winograd);

  // One row of activations to bytes (quant/activation.h).
  void (*round32)(const float* x, int64_t k, int8_t* codes, float* scales, int16_t* sums);
  void (*round256)(const float* x, int64_t k, int8_t* codes, float* scales, int16_t* sums);

  // DotLanes(x, x)
  float (*sum_of_squares)(const float* x, int64_t count);
  // y[i] = x[i] * scale * w[i]
  void (*scale_by)(const float* x, float scale, const float* w, int64_t count, float* y);
  // out[i] = silu(gate[i]) * up[i]
  void (*swiglu)(const float* gate, const float* up, int64_t count, float* out);
  // out[i] = gelu(x[i]); out may be x
  void (*gelu)(const float* x, int64_t count, float* out);
  // to[i] += from[i]
  void (*add)(const float* from, int64_t count, float* to);
  // to[i] = from[i] * scale
  void (*multiply)(const float* from, float scale, int64_t count, float* to);
  void (*to_f16)(const float* from, int64_t count, uint16_t* to);
  void (*to_bf16)(const float* from, int64_t count, uint16_t* to);

  // scores[g * score_stride + j] = DotLanes(q[g], k[j]) * scale for `heads` rows of q [heads, d]
  void (*scores_f32)(const float* q, int64_t heads, int64_t d, const HeadRows& k, float scale, float* scores, int64_t score_stride);
  void (*scores_f16)(const float* q, int64_t heads, int64_t d, const HeadRows& k, float scale, float* scores, int64_t score_stride);
  void (*scores_q8_0)(const float* q, int64_t heads, int64_t d, const HeadRows& k, float scale, float* scores,
                      int64_t score_stride);
  void (*scores_bf16)(const float* q, int64_t heads, int64_t d, const HeadRows& k, float scale, float* scores,
                      int64_t score_stride);
  // o[g][i] = fma(w[g * w_stride + j], v[j][i], o[g][i]) for j in order. o: [heads, d]
  void (*fold_f32)(const float* w, int64_t w_stride, int64_t heads, int64_t d, const HeadRows& v, float* o);
  void (*fold_f16)(const float* w, int64_t w_stride, int64_t heads, int64_t d, const HeadRows& v, float* o);
  void (*fold_q8_0)(const float* w, int64_t w_stride, int64_t heads, int64_t d, const HeadRows& v, float* o);
  void (*fold_bf16)(const float* w, int64_t w_stride, int64_t heads, int64_t d, const HeadRows& v, float* o);
  // to[i] = fma(from[i], from_scale, to[i] * to_scale)
  void (*merge)(const float* from, float from_scale, float to_scale, int64_t count, float* to);

  // Sixteen partial sums (lane = i mod 16), folded: of the values, and of the squares of x[i] - mean.
  float (*sum)(const float* x, int64_t count);
  float (*sum_of_centred_squares)(const float* x, float mean, int64_t count);
  // y[i] = fma((x[i] - mean) * scale, w[i], b[i])
  void (*normalise)(const float* x, float mean, float scale, const float* w, const float* b, int64_t count, float* y);
  // Pairs (a, b) of x [d] become fma(a, cos, -(b sin)), fma(a, sin, b cos), with cos and sin side by side in `turns` [d].
  void (*rotate)(float* x, const float* turns, int64_t d);
  // c[m * c_stride + n] = sum over i of a[m * a_stride + i] * b[i * columns + n], by fused multiply-adds from 0 on, i ascending.
  // b: [depth, columns], columns a multiple of 16.
  void (*outer_product)(const float* a, int64_t a_stride, int64_t rows, int64_t depth, const float* b, int64_t columns, float* c,
                        int64_t c_stride);
  // The same, and then added to what is in c.
  void (*outer_product_add)(const float* a, int64_t a_stride, int64_t rows, int64_t depth, const float* b, int64_t columns,
                            float* c, int64_t c_stride);

  // Values of a weight as float32: to[count]. `count` is whole blocks.
  void (*widen_f16)(const unsigned char* from, int64_t count, float* to);
  void (*widen_bf16)(const unsigned char* from, int64_t count, float* to);
  void (*widen_q8_0)(const unsigned char* from, int64_t count, float* to);
  // to[i * to_stride + r] = from[r * from_stride + i] for sixteen rows of `count` values.
  void (*turn)(const float* from, int64_t from_stride, int64_t count, float* to, int64_t to_stride);

  // The largest value, of NaNs no word; -infinity for none.
  float (*largest)(const float* x, int64_t count);
  // w[i] = exp(x[i] - max) where w is not null; returns their sum in sixteen lanes (lane = i mod 16), folded.
  float (*exp_sum)(const float* x, float max, int64_t count, float* w);
};

// Null where the table was not built.
const Kernels* GenericKernels();
const Kernels* Avx2Kernels();
const Kernels* Avx512Kernels(bool amd, bool bf16);  // bf16: the processor multiplies them (AVX-512 BF16)

}  // namespace scout::cpu
