// The edge of the library: what happens inside never leaves as an exception.
//
// Every function of the header that can fail is `return Boundary([&] { ...; return SCOUT_OK; });`. Error becomes its own status,
// std::bad_alloc SCOUT_ERR_NO_MEMORY, a system's refusal of a thread too, anything else SCOUT_ERR_INTERNAL. The message goes into a
// fixed array of the thread: no allocation, and no destructor to run at the thread's end.
//
// For as long as the body runs, the thread has our floating-point environment and cannot be cancelled (pthread_cancel would
// unwind through code that must not be unwound).
#pragma once

#include <scout/status.h>

#include <cstddef>
#include <string_view>
#include <utility>

#include "base/fp_environment.h"

namespace scout::api {

constexpr size_t kMessageBytes = 1024;  // of the last error, its NUL included; a longer message is cut

const char* LastError() noexcept;
// Keeps the message: control characters become spaces, so that it is one line.
void SetLastError(std::string_view message) noexcept;

// Called inside a catch block: the status of the exception in flight, whose message becomes the last error.
scout_status StatusOfException() noexcept;

// Throws kState inside a log sink.
void CheckNotInSink();

class NoThreadCancel {
 public:
  NoThreadCancel() noexcept;
  ~NoThreadCancel();
  NoThreadCancel(const NoThreadCancel&) = delete;
  NoThreadCancel& operator=(const NoThreadCancel&) = delete;

 private:
  int former_ = 0;
};

template <typename Body>
scout_status Boundary(Body&& body) noexcept {
  const NoThreadCancel no_cancel;
  const FpEnvironment environment;
  try {
    CheckNotInSink();
    return std::forward<Body>(body)();
  } catch (...) {
    return StatusOfException();
  }
}

// For functions that cannot say that they failed: `fallback` instead. The last error says why.
template <typename Value, typename Body>
Value BoundaryValue(Value fallback, Body&& body) noexcept {
  const scout_status status = Boundary([&] {
    fallback = std::forward<Body>(body)();
    return SCOUT_OK;
  });
  static_cast<void>(status);
  return fallback;
}

}  // namespace scout::api
