// Waiting on a condition for a caller's time-out.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace scout {

// Returns when `something()` holds or the time is up: 0 never waits, below zero waits for ever.
template <typename Predicate>
void WaitFor(std::condition_variable& changed, std::unique_lock<std::mutex>& lock, int64_t timeout_ms, const Predicate& something) {
  constexpr int64_t kMostMs = 1000000000;  // some days: sums with the clock must not wrap
  if (timeout_ms < 0) {
    changed.wait(lock, something);
  } else if (timeout_ms > 0) {
    changed.wait_for(lock, std::chrono::milliseconds(std::min(timeout_ms, kMostMs)), something);
  }
}

}  // namespace scout
