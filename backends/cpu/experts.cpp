// The mixture of experts: rows are sorted by expert, and one list of tasks runs over (shared or expert, panels of outputs), so
// that every weight that is needed is read once, whatever the number of rows.
#include <algorithm>

#include "cpu/product.h"

namespace scout::cpu {
namespace {

// One side of the sum: the shared expert over all rows, or the routed ones over rows sorted by expert.
struct Side {
  const HostWeight* gate_up = nullptr;
  const HostWeight* down = nullptr;
  Inputs in;                // [rows, D]
  float* hidden = nullptr;  // [rows, F]
  Inputs hidden_in;
  float* y = nullptr;  // [rows, D]
};

// Rows that meet one expert.
struct Item {
  const Side* side;
  int64_t expert;
  int64_t first, rows;  // of the side's rows
};

// run(item, rows, first panel, end panel) over all items, in pieces; each has the inputs and the panels that are said.
template <typename InputsOf, typename PanelCount, typename Body>
void ForItems(Context& context, std::span<const Item> items, const InputsOf& inputs_of, const PanelCount& panels_of,
              const Body& run) {
  const auto blocks_of = [&](const Item& item) { return RowBlocks(item.rows, inputs_of(item).block); };
  int64_t count = 0;
  for (const Item& item : items) count += blocks_of(item);
  Piece* const pieces = context.arena.Take<Piece>(count);
  Piece* next = pieces;
  for (size_t i = 0; i < items.size(); ++i) {
    for (int64_t block = 0; block < blocks_of(items[i]); ++block) {
      RowBlock rows = RowBlockOf(items[i].rows, inputs_of(items[i]).block, block);
      rows.first += items[i].first;
      *next++ = {static_cast<int64_t>(i), rows, panels_of(items[i])};
    }
  }
  std::sort(pieces, next, [](const Piece& a, const Piece& b) {
    if (a.rows.count != b.rows.count) return a.rows.count > b.rows.count;
    return a.item != b.item ? a.item < b.item : a.rows.first < b.rows.first;
  });
  ForPieces(context, {pieces, static_cast<size_t>(count)}, [&](const Piece& piece, int64_t first, int64_t end) {
    run(items[static_cast<size_t>(piece.item)], piece.rows, first, end);
  });
}

// Both products of each item, by blocks of widened weights.
void MultiplyMany(Context& context, std::span<const Item> items, int64_t d) {
  if (items.empty()) return;
  FloatProduct* const products = context.arena.Take<FloatProduct>(2 * static_cast<int64_t>(items.size()));
  size_t count = 0;
  for (const Item& item : items) {
    const Side& side = *item.side;
    float* const hidden = side.hidden + item.first * side.down->cols();
    products[count++] = {side.gate_up, item.expert, side.in.values + item.first * d, item.rows, Epilogue::kSwiGlu, nullptr, hidden};
    products[count++] = {side.down, item.expert, hidden, item.rows, Epilogue::kStore, nullptr, side.y + item.first * d};
  }
  const FloatScratch scratch = TakeFloatScratch(context, {products, count});
  for (size_t i = 0; i < count; ++i) Multiply(context, products[i], scratch);
}

}  // namespace

void Experts(Context& context, const ExpertsOp& op) {
  const Kernels& kernels = *context.kernels;
  const int64_t rows = op.in.rows, d = op.in.cols, top_k = op.ids.cols;
  const float* const x = HostF32(op.in);
  const int32_t* const ids = HostI32(op.ids);
  const float* const gates = HostF32(op.gates);
  const HostWeight& gate_up = Host(op.gate_up);
  const int64_t experts = gate_up.experts();
  SCOUT_CHECK(op.first_expert >= 0 && op.last_expert <= experts, "experts ", op.first_expert, " to ", op.last_expert, " of ",
              experts);
  const auto wanted = [&](int32_t id) { return id >= op.first_expert && id < op.last_expert; };

  // Sort (row, choice) pairs by expert, keeping the order of rows.
  int64_t* const begin = context.arena.Take<int64_t>(experts + 1);
  int64_t* const place = context.arena.Take<int64_t>(rows * top_k);  // of a pair among the sorted, -1 = not ours
  std::fill(begin, begin + experts + 1, int64_t{0});
  for (int64_t i = 0; i < rows * top_k; ++i)
    if (wanted(ids[i])) ++begin[ids[i] + 1];
  for (int64_t e = 0; e < experts; ++e) begin[e + 1] += begin[e];
  const int64_t pairs = begin[experts];
  int64_t* const next = context.arena.Take<int64_t>(experts);
  std::copy(begin, begin + experts, next);
  for (int64_t i = 0; i < rows * top_k; ++i) place[i] = wanted(ids[i]) ? next[ids[i]]++ : -1;

  Side shared, routed;
  Item* const items = context.arena.Take<Item>(experts + 1);
  int64_t item_count = 0;
  if (op.shared_gate_up) {
    shared.gate_up = &Host(op.shared_gate_up);
    shared.down = &Host(op.shared_down);
    shared.in = TakeInputs(context, FormsOf(*shared.gate_up), rows, d);
    shared.in.values = x;
    items[item_count++] = {&shared, 0, 0, rows};
  }
  routed.gate_up = &gate_up;
  routed.down = &Host(op.down);
  const InputForms routed_forms = FormsOf(gate_up);
  routed.in = TakeInputs(context, routed_forms, pairs, d);
  const bool keeps_values = routed_forms.values || MeetsManyFloats(context, gate_up, pairs);
  float* const scaled = context.arena.Take<float>((keeps_values ? pairs : context.threads) * d);
  routed.in.values = scaled;
  for (int64_t e = 0; e < experts; ++e)
    if (begin[e + 1] > begin[e]) items[item_count++] = {&routed, e, begin[e], begin[e + 1] - begin[e]};

  // The gate multiplies the expert's input.
  context.Parallel((rows + 3) / 4, [&](int64_t task, int thread) {
    for (int64_t n = task * 4; n < std::min(rows, task * 4 + 4); ++n) {
      if (shared.gate_up) RoundRow(kernels, x + n * d, n, shared.in);
      for (int64_t i = n * top_k; i < (n + 1) * top_k; ++i) {
        if (place[i] < 0) continue;
        float* const to = scaled + (keeps_values ? place[i] : thread) * d;
        kernels.multiply(x + n * d, gates[i], d, to);
        RoundRow(kernels, to, place[i], routed.in);
      }
    }
  });

  for (Side* side : {&shared, &routed}) {
    if (!side->gate_up) continue;
    const int64_t f = side->down->cols(), count = side->in.rows;
    side->hidden = context.arena.Take<float>(count * f);
    side->hidden_in = TakeInputs(context, FormsOf(*side->down), count, f);
    side->hidden_in.values = side->hidden;
    side->y = context.arena.Take<float>(count * d);
  }
  // Items whose float weights meet many rows are products of their own, one after the other.
  Item* const many = std::partition(items, items + item_count, [&](const Item& item) {
    return !MeetsManyFloats(context, *item.side->gate_up, item.rows) || !MeetsManyFloats(context, *item.side->down, item.rows);
  });
  MultiplyMany(context, {many, items + item_count}, d);
  const std::span<const Item> few = {items, many};
  ForItems(
      context, few, [](const Item& item) -> const Inputs& { return item.side->in; },
      [](const Item& item) { return PanelsOf(item.side->down->cols()); },
      [&](const Item& item, RowBlock block, int64_t first, int64_t end) {
        SwiGluPanels(kernels, *item.side->gate_up, item.expert, first, end, item.side->in, block, item.side->hidden);
      });
  const int64_t shared_rows = shared.gate_up ? rows : 0;
  context.ParallelRows(shared_rows + pairs, 4, [&](int64_t row) {
    const Side& side = row < shared_rows ? shared : routed;
    const int64_t at = row < shared_rows ? row : row - shared_rows;
    RoundRow(kernels, side.hidden + at * side.hidden_in.k, at, side.hidden_in);
  });
  ForItems(
      context, few, [](const Item& item) -> const Inputs& { return item.side->hidden_in; },
      [&](const Item&) { return PanelsOf(d); },
      [&](const Item& item, RowBlock block, int64_t first, int64_t end) {
        ForPanels(
            kernels, *item.side->down, item.expert, d, first, end, item.side->hidden_in, block,
            [&](int64_t n, int64_t o, const float* values, int count) { StorePanel(values, count, item.side->y + n * d + o); });
      });

  if (op.addends.buffer) {
    float* const addends = HostF32(op.addends);
    context.ParallelRows(rows * top_k, 8, [&](int64_t i) {
      if (place[i] >= 0) std::copy_n(routed.y + place[i] * d, d, addends + i * d);
    });
    return;
  }
  // Shared first, then the routed in the order of ids, then the residual.
  float* const residual = HostF32(op.residual);
  context.ParallelRows(rows, 8, [&](int64_t n) {
    float* sum = shared.gate_up ? shared.y + n * d : nullptr;
    for (int64_t i = n * top_k; i < (n + 1) * top_k; ++i) {
      if (place[i] < 0) continue;
      float* const y = routed.y + place[i] * d;
      if (sum)
        kernels.add(y, d, sum);
      else
        sum = y;
    }
    if (sum) kernels.add(sum, d, residual + n * d);
  });
}

void CombineExperts(Context& context, const CombineExpertsOp& op) {
  const Kernels& kernels = *context.kernels;
  const int64_t rows = op.residual.rows, d = op.residual.cols, top_k = op.ids.cols;
  const int32_t* const ids = HostI32(op.ids);
  const float* const shared = op.shared.buffer ? HostF32(op.shared) : nullptr;
  const float* const addends = HostF32(op.addends);
  float* const residual = HostF32(op.residual);
  float* const sums = context.arena.Take<float>(rows * d);
  context.ParallelRows(rows, 8, [&](int64_t n) {
    float* const sum = sums + n * d;
    bool empty = shared == nullptr;
    if (shared) std::copy_n(shared + n * d, d, sum);
    for (int64_t i = n * top_k; i < (n + 1) * top_k; ++i) {
      if (ids[i] < op.first_expert || ids[i] >= op.last_expert) continue;
      if (empty)
        std::copy_n(addends + i * d, d, sum);
      else
        kernels.add(addends + i * d, d, sum);
      empty = false;
    }
    if (!empty) kernels.add(sum, d, residual + n * d);
  });
}

}  // namespace scout::cpu
