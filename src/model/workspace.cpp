#include "model/workspace.h"

namespace scout::model {

Activations Workspace::For(int64_t rows, int64_t logit_rows) const {
  const auto view = [&](const WorkspaceLayout::Slot& slot, int64_t n) {
    return Act{buffer_.get(), static_cast<size_t>(slot.offset), n, slot.cols};
  };
  Activations a;
  a.x = view(layout_.x, rows);
  a.y = view(layout_.y, rows);
  a.qkv = view(layout_.qkv, rows);
  a.q = view(layout_.q, rows);
  a.o = view(layout_.o, rows);
  a.hidden = view(layout_.hidden, rows);
  a.ids = view(layout_.ids, rows);
  a.gates = view(layout_.gates, rows);
  a.picked = view(layout_.picked, logit_rows);
  a.picked_normed = view(layout_.picked_normed, logit_rows);
  a.logits = view(layout_.logits, logit_rows);
  return a;
}

}  // namespace scout::model
