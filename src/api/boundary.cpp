#include "api/boundary.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <system_error>

#include "base/error.h"
#include "base/log.h"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace scout::api {
namespace {

thread_local char t_message[kMessageBytes];

// For what a standard library threw: its text alone would not tell whose fault it is.
scout_status Report(const char* what, scout_status status) noexcept {
  try {
    SetLastError(StrCat(status == SCOUT_ERR_INTERNAL ? "internal error: " : "the system gives no more threads or memory: ", what));
  } catch (...) {
    SetLastError(what);
  }
  return status;
}

}  // namespace

const char* LastError() noexcept { return t_message; }

void SetLastError(std::string_view message) noexcept {
  const size_t size = std::min(message.size(), kMessageBytes - 1);
  for (size_t i = 0; i < size; ++i) {
    const auto byte = static_cast<unsigned char>(message[i]);
    t_message[i] = byte < 0x20 || byte == 0x7f ? ' ' : message[i];
  }
  size_t end = size;
  if (size < message.size()) {
    // Cut between characters: step back over the bytes of one that would be halved.
    while (end > 0 && (static_cast<unsigned char>(message[end]) & 0xc0) == 0x80) --end;
  }
  t_message[end] = 0;
}

scout_status StatusOfException() noexcept {
  try {
    throw;
  } catch (const Error& error) {
    SetLastError(error.what());
    return static_cast<scout_status>(error.code());
  } catch (const std::bad_alloc&) {
    SetLastError("not enough memory: an allocation failed");
    return SCOUT_ERR_NO_MEMORY;
  } catch (const std::system_error& error) {
    const bool exhausted =
        error.code() == std::errc::resource_unavailable_try_again || error.code() == std::errc::not_enough_memory;
    return Report(error.what(), exhausted ? SCOUT_ERR_NO_MEMORY : SCOUT_ERR_INTERNAL);
  } catch (const std::length_error&) {
    SetLastError("not enough memory: a size is beyond what this process can address");
    return SCOUT_ERR_NO_MEMORY;
  } catch (const std::exception& error) {
    return Report(error.what(), SCOUT_ERR_INTERNAL);
  } catch (...) {
    SetLastError("internal error: an unknown exception");
    return SCOUT_ERR_INTERNAL;
  }
}

void CheckNotInSink() {
  if (InsideLogSink()) Fail(ErrorCode::kState, "a log sink must not call libscout");
}

#if defined(__linux__)  // macOS's state calls cost a system call and its threads are hardly ever cancelled
NoThreadCancel::NoThreadCancel() noexcept { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &former_); }
NoThreadCancel::~NoThreadCancel() { pthread_setcancelstate(former_, nullptr); }
#else
NoThreadCancel::NoThreadCancel() noexcept = default;
NoThreadCancel::~NoThreadCancel() = default;
#endif

}  // namespace scout::api
