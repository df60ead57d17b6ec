#include "model/tensor_source.h"

#include "base/error.h"
#include "model/check_weights.h"

namespace scout::model {

void TensorSource::Count(uint64_t bytes) const {
  LoadProgress* progress = monitor_->progress.load(std::memory_order_acquire);
  if (progress == nullptr) return;
  if (progress->cancel.load(std::memory_order_relaxed)) Fail(ErrorCode::kCancelled, "loading was cancelled");
  // A backend may read a part twice; the bar must not run past its end.
  const uint64_t before = counted_.fetch_add(bytes, std::memory_order_relaxed);
  const uint64_t left = before < tensor_.bytes ? tensor_.bytes - before : 0;
  progress->bytes_done.fetch_add(bytes < left ? bytes : left, std::memory_order_relaxed);
}

void TensorSource::Read(uint64_t offset, std::span<std::byte> out) const {
  Count(0);
  checkpoint_->Read(tensor_, offset, out);
  if (monitor_->check) CheckFinite(tensor_, offset, out);
  Count(out.size());
}

const std::byte* TensorSource::Mapped() const {
  const std::byte* bytes = checkpoint_->Mapped(tensor_);
  if (bytes != nullptr && !mapped_checked_.exchange(true)) {
    Count(0);
    if (monitor_->check) CheckFinite(tensor_, 0, {bytes, static_cast<size_t>(tensor_.bytes)});
    Count(tensor_.bytes);
  }
  return bytes;
}

}  // namespace scout::model
