#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

namespace scout {
namespace {

TEST(ThreadPool, RunsEveryTaskOnce) {
  ThreadPool pool;
  pool.Grow(3);
  for (int round = 0; round < 200; ++round) {
    for (const int64_t count : {0, 1, 2, 5, 100}) {
      std::vector<std::atomic<int>> runs(static_cast<size_t>(count));
      pool.Run(4, count, [&](int64_t i, int) { ++runs[static_cast<size_t>(i)]; });
      for (const auto& r : runs) ASSERT_EQ(r.load(), 1);
    }
  }
}

TEST(ThreadPool, OneThreadNeedsNoWorker) {
  ThreadPool pool;
  const auto caller = std::this_thread::get_id();
  int runs = 0;
  pool.Run(1, 10, [&](int64_t, int thread) {
    EXPECT_EQ(std::this_thread::get_id(), caller);
    EXPECT_EQ(thread, 0);
    ++runs;
  });
  EXPECT_EQ(runs, 10);
  EXPECT_EQ(pool.workers(), 0);
}

TEST(ThreadPool, NumbersOfThreadsAreNeverSharedAtOnce) {
  ThreadPool pool;
  pool.Grow(7);
  std::vector<std::atomic<int>> inside(3);
  for (int round = 0; round < 100; ++round) {
    pool.Run(3, 60, [&](int64_t, int thread) {
      ASSERT_GE(thread, 0);
      ASSERT_LT(thread, 3);
      EXPECT_EQ(inside[static_cast<size_t>(thread)].fetch_add(1), 0);
      std::this_thread::yield();
      inside[static_cast<size_t>(thread)].fetch_sub(1);
    });
  }
}

TEST(ThreadPool, AnExceptionReachesTheCallerAndThePoolLivesOn) {
  ThreadPool pool;
  pool.Grow(2);
  for (int round = 0; round < 50; ++round) {
    EXPECT_THROW(pool.Run(3, 50,
                          [&](int64_t i, int) {
                            if (i == 7) throw std::runtime_error("seven");
                          }),
                 std::runtime_error);
    std::atomic<int> runs{0};
    pool.Run(3, 50, [&](int64_t, int) { ++runs; });
    EXPECT_EQ(runs.load(), 50);
  }
}

TEST(ThreadPool, ManyCallersAtOnce) {
  const auto pool = ThreadPool::Shared(3);
  std::vector<std::thread> callers;
  std::atomic<int64_t> total{0};
  for (int c = 0; c < 20; ++c) {  // more than the pool has slots
    callers.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        std::vector<int64_t> squares(40);
        pool->Run(3, 40, [&](int64_t i, int) { squares[static_cast<size_t>(i)] = i * i; });
        total += std::accumulate(squares.begin(), squares.end(), int64_t{0});
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(total.load(), int64_t{20} * 50 * 20540);
}

TEST(ThreadPool, IsSharedWhileItIsHeldAndEndsAfterwards) {
  std::weak_ptr<ThreadPool> seen;
  {
    const auto first = ThreadPool::Shared(2), second = ThreadPool::Shared(3);
    EXPECT_EQ(first, second);
    EXPECT_EQ(first->workers(), 2);
    seen = first;
  }
  EXPECT_TRUE(seen.expired());
}

TEST(ThreadPool, SleepingWorkersWakeForTheNextCall) {
  ThreadPool pool;
  pool.Grow(1);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // past the spinning
  // Two tasks that wait for each other: only a second thread can finish this.
  std::atomic<int> arrived{0};
  pool.Run(2, 2, [&](int64_t, int) {
    ++arrived;
    while (arrived.load() < 2) std::this_thread::yield();
  });
  EXPECT_EQ(arrived.load(), 2);
}

}  // namespace
}  // namespace scout
