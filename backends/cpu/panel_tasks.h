// How the panels of a product are shared between threads.
#pragma once

#include <algorithm>
#include <cstdint>

namespace scout::cpu {

// Rows of activations up to which a product waits for its weight's memory.
constexpr int64_t kMemoryBoundRows = 8;

// Tasks over panels 0 .. panels - 1, which lie in memory one after the other.
//
// With few rows a thread does little but read, and reading begins anew, without what has been asked for ahead, wherever a task
// does. So tasks are as long as they can be and still end together: each thread in turn takes its part of one half of what is left
// (factoring: Hummel, Schonberg, Flynn, Communications of the ACM 35(8), 1992). With many rows tasks are alike.
class PanelTasks {
 public:
  PanelTasks(int64_t panels, int threads, int64_t rows)
      : panels_(panels), threads_(threads), alike_(Alike(panels, threads, rows <= kMemoryBoundRows)) {
    if (alike_ > 0) count_ = (panels + alike_ - 1) / alike_;
    for (int64_t left = alike_ > 0 ? 0 : panels; left > 0;) {
      const int64_t each = Each(left), takers = std::min<int64_t>(threads, (left + each - 1) / each);
      count_ += takers;
      left -= takers * each;
    }
  }

  int64_t count() const { return count_; }

  struct Range {
    int64_t first, end;
  };
  Range Of(int64_t task) const {
    if (alike_ > 0) return {task * alike_, std::min(panels_, (task + 1) * alike_)};
    int64_t first = 0;
    while (true) {
      const int64_t each = Each(panels_ - first);
      if (task < threads_) return {first + task * each, std::min(panels_, first + (task + 1) * each)};
      first += threads_ * each;
      task -= threads_;
    }
  }

 private:
  // Kernels take two panels together.
  static int64_t Even(int64_t panels, int64_t most) { return std::clamp<int64_t>(panels / 2 * 2, 2, most); }
  static int64_t Alike(int64_t panels, int threads, bool few) {
    if (threads == 1) return few ? std::max<int64_t>(panels, 1) : 16;
    return few ? 0 : Even(panels / (threads * 8), 16);
  }
  int64_t Each(int64_t left) const { return Even(left / (2 * threads_), left + 1); }

  int64_t panels_, threads_;
  int64_t alike_;  // panels of every task; 0: halves are shared
  int64_t count_ = 0;
};

}  // namespace scout::cpu
