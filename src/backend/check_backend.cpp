#include "backend/check_backend.h"

#include <algorithm>
#include <vector>

#include "backend/forwarding_backend.h"
#include "base/math.h"

namespace scout {
namespace {

constexpr size_t kGuard = 256;  // bytes before and after what a caller asked for
constexpr std::byte kPattern{0xa5};

// A buffer with guard bytes around it. The inner backend only ever sees the inner buffer.
class CheckedBuffer final : public Buffer {
 public:
  CheckedBuffer(std::unique_ptr<Buffer> inner, size_t size) : inner_(std::move(inner)), size_(size) {}
  size_t size_bytes() const override { return size_; }
  Buffer& inner() const { return *inner_; }

 private:
  std::unique_ptr<Buffer> inner_;
  size_t size_;
};

const CheckedBuffer& Checked(const Buffer& buffer) { return static_cast<const CheckedBuffer&>(buffer); }

// The same view for the inner backend.
Act Inner(Act act) {
  if (act.buffer == nullptr) return act;
  act.buffer = &Checked(*act.buffer).inner();
  act.offset += kGuard;
  return act;
}

enum class Values { kFloat, kInteger };

class CheckBackend final : public ForwardingBackend {
 public:
  CheckBackend(std::unique_ptr<Backend> inner, const CheckOptions& options)
      : ForwardingBackend(std::move(inner)), options_(options) {}

  std::unique_ptr<Buffer> Alloc(MemoryKind kind, size_t bytes) override {
    auto buffer = std::make_unique<CheckedBuffer>(inner().Alloc(kind, bytes + 2 * kGuard), bytes);
    const std::vector<std::byte> guard(kGuard, kPattern);
    inner().Upload(buffer->inner(), 0, guard);
    inner().Upload(buffer->inner(), kGuard + bytes, guard);
    return buffer;
  }
  void Upload(Buffer& to, size_t offset, std::span<const std::byte> from) override {
    SCOUT_CHECK(offset <= to.size_bytes() && from.size() <= to.size_bytes() - offset, "upload of ", from.size(), " bytes at ",
                offset);
    inner().Upload(Checked(to).inner(), offset + kGuard, from);
  }
  void Download(const Buffer& from, size_t offset, std::span<std::byte> to) override {
    SCOUT_CHECK(offset <= from.size_bytes() && to.size() <= from.size_bytes() - offset, "download of ", to.size(), " bytes at ",
                offset);
    inner().Download(Checked(from).inner(), offset + kGuard, to);
  }

  void BeginStep(const StepPlan& plan) noexcept override {
    error_.reset();
    plan_ = &plan;
    inner().BeginStep(plan);
    operation_ = "BeginStep";
    Guarded([&] { CheckPlan(plan); });
  }

