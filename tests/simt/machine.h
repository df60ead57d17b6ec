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
// memory are guarded by driver.h.
//
// What is asynchronous happens as late as it may (async.cpp). A bulk copy lands when somebody waits for its arrivals, and until
// then nobody may touch where it goes to; who has not waited himself may not read what it brought. Arrivals order the accesses that
// their warps have made before against those of whoever waits for them. A product of four warps hands over its sums at the wait for
// it, and until then neither its factors nor its sums may change.
//
// Tensor memory (tensor_memory.cpp) is 128 lanes by 512 columns of words. Every sixteen lanes of a column remember who stored,
// loaded or multiplied there last. A store is there when its thread says so, a product when somebody waits for the arrivals that it
// was committed to; who uses what others did must have waited, and have said so, himself.
//
// Not seen: races in device memory (random orders of blocks may show one), and what a real device
// does differently although the rules are kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "device_memory.h"
#include "fiber.h"
#include "tensor_memory.h"

namespace scout::simt {

using LaneMask = uint64_t;

// A warp has at most so many lanes.
constexpr int kMaxWarp = 64;
// Bytes of shared memory that share a trace: no kernel has elements that are smaller.
constexpr size_t kTraced = 2;

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
  bool early = false;                    // may begin before the launches before it have ended; every thread waits for them
  const DeviceMemory* memory = nullptr;  // what is fetched ahead lies there
};

class Machine {
 public:
  Machine();
  ~Machine();
  // Runs the whole grid. Throws Fault; the memory that the kernel wrote stays as it then is.
  void Run(const Launch& launch, const Schedule& schedule);
  // The same in two parts: a block of an early launch until no thread can go on without what comes before, and everything else once
  // that is there. Other machines may run in between.
  void Begin(const Launch& launch, const Schedule& schedule);
  void Finish();

  // What follows is for the words of gpu_vendor.h, from inside a kernel.
  static Machine& Current() { return *current_; }
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
  void WaitForEarlier();
  void Prefetch(const std::byte* from, int64_t bytes);
  void WaitCopies(size_t groups_left);

  // Arrivals, counted in eight bytes of shared memory: a phase is over when `count` arrivals have come and every byte that was
  // announced. Then the next begins.
  void InitArrivals(std::byte* at, int count);
  void Arrive(std::byte* at, int64_t bytes);  // and announces bytes
  void BulkCopy(std::byte* to, const std::byte* from, int64_t bytes, std::byte* arrivals);
  void WaitArrivals(std::byte* at, int parity);  // until the phase of that parity is over

  // A product by 128 threads: c += a b, where apply(records) has made a product of what they gave.
  struct WideProduct {
    int values = 0;  // of c and of a, in each thread
    float* c[128] = {};
    const uint32_t* a[128] = {};
    uint32_t a_words[128][4] = {};    // as they were
    std::vector<float> sums;          // [128][values] what c is to be
    std::vector<std::byte> b_bytes;   // as they were
    std::vector<const std::byte*> b;  // pieces of sixteen bytes
    float* SumsOf(int thread) { return sums.data() + static_cast<std::ptrdiff_t>(thread) * values; }
  };
  void WideFence();
  // Adds a product; pieces(b) are those that it reads. multiply(product) makes its sums from the fragments and from what they were.
  using Multiply = void (*)(WideProduct& product);
  using Pieces = std::vector<const std::byte*> (*)(uint64_t descriptor);
  void WideMultiply(float* c, int values, const uint32_t* a, uint64_t b, Pieces pieces, const char* what, Multiply multiply);
  void WideCommit();
  void WideWait(size_t groups_left);

  // Tensor memory, by addresses: a lane in the upper half, a column in the lower. Reserve, Free, Store and Load are of a whole
  // warp and called once for it. Words lie in sixteen lanes from the address on.
  void TensorReserve(std::byte* to, int columns);
  void TensorFree(uint32_t at, int columns);
  void TensorStore(uint32_t at, int columns, const std::vector<TensorWord>& words);
  void TensorLoad(uint32_t at, int columns);  // that they may be read
  uint32_t TensorAt(uint32_t at, int lane, int column) const;
  void TensorDone();
  void TensorFence();
  // c[128, columns] = or += a[128, 16] b[16, columns], by one thread; `b` are the pieces that it reads. multiply() adds to the sums
  // that are given from words of two halves, a: [128][8] and b: [columns][8].
  using TensorMultiply = void (*)(const uint32_t* a, const uint32_t* b, int columns, float* sums);
  void TensorMultiplyAdd(uint32_t c, uint32_t a, const std::vector<const std::byte*>& b, int columns, bool add,
                         TensorMultiply multiply);
  void TensorCommit(std::byte* arrivals);
  // Where an address of shared memory begins to count.
  const std::byte* shared() const { return shared_.data(); }
  size_t shared_bytes() const { return launch_->shared_bytes; }

  [[noreturn]] void Raise(const std::string& message);

 private:
  // Asked for at every access, so it is where a register points to, in a library that is opened later as well.
  [[gnu::tls_model("initial-exec")]] static constinit thread_local Machine* current_;

