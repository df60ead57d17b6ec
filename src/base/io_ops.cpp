#include "base/io_ops.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/text.h"

namespace scout {
namespace {

int OpenRead(const char* path) { return ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); }

int Stat(int fd, FileStat* out) {
  struct stat info;
  if (::fstat(fd, &info) != 0) return -1;
  out->size = info.st_size > 0 ? static_cast<uint64_t>(info.st_size) : 0;
#if defined(__APPLE__)
  const struct timespec& modified = info.st_mtimespec;
#else
  const struct timespec& modified = info.st_mtim;
#endif
  out->modified_ns = static_cast<int64_t>(modified.tv_sec) * 1000000000 + modified.tv_nsec;
  if (S_ISREG(info.st_mode))
    out->kind = FileStat::Kind::kRegular;
  else if (S_ISDIR(info.st_mode))
    out->kind = FileStat::Kind::kDirectory;
  else if (S_ISFIFO(info.st_mode))
    out->kind = FileStat::Kind::kFifo;
  else if (S_ISSOCK(info.st_mode))
    out->kind = FileStat::Kind::kSocket;
  else if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode))
    out->kind = FileStat::Kind::kDevice;
  else
    out->kind = FileStat::Kind::kOther;
  return 0;
}

int64_t Pread(int fd, void* buffer, size_t size, uint64_t offset) { return ::pread(fd, buffer, size, static_cast<off_t>(offset)); }

#if defined(__linux__)
enum class Cached { kAll, kNotAll, kUnknown };

// Linux 6.5 and later.
Cached AskPageCache(int fd, size_t size, uint64_t offset) {
  constexpr long kCachestat = 451;  // on every architecture; older headers have no name for it
  struct {
    uint64_t offset, size;
  } const range = {offset, size};
  struct {
    uint64_t cached, dirty, writeback, evicted, recently_evicted;
  } found = {};
  if (::syscall(kCachestat, fd, &range, &found, 0) != 0) return errno == ENOSYS ? Cached::kUnknown : Cached::kNotAll;
  const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  return found.cached >= (offset + size + page - 1) / page - offset / page ? Cached::kAll : Cached::kNotAll;
}
#endif

int64_t PreadCached(int fd, void* buffer, size_t size, uint64_t offset) {
#if defined(__linux__) && defined(RWF_NOWAIT)
  // Asked first, for a read that does not wait still starts reading ahead what it did not find.
  if (AskPageCache(fd, size, offset) == Cached::kNotAll) {
    errno = EAGAIN;
    return -1;
  }
  const struct iovec part = {buffer, size};
  return ::preadv2(fd, &part, 1, static_cast<off_t>(offset), RWF_NOWAIT);
#else
  static_cast<void>(fd), static_cast<void>(buffer), static_cast<void>(size), static_cast<void>(offset);
  errno = ENOTSUP;
  return -1;
#endif
}

int OpenDirect(int fd) {
#if defined(__linux__) && defined(O_DIRECT)
  char path[32];
  std::snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_DIRECT);
#else
  static_cast<void>(fd);
  errno = ENOTSUP;
  return -1;
#endif
}

int Close(int fd) { return ::close(fd); }

void* Map(int fd, uint64_t size) {
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
  if (address == MAP_FAILED) return nullptr;
#if defined(MADV_HUGEPAGE)
  ::madvise(address, size, MADV_HUGEPAGE);  // large pages where the file system has them: a wish
#endif
  return address;
}

int Unmap(void* address, uint64_t size) { return ::munmap(address, size); }

void DropPages(int fd, void* mapping, uint64_t offset, uint64_t size) {
  // Only whole pages inside the range: its neighbours may still be wanted.
  const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  const uint64_t begin = (offset + page - 1) / page * page;
  const uint64_t end = (offset + size) / page * page;
  if (begin >= end) return;
  if (mapping) ::madvise(static_cast<char*>(mapping) + begin, end - begin, MADV_DONTNEED);
#ifdef POSIX_FADV_DONTNEED
  ::posix_fadvise(fd, static_cast<off_t>(begin), static_cast<off_t>(end - begin), POSIX_FADV_DONTNEED);
#else
  static_cast<void>(fd);
#endif
}

bool RealPath(const char* path, std::string* out) {
  const std::unique_ptr<char, decltype(&std::free)> resolved(::realpath(path, nullptr), &std::free);
  if (!resolved) return false;
  *out = resolved.get();
  return true;
}

bool List(const char* path, size_t limit, std::vector<std::string>* names) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path), &::closedir);
  if (!directory) return false;
  while (names->size() < limit) {
    const dirent* entry = ::readdir(directory.get());
    if (!entry) break;
    names->emplace_back(entry->d_name);
  }
  return true;
}

int Create(const char* path) { return ::open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0666); }

int64_t Pwrite(int fd, const void* buffer, size_t size, uint64_t offset) {
  return ::pwrite(fd, buffer, size, static_cast<off_t>(offset));
}

int Sync(int fd) { return ::fsync(fd); }
int Rename(const char* from, const char* to) { return std::rename(from, to); }
int Remove(const char* path) { return ::unlink(path); }

constexpr IoOps kSystem = {OpenRead,  Stat,     Pread, PreadCached, OpenDirect, Close, Map,    Unmap,
                           DropPages, RealPath, List,  Create,      Pwrite,     Sync,  Rename, Remove};
std::atomic<const IoOps*> g_current{&kSystem};

// strerror_r comes in two kinds; overloads take whichever is there.
[[maybe_unused]] const char* Text(int result, const char* buffer) { return result == 0 ? buffer : "unknown error"; }
[[maybe_unused]] const char* Text(const char* result, const char* /*buffer*/) { return result; }

}  // namespace

const IoOps& SystemIo() { return kSystem; }
const IoOps& Io() { return *g_current.load(std::memory_order_acquire); }

ScopedIoOps::ScopedIoOps(const IoOps* ops) : previous_(g_current.exchange(ops)) {}
ScopedIoOps::~ScopedIoOps() { g_current.store(previous_); }

std::string ErrnoText(int error) {
  char buffer[128] = "";
  return StrCat(Text(::strerror_r(error, buffer, sizeof buffer), buffer), " (errno ", error, ")");
}

}  // namespace scout
