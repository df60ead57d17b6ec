#include "model/llama4.h"

#include <cmath>
#include <exception>

#include "base/error.h"
#include "model/model.h"

namespace scout::model {

Llama4::Llama4(std::shared_ptr<const Model> owner, const Config& config, const Weights& weights, std::unique_ptr<Backend> backend,
               const RunnerOptions& options)
    : owner_(std::move(owner)),
      config_(config),
      weights_(weights),
      backend_(std::move(backend)),
      options_(options),
      cache_(*backend_, config, options),
      workspace_(*backend_, PlanWorkspace(config, options)) {}

// ---- the equations -----------------------------------------------------------------------------------------------------------
//
//   x = embedding[token], or a row of a picture's features
//   for every layer:  x += o(attention(norm(x)));  x += feed_forward(norm(x))
//   logits = head(norm(x)) for the rows that need an answer
//
// A layer either rotates q and k, norms them, and sees its attention chunk; or it knows no positions, sees everything, and scales
// q up as the sequence grows.

void Llama4::Embed() {
  backend_->Embed({weights_.embedding.get(), a_.x});
  if (plan_->feature_row.empty()) return;
  int32_t first = 0;
  for (const auto& features : features_) {
    backend_->ScatterRows({features->act(), plan_->feature_row, first, a_.x});
    first += static_cast<int32_t>(features->rows());
  }
}

void Llama4::AttentionBlock(int64_t i) {
  const LayerWeights& w = weights_.layer[static_cast<size_t>(i)];
  const LayerKind& kind = config_.layer[static_cast<size_t>(i)];
  const KvCache::Place kv = cache_.Of(i);
  const auto heads = static_cast<int32_t>(config_.heads);
  const auto eps = static_cast<float>(config_.norm_eps);
  const auto scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(config_.head_dim)));

  backend_->RmsNorm({a_.x, w.attention_norm.get(), eps, a_.y});
  backend_->Linear({a_.y, w.qkv.get(), Epilogue::kStore, a_.qkv});
  backend_->RopeNormStore({.qkv = a_.qkv,
                           .q = a_.q,
                           .pages = kv.pages,
                           .group = kv.group,
                           .layer = kv.layer,
                           .heads = heads,
                           .rope = kind.rope,
                           .inv_freq = config_.inv_freq,
                           .qk_norm = kind.rope && config_.qk_norm,
                           .norm_eps = eps,
                           .temperature_length = kind.rope ? 0 : config_.temperature_length,
                           .temperature_scale = config_.temperature_scale});
  backend_->Attention({.q = a_.q,
                       .pages = kv.pages,
                       .group = kv.group,
                       .layer = kv.layer,
                       .heads = heads,
                       .scale = scale,
                       .mask = kind.chunked ? AttentionMask::kChunk : AttentionMask::kCausal,
                       .out = a_.o,
                       .lse = {}});
  backend_->Linear({a_.o, w.o.get(), Epilogue::kAdd, a_.x});
}

void Llama4::FeedForwardBlock(int64_t i) {
  const LayerWeights& w = weights_.layer[static_cast<size_t>(i)];
  backend_->RmsNorm({a_.x, w.feed_norm.get(), static_cast<float>(config_.norm_eps), a_.y});
  if (config_.layer[static_cast<size_t>(i)].moe) {
    backend_->Route({a_.y, w.router.get(), static_cast<int32_t>(config_.experts_used), a_.ids, a_.gates});
    backend_->Experts({.in = a_.y,
                       .ids = a_.ids,
                       .gates = a_.gates,
                       .gate_up = w.expert_gate_up.get(),
                       .down = w.expert_down.get(),
                       .shared_gate_up = w.gate_up.get(),
                       .shared_down = w.down.get(),
                       .first_expert = 0,
                       .last_expert = static_cast<int32_t>(config_.experts),
                       .residual = a_.x});
  } else {
    backend_->Linear({a_.y, w.gate_up.get(), Epilogue::kSwiGlu, a_.hidden});
    backend_->Linear({a_.hidden, w.down.get(), Epilogue::kAdd, a_.x});
  }
}

void Llama4::Logits() {
  if (plan_->logit_row.empty()) return;
  backend_->GatherRows({a_.x, plan_->logit_row, a_.picked});
  backend_->RmsNorm({a_.picked, weights_.final_norm.get(), static_cast<float>(config_.norm_eps), a_.picked_normed});
  backend_->Linear({a_.picked_normed, weights_.head.get(), Epilogue::kStore, a_.logits});
}

