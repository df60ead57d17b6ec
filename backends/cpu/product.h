// Rows of activations against panels of a weight: the one place where a product is computed.
#pragma once

#include "cpu/context.h"

namespace scout::cpu {

// Rows of activations that a panel meets before the next panel's turn: their codes stay in the second cache.
constexpr int64_t kRowBlock = 64;

// [rows, k] activations in the forms that a weight's formats ask for, in scratch memory.
struct Inputs {
  int64_t rows = 0, k = 0;
  const float* values = nullptr;  // [rows, k]; null once only codes are needed
  RoundedRows per32{}, per256{};  // codes null where not asked for
};

// Which forms a weight asks for.
struct InputForms {
  bool values = false, per32 = false, per256 = false;
};
InputForms FormsOf(const HostWeight& weight);

// Room for `rows` rows in the rounded forms; `values` is the caller's.
Inputs TakeInputs(Context& context, InputForms forms, int64_t rows, int64_t k);
// Rounds one row (its values given) into row `row` of `inputs`.
void RoundRow(const Kernels& kernels, const float* values, int64_t row, const Inputs& inputs);
// Both, for rows that lie in memory already.
Inputs RoundRows(Context& context, const HostWeight& weight, const float* values, int64_t rows);

// y[n * kPanelRows + r] = W[expert][first_row + r] . x[first + n], r < rows <= kPanelRows, n < count.
void PanelProduct(const Kernels& kernels, const HostWeight& weight, int64_t expert, int64_t first_row, int rows, const Inputs& in,
                  int64_t first, int64_t count, float* y);

inline int64_t PanelsOf(int64_t rows) { return (rows + kPanelRows - 1) / kPanelRows; }
// Panels that one task takes, so that there are several tasks per thread.
int64_t PanelsPerTask(int64_t panels, int threads);

// store(n, o, values, count): y values of row n, outputs o .. o + count - 1, for panels [first_panel, end_panel) of W[expert].
template <typename Store>
void ForPanels(const Kernels& kernels, const HostWeight& weight, int64_t expert, int64_t outputs, int64_t first_panel,
               int64_t end_panel, const Inputs& in, const Store& store) {
  alignas(64) float y[kRowBlock * kPanelRows];
  for (int64_t first = 0; first < in.rows; first += kRowBlock) {
    const int64_t count = std::min(kRowBlock, in.rows - first);
    for (int64_t panel = first_panel; panel < end_panel; ++panel) {
      const int64_t o = panel * kPanelRows;
      const int rows = static_cast<int>(std::min<int64_t>(kPanelRows, outputs - o));
      PanelProduct(kernels, weight, expert, o, rows, in, first, count, y);
      for (int64_t n = 0; n < count; ++n) store(first + n, o, y + n * kPanelRows, rows);
    }
  }
}

// As above for a stacked gate and up: hidden[n * F + j] = silu(gate) * up for the panels of j.
void SwiGluPanels(const Kernels& kernels, const HostWeight& gate_up, int64_t expert, int64_t first_panel, int64_t end_panel,
                  const Inputs& in, float* hidden);

}  // namespace scout::cpu
