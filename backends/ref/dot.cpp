#include "ref/dot.h"

#include <algorithm>

#include "base/math.h"
#include "quant/activation.h"
#include "quant/bf16.h"
#include "quant/formats.h"

namespace scout::ref {

namespace {

float FoldLanes(float (&lane)[16]) {
  for (int step = 8; step >= 1; step /= 2)
    for (int l = 0; l < step; ++l) lane[l] += lane[l + step];
  return lane[0];
}

}  // namespace

float DotLanes(const float* w, const float* x, int64_t k) {
  float lane[16] = {};
  for (int64_t i = 0; i < k; ++i) lane[i % 16] = Fma(w[i], x[i], lane[i % 16]);
  return FoldLanes(lane);
}

float DotPairs(const float* w, const float* x, int64_t k) {
  float lane[16] = {};
  for (int64_t i = 0; i < k; i += 2) {
    float& sum = lane[i / 2 % 16];
    if (i + 1 < k) sum = Fma(w[i + 1], x[i + 1], sum);
    sum = Fma(w[i], x[i], sum);
  }
  return FoldLanes(lane);
}

float DotBlocks(const float* w, const float* x, int64_t k) {
  float total = 0;
  for (int64_t at = 0; at < k; at += kBlockDepth) {
    float sum = 0;
    for (int64_t i = at; i < std::min(k, at + kBlockDepth); ++i) sum = Fma(w[i], x[i], sum);
    total = at == 0 ? sum : total + sum;
  }
  return total;
}

float DotDouble(const float* w, const float* x, int64_t k) {
  double sum[4] = {};  // four chains only because additions wait for each other
  int64_t i = 0;
  for (; i + 4 <= k; i += 4)
    for (int l = 0; l < 4; ++l) sum[l] += static_cast<double>(w[i + l]) * static_cast<double>(x[i + l]);
  for (; i < k; ++i) sum[0] += static_cast<double>(w[i]) * static_cast<double>(x[i]);
  return static_cast<float>((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

void Prepare(Numerics numerics, const HostWeight& weight, const float* values, int64_t rows, Activations& out) {
  out.rows = rows;
  out.k = weight.cols();
  out.values = values;
  if (numerics == Numerics::kFloat32 || weight.meets_floats()) return;
  bool want32 = false, want256 = false, want_bf16 = false;
  for (const HostWeight::Part& part : weight.parts()) {
    want32 |= quant::ActivationGroup(part.format) == 32;
    want256 |= quant::ActivationGroup(part.format) == 256;
    want_bf16 |= quant::MeetsBf16(part.format);
  }
  const auto k = static_cast<size_t>(out.k), n = static_cast<size_t>(rows);
  const auto resize = [&](Activations::Codes& codes, size_t group, size_t sum_group) {
    codes.codes.resize(n * k);
    codes.scales.resize(n * (k / group));
    codes.sums.resize(n * (k / sum_group));
  };
  if (want_bf16) {
    out.bf16.resize(n * k);
    for (size_t i = 0; i < n * k; ++i) out.bf16[i] = quant::Bf16ToF32(quant::F32ToBf16(values[i]));
  }
  if (want32) {
    resize(out.per32, 32, 32);
    for (size_t i = 0; i < n; ++i) {
      quant::QuantizeActivation32(values + i * k, k, out.per32.codes.data() + i * k, out.per32.scales.data() + i * (k / 32),
                                  out.per32.sums.data() + i * (k / 32));
    }
  }
  if (want256) {
    resize(out.per256, 256, 16);
    for (size_t i = 0; i < n; ++i) {
      quant::QuantizeActivation256(values + i * k, k, out.per256.codes.data() + i * k, out.per256.scales.data() + i * (k / 256),
                                   out.per256.sums.data() + i * (k / 16));
    }
  }
}

float BlockTerm(const IntegerBlock& block, const int8_t* codes, const int16_t* sums) {
  const int sum_values = block.values == 32 ? 32 : 16;  // activation codes per entry of `sums`
  const int sums_per_sub = block.sub_values / sum_values;
  int32_t isum = 0, msum = 0;
  for (int j = 0; j < block.values / block.sub_values; ++j) {
    int32_t dot = 0;
    for (int i = j * block.sub_values; i < (j + 1) * block.sub_values; ++i) dot += block.code[i] * codes[i];
    isum += block.S[j] * dot;
    for (int i = j * sums_per_sub; i < (j + 1) * sums_per_sub; ++i) msum += block.M[j] * sums[i];
  }
  if (!block.has_minimum) return static_cast<float>(isum) * block.d;
  return Fma(static_cast<float>(isum), block.d, static_cast<float>(msum) * block.m);
}

void Product(Numerics numerics, const HostWeight& weight, int64_t expert, const Activations& in, float* y,
             ProductScratch& scratch) {
  const int64_t k = in.k, outputs = weight.rows();
  for (const HostWeight::Part& part : weight.parts()) {
    const int group = numerics == Numerics::kFloat32 ? 0 : quant::ActivationGroup(part.format);
    const size_t block_bytes = InfoOf(part.format).bytes_per_block;
    for (int64_t r = 0; r < part.rows; ++r) {
      const std::byte* const row = part.Row(expert, r);
      float* const out = y + part.first_row + r;  // [n * O]
      if (group == 0) {
        scratch.row.resize(static_cast<size_t>(k));
        quant::DecodeRow(part.format, row, scratch.row.data(), static_cast<size_t>(k));
        const bool pairs = numerics != Numerics::kFloat32 && quant::MeetsBf16(part.format);
        for (int64_t n = 0; n < in.rows; ++n) {
          out[n * outputs] = pairs ? DotPairs(scratch.row.data(), in.bf16.data() + n * k, k)
                                   : DotFloat(numerics, scratch.row.data(), in.values + n * k, k);
        }
        continue;
      }
      const Activations::Codes& codes = group == 32 ? in.per32 : in.per256;
      const int64_t blocks = k / group, sums_per_block = group == 32 ? 1 : 16;
      scratch.blocks.resize(static_cast<size_t>(blocks));
      for (int64_t b = 0; b < blocks; ++b)
        Unpack(part.format, row + static_cast<size_t>(b) * block_bytes, scratch.blocks[static_cast<size_t>(b)]);
      for (int64_t n = 0; n < in.rows; ++n) {
        float sum = 0;
        for (int64_t b = 0; b < blocks; ++b) {
          const float term = BlockTerm(scratch.blocks[static_cast<size_t>(b)], codes.codes.data() + n * k + b * group,
                                       codes.sums.data() + (n * blocks + b) * sums_per_block);
          sum = Fma(term, codes.scales[static_cast<size_t>(n * blocks + b)], sum);
        }
        out[n * outputs] = sum;
      }
    }
  }
}

void ProductOfFloats(const HostWeight& weight, const Activations& in, float* y, ProductScratch& scratch) {
  const int64_t k = in.k, outputs = weight.rows();
  scratch.row.resize(static_cast<size_t>(k));
  for (int64_t o = 0; o < outputs; ++o) {
    weight.DecodeRow(0, o, scratch.row.data());
    for (int64_t n = 0; n < in.rows; ++n) y[n * outputs + o] = DotBlocks(scratch.row.data(), in.values + n * k, k);
  }
}

}  // namespace scout::ref
