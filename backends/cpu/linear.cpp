#include <algorithm>
#include <cstring>

#include "base/math.h"
#include "cpu/product.h"

namespace scout::cpu {

void Linear(Context& context, const LinearOp& op) {
  const HostWeight& weight = Host(op.weight);
  if (weight.meets_floats() || MeetsManyFloats(context, weight, op.in.rows)) return LinearOfFloats(context, op);
  const Kernels& kernels = *context.kernels;
  const Inputs in = RoundRows(context, weight, HostF32(op.in), op.in.rows);
  const int64_t outputs = op.epilogue == Epilogue::kSwiGlu ? weight.rows() / 2 : weight.rows();
  float* const out = HostF32(op.out);                               // [N, outputs]
  const float* const bias = op.bias ? VectorOf(op.bias) : nullptr;  // [outputs]
  const int64_t blocks = RowBlocks(in.rows, in.block);
  Piece* const pieces = context.arena.Take<Piece>(blocks);
  for (int64_t i = 0; i < blocks; ++i) pieces[i] = {0, RowBlockOf(in.rows, in.block, i), PanelsOf(outputs)};
  ForPieces(context, {pieces, static_cast<size_t>(blocks)}, [&](const Piece& piece, int64_t first, int64_t end) {
    switch (op.epilogue) {
      case Epilogue::kSwiGlu:
        return SwiGluPanels(kernels, weight, 0, first, end, in, piece.rows, out);
      case Epilogue::kStore:
        return ForPanels(kernels, weight, 0, outputs, first, end, in, piece.rows,
                         [&](int64_t n, int64_t o, const float* y, int rows) {
                           float* const to = out + n * outputs + o;
                           StorePanel(y, rows, to);
                           if (bias) kernels.add(bias + o, rows, to);
                         });
      case Epilogue::kAdd:
        return ForPanels(kernels, weight, 0, outputs, first, end, in, piece.rows,
                         [&](int64_t n, int64_t o, const float* y, int rows) {
                           float* const to = out + n * outputs + o;
                           if (bias)
                             for (int r = 0; r < rows; ++r) to[r] += y[r] + bias[o + r];
                           else
                             for (int r = 0; r < rows; ++r) to[r] += y[r];
                         });
      case Epilogue::kGelu:
        return ForPanels(kernels, weight, 0, outputs, first, end, in, piece.rows,
                         [&](int64_t n, int64_t o, const float* y, int rows) {
                           float* const to = out + n * outputs + o;
                           StorePanel(y, rows, to);
                           if (bias) kernels.add(bias + o, rows, to);
                           kernels.gelu(to, rows, to);
                         });
    }
  });
}

namespace {

constexpr int64_t kFewExperts = 4;  // of a task, as many as the kernels take together

// The largest logit not taken yet, ties to the lower index, NaN last.
int32_t Best(const float* logits, int32_t experts, const int32_t* taken, int32_t count) {
  int32_t best = -1;
  for (int32_t e = 0; e < experts; ++e) {
    if (std::find(taken, taken + count, e) != taken + count) continue;
    const bool first_number = best >= 0 && logits[best] != logits[best] && logits[e] == logits[e];
    if (best < 0 || first_number || logits[e] > logits[best]) best = e;
  }
  return best;
}

}  // namespace

void Route(Context& context, const RouteOp& op) {
  const HostWeight& router = Host(op.router);
  const int64_t experts = router.rows(), rows = op.in.rows;
  SCOUT_CHECK(op.top_k >= 1 && op.top_k <= experts, "top ", op.top_k, " of ", experts, " experts");
  Inputs in;  // never rounded: a choice is all or nothing
  in.rows = rows;
  in.k = router.cols();
  in.values = HostF32(op.in);
  float* const logits = context.arena.Take<float>(rows * experts);
  int32_t* const ids = HostI32(op.ids);
  float* const gates = HostF32(op.gates);
  // A few rows wait for the router's memory, so the threads share that.
  const int64_t per_task = std::clamp<int64_t>((rows + context.threads - 1) / context.threads, 8, kRowBlock);
  const int64_t blocks = (rows + per_task - 1) / per_task;
  const int64_t together = blocks < context.threads ? kFewExperts : kPanelRows, parts = (experts + together - 1) / together;
  context.Parallel(blocks * parts, [&](int64_t task, int) {
    const RowBlock mine = {task / parts * per_task, std::min(per_task, rows - task / parts * per_task)};
    const int64_t first = task % parts * together;
    const PanelOfWeight some = {first, static_cast<int>(std::min(together, experts - first))};
    alignas(64) float y[kRowBlock * kPanelRows];
    PanelProducts(*context.kernels, router, 0, {&some, 1}, in, mine.first, mine.count, y);
    for (int64_t n = 0; n < mine.count; ++n)
      std::memcpy(logits + (mine.first + n) * experts + first, y + n * kPanelRows, static_cast<size_t>(some.rows) * 4);
  });
  context.ParallelRows(rows, per_task, [&](int64_t n) {
    for (int32_t i = 0; i < op.top_k; ++i) {
      const int32_t best = Best(logits + n * experts, static_cast<int32_t>(experts), ids + n * op.top_k, i);
      ids[n * op.top_k + i] = best;
      gates[n * op.top_k + i] = Sigmoid(logits[n * experts + best]);
    }
  });
}

}  // namespace scout::cpu
