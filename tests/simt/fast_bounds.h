// How far a product may be from the exact one under Numerics::kFast.
#pragma once

#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "../ops/op_test.h"
#include "base/error.h"
#include "quant/formats.h"

namespace scout {

inline std::vector<float> Decoded(const WeightPart& part, int64_t values) {
  std::vector<std::byte> bytes(RowBytes(part.format, static_cast<uint64_t>(values)));
  part.sources[0]->Read(0, bytes);
  std::vector<float> out(static_cast<size_t>(values));
  quant::DecodeRow(part.format, bytes.data(), out.data(), out.size());
  return out;
}

// A row as the weight's format meets it: F16 times a power of two that brings the largest to [2^14, 2^15), for others BF16 as it
// is.
inline std::vector<double> Rounded(DType format, std::span<const float> row) {
  int exponent = 0;
  float largest = 0;
  for (const float x : row) largest = std::max(largest, std::fabs(x));
  if (largest > 0) std::frexp(largest, &exponent);  // largest = m 2^exponent, m in [0.5, 1)
  std::vector<double> out;
  for (const float x : row) {
    if (format != DType::kF16)
      out.push_back(quant::Bf16ToF32(quant::F32ToBf16(x)));
    else
      out.push_back(std::ldexp(quant::F16ToF32(quant::F32ToF16(std::ldexp(x, 15 - exponent))), exponent - 15));
  }
  return out;
}

// A product's weights as its matrix instructions meet them. A value of a block is d S code + m M, of which both products are exact
// in float32: rounded to float32 once and then to BF16.
inline std::vector<float> RoundedWeights(DType format, std::vector<float> values) {
  if (IsBlocks(format))
    for (float& value : values) value = quant::Bf16ToF32(quant::F32ToBf16(value));
  return values;
}

// Columns [first, first + outputs) of `got`, which has `cols`, against the part's product with rows x [rows, k], added to what
// `before` has there, if anything. Nothing, or the first value that is too far away.
//
// Against the exact product of the rounded rows and weights only float32 sums differ: of k products in any order, each sum cut or
// rounded to 2^-23 of what all of them have in magnitude. Against both as they were, rounding adds half a unit of the format's last
// place for the row, and for weights of blocks another.
inline std::string OutOfBounds(const WeightPart& part, const std::vector<float>& x, int64_t rows, const std::vector<float>& got,
                               int64_t cols, int64_t first = 0, const std::vector<float>& before = {}) {
  const int64_t k = part.cols, outputs = part.rows;
  const std::vector<float> w = Decoded(part, outputs * k), as_met = RoundedWeights(part.format, w);
  const double half_unit = part.format == DType::kF16 ? 0x1p-11 : 0x1p-8, both = IsBlocks(part.format) ? 2 * half_unit : half_unit;
  for (int64_t n = 0; n < rows; ++n) {
    const std::span<const float> row = std::span(x).subspan(static_cast<size_t>(n * k), static_cast<size_t>(k));
    const std::vector<double> rounded = Rounded(part.format, row);
    double largest = 0;
    for (const float value : row) largest = std::max(largest, std::fabs(static_cast<double>(value)));
    for (int64_t o = 0; o < outputs; ++o) {
      const auto at = static_cast<size_t>(n * cols + first + o);
      const double addend = before.empty() ? 0.0 : before[at];
      double exact = addend, of_rounded = addend, magnitude = std::fabs(addend), weights = 0;
      for (int64_t i = 0; i < k; ++i) {
        const double weight = w[static_cast<size_t>(o * k + i)];
        exact += weight * row[static_cast<size_t>(i)];
        const double met = as_met[static_cast<size_t>(o * k + i)] * rounded[static_cast<size_t>(i)];
        of_rounded += met;
        magnitude += std::fabs(met);
        weights += std::fabs(weight);
      }
      const double y = got[at], of_sums = static_cast<double>(before.empty() ? k : k + 1) * 0x1p-23 * magnitude;
      // 1.01: rounding what has been rounded
      const double of_both = of_sums + both * magnitude * 1.01 + 0x1p-39 * largest * weights;
      if (!(std::fabs(y - of_rounded) <= of_sums) || !(std::fabs(y - exact) <= of_both))
        return StrCat(rows, " rows, ", n, ", ", o, ": ", y, ", of rounded values ", of_rounded, " +- ", of_sums, ", exactly ",
                      exact, " +- ", of_both);
    }
  }
  return "";
}

}  // namespace scout
