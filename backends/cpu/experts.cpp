// The mixture of experts: rows are sorted by expert, and one list of tasks runs over (shared or expert, panels of outputs), so
// that every weight that is needed is read once, whatever the number of rows.
#include <algorithm>
#include <atomic>

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

Inputs Slice(const Inputs& all, int64_t first, int64_t rows) {
  Inputs slice = all;
  slice.rows = rows;
  if (all.values) slice.values = all.values + first * all.k;
  if (all.per32.codes) slice.per32 = RowsFrom(all.per32, first, all.k, 32);
  if (all.per256.codes) slice.per256 = RowsFrom(all.per256, first, all.k, 256);
  return slice;
}

// run(item, first panel, end panel) over all items, which are those of most rows first; each has the panels that `panels_of` says.
//
// Where some have many rows, every other thread begins at the list's end. So items of many rows, whose products want arithmetic,
// and those of few, which want memory, are worked on at the same time as long as there are both, and neither waits for the other's
// share of the machine.
template <typename PanelCount, typename Body>
void ForItems(Context& context, const Item* items, int64_t count, const PanelCount& panels_of, const Body& run) {
  if (count == 0) return;
  int64_t* const begin = context.arena.Take<int64_t>(count + 1);  // panels of items before this one
  begin[0] = 0;
  for (int64_t i = 0; i < count; ++i) begin[i + 1] = begin[i] + panels_of(items[i]);
  const PanelTasks tasks(begin[count], context.threads, items[0].rows);
  const bool both_ends = items[0].rows > kMemoryBoundRows;
  std::atomic<int64_t> from_front{0}, from_back{0};  // tasks taken; together never more than there are
  context.Parallel(tasks.count(), [&](int64_t, int thread) {
    const int64_t task = !both_ends || thread % 2 == 0 ? from_front.fetch_add(1, std::memory_order_relaxed)
                                                       : tasks.count() - 1 - from_back.fetch_add(1, std::memory_order_relaxed);
    auto [first, end] = tasks.Of(task);
    for (int64_t i = std::upper_bound(begin, begin + count + 1, first) - begin - 1; first < end; ++i) {
      const int64_t item_end = std::min(end, begin[i + 1]);
      if (item_end > first) run(items[i], first - begin[i], item_end - begin[i]);
      first = item_end;
    }
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
  float* const scaled = context.arena.Take<float>((routed_forms.values ? pairs : context.threads) * d);
  routed.in.values = scaled;
  for (int64_t e = 0; e < experts; ++e)
    if (begin[e + 1] > begin[e]) items[item_count++] = {&routed, e, begin[e], begin[e + 1] - begin[e]};

  // The gate multiplies the expert's input.
  context.Parallel((rows + 3) / 4, [&](int64_t task, int thread) {
    for (int64_t n = task * 4; n < std::min(rows, task * 4 + 4); ++n) {
      if (shared.gate_up) RoundRow(kernels, x + n * d, n, shared.in);
      for (int64_t i = n * top_k; i < (n + 1) * top_k; ++i) {
        if (place[i] < 0) continue;
        float* const to = scaled + (routed_forms.values ? place[i] : thread) * d;
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
  item_count = many - items;
  std::sort(items, items + item_count, [](const Item& a, const Item& b) { return a.rows > b.rows; });
  ForItems(
      context, items, item_count, [](const Item& item) { return PanelsOf(item.side->down->cols()); },
      [&](const Item& item, int64_t first, int64_t end) {
        SwiGluPanels(kernels, *item.side->gate_up, item.expert, first, end, Slice(item.side->in, item.first, item.rows),
                     item.side->hidden + item.first * item.side->down->cols());
      });
  const int64_t shared_rows = shared.gate_up ? rows : 0;
  context.ParallelRows(shared_rows + pairs, 4, [&](int64_t row) {
    const Side& side = row < shared_rows ? shared : routed;
    const int64_t at = row < shared_rows ? row : row - shared_rows;
    RoundRow(kernels, side.hidden + at * side.hidden_in.k, at, side.hidden_in);
  });
  ForItems(
      context, items, item_count, [&](const Item&) { return PanelsOf(d); },
      [&](const Item& item, int64_t first, int64_t end) {
        float* const y = item.side->y + item.first * d;
        ForPanels(kernels, *item.side->down, item.expert, d, first, end, Slice(item.side->hidden_in, item.first, item.rows),
                  [&](int64_t n, int64_t o, const float* values, int count) { StorePanel(values, count, y + n * d + o); });
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