  void Embed(const EmbedOp& op) noexcept override {
    Run("Embed", [&] {
      const int64_t n = plan_->rows(), d = op.table->cols();
      Shape("out", op.out, n, d);
      inner().Embed({op.table, Inner(op.out)});
      Result("out", op.out);
    });
  }
  void RmsNorm(const RmsNormOp& op) noexcept override {
    Run("RmsNorm", [&] {
      const int64_t d = op.weight->cols();
      Expect(op.weight->rows() == 1, "the weight has ", op.weight->rows(), " rows");
      Shape("in", op.in, op.in.rows, d);
      Shape("out", op.out, op.in.rows, d);
      inner().RmsNorm({Inner(op.in), op.weight, op.eps, Inner(op.out)});
      Result("out", op.out);
    });
  }
  void Linear(const LinearOp& op) noexcept override {
    Run("Linear", [&] {
      const bool gated = op.epilogue == Epilogue::kSwiGlu;
      Expect(!gated || op.weight->rows() % 2 == 0, "gate and up have ", op.weight->rows(), " rows together");
      if (op.bias) {
        Expect(!gated, "a bias with gate and up");
        Vector("the bias", *op.bias, op.weight->rows());
      }
      Shape("in", op.in, op.in.rows, op.weight->cols());
      Shape("out", op.out, op.in.rows, gated ? op.weight->rows() / 2 : op.weight->rows());
      Apart(op.in, op.out);
      inner().Linear({Inner(op.in), op.weight, op.epilogue, Inner(op.out), op.bias});
      Result("out", op.out);
    });
  }
  void RopeNormStore(const RopeNormStoreOp& op) noexcept override {
    Run("RopeNormStore", [&] {
      const PageGroupSpec& spec = op.pages->spec();
      const int64_t n = plan_->rows(), d = spec.head_dim;
      Expect(op.layer >= 0 && op.layer < spec.layers, "layer ", op.layer, " of ", spec.layers);
      Expect(op.heads > 0 && op.heads % spec.kv_heads == 0, op.heads, " query heads for ", spec.kv_heads, " of keys");
      Expect(!op.rope || static_cast<int64_t>(op.inv_freq.size()) == d / 2, op.inv_freq.size(), " frequencies for a head of ", d);
      Shape("qkv", op.qkv, n, (op.heads + 2 * spec.kv_heads) * d);
      Shape("q", op.q, n, op.heads * d);
      CheckPages(op.group, spec);
      RopeNormStoreOp inner_op = op;
      inner_op.qkv = Inner(op.qkv);
      inner_op.q = Inner(op.q);
      inner().RopeNormStore(inner_op);
      Result("q", op.q);
    });
  }
  void Attention(const AttentionOp& op) noexcept override {
    Run("Attention", [&] {
      const PageGroupSpec& spec = op.pages->spec();
      const int64_t n = plan_->rows();
      Expect(op.layer >= 0 && op.layer < spec.layers, "layer ", op.layer, " of ", spec.layers);
      Expect(op.mask != AttentionMask::kChunk || spec.chunk > 0, "a chunk mask over pages without chunks");
      Shape("q", op.q, n, op.heads * spec.head_dim);
      Shape("out", op.out, n, op.heads * spec.head_dim);
      if (op.lse.buffer) Shape("lse", op.lse, n, op.heads);
      Apart(op.q, op.out);
      CheckPages(op.group, spec);
      AttentionOp inner_op = op;
      inner_op.q = Inner(op.q);
      inner_op.out = Inner(op.out);
      inner_op.lse = Inner(op.lse);
      inner().Attention(inner_op);
      Result("out", op.out);
      if (op.lse.buffer) Guards("lse", op.lse);  // a padding row's is -infinity
    });
  }
  void MergeAttention(const MergeAttentionOp& op) noexcept override {
    Run("MergeAttention", [&] {
      Expect(!op.partial.empty() && op.partial.size() == op.lse.size(), op.partial.size(), " parts and ", op.lse.size(),
             " of their lse");
      std::vector<Act> partial, lse;
      for (size_t i = 0; i < op.partial.size(); ++i) {
        Shape("a part", op.partial[i], op.out.rows, op.out.cols);
        Shape("a part's lse", op.lse[i], op.out.rows, op.heads);
        partial.push_back(Inner(op.partial[i]));
        lse.push_back(Inner(op.lse[i]));
      }
      Shape("out", op.out, op.out.rows, op.out.cols);
      if (op.out_lse.buffer) Shape("lse", op.out_lse, op.out.rows, op.heads);
      inner().MergeAttention({partial, lse, op.heads, Inner(op.out), Inner(op.out_lse)});
      Result("out", op.out);
      if (op.out_lse.buffer) Guards("lse", op.out_lse);
    });
  }
  void Route(const RouteOp& op) noexcept override {
    Run("Route", [&] {
      Expect(op.top_k >= 1 && op.top_k <= op.router->rows(), "top ", op.top_k, " of ", op.router->rows());
      Shape("in", op.in, op.in.rows, op.router->cols());
      Shape("ids", op.ids, op.in.rows, op.top_k);
      Shape("gates", op.gates, op.in.rows, op.top_k);
      inner().Route({Inner(op.in), op.router, op.top_k, Inner(op.ids), Inner(op.gates)});
      Guards("ids", op.ids);
      Result("gates", op.gates);
      CheckIds(op.ids, op.router->rows());
    });
  }
  void Experts(const ExpertsOp& op) noexcept override {
    Run("Experts", [&] {
      const int64_t d = op.gate_up->cols(), f = op.down->cols(), experts = op.gate_up->experts();
      Expect(op.down->experts() == experts && op.gate_up->rows() == 2 * f && op.down->rows() == d, "gate and up are ", experts,
             " x ", op.gate_up->rows(), " x ", d, ", down is ", op.down->experts(), " x ", op.down->rows(), " x ", f);
      Expect((op.shared_gate_up == nullptr) == (op.shared_down == nullptr), "half a shared expert");
      Expect(op.first_expert >= 0 && op.first_expert <= op.last_expert && op.last_expert <= experts, "experts ", op.first_expert,
             " to ", op.last_expert, " of ", experts);
      Shape("in", op.in, op.in.rows, d);
      Shape("ids", op.ids, op.in.rows, op.ids.cols);
      Shape("gates", op.gates, op.in.rows, op.ids.cols);
      const bool apart = op.addends.buffer != nullptr;
      Expect(!apart || op.shared_gate_up == nullptr, "a shared expert with addends");
      const Act& out = apart ? op.addends : op.residual;
      const char* const name = apart ? "addends" : "residual";
      Shape(name, out, apart ? op.in.rows * op.ids.cols : op.in.rows, d);
      Apart(op.in, out);
      CheckIds(op.ids, experts, true);
      ExpertsOp inner_op = op;
      inner_op.in = Inner(op.in);
      inner_op.ids = Inner(op.ids);
      inner_op.gates = Inner(op.gates);
      inner_op.residual = Inner(op.residual);
      inner_op.addends = Inner(op.addends);
      inner().Experts(inner_op);
      if (apart)
        Guards(name, out);  // rows of others' choices hold anything
      else
        Result(name, out);
    });
  }
  void CombineExperts(const CombineExpertsOp& op) noexcept override {
    Run("CombineExperts", [&] {
      const int64_t rows = op.residual.rows, d = op.residual.cols;
      Expect(op.first_expert >= 0 && op.first_expert <= op.last_expert, "experts ", op.first_expert, " to ", op.last_expert);
      Shape("ids", op.ids, rows, op.ids.cols);
      if (op.shared.buffer) Shape("shared", op.shared, rows, d);
      Shape("addends", op.addends, rows * op.ids.cols, d);
      Shape("residual", op.residual, rows, d);
      Apart(op.addends, op.residual);
      inner().CombineExperts(
          {Inner(op.ids), op.first_expert, op.last_expert, Inner(op.shared), Inner(op.addends), Inner(op.residual)});
      Result("residual", op.residual);
    });
  }
  void GatherRows(const GatherRowsOp& op) noexcept override {
    Run("GatherRows", [&] {
      Shape("in", op.in, op.in.rows, op.out.cols);
      Shape("out", op.out, static_cast<int64_t>(op.rows.size()), op.in.cols);
      for (const int32_t row : op.rows) Expect(row >= 0 && row < op.in.rows, "row ", row, " of ", op.in.rows);
      Apart(op.in, op.out);
      inner().GatherRows({Inner(op.in), op.rows, Inner(op.out)});
      Result("out", op.out);
    });
  }
  void ScatterRows(const ScatterRowsOp& op) noexcept override {
    Run("ScatterRows", [&] {
      Shape("in", op.in, op.in.rows, op.out.cols);
      Shape("out", op.out, static_cast<int64_t>(op.rows.size()), op.in.cols);
      Apart(op.in, op.out);
      inner().ScatterRows({Inner(op.in), op.rows, op.first, Inner(op.out)});
      Result("out", op.out);
    });
  }
  void Unfold(const UnfoldOp& op) noexcept override {
    Run("Unfold", [&] {
      const int64_t c = op.colours, size = op.tile_size, patch = op.patch_size;
      Expect(c > 0 && patch > 0 && size > 0 && size % patch == 0, c, " colours, tiles of ", size, " and patches of ", patch);
      Expect(op.table.size() == 256, op.table.size(), " entries for 256 bytes");
      const auto tile_bytes = static_cast<size_t>(c * size * size);
      Expect(op.tiles.size() % tile_bytes == 0, op.tiles.size(), " bytes for tiles of ", tile_bytes);
      const auto tiles = static_cast<int64_t>(op.tiles.size() / tile_bytes);
      Shape("out", op.out, tiles * (size / patch) * (size / patch), c * patch * patch);
      UnfoldOp inner_op = op;
      inner_op.out = Inner(op.out);
      inner().Unfold(inner_op);
      Result("out", op.out);
    });
  }
  void AddPositions(const AddPositionsOp& op) noexcept override {
    Run("AddPositions", [&] {
      const int64_t d = op.in.cols, patches = op.position->rows() - 1;
      Expect(op.position->cols() == d && patches > 0, "positions are ", op.position->rows(), " x ", op.position->cols());
      Vector("the last row", *op.last, d);
      Expect(op.in.rows % patches == 0, op.in.rows, " rows in tiles of ", patches);
      Shape("in", op.in, op.in.rows, d);
      Shape("out", op.out, op.in.rows / patches * (patches + 1), d);
      Apart(op.in, op.out);
      inner().AddPositions({Inner(op.in), op.last, op.position, Inner(op.out)});
      Result("out", op.out);
    });
  }
  void LayerNorm(const LayerNormOp& op) noexcept override {
    Run("LayerNorm", [&] {
      Vector("the weight", *op.weight, op.in.cols);
      Vector("the bias", *op.bias, op.in.cols);
      Shape("in", op.in, op.in.rows, op.in.cols);
      Shape("out", op.out, op.in.rows, op.in.cols);
      inner().LayerNorm({Inner(op.in), op.weight, op.bias, op.eps, Inner(op.out)});
      Result("out", op.out);
    });
  }
  void Rotate(const RotateOp& op) noexcept override {
    Run("Rotate", [&] {
      const int64_t d = op.turns.cols;
      Expect(op.heads > 0 && d > 0 && d % 2 == 0, op.heads, " heads of ", d);
      Expect(op.turns.rows > 0 && op.qkv.rows % op.turns.rows == 0, op.qkv.rows, " rows in groups of ", op.turns.rows);
      Shape("turns", op.turns, op.turns.rows, d);
      Shape("qkv", op.qkv, op.qkv.rows, 3 * op.heads * d);
      Apart(op.turns, op.qkv);
      inner().Rotate({Inner(op.qkv), Inner(op.turns), op.heads});
      Result("qkv", op.qkv);
    });
  }
  void GroupAttention(const GroupAttentionOp& op) noexcept override {
    Run("GroupAttention", [&] {
      Expect(op.heads > 0 && op.out.cols % op.heads == 0, op.out.cols, " columns for ", op.heads, " heads");
      Expect(op.group_rows > 0 && op.qkv.rows % op.group_rows == 0, op.qkv.rows, " rows in groups of ", op.group_rows);
      Shape("qkv", op.qkv, op.qkv.rows, 3 * op.out.cols);
      Shape("out", op.out, op.qkv.rows, op.out.cols);
      Apart(op.qkv, op.out);
      inner().GroupAttention({Inner(op.qkv), op.heads, op.group_rows, op.scale, Inner(op.out)});
      Result("out", op.out);
    });
  }
  void PixelShuffle(const PixelShuffleOp& op) noexcept override {
    Run("PixelShuffle", [&] {
      const int64_t side = op.side, f = op.factor;
      Expect(f > 0 && side > 0 && side % f == 0 && op.group_rows >= side * side, "squares of ", f, " in a side of ", side,
             " and groups of ", op.group_rows);
      Expect(op.in.rows % op.group_rows == 0, op.in.rows, " rows in groups of ", op.group_rows);
      Shape("in", op.in, op.in.rows, op.in.cols);
      Shape("out", op.out, op.in.rows / op.group_rows * (side / f) * (side / f), f * f * op.in.cols);
      Apart(op.in, op.out);
      inner().PixelShuffle({Inner(op.in), op.group_rows, op.side, op.factor, Inner(op.out)});
      Result("out", op.out);
    });
  }
  void Sample(const SampleOp& op, std::span<SampleResult> results) noexcept override {
    Run("Sample", [&] {
      Expect(results.size() == op.rows.size(), results.size(), " results for ", op.rows.size(), " rows");
      Shape("logits", op.logits, op.logits.rows, op.logits.cols);
      for (const SampleRow& row : op.rows) {
        Expect(row.temperature > 0, "temperature ", row.temperature);
        for (size_t i = 0; i < row.edits.size(); ++i)
          Expect(i == 0 || row.edits[i - 1].id < row.edits[i].id, "edits are not in order at id ", row.edits[i].id);
      }
      inner().Sample({Inner(op.logits), op.rows}, results);
      Guards("logits", op.logits);
    });
  }

