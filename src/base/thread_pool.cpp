#include "base/thread_pool.h"

#include <algorithm>

#include "base/error.h"
#include "base/shared_instance.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace scout {
namespace {

// About 20 to 50 microseconds: longer than the gap between two operations of a step, shorter than anybody would notice.
constexpr int kSpins = 2000;

inline void Pause() {
#if defined(__x86_64__)
  _mm_pause();
#else
  std::atomic_signal_fence(std::memory_order_seq_cst);
#endif
}

}  // namespace

std::shared_ptr<ThreadPool> ThreadPool::Shared(int threads) {
  std::shared_ptr<ThreadPool> pool = SharedInstance<ThreadPool>();
  pool->Grow(threads - 1);
  return pool;
}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  generation_.fetch_add(1);
  generation_.notify_all();
  for (OwnThread& worker : workers_) worker.Join();
}

void ThreadPool::Grow(int workers) {
  const std::lock_guard lock(workers_mutex_);
  if (static_cast<int>(workers_.size()) >= workers) return;
  workers_.reserve(static_cast<size_t>(workers));
  try {
    while (static_cast<int>(workers_.size()) < workers) {
      workers_.emplace_back("scout-worker", [this] { WorkerLoop(); });
    }
  } catch (const Error&) {
    // The callers work with those that there are.
  }
}

int ThreadPool::workers() const {
  const std::lock_guard lock(workers_mutex_);
  return static_cast<int>(workers_.size());
}

void ThreadPool::Work(Job& job, int thread) {
  while (true) {
    const int64_t index = job.next.fetch_add(1, std::memory_order_relaxed);
    if (index >= job.count) return;
    try {
      job.call(job.context, index, thread);
    } catch (...) {
      if (!job.failed.exchange(true)) job.error = std::current_exception();
      job.next.store(job.count, std::memory_order_relaxed);  // the tasks not begun are not wanted any more
    }
  }
}

void ThreadPool::RunJob(Job& job, int threads) {
  Slot* slot = nullptr;
  if (threads > 1 && job.count > 1) {
    job.seats.store(static_cast<int>(std::min<int64_t>(threads, job.count)) - 1, std::memory_order_relaxed);
    for (Slot& candidate : slots_) {
      if (candidate.taken.load(std::memory_order_relaxed) || candidate.taken.exchange(true)) continue;
      slot = &candidate;
      break;
    }
  }
  if (!slot) {  // alone: one thread, one task, or sixteen calls at once already
    Work(job, 0);
  } else {
    slot->job.store(&job);
    generation_.fetch_add(1);
    generation_.notify_all();
    Work(job, 0);
    slot->job.store(nullptr);
    int spins = 0;
    for (int left = slot->visitors.load(); left != 0; left = slot->visitors.load()) {
      if (++spins < kSpins)
        Pause();
      else
        slot->visitors.wait(left);
    }
    slot->taken.store(false);
  }
  if (job.failed.load()) std::rethrow_exception(job.error);
}

// Joins every call that has work and a seat left. Returns whether there was one.
bool ThreadPool::VisitSlots() {
  bool worked = false;
  for (Slot& slot : slots_) {
    if (slot.job.load(std::memory_order_relaxed) == nullptr) continue;
    slot.visitors.fetch_add(1);
    Job* const job = slot.job.load();
    if (job != nullptr && job->next.load(std::memory_order_relaxed) < job->count) {
      // Seats are numbered from the highest: the number left before ours is our thread's number.
      const int seat = job->seats.fetch_sub(1, std::memory_order_relaxed);
      if (seat > 0) {
        Work(*job, seat);
        worked = true;
      }
    }
    if (slot.visitors.fetch_sub(1) == 1) slot.visitors.notify_all();
  }
  return worked;
}

void ThreadPool::WorkerLoop() {
  while (true) {
    const uint32_t seen = generation_.load();
    if (stop_.load()) return;
    if (VisitSlots()) continue;
    int spins = 0;
    while (generation_.load(std::memory_order_relaxed) == seen && ++spins < kSpins) Pause();
    if (spins >= kSpins) generation_.wait(seen);
  }
}

}  // namespace scout
