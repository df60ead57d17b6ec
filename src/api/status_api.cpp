#include <scout/status.h>

#include "api/boundary.h"
#include "base/error.h"

// One list of codes in two vocabularies.
#define SCOUT_SAME(ours, theirs) static_assert(static_cast<int>(scout::ErrorCode::ours) == theirs)
SCOUT_SAME(kArgument, SCOUT_ERR_ARGUMENT);
SCOUT_SAME(kFormat, SCOUT_ERR_FORMAT);
SCOUT_SAME(kTruncated, SCOUT_ERR_TRUNCATED);
SCOUT_SAME(kLimit, SCOUT_ERR_LIMIT);
SCOUT_SAME(kUnsupported, SCOUT_ERR_UNSUPPORTED);
SCOUT_SAME(kCorrupt, SCOUT_ERR_CORRUPT);
SCOUT_SAME(kIo, SCOUT_ERR_IO);
SCOUT_SAME(kNoMemory, SCOUT_ERR_NO_MEMORY);
SCOUT_SAME(kState, SCOUT_ERR_STATE);
SCOUT_SAME(kDenied, SCOUT_ERR_DENIED);
SCOUT_SAME(kCancelled, SCOUT_ERR_CANCELLED);
SCOUT_SAME(kDevice, SCOUT_ERR_DEVICE);
SCOUT_SAME(kInternal, SCOUT_ERR_INTERNAL);
#undef SCOUT_SAME

const char* scout_last_error(void) { return scout::api::LastError(); }

void scout_clear_error(void) { scout::api::SetLastError({}); }

const char* scout_status_text(scout_status status) {
  switch (status) {
    case SCOUT_OK:
      return "ok";
    case SCOUT_DONE:
      return "done";
    case SCOUT_AGAIN:
      return "nothing now, try again";
    case SCOUT_ERR_ARGUMENT:
      return "bad argument";
    case SCOUT_ERR_FORMAT:
      return "malformed file or text";
    case SCOUT_ERR_TRUNCATED:
      return "truncated file";
    case SCOUT_ERR_LIMIT:
      return "past a limit";
    case SCOUT_ERR_UNSUPPORTED:
      return "not supported";
    case SCOUT_ERR_CORRUPT:
      return "corrupt data";
    case SCOUT_ERR_IO:
      return "read or write failed";
    case SCOUT_ERR_NO_MEMORY:
      return "not enough memory";
    case SCOUT_ERR_STATE:
      return "not possible in this state";
    case SCOUT_ERR_DENIED:
      return "refused for safety";
    case SCOUT_ERR_CANCELLED:
      return "cancelled";
    case SCOUT_ERR_DEVICE:
      return "device failed";
    case SCOUT_ERR_INTERNAL:
      return "internal error";
    default:
      return "unknown status";
  }
}

const char* scout_status_name(scout_status status) {
#define SCOUT_NAME(code) \
  case code:             \
    return #code
  switch (status) {
    SCOUT_NAME(SCOUT_OK);
    SCOUT_NAME(SCOUT_DONE);
    SCOUT_NAME(SCOUT_AGAIN);
    SCOUT_NAME(SCOUT_ERR_ARGUMENT);
    SCOUT_NAME(SCOUT_ERR_FORMAT);
    SCOUT_NAME(SCOUT_ERR_TRUNCATED);
    SCOUT_NAME(SCOUT_ERR_LIMIT);
    SCOUT_NAME(SCOUT_ERR_UNSUPPORTED);
    SCOUT_NAME(SCOUT_ERR_CORRUPT);
    SCOUT_NAME(SCOUT_ERR_IO);
    SCOUT_NAME(SCOUT_ERR_NO_MEMORY);
    SCOUT_NAME(SCOUT_ERR_STATE);
    SCOUT_NAME(SCOUT_ERR_DENIED);
    SCOUT_NAME(SCOUT_ERR_CANCELLED);
    SCOUT_NAME(SCOUT_ERR_DEVICE);
    SCOUT_NAME(SCOUT_ERR_INTERNAL);
    default:
      return "SCOUT_UNKNOWN";
  }
#undef SCOUT_NAME
}
