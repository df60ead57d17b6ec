#include "base/process.h"

#include <cerrno>
#include <string_view>

#if defined(__unix__) || defined(__APPLE__)
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>
#endif
#if defined(__linux__)
#include <sys/eventfd.h>
#endif

namespace scout {
namespace {

std::string FolderOf(std::string_view file) { return std::string(file.substr(0, file.rfind('/') + 1)); }

}  // namespace

// A program that carries the library in itself is known to the loader by what it was called, which may be a name found in PATH, or
// not at all; the system knows where it lies.
std::string OwnFolder() {
#if defined(__unix__) || defined(__APPLE__)
  Dl_info info = {};
  if (dladdr(reinterpret_cast<const void*>(&OwnFolder), &info) != 0 && info.dli_fname != nullptr) {
    if (std::string folder = FolderOf(info.dli_fname); !folder.empty()) return folder;
  }
#endif
#if defined(__linux__)
  char path[4096];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof path);
  if (size > 0 && static_cast<size_t>(size) < sizeof path) return FolderOf({path, static_cast<size_t>(size)});
#endif
  return {};
}

#if defined(__unix__) || defined(__APPLE__)

int64_t CurrentProcess() noexcept { return static_cast<int64_t>(getpid()); }

WakeDescriptor::WakeDescriptor() noexcept {
#if defined(__linux__)
  read_ = write_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
#else
  int ends[2];
  if (pipe(ends) != 0) return;
  for (const int end : ends) {
    fcntl(end, F_SETFD, FD_CLOEXEC);
    fcntl(end, F_SETFL, O_NONBLOCK);
  }
  read_ = ends[0];
  write_ = ends[1];
#endif
}

WakeDescriptor::~WakeDescriptor() {
  if (read_ >= 0) close(read_);
  if (write_ >= 0 && write_ != read_) close(write_);
}

void WakeDescriptor::Set() noexcept {
  if (set_ || write_ < 0) return;
  set_ = true;
  const uint64_t one = 1;  // eventfd takes eight bytes; a pipe does not mind
  while (write(write_, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

void WakeDescriptor::Clear() noexcept {
  if (!set_ || read_ < 0) return;
  set_ = false;
  uint64_t value = 0;
  while (read(read_, &value, sizeof value) < 0 && errno == EINTR) {
  }
}

#else

int64_t CurrentProcess() noexcept { return 0; }
WakeDescriptor::WakeDescriptor() noexcept = default;
WakeDescriptor::~WakeDescriptor() = default;
void WakeDescriptor::Set() noexcept {}
void WakeDescriptor::Clear() noexcept {}

#endif

}  // namespace scout