  std::optional<Error> EndStep() noexcept override {
    const std::optional<Error> inner_error = inner().EndStep();
    plan_ = nullptr;
    auto error = std::exchange(error_, std::nullopt);
    return inner_error ? inner_error : error;  // the inner one came first where there are both: checks stop after it
  }

 private:
  template <typename... Parts>
  void Expect(bool condition, const Parts&... parts) const {
    if (!condition) Fail(ErrorCode::kInternal, "internal error: ", operation_, ": ", parts...);
  }
  template <typename Body>
  void Guarded(const Body& body) noexcept {
    try {
      body();
    } catch (const Error& error) {
      error_ = error;
    } catch (const std::exception& error) {
      error_.emplace(ErrorCode::kInternal, error.what());
    }
  }
  template <typename Body>
  void Run(const char* operation, const Body& body) noexcept {
    if (error_) return;
    operation_ = operation;
    Guarded(body);
  }

  void Shape(const char* what, const Act& act, int64_t rows, int64_t cols) const {
    Expect(act.buffer != nullptr, what, " has no buffer");
    Expect(act.rows == rows && act.cols == cols, what, " is [", act.rows, ", ", act.cols, "], expected [", rows, ", ", cols, "]");
    const size_t size = act.buffer->size_bytes(), need = static_cast<size_t>(rows) * static_cast<size_t>(cols) * 4;
    Expect(act.offset % 4 == 0 && act.offset <= size && need <= size - act.offset, what, " at ", act.offset,
           " leaves its buffer of ", size, " bytes");
  }
  void Vector(const char* what, const Weight& weight, int64_t values) const {
    Expect(weight.rows() * weight.cols() == values, what, " has ", weight.rows(), " x ", weight.cols(), " values, expected ",
           values);
  }
  // Where an operation reads one and writes the other row by row, they must not share memory.
  void Apart(const Act& a, const Act& b) const {
    const auto end = [](const Act& act) { return act.offset + static_cast<size_t>(act.rows) * static_cast<size_t>(act.cols) * 4; };
    Expect(a.buffer != b.buffer || end(a) <= b.offset || end(b) <= a.offset, "input and output overlap");
  }
  void CheckPlan(const StepPlan& plan) const {
    const auto n = static_cast<size_t>(plan.rows());
    Expect(plan.position.size() == n, plan.position.size(), " positions for ", n, " rows");
    Expect(plan.sequence_begin.size() == plan.sequence_length.size() + 1, plan.sequence_begin.size(), " begins for ",
           plan.sequence_length.size(), " sequences");
    Expect(plan.sequence_begin.front() == 0 && plan.sequence_begin.back() == plan.rows(), "sequences do not cover the rows");
    for (size_t s = 0; s < plan.sequence_length.size(); ++s) {
      const int32_t begin = plan.sequence_begin[s], end = plan.sequence_begin[s + 1];
      Expect(begin < end, "sequence ", s, " has no rows");
      for (int32_t row = begin + 1; row < end; ++row)
        Expect(plan.position[static_cast<size_t>(row)] == plan.position[static_cast<size_t>(row - 1)] + 1, "positions of sequence ",
               s, " jump at row ", row);
      Expect(plan.sequence_length[s] == plan.position[static_cast<size_t>(end - 1)] + 1, "sequence ", s, " has length ",
             plan.sequence_length[s]);
    }
    for (const int32_t row : plan.logit_row) Expect(row >= 0 && row < plan.rows(), "logit row ", row, " of ", plan.rows());
  }
  // A row's slot must be where its sequence's list has its position; every page must exist.
  void CheckPages(int group, const PageGroupSpec& spec) const {
    const StepPlan::Pages& lists = plan_->pages[static_cast<size_t>(group)];
    const auto sequences = static_cast<size_t>(plan_->sequences());
    Expect(lists.slot.size() == static_cast<size_t>(plan_->rows()), lists.slot.size(), " slots for ", plan_->rows(), " rows");
    Expect(lists.begin.size() == sequences + 1 && lists.first_position.size() == sequences, "page lists of ",
           lists.first_position.size(), " sequences");
    const PageGeometry geometry{spec.page_size, spec.chunk};
    for (const int32_t page : lists.page) Expect(page >= 0 && page < spec.page_count, "page ", page, " of ", spec.page_count);
    for (size_t s = 0; s < sequences; ++s) {
      Expect(lists.first_position[s] == geometry.ChunkStart(lists.first_position[s]), "pages of sequence ", s, " begin at ",
             lists.first_position[s]);
      for (int32_t row = plan_->sequence_begin[s]; row < plan_->sequence_begin[s + 1]; ++row) {
        const int64_t slot = lists.slot[static_cast<size_t>(row)];
        if (slot < 0) continue;
        const PageGeometry::Place place = geometry.Find(plan_->position[static_cast<size_t>(row)], lists.first_position[s]);
        const int64_t entry = lists.begin[s] + place.page;
        Expect(place.page >= 0 && entry < lists.begin[s + 1], "row ", row, " has no page in its sequence's list");
        Expect(slot == lists.page[static_cast<size_t>(entry)] * int64_t{spec.page_size} + place.index, "row ", row,
               " goes to slot ", slot, ", its sequence's list has it on page ", lists.page[static_cast<size_t>(entry)], " at ",
               place.index);
      }
    }
  }
  void CheckIds(const Act& ids, int64_t experts, bool none_allowed = false) {
    std::vector<int32_t> values(static_cast<size_t>(ids.rows * ids.cols));
    Download(*ids.buffer, ids.offset, std::as_writable_bytes(std::span(values)));
    for (const int32_t id : values) Expect(id >= (none_allowed ? -1 : 0) && id < experts, "expert ", id, " of ", experts);
  }

