// The threads that read and pack weights. There are more of them than compute threads: while some wait for the disk the others keep
// the processor at work. They are apart from the compute threads' pool, which would have to wake them at every operation, and they
// are gone when no weight is being prepared.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/staging.h"
#include "base/thread_pool.h"

namespace scout::cpu {

class LoadCrew {
 public:
  // The process's crew, for loading with `threads` compute threads; it goes with the last who holds it.
  static std::shared_ptr<LoadCrew> Shared(int threads);

  // task(i, staging) for 0 .. count - 1 on the crew and the caller's thread. The first exception is thrown here. Several threads
  // may call at once.
  void ForEach(int64_t count, const std::function<void(int64_t, StagingBuffer&)>& task);

 private:
  ThreadPool pool_;
  StagingPool staging_;
};

}  // namespace scout::cpu