// ---- a step ------------------------------------------------------------------------------------------------------------------

void Llama4::Begin(const StepPlan& plan) noexcept {
  Abort();
  features_ = std::move(given_);
  given_.clear();
  plan_ = &plan;
  next_layer_ = 0;
  if (plan.rows() == 0) {  // nothing to do is legal
    next_layer_ = config_.layers + 1;
    return;
  }
  try {
    CheckPlan(plan);
  } catch (const Error& error) {
    error_ = error;
    return;
  } catch (...) {
    error_ = no_memory_;
    return;
  }
  a_ = workspace_.For(plan.rows(), static_cast<int64_t>(plan.logit_row.size()));
  begun_ = true;
  backend_->BeginStep(plan);
  Embed();
}

bool Llama4::Advance() noexcept {
  if (error_ || plan_ == nullptr || next_layer_ > config_.layers) return true;
  if (next_layer_ == config_.layers) {
    Logits();
  } else {
    AttentionBlock(next_layer_);
    FeedForwardBlock(next_layer_);
  }
  return ++next_layer_ > config_.layers;
}

std::optional<Error> Llama4::Finish() noexcept {
  std::optional<Error> error;
  if (begun_) error = backend_->EndStep();
  if (error_) error = std::move(error_);
  if (!error && (plan_ == nullptr || next_layer_ <= config_.layers))
    error = Error(ErrorCode::kInternal, "internal error: a step was finished before its last layer");
  if (!error) finished_logit_rows_ = plan_->rows() == 0 ? 0 : static_cast<int32_t>(plan_->logit_row.size());
  error_.reset();
  plan_ = nullptr;
  features_.clear();
  begun_ = false;
  return error;
}

void Llama4::Abort() noexcept {
  if (begun_) (void)backend_->EndStep();
  begun_ = false;
  plan_ = nullptr;
  features_.clear();
  error_.reset();
  finished_logit_rows_ = 0;
}

// The engine writes plans, so anything wrong here is ours; but a wrong slot would be a write outside the pages.
void Llama4::CheckPlan(const StepPlan& plan) const {
  const auto n = static_cast<int64_t>(plan.token.size());
  const auto s = static_cast<int64_t>(plan.sequence_length.size());
  SCOUT_CHECK(n <= options_.max_rows, "a step of ", n, " rows, at most ", options_.max_rows);
  SCOUT_CHECK(static_cast<int64_t>(plan.position.size()) == n, "positions of a plan");
  SCOUT_CHECK(static_cast<int64_t>(plan.sequence_begin.size()) == s + 1 && plan.sequence_begin.front() == 0 &&
                  plan.sequence_begin.back() == n,
              "sequences of a plan");
  for (const int32_t token : plan.token)
    if (token < 0 || token >= config_.vocabulary)
      Fail(ErrorCode::kArgument, "token id ", token, " is outside the vocabulary of ", config_.vocabulary);
  for (int64_t i = 0; i < s; ++i) {
    const auto first = static_cast<size_t>(plan.sequence_begin[static_cast<size_t>(i)]);
    const auto last = static_cast<size_t>(plan.sequence_begin[static_cast<size_t>(i) + 1]);
    SCOUT_CHECK(first < last, "a sequence without rows");
    for (size_t row = first; row < last; ++row)
      SCOUT_CHECK(plan.position[row] == plan.position[first] + static_cast<int32_t>(row - first) && plan.position[first] >= 0,
                  "position of row ", row);
    SCOUT_CHECK(plan.sequence_length[static_cast<size_t>(i)] == plan.position[last - 1] + 1, "length of sequence ", i);
  }
  if (!plan.feature_row.empty()) {
    SCOUT_CHECK(static_cast<int64_t>(plan.feature_row.size()) == n, "features of a plan");
    int64_t given = 0;
    for (const auto& features : features_) {
      SCOUT_CHECK(features && features->width() == config_.embedding, "features of another model");
      given += features->rows();
    }
    SCOUT_CHECK(given <= INT32_MAX, given, " rows of features");
    for (const int32_t row : plan.feature_row) SCOUT_CHECK(row >= -1 && row < given, "feature row ", row, " of ", given);
  }
  int64_t before = -1;
  SCOUT_CHECK(static_cast<int64_t>(plan.logit_row.size()) <= options_.max_logit_rows, "a step with ", plan.logit_row.size(),
              " rows of logits, at most ", options_.max_logit_rows);
  for (const int32_t row : plan.logit_row) {
    SCOUT_CHECK(row > before && row < n, "logit row ", row);
    before = row;
  }
  for (int g = 0; g < kPageGroups; ++g) {
    if (cache_.group(g) == nullptr) continue;
    const StepPlan::Pages& pages = plan.pages[static_cast<size_t>(g)];
    const int64_t count = options_.page_count[static_cast<size_t>(g)];
    SCOUT_CHECK(static_cast<int64_t>(pages.slot.size()) == n, "slots of group ", g);
    for (const int64_t slot : pages.slot)
      SCOUT_CHECK(slot >= -1 && slot < count * options_.page_size, "slot ", slot, " of group ", g);
    for (const int32_t page : pages.page) SCOUT_CHECK(page >= 0 && page < count, "page ", page, " of group ", g);
    SCOUT_CHECK(static_cast<int64_t>(pages.begin.size()) == s + 1 && static_cast<int64_t>(pages.first_position.size()) == s,
                "page lists of group ", g);
    SCOUT_CHECK(pages.begin.front() == 0 && pages.begin.back() == static_cast<int64_t>(pages.page.size()), "page lists of group ",
                g);
    const PageGeometry geometry = cache_.geometry(g);
    for (size_t i = 0; i < static_cast<size_t>(s); ++i) {
      const int64_t first = plan.position[static_cast<size_t>(plan.sequence_begin[i])];
      SCOUT_CHECK(pages.first_position[i] == geometry.ChunkStart(first), "first position of sequence ", i, " in group ", g);
      SCOUT_CHECK(pages.begin[i + 1] - pages.begin[i] >= geometry.PagesFor(pages.first_position[i], plan.sequence_length[i]),
                  "pages of sequence ", i, " in group ", g);
    }
  }
}

