// Counts what goes through operator new. A test program that lists alloc_meter.cpp among its own sources gets the counting
// operators; nothing else does.
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

}  // namespace scout::test
