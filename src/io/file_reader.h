// One regular file, opened once and read by offset.
//
// The descriptor stays the same from the first byte of the header to the last weight, so a file that is replaced under our
// name changes nothing here. Short reads and interrupted calls are finished in ReadAt; a file that shrinks after it was
// opened is an error there, never a crash (unless it is mapped, see Checkpoint::Mapped).
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>

#include "base/staging.h"

namespace scout::io {

class FileReader {
 public:
  // Throws kUnsupported for anything but a regular file (a directory, FIFO, socket or device is refused, never waited for),
  // kIo with the system's words otherwise. With `map` the file is mapped too, if the system can; it stays readable.
  explicit FileReader(const std::string& path, bool map = false);
  ~FileReader();
  FileReader(const FileReader&) = delete;
  FileReader& operator=(const FileReader&) = delete;

  const std::string& name() const { return name_; }  // the path, printable, for messages
  uint64_t size() const { return size_; }            // bytes, as found when opened
  int64_t modified_ns() const { return modified_ns_; }

  // Fills `out` from `offset`. Throws kTruncated when the file ends before that, kIo when a read fails; both name file and
  // offset. Any thread, at once.
  void ReadAt(uint64_t offset, std::span<std::byte> out) const;

  // The same for large pieces that are wanted once: the bytes lie in `staging` until it is used again. What the page cache holds
  // comes from there; the rest goes past it where the system allows that (a disk may give twice as much there),
  // and leaves nothing in it otherwise. Any thread, at once, each with its own staging.
  std::span<const std::byte> ReadStaged(uint64_t offset, size_t size, StagingBuffer& staging) const;

  // The file's mapping, or null.
  const std::byte* mapping() const { return static_cast<const std::byte*>(mapping_); }

  void DropPages(uint64_t offset, uint64_t size) const;

 private:
  void CheckRange(uint64_t offset, size_t size) const;
  bool ReadDirect(uint64_t offset, size_t size, std::byte* out) const;
  int DirectDescriptor() const;

  std::string name_;
  int fd_ = -1;
  uint64_t size_ = 0;
  int64_t modified_ns_ = 0;
  void* mapping_ = nullptr;
  mutable std::mutex direct_mutex_;  // of what follows
  mutable bool direct_asked_ = false;
  mutable int direct_fd_ = -1;  // for reads past the page cache; -1 = there are none
};

// The whole of a small file. Throws kLimit when it is larger than `limit` bytes, otherwise as FileReader does.
std::string ReadWholeFile(const std::string& path, uint64_t limit);

}  // namespace scout::io
