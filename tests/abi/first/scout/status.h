/** @file status.h  Status codes and the message of the last failure. */
#ifndef SCOUT_STATUS_H
#define SCOUT_STATUS_H

#include "types.h"

SCOUT_BEGIN_DECLS

/** What a call came to: 0 ok, positive information, negative failure. */
enum scout_status_code {
  SCOUT_OK = 0,
  SCOUT_DONE = 1,  /**< there is nothing more to come */
  SCOUT_AGAIN = 2, /**< nothing now; the same call later may do */

  SCOUT_ERR_ARGUMENT = -1,    /**< an argument is outside what the header allows */
  SCOUT_ERR_FORMAT = -2,      /**< a file or text breaks the rules of its format */
  SCOUT_ERR_TRUNCATED = -3,   /**< a file ends before what it announces */
  SCOUT_ERR_LIMIT = -4,       /**< well formed but past a stated limit, or a buffer that is too small */
  SCOUT_ERR_UNSUPPORTED = -5, /**< well formed, known, and not served by this build */
  SCOUT_ERR_CORRUPT = -6,     /**< contents contradict their own rules: a NaN among the weights, a wrong checksum */
  SCOUT_ERR_IO = -7,          /**< the operating system refused or failed a read or write */
  SCOUT_ERR_NO_MEMORY = -8,   /**< not enough memory, now or by plan */
  SCOUT_ERR_STATE = -9,       /**< the call does not fit the state of the handle */
  SCOUT_ERR_DENIED = -10,     /**< refused for safety */
  SCOUT_ERR_CANCELLED = -11,  /**< ended by a cancel */
  SCOUT_ERR_DEVICE = -12,     /**< a device or its driver failed */
  SCOUT_ERR_INTERNAL = -13    /**< a defect of this library: please report it */
};

/** The message of the last call on this thread that failed, or that answered SCOUT_AGAIN because a waiting list is full: one line that
 * names the field, the value and the limit, and what to do next. Never NULL; empty when nothing failed yet. Borrowed until the next
 * failing call on this thread. What goes wrong inside a request travels in that request's own last event instead. A language that
 * moves between system threads must call this on the thread of the failing call.
 * @threads any
 * @since 0.1 */
SCOUT_API const char *scout_last_error(void);

/** Forgets the message of the last failed call on this thread.
 * @threads any
 * @since 0.1 */
SCOUT_API void scout_clear_error(void);

/** The name of a status in words, "not enough memory" for instance. Never NULL, static.
 * @param status  SCOUT_OK and the others; any number is answered
 * @threads any
 * @since 0.1 */
SCOUT_API const char *scout_status_text(scout_status status);

/** The name of a status as this header spells it, "SCOUT_ERR_NO_MEMORY" for instance; "SCOUT_UNKNOWN" for a number that is none. Never
 * NULL, static.
 * @param status  SCOUT_OK and the others; any number is answered
 * @threads any
 * @since 0.1 */
SCOUT_API const char *scout_status_name(scout_status status);

SCOUT_END_DECLS

#endif /* SCOUT_STATUS_H */
