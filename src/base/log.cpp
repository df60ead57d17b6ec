#include "base/log.h"

#include <algorithm>
#include <mutex>

namespace scout {
namespace {

struct Sink {
  LogSink call = nullptr;
  void* user = nullptr;
};

// Held while the sink runs: one line at a time, and SetLogSink waits for a line that is under way.
std::mutex g_mutex;
Sink g_sink;
thread_local bool t_inside = false;

}  // namespace

namespace log_detail {

std::atomic<int32_t> g_max_level{-1};

void Write(LogLevel level, const std::string& line) noexcept {
  if (t_inside) return;
  try {
    const std::lock_guard lock(g_mutex);
    if (g_sink.call == nullptr || static_cast<int32_t>(level) > g_max_level.load(std::memory_order_relaxed)) return;
    t_inside = true;
    try {
      g_sink.call(g_sink.user, static_cast<int32_t>(level), line.data(), line.size());
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
    g_sink = {sink, user};
    log_detail::g_max_level.store(sink == nullptr ? -1 : std::clamp(max_level, 0, 3), std::memory_order_relaxed);
  } catch (...) {
  }
}

bool InsideLogSink() noexcept { return t_inside; }

}  // namespace scout
