#include <scout/log.h>

#include "base/log.h"

static_assert(static_cast<int>(scout::LogLevel::kError) == SCOUT_LOG_ERROR &&
              static_cast<int>(scout::LogLevel::kWarning) == SCOUT_LOG_WARNING &&
              static_cast<int>(scout::LogLevel::kInfo) == SCOUT_LOG_INFO &&
              static_cast<int>(scout::LogLevel::kDebug) == SCOUT_LOG_DEBUG);

void scout_log_set_sink(scout_log_sink sink, void* user, int32_t max_level) { scout::SetLogSink(sink, user, max_level); }
