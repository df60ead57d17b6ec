// Products of weights of the role kManyRows with float32 rows; the arithmetic is told in ref/dot.h.
//
// A task takes some outputs, whose rows of the weight are widened to float32 and put side by side once, 48 at a time, and meet some
// rows of the input. A block of K of 48 outputs stays in the first cache while a block of rows goes by; a stretch of those rows
// stays in the second while all outputs of the task meet it.
#include <algorithm>
#include <cstring>

#include "cpu/product.h"
#include "quant/formats.h"

namespace scout::cpu {
namespace {

constexpr int64_t kOutputs = 48;       // three registers of AVX-512
constexpr int64_t kBlockDepth = 128;   // as in ref/dot.h; 24 KiB of weights
constexpr int64_t kDecodeDepth = 256;  // values widened at a time: whole blocks of every format
constexpr int64_t kBlockRows = 96;
constexpr int64_t kStretch = 11 * kBlockDepth;  // of K, the width of the real tower: 528 KiB of the rows of a block
constexpr int64_t kMostBlocks = 4;              // of 48 outputs, of a task

void Widen(const Kernels& kernels, DType format, const std::byte* blocks, int64_t count, float* to) {
  const auto* const from = reinterpret_cast<const unsigned char*>(blocks);
  switch (format) {
    case DType::kF32:
      return static_cast<void>(std::memcpy(to, from, static_cast<size_t>(count) * 4));
    case DType::kF16:
      return kernels.widen_f16(from, count, to);
    case DType::kBF16:
      return kernels.widen_bf16(from, count, to);
    case DType::kQ8_0:
      return kernels.widen_q8_0(from, count, to);
    default:
      return quant::DecodeRow(format, blocks, to, static_cast<size_t>(count));
  }
}

// to[i * columns + r] = W[first + r][i] for r < columns, a multiple of 16; what is past the weight is 0.
void PutSideBySide(const Kernels& kernels, const HostWeight& weight, int64_t first, int64_t columns, float* to) {
  alignas(64) float rows[16][kDecodeDepth];
  const int64_t k = weight.cols();
  for (int64_t r0 = 0; r0 < columns; r0 += 16) {
    for (int64_t at = 0; at < k; at += kDecodeDepth) {
      const int64_t depth = std::min(kDecodeDepth, k - at);
      for (int64_t r = 0; r < 16; ++r) {
        const int64_t row = first + r0 + r;
        if (row >= weight.rows()) {
          std::fill_n(rows[r], depth, 0.0f);
          continue;
        }
        const HostWeight::Part& part = weight.PartOfRow(row);
        const std::byte* const from = part.Row(0, row - part.first_row) + RowBytes(part.format, static_cast<uint64_t>(at));
        Widen(kernels, part.format, from, depth, rows[r]);
      }
      kernels.turn(rows[0], kDecodeDepth, depth, to + at * columns + r0, columns);
    }
  }
}

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

// Blocks of 48 outputs that a task takes: many, as long as all threads have the same to do.
int64_t BlocksOfTask(int64_t blocks, int threads) {
  const auto longest = [&](int64_t each) { return ((blocks + each - 1) / each + threads - 1) / threads * each; };
  int64_t best = 1;
  for (int64_t each = 2; each <= kMostBlocks; ++each)
    if (50 * longest(each) <= 51 * longest(best)) best = each;
  return best;
}

void Multiply(Context& context, const HostWeight& weight, const float* in, int64_t rows, const Finish& finish) {
  const Kernels& kernels = *context.kernels;
  const int64_t k = weight.cols(), outputs = weight.rows(), blocks = (outputs + kOutputs - 1) / kOutputs;
  const int64_t each = BlocksOfTask(blocks, context.threads), tasks = (blocks + each - 1) / each;
  // Few outputs and many threads: the rows are shared out too.
  const int64_t row_blocks = std::max<int64_t>(1, (rows + kBlockRows - 1) / kBlockRows);
  const int64_t groups = std::clamp<int64_t>(2 * context.threads / tasks, 1, row_blocks);
  const int64_t group_rows = (row_blocks + groups - 1) / groups * kBlockRows;
  float* const packed = context.arena.Take<float>(context.threads * each * k * kOutputs);
  float* const results = context.arena.Take<float>(context.threads * each * kBlockRows * kOutputs);
  context.Parallel(tasks * groups, [&](int64_t task, int thread) {
    float* const w = packed + thread * each * k * kOutputs;
    float* const y = results + thread * each * kBlockRows * kOutputs;
    const int64_t begin = task % groups * group_rows, end = std::min(rows, begin + group_rows);
    if (begin >= end) return;
    const int64_t first = task / groups * each, mine = std::min(each, blocks - first);
    const auto count_of = [&](int64_t block) { return std::min(kOutputs, outputs - (first + block) * kOutputs); };
    const auto columns_of = [&](int64_t block) { return (count_of(block) + 15) / 16 * 16; };
    for (int64_t b = 0; b < mine; ++b) PutSideBySide(kernels, weight, (first + b) * kOutputs, columns_of(b), w + b * k * kOutputs);
    for (int64_t n = begin; n < end; n += kBlockRows) {
      const int64_t count = std::min(kBlockRows, end - n);
      for (int64_t stretch = 0; stretch < k; stretch += kStretch) {
        for (int64_t b = 0; b < mine; ++b) {
          for (int64_t at = stretch; at < std::min(k, stretch + kStretch); at += kBlockDepth) {
            const auto product = at == 0 ? kernels.outer_product : kernels.outer_product_add;
            product(in + n * k + at, k, count, std::min(kBlockDepth, k - at), w + b * k * kOutputs + at * columns_of(b),
                    columns_of(b), y + b * kBlockRows * kOutputs, kOutputs);
          }
        }
      }
      for (int64_t b = 0; b < mine; ++b)
        for (int64_t i = 0; i < count; ++i) finish(n + i, (first + b) * kOutputs, count_of(b), y + (b * kBlockRows + i) * kOutputs);
    }
  });
}

}  // namespace

void LinearOfFloats(Context& context, const LinearOp& op) {
  const HostWeight& weight = Host(op.weight);
  const int64_t rows = op.in.rows, outputs = weight.rows();
  const float* const bias = op.bias ? VectorOf(op.bias) : nullptr;
  if (op.epilogue != Epilogue::kSwiGlu)
    return Multiply(context, weight, HostF32(op.in), rows, {*context.kernels, op.epilogue, bias, HostF32(op.out), outputs});
  float* const both = context.arena.Take<float>(rows * outputs);
  float* const out = HostF32(op.out);
  Multiply(context, weight, HostF32(op.in), rows, {*context.kernels, Epilogue::kStore, nullptr, both, outputs});
  context.ParallelRows(rows, 4, [&](int64_t n) {
    const float* const y = both + n * outputs;
    context.kernels->swiglu(y, y + outputs / 2, outputs / 2, out + n * (outputs / 2));
  });
}

}  // namespace scout::cpu
