#include "support/small_stack.h"

#include <pthread.h>

#include <stdexcept>

namespace scout::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr size_t kStack = 1024 * 1024;
#else
constexpr size_t kStack = 128 * 1024;
#endif

void OnSmallStack(const std::function<void()>& call) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStack);
  pthread_t thread;
  const auto run = [](void* argument) -> void* {
    (*static_cast<const std::function<void()>*>(argument))();
    return nullptr;
  };
  const int error = pthread_create(&thread, &attributes, run, const_cast<std::function<void()>*>(&call));
  pthread_attr_destroy(&attributes);
  if (error != 0) throw std::runtime_error("cannot start a thread");
  pthread_join(thread, nullptr);
}

}  // namespace scout::test
