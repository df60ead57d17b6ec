#include "model/tensor_source.h"

#include <algorithm>

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
  // In pieces: a cancel is noticed soon, progress moves, and the check finds the bytes still in the cache. Pieces end at block
  // ends, so that no scale is cut in two.
  constexpr uint64_t kPieceBytes = 4 << 20;
  const uint64_t block = std::max<uint64_t>(1, InfoOf(tensor_.dtype).bytes_per_block);
  const uint64_t piece = kPieceBytes / block * block;
  for (uint64_t at = 0; at < out.size();) {
    Count(0);
    const uint64_t count = std::min<uint64_t>(piece - (offset + at) % block, out.size() - at);
    const std::span<std::byte> part = out.subspan(static_cast<size_t>(at), static_cast<size_t>(count));
    checkpoint_->Read(tensor_, offset + at, part);
    if (monitor_->check) CheckFinite(tensor_, offset + at, part);
    Count(count);
    at += count;
  }
}

std::span<const std::byte> TensorSource::ReadStaged(uint64_t offset, size_t size, StagingBuffer& staging) const {
  Count(0);
  const std::span<const std::byte> bytes = checkpoint_->ReadStaged(tensor_, offset, size, staging);
  Count(size);
  return bytes;
}

void TensorSource::Check(uint64_t offset, std::span<const std::byte> bytes) const {
  if (monitor_->check) CheckFinite(tensor_, offset, bytes);
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
