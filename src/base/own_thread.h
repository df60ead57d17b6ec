// A thread of the library's own. It differs from std::thread in what a host would otherwise decide for it: its stack (a C library
// may give 128 KiB), its floating-point environment (inherited from the maker), and its signals (all blocked, so that a host's
// handlers only ever run on the host's threads).
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace scout {

class OwnThread {
 public:
  static constexpr size_t kStackBytes = size_t{4} << 20;  // address space; memory is taken as it is touched

  OwnThread() noexcept;
  // Runs `body`, which must not throw, on a new thread. `name` (at most 15 characters are kept) is what a debugger shows. Throws
  // kNoMemory when the system gives no thread.
  OwnThread(const char* name, std::function<void()> body);
  OwnThread(OwnThread&& other) noexcept;
  OwnThread& operator=(OwnThread&& other) noexcept;
  ~OwnThread();  // joins

  bool joinable() const { return state_ != nullptr; }
  void Join() noexcept;
  // Forgets the thread without joining: for a child after fork, where it does not exist.
  void Abandon() noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace scout
