// A call that is given bad input, and what it may cost. For programs that count allocations (alloc_meter.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/error.h"
#include "support/sanitized.h"
#include "support/small_stack.h"

namespace scout::test {

// Seconds of processor time, not of a clock on the wall: other programs do not count. The bounds are one to three orders of
// magnitude above what a case takes, and a sanitizer's build gets thirty times as much; that is still far below what a reader takes
// whose work grows with the square of its input. One that never ends is ended by ctest's limit.
inline constexpr double kCpuSeconds = 1.0;
inline constexpr double kCpuFactor = kSanitized ? 30.0 : 1.0;

struct BoundedCall {
  bool returned = false;          // nothing was thrown
  bool foreign = false;           // something that is no scout::Error was thrown
  std::optional<ErrorCode> code;  // of the Error
  char message[4096] = {};
  double cpu_s = 0;  // of the whole process, so that helpers' work counts
  int64_t peak_bytes = 0;
  int64_t leaked_blocks = 0, leaked_bytes = 0;
  int64_t leaked_descriptors = 0;
};

// Runs `call` on a small stack. What it returns or throws is gone when the counts are taken.
BoundedCall CallBounded(const std::function<void()>& call, size_t stack_bytes = kDefaultSmallStack);

struct Bounds {
  double cpu_s = kCpuSeconds;  // times kCpuFactor
  int64_t peak_bytes = -1;     // -1: 4 MiB + twice the input
};

// No foreign exception, nothing left behind, time and memory within the bounds. False where one does not hold.
bool ExpectWithinBounds(const std::string& id, const BoundedCall& call, uint64_t input_bytes, const Bounds& bounds = {});

// Processor seconds of this process so far.
double CpuNow();

}  // namespace scout::test
