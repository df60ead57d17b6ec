// The four ways a row of a weight meets a row of activations.
//
// kFloat32, the oracle: everything in float32 values, products and sums in float64, rounded once at the end.
//
// The defined arithmetic, which `cpu` follows bit for bit:
//
// * F32 and F16 weights (widening is exact). Sixteen partial sums start at 0; value i goes to partial sum i mod 16, in
//   ascending order, by one fused multiply-add: lane = fma(w, x, lane). Then lane l takes lane l + 8 (l < 8), l + 4, l + 2, l + 1
//   by one addition each. Sixteen lanes are one AVX-512 register, two AVX ones, or an array; the bits are the same.
//
// * BF16 weights. The activations are rounded to BF16 first (quant/bf16.h). Sixteen partial sums start at 0; the pair of values
//   2 i and 2 i + 1 goes to partial sum i mod 16, in ascending order, by two fused multiply-adds: lane = fma(w[2 i + 1], x[2 i +
//   1], lane), then lane = fma(w[2 i], x[2 i], lane); a value that has no second goes alone. Then they are folded as above. This is
//   what AVX-512 BF16's vdpbf16ps does, except that it takes factors and sums below 2^-126 in magnitude for 0.
//
// * Quantised weights. The activations are rounded to bytes first (quant/activation.h: one scale x_scale per 32 or per 256
//   values). Blocks are folded from left to right:
//       isum = sum over sub-blocks j of S[j] * (sum of code * activation code)       exact, in int32
//       msum = sum over sub-blocks j of M[j] * (sum of activation codes)             exact, in int32
//       term = fma(float(isum), d, float(msum) * m)      or   float(isum) * d        where the format has no minimum
//       sum  = fma(term, x_scale, sum)
//   with the codes as signed values (offset applied) and, per format:
//       Q4_0 Q5_0 Q8_0   one sub-block, S = 1, no minimum
//       Q4_1 Q5_1        one sub-block, S = 1, M = 1, m = the block's m
//       Q2_K             16 sub-blocks of 16, 4-bit S and M, m = -dmin
//       Q3_K Q6_K        16 sub-blocks of 16, signed S, no minimum
//       Q4_K Q5_K        8 sub-blocks of 32, 6-bit S and M, m = -dmin
//   The largest |isum| is Q6_K's, 16 * 128 * 16 * 32 * 127 = 133,169,152, so int32 holds every one of them; above 2^24 the
//   conversion to float32 rounds to nearest, ties to even.
//
// * Weights of the role kManyRows, of any format, as their values in float32; the activations stay float32. K is cut into blocks of
//   128, the last one may be shorter. In each a sum starts at 0 and takes the values in ascending order: sum = fma(w, x, sum). The
//   blocks' sums are added up from left to right: total = sum of the first, total = total + sum of the next. Outputs are lanes, so
//   that nothing is added across a register, and the blocks keep the error near that of sixteen partial sums.
#pragma once

#include <cstdint>
#include <vector>

#include "backend/backend.h"
#include "backend/host_weight.h"
#include "ref/integer_block.h"

namespace scout::ref {

float DotLanes(const float* w, const float* x, int64_t k);
float DotDouble(const float* w, const float* x, int64_t k);
constexpr int64_t kBlockDepth = 128;  // values of K that DotBlocks adds up before the sum joins the others
float DotBlocks(const float* w, const float* x, int64_t k);
float DotPairs(const float* w, const float* x, int64_t k);  // x: BF16 widened
inline float DotFloat(Numerics numerics, const float* w, const float* x, int64_t k) {
  return numerics == Numerics::kFloat32 ? DotDouble(w, x, k) : DotLanes(w, x, k);
}

// N rows of activations in every form that the weight's formats ask for.
struct Activations {
  int64_t rows = 0, k = 0;
  const float* values = nullptr;  // [N, K]
  struct Codes {
    std::vector<int8_t> codes;  // [N, K]
    std::vector<float> scales;  // [N, K / G]
    std::vector<int16_t> sums;  // [N, K / 32] for G = 32, [N, K / 16] for G = 256
  };
  Codes per32, per256;
  std::vector<float> bf16;  // [N, K], widened
};
void Prepare(Numerics numerics, const HostWeight& weight, const float* values, int64_t rows, Activations& out);

// One block of integers against the activations' codes at value `at` of row n.
float BlockTerm(const IntegerBlock& block, const int8_t* codes, const int16_t* sums);

// y[n, o] = W[e][o] . x[n] for all rows and outputs. y: [N, O]
struct ProductScratch {
  std::vector<float> row;            // [K]
  std::vector<IntegerBlock> blocks;  // [K / values per block]
};
void Product(Numerics numerics, const HostWeight& weight, int64_t expert, const Activations& in, float* y, ProductScratch& scratch);

// y[n, o] = DotBlocks(W[o], x[n]). y: [N, O]
void ProductOfFloats(const HostWeight& weight, const Activations& in, float* y, ProductScratch& scratch);

}  // namespace scout::ref
