// Counts what goes through operator new, and makes it fail. A test program that lists alloc_meter.cpp among its own sources gets
// the counting operators; nothing else does.
#pragma once

#include <cstddef>
#include <cstdint>

namespace scout::test {

struct AllocCount {
  int64_t live_blocks = 0;
  int64_t live_bytes = 0;
  int64_t peak_bytes = 0;  // highest live_bytes since ResetPeak
};

AllocCount Allocations();
void ResetPeak();

// The k-th allocation from now on (k = 0 is the next one) throws std::bad_alloc, and with `all_later` every one after it too;
// a negative k ends that.
void FailAllocation(int64_t k, bool all_later = false);

}  // namespace scout::test
