// The activations of a runner: one buffer, laid out once, seen through views of the current step's row counts.
#pragma once

#include <memory>

#include "backend/backend.h"
#include "model/memory_plan.h"

namespace scout::model {

// Shapes as in WorkspaceLayout, with the step's own N and M.
struct Activations {
  Act x, y, qkv, q, o, hidden, ids, gates, picked, picked_normed, logits;
};

class Workspace {
 public:
  Workspace(Backend& backend, const WorkspaceLayout& layout)
      : layout_(layout), buffer_(backend.Alloc(MemoryKind::kWorkspace, static_cast<size_t>(layout.bytes))) {}

  Activations For(int64_t rows, int64_t logit_rows) const;
  size_t size_bytes() const { return buffer_->size_bytes(); }

 private:
  WorkspaceLayout layout_;
  std::unique_ptr<Buffer> buffer_;
};

}  // namespace scout::model
