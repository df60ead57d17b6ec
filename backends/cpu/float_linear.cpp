// Products with float32 rows of weights that are widened to float32: those of the role kManyRows, in the arithmetic that ref/dot.h
// tells; and, where the numerics are fast, float weights that meet many rows, and a library that multiplies tiles if there is one.
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
constexpr int64_t kLibraryRows = 512;           // of a tile that a library multiplies
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
void PutSideBySide(const Kernels& kernels, const HostWeight& weight, int64_t expert, int64_t first, int64_t columns, float* to) {
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
        const std::byte* const from = part.Row(expert, row - part.first_row) + RowBytes(part.format, static_cast<uint64_t>(at));
        Widen(kernels, part.format, from, depth, rows[r]);
      }
      kernels.turn(rows[0], kDecodeDepth, depth, to + at * columns + r0, columns);
    }
  }
}

// 48 outputs or fewer of a weight, side by side, and their products with the rows of a block.
struct Slab {
  int64_t columns;  // a multiple of 16
  const float* w;   // [K, columns]
  float* y;         // [rows of a block, 48]
};

void MultiplySlabs(const Kernels& kernels, const float* x, int64_t k, int64_t rows, const Slab* slabs, int64_t count) {
  for (int64_t n = 0; n < rows; n += kBlockRows) {
    for (int64_t stretch = 0; stretch < k; stretch += kStretch) {
      for (int64_t s = 0; s < count; ++s) {
        const Slab& slab = slabs[s];
        for (int64_t at = stretch; at < std::min(k, stretch + kStretch); at += kBlockDepth) {
          const auto product = at == 0 ? kernels.outer_product : kernels.outer_product_add;
          product(x + n * k + at, k, std::min(kBlockRows, rows - n), std::min(kBlockDepth, k - at), slab.w + at * slab.columns,
                  slab.columns, slab.y + n * kOutputs, kOutputs);
        }
      }
    }
  }
}

bool IsHalf(const HostWeight::Part& part) { return part.format == DType::kF16 || part.format == DType::kBF16; }

// Whether the library that is there is asked for the tiles of a product: what was measured to be faster so (backends/README.md).
bool AsksLibrary(const Context& context, bool library, const HostWeight& weight, int64_t rows) {
  if (!library || context.library_all) return library;
  return rows >= kLibraryFloatRows && !weight.meets_floats() && std::all_of(weight.parts().begin(), weight.parts().end(), IsHalf);
}

// What becomes of the products of row n with the outputs from `first` on; `up` where there is a gate.
void Finish(const Kernels& kernels, const FloatProduct& product, int64_t n, int64_t first, int64_t count, float* y,
            const float* up) {
  float* const to = product.out + n * OutputsOf(product) + first;
  if (product.bias) kernels.add(product.bias + first, count, y);
  switch (product.epilogue) {
    case Epilogue::kAdd:
      return kernels.add(y, count, to);
    case Epilogue::kGelu:
      return kernels.gelu(y, count, to);
    case Epilogue::kSwiGlu:
      return kernels.swiglu(y, up, count, to);
    default:
      std::memcpy(to, y, static_cast<size_t>(count) * 4);
  }
}

// Blocks of 48 outputs that a task takes: many, as long as all threads have the same to do.
int64_t BlocksOfTask(int64_t blocks, int64_t most, int threads) {
  const auto longest = [&](int64_t each) { return ((blocks + each - 1) / each + threads - 1) / threads * each; };
  int64_t best = 1;
  for (int64_t each = 2; each <= most; ++each)
    if (50 * longest(each) <= 51 * longest(best)) best = each;
  return best;
}

int64_t BlocksOf(const FloatProduct& product) { return (OutputsOf(product) + kOutputs - 1) / kOutputs; }
int64_t SidesOf(const FloatProduct& product) { return product.epilogue == Epilogue::kSwiGlu ? 2 : 1; }
int64_t BlocksOfTask(const Context& context, bool library, const FloatProduct& product) {
  if (AsksLibrary(context, library, *product.weight, product.rows)) return 1;
  return BlocksOfTask(BlocksOf(product), kMostBlocks / SidesOf(product), context.threads);
}

}  // namespace

int64_t OutputsOf(const FloatProduct& product) {
  return product.epilogue == Epilogue::kSwiGlu ? product.weight->rows() / 2 : product.weight->rows();
}

