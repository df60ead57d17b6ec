// Checked arithmetic for sizes that come from files and callers. Every product or sum of untrusted numbers goes
// through these; the message says what overflowed.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/error.h"

namespace scout {

inline uint64_t CheckedMul(uint64_t a, uint64_t b, std::string_view what) {
  uint64_t out = 0;
  if (__builtin_mul_overflow(a, b, &out)) Fail(ErrorCode::kLimit, what, ": ", a, " x ", b, " does not fit 64 bits");
  return out;
}

inline uint64_t CheckedAdd(uint64_t a, uint64_t b, std::string_view what) {
  uint64_t out = 0;
  if (__builtin_add_overflow(a, b, &out)) Fail(ErrorCode::kLimit, what, ": ", a, " + ", b, " does not fit 64 bits");
  return out;
}

// The next multiple of `alignment`, a power of two.
inline uint64_t CheckedAlign(uint64_t value, uint64_t alignment, std::string_view what) {
  return CheckedAdd(value, alignment - 1, what) & ~(alignment - 1);
}

}  // namespace scout
