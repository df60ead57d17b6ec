// Errors inside the library: one exception type with a stable code.
//
// Anything that a caller could fix (a bad argument, a bad file, too little memory) is thrown as Error with a one-line
// message that names the field, the value and the limit. SCOUT_CHECK is for what only we could have broken: it throws
// an internal error and never ends the process. The api room turns both into a status code and a message.
#pragma once

#include <stdexcept>
#include <string>

#include "base/text.h"

namespace scout {

// Values equal the public status codes in include/scout/status.h; a test keeps them equal.
enum class ErrorCode : int {
  kArgument = -1,     // a call's argument is outside what the header allows
  kFormat = -2,       // a file or text breaks the rules of its format
  kTruncated = -3,    // a file ends before what it announces
  kLimit = -4,        // a value is well formed but past a stated limit
  kUnsupported = -5,  // well formed, known, and not served by this build
  kCorrupt = -6,      // contents contradict their own checksums or rules
  kIo = -7,           // the operating system refused or failed a read or write
  kNoMemory = -8,     // not enough memory, now or by plan
  kState = -9,        // the call does not fit the state of the handle
  kDenied = -10,      // refused for safety (a path that leaves its folder, ...)
  kCancelled = -11,   // ended by a cancel
  kDevice = -12,      // a device or its driver failed
  kInternal = -13,    // a defect of this library
};

class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

// Throws Error(code, all parts joined). Numbers are written in the C locale, whatever the host has set.
template <typename... Parts>
[[noreturn]] void Fail(ErrorCode code, const Parts&... parts) {
  throw Error(code, StrCat(parts...));
}

// Our own invariant: when it does not hold the library is wrong, not the caller.
#define SCOUT_CHECK(condition, ...)                                                                                          \
  do {                                                                                                                       \
    if (!(condition)) [[unlikely]]                                                                                           \
      ::scout::Fail(::scout::ErrorCode::kInternal, "internal error: ", ::scout::StrCat(__VA_ARGS__), " (", #condition, ")"); \
  } while (false)

}  // namespace scout
