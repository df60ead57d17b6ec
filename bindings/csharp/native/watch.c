/* One thread that waits for many descriptors: what a Task waits for takes no thread of its own. Linux; elsewhere scoutcs_watch_new answers
 * -1 and a Task asks again and again. */
#include <stdint.h>

#include "export.h"

#if defined(__linux__)
#include <errno.h>
#include <sys/epoll.h>

SCOUTCS_API int32_t scoutcs_watch_new(void) { return epoll_create1(EPOLL_CLOEXEC); }

/* Tells `id` once when `descriptor` is readable. A descriptor that is closed leaves by itself. 0, or -1 where it cannot be watched. */
SCOUTCS_API int32_t scoutcs_watch_add(int32_t watch, int32_t descriptor, uint64_t id) {
  struct epoll_event event;
  event.events = EPOLLIN | EPOLLONESHOT;
  event.data.u64 = id;
  if (epoll_ctl(watch, EPOLL_CTL_MOD, descriptor, &event) == 0) return 0;
  return errno == ENOENT && epoll_ctl(watch, EPOLL_CTL_ADD, descriptor, &event) == 0 ? 0 : -1;
}

/* Waits for up to 64 ids; answers how many, also 0: a signal takes the thread back to the runtime, which ends it with the program. */
SCOUTCS_API int32_t scoutcs_watch_wait(int32_t watch, uint64_t *ids) {
  struct epoll_event events[64];
  const int count = epoll_wait(watch, events, 64, -1);
  int i;
  if (count < 0 && errno == EINTR) return 0;
  for (i = 0; i < count; ++i) ids[i] = events[i].data.u64;
  return count;
}
#else
SCOUTCS_API int32_t scoutcs_watch_new(void) { return -1; }
SCOUTCS_API int32_t scoutcs_watch_add(int32_t watch, int32_t descriptor, uint64_t id) {
  (void)watch, (void)descriptor, (void)id;
  return -1;
}
SCOUTCS_API int32_t scoutcs_watch_wait(int32_t watch, uint64_t *ids) {
  (void)watch, (void)ids;
  return -1;
}
#endif
