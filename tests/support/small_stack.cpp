#include "support/small_stack.h"

#include <pthread.h>

#include <exception>
#include <stdexcept>
#include <string>

namespace scout::test {

void OnSmallStack(const std::function<void()>& call, size_t stack_bytes) {
  struct Job {
    const std::function<void()>* call;
    std::exception_ptr thrown;
  } job{&call, nullptr};
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  int error = pthread_attr_setstacksize(&attributes, stack_bytes);
  pthread_t thread;
  const auto run = [](void* argument) -> void* {
    auto* mine = static_cast<Job*>(argument);
    try {
      (*mine->call)();
    } catch (...) {
      mine->thrown = std::current_exception();
    }
    return nullptr;
  };
  if (error == 0) error = pthread_create(&thread, &attributes, run, &job);
  pthread_attr_destroy(&attributes);
  if (error != 0) throw std::runtime_error("cannot start a thread with a stack of " + std::to_string(stack_bytes) + " bytes");
  pthread_join(thread, nullptr);
  if (job.thrown) std::rethrow_exception(job.thrown);
}

}  // namespace scout::test
