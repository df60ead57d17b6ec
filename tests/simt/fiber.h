// A fiber: a stack of its own that runs a function until it suspends, at the cost of a few register moves and no system call.
//
// The emulator gives every thread of a block one. Sanitizers are told of each switch, so that AddressSanitizer watches the stacks.
#pragma once

#include <cstddef>
#include <memory>

namespace scout::simt {

class Fiber {
 public:
#if defined(__SANITIZE_ADDRESS__)
  static constexpr size_t kStackBytes = 256 * 1024;  // a report is written on the stack of who made the mistake
#else
  static constexpr size_t kStackBytes = 64 * 1024;
#endif

  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // The next Resume enters entry(argument) on an empty stack; what an earlier run left there is forgotten. `entry` must not return:
  // it suspends for good instead.
  void Start(void (*entry)(void*), void* argument);
  // From the owner: runs until the fiber suspends.
  void Resume();
  // From inside: back to the owner.
  void Suspend();
  // From inside: on to another fiber of the same owner, which has been started or gone on from.
  void GoOnWith(Fiber& next);
  // From inside, before the last Suspend or GoOnWith of a run: whatever was called from `entry` has returned.
  void End() { ended_ = true; }

 private:
  struct Owner;
  struct Context;
  static void Enter(Fiber* self);
  void Arrive(void* fake);

  std::unique_ptr<std::byte[]> stack_;
  std::unique_ptr<Context> context_;
  void (*entry_)(void*) = nullptr;
  void* argument_ = nullptr;
  bool ended_ = true;  // nothing but what calls `entry` is on the stack
};

}  // namespace scout::simt
