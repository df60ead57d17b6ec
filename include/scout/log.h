/** @file log.h  The log: silent unless a sink is set. */
#ifndef SCOUT_LOG_H
#define SCOUT_LOG_H

#include "types.h"

SCOUT_BEGIN_DECLS

/** How much a line matters. */
enum { SCOUT_LOG_ERROR = 0, SCOUT_LOG_WARNING = 1, SCOUT_LOG_INFO = 2, SCOUT_LOG_DEBUG = 3 };

/** Takes one line, without its newline; `text` is NUL-terminated and borrowed until it returns. Called from any thread, also from
 * the library's own, one line at a time. It must not call libscout: a call from inside answers SCOUT_ERR_STATE. */
typedef void (*scout_log_sink)(void *user, int32_t level, const char *text, size_t text_size);

/** Sets the sink of the whole process; NULL is silence, the default. Lines of a level above `max_level` are not made.
 * When the call returns, the former sink is not running and will not be called again.
 * @param sink  NULL = silence
 * @param user  given to the sink as it is; may be NULL
 * @param max_level  SCOUT_LOG_*
 * @threads any, except from inside a sink
 * @since 0.1 */
SCOUT_API void scout_log_set_sink(scout_log_sink sink, void *user, int32_t max_level);

SCOUT_END_DECLS

#endif /* SCOUT_LOG_H */
