/** @file log.h  The log: silent unless a sink is set or the log is opened for reading. Both may be had at once. */
#ifndef SCOUT_LOG_H
#define SCOUT_LOG_H

#include "status.h"

SCOUT_BEGIN_DECLS

/** How much a line matters. */
enum scout_log_level { SCOUT_LOG_ERROR = 0, SCOUT_LOG_WARNING = 1, SCOUT_LOG_INFO = 2, SCOUT_LOG_DEBUG = 3 };

/** Takes one line, without its newline; `text` is NUL-terminated and borrowed until it returns. Called from any thread, also from
 * the library's own, one line at a time. It must not call libscout: a call from inside answers SCOUT_ERR_STATE. */
typedef void (*scout_log_sink)(void *user, int32_t level, const char *text, uint64_t text_size);

/** Sets the sink of the whole process; NULL is silence, the default. Lines of a level above `max_level` are not made.
 * When the call returns, the former sink is not running and will not be called again.
 * @param sink  NULL = silence
 * @param user  given to the sink as it is; may be NULL
 * @param max_level  SCOUT_LOG_*
 * @threads any, except from inside a sink
 * @since 0.1 */
SCOUT_API void scout_log_set_sink(scout_log_sink sink, void *user, int32_t max_level);

/** Keeps log lines for scout_log_next, for programs that want no callback: at most `lines` of them, the newest; older ones are dropped
 * and counted in a line of their own. Opening again forgets what was kept.
 * @param max_level  SCOUT_LOG_*: lines of a higher level are not made
 * @param lines  0 closes the log, at most 65536; a scout_log_next that waits then answers SCOUT_DONE
 * @return SCOUT_OK, _ARGUMENT, _NO_MEMORY, _STATE (inside a sink)
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_log_open(int32_t max_level, uint64_t lines);

/** Takes the oldest line that is kept. Same rule for the buffer as scout_encode; a line is taken only when it was written out whole.
 * @param timeout_ms  0 never waits, SCOUT_WAIT waits for ever
 * @param[out] level  SCOUT_LOG_*; may be NULL
 * @param[out] text  room for `capacity` bytes; no newline and no NUL is added
 * @param[out] needed  bytes of the line, written with SCOUT_OK and SCOUT_ERR_LIMIT
 * @return SCOUT_OK; SCOUT_AGAIN when the time is up; SCOUT_DONE when the log is not open; SCOUT_ERR_LIMIT when capacity is too small;
 *   _ARGUMENT, _STATE (inside a sink)
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_log_next(int64_t timeout_ms, int32_t *level, char *text, uint64_t capacity, uint64_t *needed);

SCOUT_END_DECLS

#endif /* SCOUT_LOG_H */
