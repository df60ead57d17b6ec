#include "base/log.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>

#include "base/wait.h"

namespace scout {
namespace {

struct Sink {
  LogSink call = nullptr;
  void* user = nullptr;
  int32_t max_level = -1;
};

// Held while the sink runs: one line at a time, and SetLogSink waits for a line that is under way.
std::mutex g_mutex;
Sink g_sink;
thread_local bool t_inside = false;

struct Queue {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<LogLine> lines;
  size_t most = 0;  // 0 = closed
  size_t dropped = 0;
  uint64_t opened = 0;  // counts openings, so that a wait across a closing ends
};

// Made when the queue is first opened and never destroyed: a host's exit may run our calls late.
std::atomic<Queue*> g_queue{nullptr};
std::atomic<int32_t> g_sink_level{-1}, g_queue_level{-1};

void UpdateLevel() noexcept { log_detail::g_max_level.store(std::max(g_sink_level.load(), g_queue_level.load())); }

int32_t Clamped(int32_t max_level) { return std::clamp(max_level, 0, 3); }

void Keep(LogLevel level, const std::string& line) {
  Queue* queue = g_queue.load(std::memory_order_acquire);
  if (queue == nullptr) return;
  const std::lock_guard lock(queue->mutex);
  if (queue->most == 0) return;
  if (queue->lines.size() == queue->most) {
    queue->lines.pop_front();
    ++queue->dropped;
  }
  queue->lines.push_back({level, line});
  queue->changed.notify_all();
}

}  // namespace

namespace log_detail {

std::atomic<int32_t> g_max_level{-1};

void Write(LogLevel level, const std::string& line) noexcept {
  if (t_inside) return;
  const auto number = static_cast<int32_t>(level);
  try {
    if (number <= g_queue_level.load(std::memory_order_relaxed)) Keep(level, line);
    if (number > g_sink_level.load(std::memory_order_relaxed)) return;
    const std::lock_guard lock(g_mutex);
    if (g_sink.call == nullptr || number > g_sink.max_level) return;
    t_inside = true;
    try {
      g_sink.call(g_sink.user, number, line.data(), line.size());
    } catch (...) {  // a sink written in C++ that throws loses its line; our threads go on
    }
    t_inside = false;
  } catch (...) {
  }
}

}  // namespace log_detail

void SetLogSink(LogSink sink, void* user, int32_t max_level) noexcept {
  if (t_inside) return;
  try {
    const std::lock_guard lock(g_mutex);
    g_sink = {sink, user, sink == nullptr ? -1 : Clamped(max_level)};
    g_sink_level.store(g_sink.max_level);
    UpdateLevel();
  } catch (...) {
  }
}

void OpenLogQueue(int32_t max_level, size_t lines) {
  Queue* queue = g_queue.load(std::memory_order_acquire);
  if (queue == nullptr) {
    if (lines == 0) return;
    auto* made = new Queue;
    if (g_queue.compare_exchange_strong(queue, made)) {
      queue = made;
    } else {
      delete made;  // another thread was first
    }
  }
  const std::lock_guard lock(queue->mutex);
  queue->lines.clear();
  queue->dropped = 0;
  queue->most = lines;
  ++queue->opened;
  g_queue_level.store(lines == 0 ? -1 : Clamped(max_level));
  UpdateLevel();
  queue->changed.notify_all();
}

LogTake TakeLogLine(int64_t timeout_ms, size_t capacity, LogLine& line) {
  Queue* queue = g_queue.load(std::memory_order_acquire);
  if (queue == nullptr) return LogTake::kClosed;
  std::unique_lock lock(queue->mutex);
  if (queue->most == 0) return LogTake::kClosed;
  const auto something = [&, opened = queue->opened] { return !queue->lines.empty() || queue->opened != opened; };
  WaitFor(queue->changed, lock, timeout_ms, something);
  if (queue->most == 0) return LogTake::kClosed;
  if (queue->lines.empty()) return LogTake::kNone;
  if (queue->dropped != 0) {
    line = {LogLevel::kWarning, StrCat("log: ", queue->dropped, " lines were dropped: at most ", queue->most, " are kept unread")};
    if (line.text.size() > capacity) return LogTake::kTooLong;
    queue->dropped = 0;
    return LogTake::kLine;
  }
  if (queue->lines.front().text.size() > capacity) {
    line = queue->lines.front();
    return LogTake::kTooLong;
  }
  line = std::move(queue->lines.front());
  queue->lines.pop_front();
  return LogTake::kLine;
}

bool InsideLogSink() noexcept { return t_inside; }

}  // namespace scout
