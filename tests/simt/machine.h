// A block of threads on one processor core: the part of a GPU that kernels can see.
//
// Run() takes a grid's blocks one after the other. Each thread of a block is a fiber that runs until it has to wait: at a barrier,
// or at an operation of its warp (shuffle, ballot, matrix product), which happens when the last of its lanes arrives. Who runs next
// is decided by a schedule: in turn, or at random from a seed; the random one also interrupts threads at accesses to shared memory
// and takes blocks in any order, so that a missing barrier shows.
//
// A kernel's mistake becomes a Fault with a sentence: a barrier that not all threads reach, lanes of one warp that wait for
// different things, a lane outside the mask, an access to shared memory outside its array, and two threads of which one writes
// without anything that orders them (every two bytes remember who wrote and read them since the last barrier). Arrays in device
// memory are guarded by driver.h. Not seen: races in device memory (random orders of blocks may show one), and what a real device
// does differently although the rules are kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "fiber.h"

namespace scout::simt {

using LaneMask = uint64_t;

class Fault : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Schedule {
  bool random = false;
  uint64_t seed = 0;
};

struct Launch {
  unsigned grid[3] = {1, 1, 1};
  unsigned threads = 1;  // of a block
  size_t shared_bytes = 0;
  int warp = 32;  // lanes: 32 or 64
  void (*run)(const void* arguments) = nullptr;
  const void* arguments = nullptr;
};

class Machine {
 public:
  Machine();
  ~Machine();
  // Runs the whole grid. Throws Fault; the memory that the kernel wrote stays as it then is.
  void Run(const Launch& launch, const Schedule& schedule);

  // What follows is for the words of gpu_vendor.h, from inside a kernel.
  static Machine& Current();
  unsigned thread() const { return static_cast<unsigned>(running_); }
  const Launch& launch() const { return *launch_; }
  unsigned block(int axis) const { return block_[axis]; }
  int lane() const { return running_ % launch_->warp; }

  void Barrier();
  // Waits until all lanes of `mask` are here with the same `what` and mask; then one of them calls apply(records, mask), where
  // records[lane] is what each gave. Orders the lanes' accesses to shared memory.
  using Apply = void (*)(void* const* records, LaneMask mask);
  void Collect(const char* what, LaneMask mask, void* record, Apply apply);

  // Reserves the next `bytes` of the block's shared memory, as every thread does in the same order.
  std::byte* TakeShared(size_t bytes);
  enum class Access { kRead, kWrite, kAtomic };
  void Touch(const std::byte* address, size_t bytes, Access access);

  // A copy that lands when its thread waits for it.
  void CopyLater(std::byte* to, const std::byte* from, size_t bytes);
  void CommitCopies();
  void WaitCopies(size_t groups_left);

  [[noreturn]] void Raise(const std::string& message);

 private:
  enum class State { kReady, kBarrier, kWarp, kDone };
  struct Copy {
    std::byte* to;
    const std::byte* from;
    size_t bytes;
  };
  struct Thread {
    std::unique_ptr<Fiber> fiber;
    State state = State::kDone;
    const char* what = nullptr;  // at a warp's operation
    LaneMask mask = 0;
    void* record = nullptr;
    size_t shared_used = 0;
    std::vector<Copy> open;                 // not committed
    std::vector<std::vector<Copy>> groups;  // oldest first
  };
  // Who touched two bytes of shared memory last. Times count barriers of the block and, inside one, full operations of the warp.
  struct Trace {
    uint32_t write_time = 0, read_time = 0;
    uint32_t write_warp_time = 0, read_warp_time = 0;
    int16_t writer = 0, reader = 0;
    bool atomic = false;
    bool many_warps = false;  // readers of more than one warp
    bool peers = false;       // more than one reader of this warp since its last full operation
  };

  static void Entry(void* self);
  void RunBlock();
  int Next();
  void Wait(State state);
  void Interrupt();
  bool Ordered(int16_t other, uint32_t warp_time) const;
  std::string WhereAllWait() const;
  uint64_t Random();

  const Launch* launch_ = nullptr;
  Schedule schedule_;
  unsigned block_[3] = {};
  std::vector<Thread> threads_;
  std::vector<uint32_t> warp_time_;  // [warps]
  uint32_t time_ = 1;
  int running_ = -1, last_ = -1, live_ = 0, at_barrier_ = 0;
  std::vector<std::byte> shared_;
  std::vector<Trace> trace_;
  uint64_t random_ = 1;
  bool faulted_ = false;
  std::string fault_;
};

}  // namespace scout::simt
