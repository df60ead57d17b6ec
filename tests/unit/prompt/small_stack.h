// Runs a function on a thread with a stack of 128 KiB, the smallest that the library promises to work on.
#pragma once

#include <pthread.h>

#include <exception>
#include <functional>

#include "gtest/gtest.h"

namespace scout::test {

inline void OnSmallStack(const std::function<void()>& body) {
  struct Call {
    const std::function<void()>* body;
    std::exception_ptr error;
  } call{&body, nullptr};
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, 128 * 1024), 0);
  pthread_t thread;
  const auto run = [](void* argument) -> void* {
    auto* mine = static_cast<Call*>(argument);
    try {
      (*mine->body)();
    } catch (...) {
      mine->error = std::current_exception();
    }
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &attributes, run, &call), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  if (call.error) std::rethrow_exception(call.error);
}

}  // namespace scout::test
