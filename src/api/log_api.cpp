#include <scout/log.h>

#include "api/arguments.h"
#include "api/boundary.h"
#include "api/handles.h"
#include "base/log.h"

static_assert(static_cast<int>(scout::LogLevel::kError) == SCOUT_LOG_ERROR &&
              static_cast<int>(scout::LogLevel::kWarning) == SCOUT_LOG_WARNING &&
              static_cast<int>(scout::LogLevel::kInfo) == SCOUT_LOG_INFO &&
              static_cast<int>(scout::LogLevel::kDebug) == SCOUT_LOG_DEBUG);

using namespace scout::api;

namespace {
constexpr uint64_t kMostLines = 65536;
}

void scout_log_set_sink(scout_log_sink sink, void* user, int32_t max_level) { scout::SetLogSink(sink, user, max_level); }

scout_status scout_log_open(int32_t max_level, uint64_t lines) {
  return Boundary([&] {
    CheckNotForked();  // the queue's lock may have been held at the fork
    NeedRange(max_level, SCOUT_LOG_ERROR, SCOUT_LOG_DEBUG, "max_level");
    if (lines > kMostLines) scout::Fail(scout::ErrorCode::kArgument, "lines is ", lines, ", at most ", kMostLines);
    scout::OpenLogQueue(max_level, lines);
    return SCOUT_OK;
  });
}

scout_status scout_log_next(int64_t timeout_ms, int32_t* level, char* text, uint64_t capacity, uint64_t* needed) {
  return Boundary([&]() -> scout_status {
    CheckNotForked();
    NeedOut(needed, "needed");
    if (text == nullptr && capacity != 0) scout::Fail(scout::ErrorCode::kArgument, "text is NULL with capacity ", capacity);
    scout::LogLine line;
    const scout::LogTake took = scout::TakeLogLine(timeout_ms, text == nullptr ? 0 : capacity, line);
    if (took == scout::LogTake::kNone) return SCOUT_AGAIN;
    if (took == scout::LogTake::kClosed) return SCOUT_DONE;
    if (level != nullptr) *level = static_cast<int32_t>(line.level);
    if (took == scout::LogTake::kTooLong && text == nullptr) {  // only asked for the size
      *needed = line.text.size();
      return SCOUT_OK;
    }
    return CopyOut(line.text, text, capacity, needed, "text");
  });
}
