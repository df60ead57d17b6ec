#include "base/own_thread.h"

#include <utility>

#include "base/error.h"
#include "base/fp_environment.h"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <signal.h>
#else
#include <system_error>
#include <thread>
#endif

#if defined(__GLIBC__)
#if __GLIBC_PREREQ(2, 32)
#define SCOUT_THREAD_BEGINS_WITH_A_MASK 1
#endif
#endif

namespace scout {

#if defined(__unix__) || defined(__APPLE__)

struct OwnThread::State {
  pthread_t thread{};
  std::function<void()> body;
  char name[16] = {};
};

namespace {

template <typename State>
void* Run(void* argument) {
  const FpEnvironment environment;
  auto* state = static_cast<State*>(argument);
#if defined(__linux__)
  pthread_setname_np(pthread_self(), state->name);
#endif
  state->body();
  return nullptr;
}

}  // namespace

OwnThread::OwnThread(const char* name, std::function<void()> body) : state_(std::make_unique<State>()) {
  state_->body = std::move(body);
  for (size_t i = 0; i + 1 < sizeof state_->name && name[i] != 0; ++i) state_->name[i] = name[i];
  pthread_attr_t attributes;
  int failed = pthread_attr_init(&attributes);
  if (failed == 0) {
    failed = pthread_attr_setstacksize(&attributes, kStackBytes);
    sigset_t all;
    sigfillset(&all);
#if SCOUT_THREAD_BEGINS_WITH_A_MASK
    // The maker's own mask stays as it is. A runtime that stops its threads by a signal (Mono's collector) would wait for ever for
    // a maker that cannot be signalled and itself waits for a lock of the C library's that a thread already stopped holds.
    if (failed == 0) failed = pthread_attr_setsigmask_np(&attributes, &all);
    if (failed == 0) failed = pthread_create(&state_->thread, &attributes, &Run<State>, state_.get());
#else
    // A thread begins with its maker's signal mask: block all for the moment of making.
    sigset_t former;
    pthread_sigmask(SIG_SETMASK, &all, &former);
    if (failed == 0) failed = pthread_create(&state_->thread, &attributes, &Run<State>, state_.get());
    pthread_sigmask(SIG_SETMASK, &former, nullptr);
#endif
    pthread_attr_destroy(&attributes);
  }
  if (failed != 0) {
    state_.reset();
    Fail(ErrorCode::kNoMemory, "the system gives no more threads (wanted \"", name, "\", error ", failed, ")");
  }
}

void OwnThread::Join() noexcept {
  if (state_ == nullptr) return;
  pthread_join(state_->thread, nullptr);
  state_.reset();
}

#else

struct OwnThread::State {
  std::thread thread;
};

OwnThread::OwnThread(const char* name, std::function<void()> body) : state_(std::make_unique<State>()) {
  try {
    state_->thread = std::thread([body = std::move(body)] {
      const FpEnvironment environment;
      body();
    });
  } catch (const std::system_error&) {
    state_.reset();
    Fail(ErrorCode::kNoMemory, "the system gives no more threads (wanted \"", name, "\")");
  }
}

void OwnThread::Join() noexcept {
  if (state_ == nullptr) return;
  state_->thread.join();
  state_.reset();
}

#endif

OwnThread::OwnThread() noexcept = default;
OwnThread::OwnThread(OwnThread&& other) noexcept = default;
OwnThread& OwnThread::operator=(OwnThread&& other) noexcept {
  Join();
  state_ = std::move(other.state_);
  return *this;
}
OwnThread::~OwnThread() { Join(); }
void OwnThread::Abandon() noexcept { state_.release(); }

}  // namespace scout
