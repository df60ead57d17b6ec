// The library's own threads, shared by every model of the process.
//
// A caller gives the pool a number of tasks and works on them itself; workers that are free join in. So a call makes progress
// even when every worker is busy elsewhere or none could be made, one thread needs no worker at all, and several engines may
// call at once. Workers spin briefly for the next call and then sleep, for the machine may be shared; they are never pinned.
//
// Which thread runs which task is chance. Results must not depend on it.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <vector>

#include "base/own_thread.h"

namespace scout {

class ThreadPool {
 public:
  // The process's pool, with at least `threads` - 1 workers unless the system refuses. It ends with the last who holds it.
  static std::shared_ptr<ThreadPool> Shared(int threads);

  ThreadPool() = default;
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Makes workers until there are `workers`; fewer where the system refuses.
  void Grow(int workers);
  int workers() const;

  // Calls task(index, thread) for index 0 .. count - 1 on at most `threads` threads, the caller's among them, and returns when all
  // are done. `thread` is 0 .. threads - 1, for scratch memory: no two calls that run at once have the same. The first exception
  // of a task is thrown here once the others are done. Tasks must not call Run. Any thread may call, several at once.
  // Allocates nothing.
  template <typename Task>
  void Run(int threads, int64_t count, const Task& task) {
    Job job;
    job.call = [](const void* context, int64_t index, int thread) { (*static_cast<const Task*>(context))(index, thread); };
    job.context = &task;
    job.count = count;
    RunJob(job, threads);
  }

 private:
  struct Job {
    void (*call)(const void* context, int64_t index, int thread) = nullptr;
    const void* context = nullptr;
    int64_t count = 0;
    std::atomic<int64_t> next{0};
    std::atomic<int> seats{0};  // how many workers may still join
    std::atomic<bool> failed{false};
    std::exception_ptr error;  // written by whoever set `failed`
  };
  // A place where a call's job lies while workers may join it. A worker counts itself in before it looks at `job` and out when it
  // is done with it; the caller clears `job` and then waits for the count to fall to 0, after which nobody can touch the job.
  struct alignas(64) Slot {
    std::atomic<bool> taken{false};
    std::atomic<Job*> job{nullptr};
    std::atomic<int> visitors{0};
  };

  void RunJob(Job& job, int threads);
  static void Work(Job& job, int thread);
  bool VisitSlots();
  void WorkerLoop();

  std::array<Slot, 16> slots_;
  alignas(64) std::atomic<uint32_t> generation_{0};  // counts calls; workers sleep on it
  std::atomic<bool> stop_{false};
  mutable std::mutex workers_mutex_;
  std::vector<OwnThread> workers_;
};

}  // namespace scout
