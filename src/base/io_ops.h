// The system calls by which files are read and written, as a table. Everything in the library that touches a file goes through
// Io(), so that a test can replace the table and make any call fail, return early, or find the file changed; and so that another
// operating system is one more file beside io_ops.cpp.
//
// The functions report failure as their system call does: -1 (or null) with errno set. Retrying, short reads and messages
// are the business of io/file_reader.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace scout {

struct FileStat {
  enum class Kind { kRegular, kDirectory, kFifo, kSocket, kDevice, kOther } kind = Kind::kOther;
  uint64_t size = 0;        // bytes
  int64_t modified_ns = 0;  // since 1970
};

struct IoOps {
  // Opens for reading and never waits for the other end of a FIFO. -1 on failure.
  int (*open_read)(const char* path);
  int (*stat)(int fd, FileStat* out);
  // At most `size` bytes from `offset`; returns how many, 0 at the end, -1 on failure.
  int64_t (*pread)(int fd, void* buffer, size_t size, uint64_t offset);
  // The same, without waiting for the disk: as many as are in memory already, from `offset` on; -1 where there are none or the
  // system cannot tell.
  int64_t (*pread_cached)(int fd, void* buffer, size_t size, uint64_t offset);
  // A second descriptor of the same open file, whatever lies under its name by now, that is read past the page cache: address, size
  // and offset of its reads are multiples of 4096. -1 where there is no such thing.
  int (*open_direct)(int fd);
  int (*close)(int fd);
  // The whole file, read only and shared; null on failure.
  void* (*map)(int fd, uint64_t size);
  int (*unmap)(void* address, uint64_t size);
  // The range will not be needed soon; advice only. `mapping` is the file's mapping or null.
  void (*drop_pages)(int fd, void* mapping, uint64_t offset, uint64_t size);
  // The path with every link resolved; false on failure.
  bool (*real_path)(const char* path, std::string* out);
  // The names in a folder, in any order, at most `limit` of them; false on failure.
  bool (*list)(const char* path, size_t limit, std::vector<std::string>* names);
  // A new file for writing; -1 with EEXIST where there is something of that name.
  int (*create)(const char* path);
  // At most `size` bytes to `offset`; returns how many, -1 on failure.
  int64_t (*pwrite)(int fd, const void* buffer, size_t size, uint64_t offset);
  // Waits until what was written is on the disk; 0, or -1.
  int (*sync)(int fd);
  // Gives a file another name, in place of what had it; 0, or -1.
  int (*rename)(const char* from, const char* to);
  int (*remove)(const char* path);
};

const IoOps& SystemIo();  // the operating system itself
const IoOps& Io();        // the table in force

// Puts another table in force until destroyed. For tests; not while other threads read files.
class ScopedIoOps {
 public:
  explicit ScopedIoOps(const IoOps* ops);
  ~ScopedIoOps();
  ScopedIoOps(const ScopedIoOps&) = delete;
  ScopedIoOps& operator=(const ScopedIoOps&) = delete;

 private:
  const IoOps* previous_;
};

// What an errno value means, in words and as a number: "No such file or directory (errno 2)".
std::string ErrnoText(int error);

}  // namespace scout
