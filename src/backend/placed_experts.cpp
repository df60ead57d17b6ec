#include "backend/placed_experts.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "backend/placed_buffer.h"
#include "base/error.h"

namespace scout {
namespace {

const PlacedWeight& Placed(const Weight* weight) { return *static_cast<const PlacedWeight*>(weight); }

size_t BytesOf(int64_t rows, int64_t cols) {
  constexpr size_t kLine = 64;
  return (static_cast<size_t>(rows) * static_cast<size_t>(cols) * 4 + kLine - 1) / kLine * kLine;
}

template <typename T>
void Send(Backend& backend, const Act& to, const std::vector<T>& values) {
  backend.Upload(*to.buffer, to.offset, std::as_bytes(std::span(values)));
}

}  // namespace

Act PlacedExperts::Cursor::Take(int64_t rows, int64_t cols) {
  const Act act{buffer, used, rows, cols};
  used += BytesOf(rows, cols);
  return act;
}

void PlacedExperts::Run(const ExpertsOp& op, int home) {
  SCOUT_CHECK(op.addends.buffer == nullptr, "addends of experts that lie on several devices");
  Fetch(op, home);
  Deal(op, home);
  Reserve(op, home);
  // Those that work by themselves begin first; then whoever computes in this thread has all the time that they take.
  const auto works_alone = [&](int instance) { return memory_.At(instance).IsAsynchronous(); };
  const auto start = [&](bool alone) {
    for (Share& share : std::span(shares_).first(share_count_))
      if (share.owner != home && works_alone(share.owner) == alone) Start(op, share);
    if (works_alone(home) == alone) StartHome(op, home);
  };
  start(true);
  start(false);
  for (Share& share : std::span(shares_).first(share_count_))
    if (share.owner != home) Collect(op, home, share);
  const Act ids = memory_.In(op.ids, home);
  memory_.At(home).CombineExperts(
      {ids, op.first_expert, op.last_expert, home_shared_, home_addends_, memory_.InOut(op.residual, home)});
}

// Rows and choices come to the host: who computes what depends on them.
void PlacedExperts::Fetch(const ExpertsOp& op, int home) {
  const auto values = static_cast<size_t>(op.in.rows * op.in.cols), choices = static_cast<size_t>(op.ids.rows * op.ids.cols);
  y_.resize(values);
  ids_.resize(choices);
  gates_.resize(choices);
  Backend& backend = memory_.At(home);
  const Act ids = memory_.In(op.ids, home), gates = memory_.In(op.gates, home), in = memory_.In(op.in, home);
  const Backend::Downward pieces[] = {{ids.buffer, ids.offset, std::as_writable_bytes(std::span(ids_))},
                                      {gates.buffer, gates.offset, std::as_writable_bytes(std::span(gates_))},
                                      {in.buffer, in.offset, std::as_writable_bytes(std::span(y_))}};
  backend.DownloadAll(pieces);
}

void PlacedExperts::Deal(const ExpertsOp& op, int /*home*/) {
  const auto n = op.in.rows, k = op.ids.cols;
  const auto& gate_up = Placed(op.gate_up).pieces();
  const auto& down = Placed(op.down).pieces();
  SCOUT_CHECK(gate_up.size() == down.size(), "experts in ", gate_up.size(), " pieces and in ", down.size());
  if (shares_.size() < gate_up.size()) shares_.resize(gate_up.size());
  share_count_ = 0;
  for (size_t piece = 0; piece < gate_up.size(); ++piece) {
    Share& share = shares_[share_count_];
    share.owner = gate_up[piece].owner;
    share.first = std::max(gate_up[piece].first, op.first_expert);
    share.last = std::min(gate_up[piece].last, op.last_expert);
    share.gate_up = gate_up[piece].weight.get();
    share.down = down[piece].weight.get();
    share.rows.clear();
    share.ids.clear();
    share.gates.clear();
    share.rows.reserve(static_cast<size_t>(n));
    share.ids.reserve(static_cast<size_t>(n * k));
    share.gates.reserve(static_cast<size_t>(n * k));
    const auto mine = [&](int32_t id) { return id >= share.first && id < share.last; };
    for (int64_t row = 0; row < n; ++row) {
      const auto choices = std::span(ids_).subspan(static_cast<size_t>(row * k), static_cast<size_t>(k));
      if (std::none_of(choices.begin(), choices.end(), mine)) continue;
      share.rows.push_back(static_cast<int32_t>(row));
      for (int64_t j = 0; j < k; ++j) {
        const int32_t id = choices[static_cast<size_t>(j)];
        share.ids.push_back(mine(id) ? id - gate_up[piece].first : -1);
        share.gates.push_back(gates_[static_cast<size_t>(row * k + j)]);
      }
    }
    if (!share.rows.empty()) ++share_count_;
  }
}

// Room for the largest share that these rows could make, so that a step whose rows choose otherwise allocates nothing.
void PlacedExperts::Reserve(const ExpertsOp& op, int home) {
  const int64_t n = op.in.rows, d = op.in.cols, k = op.ids.cols;
  const size_t share_bytes = BytesOf(n, d) + 2 * BytesOf(n, k) + BytesOf(n * k, d);
  std::array<size_t, 16> need{};
  for (const PlacedWeight::Piece& piece : Placed(op.gate_up).pieces()) need[static_cast<size_t>(piece.owner)] += share_bytes;
  for (Share& share : shares_) share.out.reserve(static_cast<size_t>(n * k * d) * 4);
  packed_.reserve(static_cast<size_t>(n * d));
  scatter_.reserve(static_cast<size_t>(n * k));
  size_t& at_home = need[static_cast<size_t>(home)];
  at_home += 2 * BytesOf(n * k, d);
  if (op.shared_gate_up) at_home += BytesOf(n, d) + BytesOf(n, op.shared_down->cols());
  for (size_t i = 0; i < need.size(); ++i)
    if (need[i] > 0) cursor_[i] = {&memory_.Scratch(buffers_, static_cast<int>(i), need[i]), 0};
}

void PlacedExperts::Start(const ExpertsOp& op, Share& share) {
  const auto rows = static_cast<int64_t>(share.rows.size()), d = op.in.cols, k = op.ids.cols;
  Backend& backend = memory_.At(share.owner);
  Cursor& cursor = cursor_[static_cast<size_t>(share.owner)];
  const Act in = cursor.Take(rows, d), ids = cursor.Take(rows, k), gates = cursor.Take(rows, k);
  share.addends = cursor.Take(rows * k, d);
  const bool all = rows == op.in.rows;
  if (!all) {
    packed_.resize(static_cast<size_t>(rows * d));
    for (int64_t row = 0; row < rows; ++row)
      std::memcpy(packed_.data() + row * d, y_.data() + share.rows[static_cast<size_t>(row)] * d, static_cast<size_t>(d) * 4);
  }
  const Backend::Upward pieces[] = {{in.buffer, in.offset, std::as_bytes(std::span(all ? y_ : packed_))},
                                    {ids.buffer, ids.offset, std::as_bytes(std::span(share.ids))},
                                    {gates.buffer, gates.offset, std::as_bytes(std::span(share.gates))}};
  backend.UploadAll(pieces);
  backend.Experts({.in = in,
                   .ids = ids,
                   .gates = gates,
                   .gate_up = share.gate_up,
                   .down = share.down,
                   .shared_gate_up = nullptr,
                   .shared_down = nullptr,
                   .first_expert = 0,
                   .last_expert = static_cast<int32_t>(share.gate_up->experts()),
                   .residual = {},
                   .addends = share.addends});
  backend.Submit();
}

// The shared expert, and what of the routed ones lies here: those go to their places at once.
void PlacedExperts::StartHome(const ExpertsOp& op, int home) {
  const int64_t n = op.in.rows, d = op.in.cols, k = op.ids.cols;
  Backend& backend = memory_.At(home);
  Cursor& cursor = cursor_[static_cast<size_t>(home)];
  home_addends_ = cursor.Take(n * k, d);
  home_shared_ = {};
  const Act in = memory_.In(op.in, home);
  std::array<Share*, 16> own{};
  size_t own_count = 0;
  for (Share& share : std::span(shares_).first(share_count_))
    if (share.owner == home && own_count < own.size()) own[own_count++] = &share;
  // Uploads wait for what runs, so they come before it.
  std::array<Act, 16> own_ids{};
  for (size_t i = 0; i < own_count; ++i) {
    scatter_.assign(static_cast<size_t>(n * k), -1);
    for (size_t row = 0; row < own[i]->rows.size(); ++row)
      std::copy_n(own[i]->ids.begin() + static_cast<std::ptrdiff_t>(row) * k, k, scatter_.begin() + own[i]->rows[row] * k);
    own_ids[i] = cursor.Take(n, k);
    Send(backend, own_ids[i], scatter_);
  }
  if (op.shared_gate_up) {
    const Act hidden = cursor.Take(n, op.shared_down->cols());
    home_shared_ = cursor.Take(n, d);
    backend.Linear({in, Placed(op.shared_gate_up).only(), Epilogue::kSwiGlu, hidden});
    backend.Linear({hidden, Placed(op.shared_down).only(), Epilogue::kStore, home_shared_});
  }
  const Act gates = memory_.In(op.gates, home);
  for (size_t i = 0; i < own_count; ++i)
    backend.Experts({.in = in,
                     .ids = own_ids[i],
                     .gates = gates,
                     .gate_up = own[i]->gate_up,
                     .down = own[i]->down,
                     .shared_gate_up = nullptr,
                     .shared_down = nullptr,
                     .first_expert = 0,
                     .last_expert = static_cast<int32_t>(own[i]->gate_up->experts()),
                     .residual = {},
                     .addends = home_addends_});
  backend.Submit();
}

void PlacedExperts::Collect(const ExpertsOp& op, int home, Share& share) {
  const int64_t n = op.in.rows, d = op.in.cols, k = op.ids.cols;
  share.out.resize(static_cast<size_t>(share.addends.rows * d) * 4);
  memory_.At(share.owner).Download(*share.addends.buffer, share.addends.offset, share.out);
  Backend& backend = memory_.At(home);
  const bool all = share_count_ == 1 && static_cast<int64_t>(share.rows.size()) == n;
  if (all) {  // every choice that counts is this share's
    backend.Upload(*home_addends_.buffer, home_addends_.offset, share.out);
    return;
  }
  Cursor cursor = cursor_[static_cast<size_t>(home)];  // used again by the next share: operations run in order
  const Act from = cursor.Take(share.addends.rows, d);
  backend.Upload(*from.buffer, from.offset, share.out);
  scatter_.assign(static_cast<size_t>(n * k), -1);
  for (size_t row = 0; row < share.rows.size(); ++row)
    for (int64_t j = 0; j < k; ++j)
      if (share.ids[row * static_cast<size_t>(k) + static_cast<size_t>(j)] >= 0)
        scatter_[static_cast<size_t>(share.rows[row] * k + j)] =
            static_cast<int32_t>(row) * static_cast<int32_t>(k) + static_cast<int32_t>(j);
  backend.ScatterRows({from, scatter_, 0, home_addends_});
}

}  // namespace scout
