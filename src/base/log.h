// The log: silent unless the host has set a sink or opened the queue. Lines are made only when they will be heard.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/text.h"

namespace scout {

// Values equal SCOUT_LOG_* in include/scout/log.h.
enum class LogLevel : int32_t { kError = 0, kWarning = 1, kInfo = 2, kDebug = 3 };

using LogSink = void (*)(void* user, int32_t level, const char* text, uint64_t text_size);

// Null is silence. When it returns, the former sink is not running and will not be called again. Not from inside a sink.
void SetLogSink(LogSink sink, void* user, int32_t max_level) noexcept;

// Keeps the newest `lines` lines up to `max_level` for TakeLogLine; 0 lines: keeps none, and whoever waits is told so.
void OpenLogQueue(int32_t max_level, size_t lines);

struct LogLine {
  LogLevel level = LogLevel::kError;
  std::string text;
};
enum class LogTake { kLine, kNone, kClosed, kTooLong };

// The oldest kept line, which stays where it is and is kTooLong when it has more than `capacity` bytes (its size is then
// line.text.size()). timeout_ms < 0 waits for ever.
LogTake TakeLogLine(int64_t timeout_ms, size_t capacity, LogLine& line);

// True while this thread is inside a sink, which must not call the library.
bool InsideLogSink() noexcept;

namespace log_detail {
extern std::atomic<int32_t> g_max_level;  // of the sink and of the queue; -1 = nobody listens
void Write(LogLevel level, const std::string& line) noexcept;
}  // namespace log_detail

// One line, parts joined as by StrCat; never throws. `line` must hold no newline.
template <typename... Parts>
void Log(LogLevel level, const Parts&... parts) noexcept {
  if (static_cast<int32_t>(level) > log_detail::g_max_level.load(std::memory_order_relaxed)) return;
  try {
    log_detail::Write(level, StrCat(parts...));
  } catch (...) {  // no memory for a log line: the line is lost, nothing else
  }
}

}  // namespace scout