// ---- after a step ------------------------------------------------------------------------------------------------------------

std::optional<Error> Llama4::Sample(std::span<const SampleRow> rows, std::span<SampleResult> results) noexcept {
  if (rows.size() != results.size()) return Error(ErrorCode::kInternal, "internal error: sample rows and results differ in number");
  for (const SampleRow& row : rows)
    if (row.row < 0 || row.row >= finished_logit_rows_)
      return Error(ErrorCode::kInternal, "internal error: a sample of a row without logits");
  backend_->Sample({a_.logits, rows}, results);
  return backend_->EndStep();
}

void Llama4::ReadLogits(int32_t row, std::span<float> out) {
  SCOUT_CHECK(row >= 0 && row < finished_logit_rows_, "row ", row, " of ", finished_logit_rows_, " with logits");
  SCOUT_CHECK(static_cast<int64_t>(out.size()) == config_.vocabulary, "room for one row of logits");
  backend_->Download(*a_.logits.buffer, a_.logits.offset + static_cast<size_t>(row) * out.size_bytes(),
                     std::as_writable_bytes(out));
}

KvPages& Llama4::PagesOf(int group, int64_t page) const {
  SCOUT_CHECK(group >= 0 && group < kPageGroups && cache_.group(group) != nullptr, "page group ", group);
  SCOUT_CHECK(page >= 0 && page < options_.page_count[static_cast<size_t>(group)], "page ", page, " of group ", group);
  return *cache_.group(group);
}

void Llama4::ReadPage(int group, int64_t page, std::span<std::byte> out) {
  KvPages& pages = PagesOf(group, page);
  SCOUT_CHECK(out.size() == cache_.page_bytes(group), "room for one page");
  backend_->ReadPage(pages, page, out);
}

void Llama4::WritePage(int group, int64_t page, std::span<const std::byte> in) {
  KvPages& pages = PagesOf(group, page);
  SCOUT_CHECK(in.size() == cache_.page_bytes(group), "bytes of one page");
  backend_->WritePage(pages, page, in);
}

void Llama4::CopyPage(int group, int64_t from, int64_t to) {
  (void)PagesOf(group, from);
  backend_->CopyPage(PagesOf(group, to), from, to);
}

}  // namespace scout::model
