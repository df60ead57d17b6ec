#include "model/memory_plan.h"

#include "backend/page_format.h"
#include "base/checked.h"
#include "base/error.h"

namespace scout::model {

int32_t LayersInGroup(const Config& config, int group) {
  int32_t count = 0;
  for (const LayerKind& layer : config.layer) count += layer.chunked == (group == kLocalPages);
  return count;
}

PageGroupSpec GroupSpec(const Config& config, int group, const RunnerOptions& options) {
  PageGroupSpec spec;
  spec.layers = LayersInGroup(config, group);
  spec.page_size = options.page_size;
  spec.chunk = group == kLocalPages ? config.attention_chunk : 0;
  spec.kv_heads = static_cast<int32_t>(config.kv_heads);
  spec.head_dim = static_cast<int32_t>(config.head_dim);
  spec.k_format = options.k_format;
  spec.v_format = options.v_format;
  spec.page_count = options.page_count[static_cast<size_t>(group)];
  for (size_t i = 0; i < config.layer.size(); ++i)
    if (config.layer[i].chunked == (group == kLocalPages)) spec.model_layers.push_back(static_cast<int32_t>(i));
  return spec;
}

uint64_t BytesPerPosition(const Config& config, int group, DType k_format, DType v_format) {
  const uint64_t head = HeadBytes(k_format, config.head_dim) + HeadBytes(v_format, config.head_dim);
  return static_cast<uint64_t>(LayersInGroup(config, group)) * static_cast<uint64_t>(config.kv_heads) * head;
}

uint64_t KvBytes(const Config& config, const RunnerOptions& options) {
  uint64_t total = 0;
  for (int group = 0; group < kPageGroups; ++group) {
    const uint64_t page = CheckedMul(BytesPerPosition(config, group, options.k_format, options.v_format),
                                     static_cast<uint64_t>(options.page_size), "bytes of a page");
    total = CheckedAdd(
        total, CheckedMul(page, static_cast<uint64_t>(options.page_count[static_cast<size_t>(group)]), "bytes of all pages"),
        "bytes of all pages");
  }
  return total;
}

void CheckRunnerOptions(const Config& config, const RunnerOptions& options) {
  const auto in_range = [](const char* name, int64_t value, int64_t min, int64_t max) {
    if (value < min || value > max) Fail(ErrorCode::kArgument, "option ", name, " is ", value, ", expected ", min, "..", max);
  };
  in_range("page_size", options.page_size, 1, 1 << 16);
  in_range("max_rows", options.max_rows, 1, 1 << 20);
  in_range("max_logit_rows", options.max_logit_rows, 1, 1 << 20);
  for (const DType format : {options.k_format, options.v_format}) HeadBytes(format, config.head_dim);
  for (int group = 0; group < kPageGroups; ++group) {
    const bool used = LayersInGroup(config, group) > 0;
    // Slots are page * page_size + index in 64 bits, page numbers 32-bit.
    in_range(group == kLocalPages ? "page_count of the chunk-local group" : "page_count of the global group",
             options.page_count[static_cast<size_t>(group)], used ? 1 : 0, INT32_MAX);
  }
}

WorkspaceLayout PlanWorkspace(const Config& config, const RunnerOptions& options) {
  WorkspaceLayout layout;
  const auto place = [&](int64_t rows, int64_t cols) {
    WorkspaceLayout::Slot slot{layout.bytes, cols};
    const uint64_t bytes =
        CheckedMul(CheckedMul(static_cast<uint64_t>(rows), static_cast<uint64_t>(cols), "workspace"), 4, "workspace");
    layout.bytes = CheckedAlign(CheckedAdd(layout.bytes, bytes, "workspace"), 64, "workspace");  // cache lines
    return slot;
  };
  int64_t dense_hidden = 0;
  for (const LayerKind& layer : config.layer)
    if (!layer.moe) dense_hidden = config.dense_hidden;
  const int64_t n = options.max_rows, m = options.max_logit_rows;
  const int64_t q_cols = config.heads * config.head_dim, kv_cols = config.kv_heads * config.head_dim;
  layout.x = place(n, config.embedding);
  layout.y = place(n, config.embedding);
  layout.qkv = place(n, q_cols + 2 * kv_cols);
  layout.q = place(n, q_cols);
  layout.o = place(n, q_cols);
  layout.hidden = place(n, dense_hidden);
  layout.ids = place(n, config.experts_used);
  layout.gates = place(n, config.experts_used);
  layout.picked = place(m, config.embedding);
  layout.picked_normed = place(m, config.embedding);
  layout.logits = place(m, config.vocabulary);
  return layout;
}

}  // namespace scout::model
