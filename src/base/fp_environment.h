// The floating-point environment our arithmetic is defined in: round to nearest, subnormals kept, no traps.
//
// A host may have changed its threads' (flush to zero, rounding upwards, unmasked exceptions), and a new thread inherits its
// maker's. So our own threads set theirs when they begin, and code of ours that runs on a caller's thread does so for as long as it
// runs.
#pragma once

#include <cfenv>
#include <cstdint>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace scout {

// Sets the default environment and puts the former one back at the end of the scope, without the exception flags we raised.
class FpEnvironment {
 public:
#if defined(__SSE2__)
  // The x87 unit is left alone: nothing of ours uses it.
  FpEnvironment() noexcept : former_(_mm_getcsr()) {
    if (former_ != kDefault) _mm_setcsr(kDefault);
  }
  ~FpEnvironment() {
    if (_mm_getcsr() != former_) _mm_setcsr(former_);
  }

 private:
  static constexpr uint32_t kDefault = 0x1f80;  // all exceptions masked, no flag raised, nearest, neither FTZ nor DAZ
  uint32_t former_;
#else
  FpEnvironment() noexcept {
    std::fegetenv(&former_);
    std::fesetenv(FE_DFL_ENV);
  }
  ~FpEnvironment() { std::fesetenv(&former_); }

 private:
  std::fenv_t former_;
#endif

 public:
  FpEnvironment(const FpEnvironment&) = delete;
  FpEnvironment& operator=(const FpEnvironment&) = delete;
};

}  // namespace scout
