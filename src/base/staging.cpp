#include "base/staging.h"

#include <algorithm>

#include "base/checked.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace scout {

std::byte* StagingBuffer::Reserve(size_t bytes) {
  // The start of a block from the heap is aligned to 64: room to move up to the next border.
  const auto aligned = [&] {
    const auto start = reinterpret_cast<uintptr_t>(memory_.data());
    return memory_.data() + (kAlignment - start % kAlignment) % kAlignment;
  };
  size_t wanted = CheckedAdd(CheckedAlign(bytes, kAlignment, "staged bytes"), kAlignment, "staged bytes");
  if (bytes >= kLeastDirect) wanted = std::max(wanted, HostMemory::kLeastMapped);
  if (memory_.size() >= wanted) return aligned();
  memory_ = HostMemory();
  memory_ = HostMemory(wanted);
#if defined(__linux__)
  // A child must not share pages that a disk is writing into: the first to touch one would take the bytes away from the other.
  if (memory_.mapped()) ::madvise(memory_.data(), memory_.size(), MADV_DONTFORK);
#endif
  return aligned();
}

StagingPool::Handle::Handle(StagingPool& pool) : pool_(pool) {
  {
    const std::lock_guard lock(pool_.mutex_);
    if (!pool_.free_.empty()) {
      buffer_ = std::move(pool_.free_.back());
      pool_.free_.pop_back();
    }
  }
  if (!buffer_) buffer_ = std::make_unique<StagingBuffer>();
}

StagingPool::Handle::~Handle() {
  const std::lock_guard lock(pool_.mutex_);
  try {
    pool_.free_.push_back(std::move(buffer_));
  } catch (const std::bad_alloc&) {
    // It is freed instead.
  }
}

}  // namespace scout
