// Rows of activations against panels of a weight: the one place where a product is computed.
#pragma once

#include <atomic>
#include <cstring>

#include "cpu/context.h"
#include "cpu/panel_tasks.h"

namespace scout::cpu {

// Rows of activations that meet all panels before the next rows' turn, at most: their codes stay in the second cache, and the
// weight streams past them. (Rows' turns within a task of sixteen panels, of 512 rows in all: 7 % slower for Q4_K, 10 % for Q6_K.)
constexpr int64_t kRowBlock = 64;
// What float rows may take of that cache.
constexpr int64_t kRowBytes = 640 << 10;

// [rows, k] activations in the forms that a weight's formats ask for, in scratch memory.
struct Inputs {
  int64_t rows = 0, k = 0;
  const float* values = nullptr;  // [rows, k]; null once only codes are needed
  RoundedRows per32{}, per256{};  // codes null where not asked for
  std::byte* bf16 = nullptr;      // rows as Kernels::round_bf16 makes them, one every bf16_stride bytes; null where not asked for
  int64_t bf16_stride = 0;
  int64_t block = kRowBlock;  // rows of a block, at most
};

// Some of the rows of a product, kRowBlock at most.
struct RowBlock {
  int64_t first, count;
};
// How many blocks `rows` rows make of at most `most`, and block i of them; none is much smaller than the others, or larger than the
// first.
inline int64_t RowBlocks(int64_t rows, int64_t most) { return (rows + most - 1) / most; }
inline RowBlock RowBlockOf(int64_t rows, int64_t most, int64_t i) {
  const int64_t blocks = RowBlocks(rows, most);
  const auto begin = [&](int64_t block) { return (rows * block + blocks - 1) / blocks; };
  return {begin(i), begin(i + 1) - begin(i)};
}

// Which forms a weight asks for.
struct InputForms {
  bool values = false, bf16 = false, per32 = false, per256 = false;
  bool winograd = false;  // WinogradCodes, where the kernels use them
  bool packed = false;    // the rounded forms as packed weights want them; a weight's quantised parts are all packed, or none
};
InputForms FormsOf(const HostWeight& weight);

// Room for `rows` rows in the rounded forms; `values` is the caller's.
Inputs TakeInputs(Context& context, InputForms forms, int64_t rows, int64_t k);
// Rounds one row (its values given) into row `row` of `inputs`.
void RoundRow(const Kernels& kernels, const float* values, int64_t row, const Inputs& inputs);
// Both, for rows that lie in memory already.
Inputs RoundRows(Context& context, const HostWeight& weight, const float* values, int64_t rows);

// The rows from `row` on; group is 32 or 256.
inline RoundedRows RowsFrom(const RoundedRows& all, int64_t row, int64_t k, int64_t group) {
  if (all.blocks)
    return {all.codes + row * group,
            nullptr,
            nullptr,
            all.rows,
            nullptr,
            all.blocks + row,
            all.winograd ? all.winograd + row : nullptr};
  if (all.rows > 0) return {all.codes + row * group, all.scales + row, all.sums + row, all.rows, all.starts + row, nullptr};
  return {all.codes + row * k, all.scales + row * (k / group), all.sums + row * (k / (group == 32 ? 32 : 16))};
}

// Up to kPanelRows rows of a weight, from `first_row` on.
struct PanelOfWeight {
  int64_t first_row;
  int rows;
};

// y[(p * count + n) * kPanelRows + r] = W[expert][panels[p].first_row + r] . x[first + n], for one or two panels, r < rows, n <
// count.
void PanelProducts(const Kernels& kernels, const HostWeight& weight, int64_t expert, std::span<const PanelOfWeight> panels,
                   const Inputs& in, int64_t first, int64_t count, float* y);

inline int64_t PanelsOf(int64_t rows) { return (rows + kPanelRows - 1) / kPanelRows; }

// A block of rows and the panels that it meets: a part of a product, of which tasks are made.
struct Piece {
  int64_t item;  // which of several products
  RowBlock rows;
  int64_t panels;
};
// run(piece, first panel, end panel) over all pieces, of which none has more rows than the first.
//
// Where some have many rows, every other thread begins at the list's end. So pieces of many rows, whose products want arithmetic,
// and those of few, which want memory, are worked on at the same time as long as there are both, and neither waits for the other's
// share of the machine.
template <typename Body>
void ForPieces(Context& context, std::span<const Piece> pieces, const Body& run) {
  if (pieces.empty()) return;
  int64_t* const begin = context.arena.Take<int64_t>(static_cast<int64_t>(pieces.size()) + 1);  // panels of pieces before this one
  int64_t* const end_of_all = begin + pieces.size();
  begin[0] = 0;
  for (size_t i = 0; i < pieces.size(); ++i) begin[i + 1] = begin[i] + pieces[i].panels;
  const PanelTasks tasks(*end_of_all, context.threads, pieces[0].rows.count);
  const bool both_ends = pieces[0].rows.count > kMemoryBoundRows;
  std::atomic<int64_t> from_front{0}, from_back{0};  // tasks taken; together never more than there are
  context.Parallel(tasks.count(), [&](int64_t, int thread) {
    const int64_t task = !both_ends || thread % 2 == 0 ? from_front.fetch_add(1, std::memory_order_relaxed)
                                                       : tasks.count() - 1 - from_back.fetch_add(1, std::memory_order_relaxed);
    auto [first, end] = tasks.Of(task);
    for (int64_t i = std::upper_bound(begin, end_of_all + 1, first) - begin - 1; first < end; ++i) {
      const int64_t piece_end = std::min(end, begin[i + 1]);
      if (piece_end > first) run(pieces[static_cast<size_t>(i)], first - begin[i], piece_end - begin[i]);
      first = piece_end;
    }
  });
}

// store(n, o, values, count): y values of row n, outputs o .. o + count - 1, for panels [first_panel, end_panel) of W[expert] and a
// block of rows.
template <typename Store>
void ForPanels(const Kernels& kernels, const HostWeight& weight, int64_t expert, int64_t outputs, int64_t first_panel,
               int64_t end_panel, const Inputs& in, RowBlock rows, const Store& store) {
  alignas(64) float y[2 * kRowBlock * kPanelRows];
  for (int64_t panel = first_panel; panel < end_panel; panel += 2) {
    PanelOfWeight pair[2];
    const auto panels = static_cast<size_t>(std::min<int64_t>(2, end_panel - panel));
    for (size_t p = 0; p < panels; ++p) {
      const int64_t o = (panel + static_cast<int64_t>(p)) * kPanelRows;
      pair[p] = {o, static_cast<int>(std::min<int64_t>(kPanelRows, outputs - o))};
    }
    PanelProducts(kernels, weight, expert, {pair, panels}, in, rows.first, rows.count, y);
    // A row's outputs of both panels lie together.
    for (int64_t n = 0; n < rows.count; ++n)
      for (size_t p = 0; p < panels; ++p)
        store(rows.first + n, pair[p].first_row, y + (static_cast<int64_t>(p) * rows.count + n) * kPanelRows, pair[p].rows);
  }
}

// to[i] = from[i] for the outputs of a panel, nearly always all of them.
inline void StorePanel(const float* from, int rows, float* to) {
  if (rows == kPanelRows)
    std::memcpy(to, from, kPanelRows * sizeof(float));
  else
    std::memcpy(to, from, static_cast<size_t>(rows) * sizeof(float));
}

// As above for a stacked gate and up: hidden[n * F + j] = silu(gate) * up for the panels of j.
void SwiGluPanels(const Kernels& kernels, const HostWeight& gate_up, int64_t expert, int64_t first_panel, int64_t end_panel,
                  const Inputs& in, RowBlock rows, float* hidden);

// Rows from which on that is worth it under Numerics::kFast (backends/README.md has the measurement).
constexpr int64_t kManyFloatRows = 96;  // by own kernels
constexpr int64_t kLibraryFloatRows = 64;

// A product with float32 rows of a weight widened to float32, by blocks of outputs (float_linear.cpp).
struct FloatProduct {
  const HostWeight* weight;
  int64_t expert;
  const float* in;  // [rows, K]
  int64_t rows;
  Epilogue epilogue;
  const float* bias;  // [outputs] or null
  float* out;         // [rows, outputs]
};
int64_t OutputsOf(const FloatProduct& product);
// Memory of the threads, enough for each of the products.
struct FloatScratch {
  float *packed, *results;
  int64_t packed_each, results_each;  // of a thread
  bool library;                       // whether a library may be asked
};
FloatScratch TakeFloatScratch(Context& context, std::span<const FloatProduct> products);
void Multiply(Context& context, const FloatProduct& product, const FloatScratch& scratch);
// Whether the numerics let so many rows and this weight meet in that way.
bool MeetsManyFloats(const Context& context, const HostWeight& weight, int64_t rows);

}  // namespace scout::cpu
