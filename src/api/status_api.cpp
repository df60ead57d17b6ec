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

namespace {

struct Status {
  scout_status code;
  const char* name;
  const char* text;
};
constexpr Status kStatuses[] = {
    {SCOUT_OK, "SCOUT_OK", "ok"},
    {SCOUT_DONE, "SCOUT_DONE", "done"},
    {SCOUT_AGAIN, "SCOUT_AGAIN", "nothing now, try again"},
    {SCOUT_ERR_ARGUMENT, "SCOUT_ERR_ARGUMENT", "bad argument"},
    {SCOUT_ERR_FORMAT, "SCOUT_ERR_FORMAT", "malformed file or text"},
    {SCOUT_ERR_TRUNCATED, "SCOUT_ERR_TRUNCATED", "truncated file"},
    {SCOUT_ERR_LIMIT, "SCOUT_ERR_LIMIT", "past a limit"},
    {SCOUT_ERR_UNSUPPORTED, "SCOUT_ERR_UNSUPPORTED", "not supported"},
    {SCOUT_ERR_CORRUPT, "SCOUT_ERR_CORRUPT", "corrupt data"},
    {SCOUT_ERR_IO, "SCOUT_ERR_IO", "read or write failed"},
    {SCOUT_ERR_NO_MEMORY, "SCOUT_ERR_NO_MEMORY", "not enough memory"},
    {SCOUT_ERR_STATE, "SCOUT_ERR_STATE", "not possible in this state"},
    {SCOUT_ERR_DENIED, "SCOUT_ERR_DENIED", "refused for safety"},
    {SCOUT_ERR_CANCELLED, "SCOUT_ERR_CANCELLED", "cancelled"},
    {SCOUT_ERR_DEVICE, "SCOUT_ERR_DEVICE", "device failed"},
    {SCOUT_ERR_INTERNAL, "SCOUT_ERR_INTERNAL", "internal error"},
};
constexpr Status kUnknown = {0, "SCOUT_UNKNOWN", "unknown status"};

const Status& StatusOf(scout_status code) {
  for (const Status& status : kStatuses)
    if (status.code == code) return status;
  return kUnknown;
}

}  // namespace

const char* scout_last_error(void) { return scout::api::LastError(); }

void scout_clear_error(void) { scout::api::SetLastError({}); }

const char* scout_status_text(scout_status status) { return StatusOf(status).text; }

const char* scout_status_name(scout_status status) { return StatusOf(status).name; }