  void Guards(const char* what, const Act& act) {
    const CheckedBuffer& buffer = Checked(*act.buffer);
    std::vector<std::byte> guard(kGuard);
    for (const size_t at : {size_t{0}, kGuard + buffer.size_bytes()}) {
      inner().Download(buffer.inner(), at, guard);
      const bool intact = std::all_of(guard.begin(), guard.end(), [](std::byte byte) { return byte == kPattern; });
      Expect(intact, "wrote ", at == 0 ? "before" : "past", " the buffer of ", what);
    }
  }
  void Result(const char* what, const Act& act) {
    Guards(what, act);
    if (!options_.finite) return;
    std::vector<float> values(static_cast<size_t>(act.rows * act.cols));
    Download(*act.buffer, act.offset, std::as_writable_bytes(std::span(values)));
    const auto bad = std::find_if(values.begin(), values.end(), [](float value) { return !IsFinite(value); });
    if (bad == values.end()) return;
    const int64_t at = bad - values.begin();
    Expect(false, what, " holds ", *bad, " in row ", at / act.cols, ", column ", at % act.cols);
  }

  const CheckOptions options_;
  const StepPlan* plan_ = nullptr;
  const char* operation_ = "";
  std::optional<Error> error_;
};

}  // namespace

std::unique_ptr<Backend> MakeCheckBackend(std::unique_ptr<Backend> inner, const CheckOptions& options) {
  return std::make_unique<CheckBackend>(std::move(inner), options);
}

}  // namespace scout
