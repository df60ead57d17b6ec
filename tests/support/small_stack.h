// Runs a call on a thread with a stack of 128 KiB, the smallest default of a C library in use.
#pragma once

#include <functional>

namespace scout::test {

// Exceptions must not leave `call`. (A sanitizer's frames are several times larger, so its builds get 1 MiB.)
void OnSmallStack(const std::function<void()>& call);

}  // namespace scout::test
