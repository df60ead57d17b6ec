// Memory that bytes pass through on their way from a file to their place: kept from read to read, so that its pages are asked for
// and cleared once, and aligned so that a disk can write into it without the page cache between.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "base/host_memory.h"

namespace scout {

class StagingBuffer {
 public:
  static constexpr size_t kAlignment = 4096;  // of reads past the page cache: of memory, offset and size
  // From this size on the memory is pages that are nobody else's, as a disk that writes into it needs.
  static constexpr size_t kLeastDirect = size_t{1} << 20;

  // At least `bytes` bytes, aligned to kAlignment; their content is whatever it was. Throws kNoMemory. What was reserved before is
  // gone.
  std::byte* Reserve(size_t bytes);

 private:
  HostMemory memory_;
};

// Buffers for tasks that come and go on several threads.
class StagingPool {
 public:
  // A buffer that nobody else has until the handle goes.
  class Handle {
   public:
    explicit Handle(StagingPool& pool);
    ~Handle();
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    StagingBuffer& operator*() const { return *buffer_; }

   private:
    StagingPool& pool_;
    std::unique_ptr<StagingBuffer> buffer_;
  };

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<StagingBuffer>> free_;
};

}  // namespace scout