FloatScratch TakeFloatScratch(Context& context, std::span<const FloatProduct> products) {
  const bool library = context.library && context.library->usable();  // and stays so for these products, whatever it does
  int64_t packed = 0, results = 0;
  for (const FloatProduct& product : products) {
    const int64_t slabs = BlocksOfTask(context, library, product) * SidesOf(product);
    packed = std::max(packed, slabs * product.weight->cols() * kOutputs);
    results = std::max(
        results, slabs * (AsksLibrary(context, library, *product.weight, product.rows) ? kLibraryRows : kBlockRows) * kOutputs);
  }
  return {context.arena.Take<float>(context.threads * packed), context.arena.Take<float>(context.threads * results), packed,
          results, library};
}

void Multiply(Context& context, const FloatProduct& product, const FloatScratch& scratch) {
  const Kernels& kernels = *context.kernels;
  const bool asks = AsksLibrary(context, scratch.library, *product.weight, product.rows);
  const int64_t k = product.weight->cols(), outputs = OutputsOf(product), rows = product.rows;
  const int64_t sides = SidesOf(product), blocks = BlocksOf(product), block_rows = asks ? kLibraryRows : kBlockRows;
  const int64_t each = BlocksOfTask(context, scratch.library, product), tasks = (blocks + each - 1) / each;
  // Few outputs and many threads: the rows are shared out too.
  const int64_t row_blocks = std::max<int64_t>(1, (rows + block_rows - 1) / block_rows);
  const int64_t groups = std::clamp<int64_t>(2 * context.threads / tasks, 1, row_blocks);
  const int64_t group_rows = (row_blocks + groups - 1) / groups * block_rows;
  context.Parallel(tasks * groups, [&](int64_t task, int thread) {
    const int64_t begin = task % groups * group_rows, end = std::min(rows, begin + group_rows);
    if (begin >= end) return;
    const int64_t first = task / groups * each, mine = std::min(each, blocks - first);
    Slab slabs[kMostBlocks];
    const auto count_of = [&](int64_t block) { return std::min(kOutputs, outputs - (first + block) * kOutputs); };
    for (int64_t s = 0; s < mine * sides; ++s) {
      float* const w = scratch.packed + thread * scratch.packed_each + s * k * kOutputs;
      const int64_t columns = (count_of(s / sides) + 15) / 16 * 16;
      PutSideBySide(kernels, *product.weight, product.expert, s % sides * outputs + (first + s / sides) * kOutputs, columns, w);
      slabs[s] = {columns, w, scratch.results + thread * scratch.results_each + s * block_rows * kOutputs};
    }
    for (int64_t n = begin; n < end; n += block_rows) {
      const int64_t count = std::min(block_rows, end - n);
      const float* const x = product.in + n * k;
      if (asks) {
        for (int64_t s = 0; s < mine * sides; ++s)
          if (!context.library->Multiply({count, k, slabs[s].columns, x, k, slabs[s].w, slabs[s].columns, slabs[s].y, kOutputs}))
            MultiplySlabs(kernels, x, k, count, slabs + s, 1);
      } else {
        MultiplySlabs(kernels, x, k, count, slabs, mine * sides);
      }
      for (int64_t b = 0; b < mine; ++b) {
        for (int64_t i = 0; i < count; ++i) {
          float* const y = slabs[b * sides].y + i * kOutputs;
          Finish(kernels, product, n + i, (first + b) * kOutputs, count_of(b), y, slabs[b * sides + sides - 1].y + i * kOutputs);
        }
      }
    }
  });
}

bool MeetsManyFloats(const Context& context, const HostWeight& weight, int64_t rows) {
  if (!context.fast) return false;
  // AMD's processors multiply BF16 at twice the rate of float32.
  if (context.kernels->amd && context.kernels->bf16_bytes == 2 && !context.library_all && FormsOf(weight).bf16) return false;
  return std::all_of(weight.parts().begin(), weight.parts().end(),
                     [](const HostWeight::Part& part) { return InfoOf(part.format).values_per_block == 1; }) &&
         (rows >= kManyFloatRows || AsksLibrary(context, context.library != nullptr, weight, rows));
}

void LinearOfFloats(Context& context, const LinearOp& op) {
  const FloatProduct product = {&Host(op.weight), 0, HostF32(op.in), op.in.rows, op.epilogue, op.bias ? VectorOf(op.bias) : nullptr,
                                HostF32(op.out)};
  Multiply(context, product, TakeFloatScratch(context, {&product, 1}));
}

}  // namespace scout::cpu
