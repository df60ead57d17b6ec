// Rows of activations against panels of a weight: the one place where a product is computed.
#pragma once

#include <cstring>

#include "cpu/context.h"
#include "cpu/panel_tasks.h"

namespace scout::cpu {

// Rows of activations that a pair of panels meets before the next pair's turn, at most: their codes stay in the second cache.
constexpr int64_t kRowBlock = 64;
// What float32 rows may take of that cache.
constexpr int64_t kRowBytes = 640 << 10;

// [rows, k] activations in the forms that a weight's formats ask for, in scratch memory.
struct Inputs {
  int64_t rows = 0, k = 0;
  const float* values = nullptr;  // [rows, k]; null once only codes are needed
  RoundedRows per32{}, per256{};  // codes null where not asked for
  int64_t block = kRowBlock;      // rows that a pair of panels meets before the next pair's turn, at most

  // How many then, so that no block is much smaller than the others.
  int64_t EvenBlock() const {
    const int64_t blocks = (rows + block - 1) / block;
    return blocks > 0 ? (rows + blocks - 1) / blocks : block;
  }
};

// Which forms a weight asks for.
struct InputForms {
  bool values = false, per32 = false, per256 = false;
  bool packed = false;  // the rounded forms as packed weights want them; a weight's quantised parts are all packed, or none
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
  if (all.blocks) return {all.codes + row * group, nullptr, nullptr, all.rows, nullptr, all.blocks + row};
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

// store(n, o, values, count): y values of row n, outputs o .. o + count - 1, for panels [first_panel, end_panel) of W[expert].
template <typename Store>
void ForPanels(const Kernels& kernels, const HostWeight& weight, int64_t expert, int64_t outputs, int64_t first_panel,
               int64_t end_panel, const Inputs& in, const Store& store) {
  alignas(64) float y[2 * kRowBlock * kPanelRows];
  const int64_t block = in.EvenBlock();
  for (int64_t first = 0; first < in.rows; first += block) {
    const int64_t count = std::min(block, in.rows - first);
    for (int64_t panel = first_panel; panel < end_panel; panel += 2) {
      PanelOfWeight pair[2];
      const auto panels = static_cast<size_t>(std::min<int64_t>(2, end_panel - panel));
      for (size_t p = 0; p < panels; ++p) {
        const int64_t o = (panel + static_cast<int64_t>(p)) * kPanelRows;
        pair[p] = {o, static_cast<int>(std::min<int64_t>(kPanelRows, outputs - o))};
      }
      PanelProducts(kernels, weight, expert, {pair, panels}, in, first, count, y);
      // A row's outputs of both panels lie together.
      for (int64_t n = 0; n < count; ++n)
        for (size_t p = 0; p < panels; ++p)
          store(first + n, pair[p].first_row, y + (static_cast<int64_t>(p) * count + n) * kPanelRows, pair[p].rows);
    }
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
                  const Inputs& in, float* hidden);

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
