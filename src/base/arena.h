// Scratch memory for one operation at a time: taken piece by piece, given back all at once. It grows to the largest need seen
// and then allocates no more.
#pragma once

#include <cstddef>
#include <vector>

#include "base/checked.h"
#include "base/host_memory.h"

namespace scout {

class Arena {
 public:
  // `count` values of T, uninitialised, aligned to 64 bytes. Valid until Reset. Throws kNoMemory.
  template <typename T>
  T* Take(int64_t count) {
    const uint64_t bytes = CheckedAlign(CheckedMul(static_cast<uint64_t>(count), sizeof(T), "scratch"), 64, "scratch");
    if (blocks_.empty() || bytes > blocks_.back().size() - used_) Grow(bytes);
    std::byte* const piece = blocks_.back().data() + used_;
    used_ += bytes;
    taken_ += bytes;
    return reinterpret_cast<T*>(piece);
  }

  // Gives everything back. When more than one block was needed they become one that would have held all.
  void Reset() {
    if (blocks_.size() > 1) {
      blocks_.clear();
      used_ = 0;
      Grow(taken_);
    }
    used_ = 0;
    taken_ = 0;
  }

 private:
  void Grow(uint64_t bytes) {
    const uint64_t size = bytes < 65536 ? 65536 : bytes;
    blocks_.emplace_back(size);
    used_ = 0;
  }

  std::vector<HostMemory> blocks_;  // the last one is the one in use
  size_t used_ = 0;                 // of the last block
  uint64_t taken_ = 0;              // of all blocks since Reset
};

}  // namespace scout
