// Products of BF16 weights with many rows rounded to BF16; the arithmetic is told in ref/dot.h.
//
// A task takes some outputs. Where the instruction set multiplies pairs, their rows of the weight are put side by side, pair by
// pair, once, and meet all rows of the input. Elsewhere everything is widened to float32 in the order in which it is added up (the
// second of a pair first), and a block of values stays in the first cache while all rows of the input go by.
#include <algorithm>
#include <bit>
#include <cstring>

#include "base/fp_environment.h"
#include "cpu/product.h"

namespace scout::cpu {
namespace {

constexpr int64_t kPairOutputs = 32;   // of a task
constexpr int64_t kPairRows = 96;      // whose results are kept until they are stored
constexpr int64_t kFloatOutputs = 48;  // of a task
constexpr int64_t kFloatDepth = 128;   // values of K: 24 KiB of weights

// write(p, r, bits): values 2 p (the low half) and 2 p + 1 of weight row first + r, for pairs [begin, end); what is past the weight
// is 0.
template <int64_t kOutputs, typename Write>
void ForPairs(const HostWeight& weight, int64_t first, int64_t begin, int64_t end, const Write& write) {
  const int64_t k = weight.cols();
  const std::byte* row[kOutputs];
  for (int64_t r = 0; r < kOutputs; ++r) {
    row[r] = nullptr;
    if (first + r >= weight.rows()) continue;
    const HostWeight::Part& part = weight.PartOfRow(first + r);
    row[r] = part.Row(0, first + r - part.first_row);
  }
  constexpr int64_t kRun = 16;  // pairs, a line of each row
  for (int64_t at = begin; at < end; at += kRun) {
    const int64_t stop = std::min(end, at + kRun);
    for (int64_t r = 0; r < kOutputs; ++r) {
      uint32_t run[kRun] = {};
      if (row[r]) std::memcpy(run, row[r] + 4 * at, static_cast<size_t>(2 * (std::min(k, 2 * stop) - 2 * at)));
      for (int64_t p = at; p < stop; ++p) write(p, r, run[p - at]);
    }
  }
}

float Low(uint32_t pair) { return std::bit_cast<float>(pair << 16); }
float High(uint32_t pair) { return std::bit_cast<float>(pair & 0xffff0000); }

// What becomes of the products of row n with outputs first .. first + count - 1.
struct Finish {
  const Kernels& kernels;
  Epilogue epilogue;
  const float* bias;  // [outputs] or null
  float* out;         // [N, outputs]
  int64_t outputs;

  void operator()(int64_t n, int64_t first, int64_t count, float* y) const {
    float* const to = out + n * outputs + first;
    if (bias) kernels.add(bias + first, count, y);
    switch (epilogue) {
      case Epilogue::kAdd:
        return kernels.add(y, count, to);
      case Epilogue::kGelu:
        return kernels.gelu(y, count, to);
      default:
        std::memcpy(to, y, static_cast<size_t>(count) * 4);
    }
  }
};

void MultiplyPairs(Context& context, const HostWeight& weight, const uint16_t* x, int64_t rows, const Finish& finish) {
  const Kernels& kernels = *context.kernels;
  const int64_t pairs = (weight.cols() + 1) / 2, outputs = weight.rows();
  uint32_t* const packed = context.arena.Take<uint32_t>(context.threads * pairs * kPairOutputs);
  float* const results = context.arena.Take<float>(context.threads * kPairRows * kPairOutputs);
  context.Parallel((outputs + kPairOutputs - 1) / kPairOutputs, [&](int64_t task, int thread) {
    uint32_t* const w = packed + thread * pairs * kPairOutputs;
    float* const y = results + thread * kPairRows * kPairOutputs;
    const int64_t first = task * kPairOutputs, count = std::min(kPairOutputs, outputs - first);
    ForPairs<kPairOutputs>(weight, first, 0, pairs, [&](int64_t p, int64_t r, uint32_t bits) { w[p * kPairOutputs + r] = bits; });
    for (int64_t n = 0; n < rows; n += kPairRows) {
      const int64_t block = std::min(kPairRows, rows - n);
      kernels.bf16_product(reinterpret_cast<const uint16_t*>(w), x + n * 2 * pairs, 2 * pairs, block, pairs, y);
      for (int64_t i = 0; i < block; ++i) finish(n + i, first, count, y + i * kPairOutputs);
    }
  });
}

void MultiplyFloats(Context& context, const HostWeight& weight, const uint16_t* x, int64_t rows, const Finish& finish) {
  const Kernels& kernels = *context.kernels;
  const int64_t pairs = (weight.cols() + 1) / 2, depth = 2 * pairs, outputs = weight.rows();
  float* const wide = context.arena.Take<float>(rows * depth);  // [N, depth]
  context.ParallelRows(rows, 4, [&](int64_t n) {
    for (int64_t p = 0; p < pairs; ++p) {
      uint32_t bits;
      std::memcpy(&bits, x + n * depth + 2 * p, 4);
      wide[n * depth + 2 * p] = High(bits);
      wide[n * depth + 2 * p + 1] = Low(bits);
    }
  });
  float* const packed = context.arena.Take<float>(context.threads * kFloatDepth * kFloatOutputs);
  float* const results = context.arena.Take<float>(context.threads * rows * kFloatOutputs);
  context.Parallel((outputs + kFloatOutputs - 1) / kFloatOutputs, [&](int64_t task, int thread) {
    float* const w = packed + thread * kFloatDepth * kFloatOutputs;
    float* const y = results + thread * rows * kFloatOutputs;
    const int64_t first = task * kFloatOutputs, count = std::min(kFloatOutputs, outputs - first);
    for (int64_t at = 0; at < depth; at += kFloatDepth) {
      const int64_t end = std::min(depth, at + kFloatDepth);
      ForPairs<kFloatOutputs>(weight, first, at / 2, end / 2, [&](int64_t p, int64_t r, uint32_t bits) {
        w[(2 * p - at) * kFloatOutputs + r] = High(bits);
        w[(2 * p + 1 - at) * kFloatOutputs + r] = Low(bits);
      });
      const FlushSubnormals flush;
      const auto product = at == 0 ? kernels.outer_product : kernels.outer_product_add;
      product(wide + at, depth, rows, end - at, w, kFloatOutputs, y, kFloatOutputs);
    }
    for (int64_t n = 0; n < rows; ++n) finish(n, first, count, y + n * kFloatOutputs);
  });
}

}  // namespace

void LinearBf16(Context& context, const LinearOp& op) {
  const HostWeight& weight = Host(op.weight);
  const int64_t rows = op.in.rows, k = weight.cols(), depth = (k + 1) / 2 * 2;
  const float* const in = HostF32(op.in);
  const Finish finish{*context.kernels, op.epilogue, op.bias ? VectorOf(op.bias) : nullptr, HostF32(op.out), weight.rows()};
  uint16_t* const x = context.arena.Take<uint16_t>(rows * depth);
  context.ParallelRows(rows, 4, [&](int64_t n) {
    context.kernels->to_bf16(in + n * k, k, x + n * depth);
    if (k < depth) x[n * depth + k] = 0;
  });
  const auto multiply = context.kernels->bf16_product ? MultiplyPairs : MultiplyFloats;
  multiply(context, weight, x, rows, finish);
}

}  // namespace scout::cpu
