// Runs a call on a thread with a small stack. 128 KiB is the smallest default of a C library in use, and what the library
// promises to work on.
#pragma once

#include <cstddef>
#include <functional>

#include "support/sanitized.h"

namespace scout::test {

inline constexpr size_t kSmallStack = size_t{128} << 10;
// A sanitizer's frames are several times larger.
inline constexpr size_t kDefaultSmallStack = kSanitized ? size_t{1} << 20 : kSmallStack;

// What `call` throws is thrown here.
void OnSmallStack(const std::function<void()>& call, size_t stack_bytes = kDefaultSmallStack);

}  // namespace scout::test