  enum class State : uint8_t { kReady, kBarrier, kWarp, kEarlier, kArrivals, kWide, kDone };
  struct Copy {
    std::byte* to;
    const std::byte* from;
    size_t bytes;
    uint64_t group = 0;  // of its thread's copies
  };
  struct Thread {
    std::unique_ptr<Fiber> fiber;
    const char* what = nullptr;  // at a warp's operation
    LaneMask mask = 0;
    size_t shared_used = 0;
    bool waited_for_earlier = false;  // launches
    std::vector<Copy> copies;         // oldest first, of which so many have landed
    size_t landed = 0;
    uint64_t groups = 0, groups_waited = 0;       // committed, waited for
    std::map<const std::byte*, uint32_t> waited;  // phases of arrivals that this thread knows to be over
    const std::byte* arrivals = nullptr;          // that it waits for
    bool fenced = false;
    std::vector<std::shared_ptr<WideProduct>> wide_open;
    std::vector<std::vector<std::shared_ptr<WideProduct>>> wide_groups;
  };
  // The lanes of a warp, as a set of each kind.
  struct Warp {
    LaneMask lanes = 0;                 // that there are
    LaneMask done = 0, at_barrier = 0;  // kDone, kBarrier
    LaneMask waiting = 0;               // kWarp
    const char* what = nullptr;         // what those wait for,
    LaneMask mask = 0;
    bool differ = false;  // unless they wait for different things
    uint32_t time = 1;
    void* records[kMaxWarp] = {};
  };
  struct Arrivals {
    int count = 0, missing = 0;
    int64_t bytes = 0;   // announced and not there
    uint32_t phase = 0;  // phases that are over
    uint32_t made = 0;   // when
    int maker = 0;
    std::vector<Copy> copies;
    std::vector<std::shared_ptr<TensorBatch>> batches;
    std::vector<uint32_t> released, releasing;  // [warps] by phases that are over, by this one
  };
  // Who touched two bytes of shared memory last. Times count barriers, and beginnings of blocks, and, inside one, full operations
  // of the warp.
  struct Trace {
    uint32_t write_time = 0, read_time = 0;
    uint32_t write_warp_time = 0, read_warp_time = 0;
    int16_t writer = 0, reader = 0;
    bool atomic = false;
    bool many_warps = false;             // readers of more than one warp
    bool peers = false;                  // more than one reader of this warp since its last full operation
    bool coming = false;                 // a bulk copy is on its way here
    const std::byte* brought = nullptr;  // the arrivals of the bulk copy that wrote last, if it was one
    uint32_t brought_phase = 0;
  };

  static void Entry(void* self);
  void Prepare(const Launch& launch, const Schedule& schedule);
  void StartBlock();
  void RunThreads();  // until none can go on
  void EndBlock();
  int Next();
  bool PickNext();
  void Wait(State state);
  State& StateOf(int thread) { return states_[static_cast<size_t>(thread)]; }
  Warp& MyWarp() { return warps_[static_cast<size_t>(running_ / launch_->warp)]; }
  void Wake(const std::byte* arrivals);  // who waits for them
  bool AllHere(const char* what, LaneMask mask);
  // Accesses before that time of a warp came before what this thread does now.
  uint32_t& Known(int thread, size_t warp) { return known_[static_cast<size_t>(thread) * warps_.size() + warp]; }
  void Interrupt();
  bool Ordered(int16_t other, uint32_t warp_time) const;
  bool Brought(const Trace& trace) const { return trace.brought && trace.write_time >= block_time_; }
  void RequireThere(const Trace& trace, size_t i, Access access);
  void RequireUnread(const Trace& trace, size_t i);
  Arrivals& ArrivalsAt(const std::byte* at);
  void EndPhases(const std::byte* at, Arrivals& arrivals);
  void Land(const std::byte* at, Arrivals& arrivals);
  void CheckEnd();
  TensorMemory& Tensor();
  TensorTrace& TensorTraceAt(uint32_t at, int lane, int column, const char* verb);
  void RequireReach(uint32_t at);
  void RequireFence(int thread);
  bool KnowsPhase(int thread, const std::byte* at, uint32_t phase, uint32_t time) const;
  void LandProducts(TensorBatch& batch);
  void CheckTensorUnread(const std::byte* shared_piece);
  void CheckTensorLeave();
  void CheckTensorEnd();
  std::string WhereAllWait() const;
  uint64_t Random();

  Launch own_;
  const Launch* launch_ = nullptr;
  Schedule schedule_;
  uint64_t blocks_ = 0, stride_ = 1, at_ = 0, done_blocks_ = 0;
  bool earlier_done_ = true, block_begun_ = false;
  unsigned block_[3] = {};
  std::vector<Thread> threads_;
  std::vector<State> states_;    // [threads]
  std::vector<Warp> warps_;      // [warps]
  std::vector<uint32_t> known_;  // [threads, warps]
  bool waited_ = false;          // a thread of this block has waited for arrivals
  uint32_t time_ = 1, block_time_ = 1;
  int running_ = -1, last_ = -1, live_ = 0, at_barrier_ = 0;
  std::vector<std::byte> shared_;
  std::vector<Trace> trace_;
  std::map<const std::byte*, Arrivals> arrivals_;
  // What a thread gave; here and not on its stack, which a fault may leave as it is.
  struct WideRecord {
    float* c = nullptr;
    const uint32_t* a = nullptr;
    uint64_t b = 0;
    const char* what = "";
    std::shared_ptr<WideProduct> product;
  };
  std::vector<WideRecord> wide_;          // [threads] at a product of four warps
  std::unique_ptr<TensorMemory> tensor_;  // of the block, where it has used any
  uint64_t random_ = 1;
  bool faulted_ = false;
  std::string fault_;
};

}  // namespace scout::simt
