#include "io/file_reader.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "base/io_ops.h"

namespace scout::io {
namespace {

// Paths are the caller's bytes: shown in full unless absurd.
constexpr size_t kShownPath = 256;

std::string_view Name(FileStat::Kind kind) {
  switch (kind) {
    case FileStat::Kind::kDirectory:
      return "a directory";
    case FileStat::Kind::kFifo:
      return "a FIFO";
    case FileStat::Kind::kSocket:
      return "a socket";
    case FileStat::Kind::kDevice:
      return "a device";
    default:
      return "not a file";
  }
}

}  // namespace

FileReader::FileReader(const std::string& path, bool map) : name_(Escape(path, kShownPath)) {
  if (path.empty()) Fail(ErrorCode::kArgument, "an empty path");
  if (path.find('\0') != std::string::npos) Fail(ErrorCode::kArgument, name_, ": a path with a NUL byte");
  do fd_ = Io().open_read(path.c_str());
  while (fd_ < 0 && errno == EINTR);
  if (fd_ < 0) {
    const int error = errno;
    Fail(ErrorCode::kIo, name_, ": cannot be opened: ", ErrnoText(error));
  }
  FileStat stat;
  if (Io().stat(fd_, &stat) != 0) {
    const int error = errno;
    Io().close(fd_);
    Fail(ErrorCode::kIo, name_, ": cannot be examined: ", ErrnoText(error));
  }
  if (stat.kind != FileStat::Kind::kRegular) {
    Io().close(fd_);
    Fail(ErrorCode::kUnsupported, name_, ": is ", Name(stat.kind), ", expected a regular file");
  }
  size_ = stat.size;
  modified_ns_ = stat.modified_ns;
  if (map && size_ > 0) mapping_ = Io().map(fd_, size_);
}

FileReader::~FileReader() {
  if (mapping_) Io().unmap(mapping_, size_);
  if (direct_fd_ >= 0) Io().close(direct_fd_);
  Io().close(fd_);
}

void FileReader::CheckRange(uint64_t offset, size_t size) const {
  if (offset > size_ || size > size_ - offset)
    Fail(ErrorCode::kTruncated, name_, ": offset ", offset, ": ", size, " bytes wanted, the file has ", size_);
}

void FileReader::ReadAt(uint64_t offset, std::span<std::byte> out) const {
  CheckRange(offset, out.size());
  constexpr size_t kLargestRead = size_t{1} << 30;  // Linux returns short past 2 GiB
  size_t done = 0;
  while (done < out.size()) {
    const size_t want = std::min(out.size() - done, kLargestRead);
    const int64_t got = Io().pread(fd_, out.data() + done, want, offset + done);
    if (got > 0) {
      done += static_cast<size_t>(got);
    } else if (got == 0) {
      Fail(ErrorCode::kTruncated, name_, ": offset ", offset + done, ": the file ends here; it had ", size_,
           " bytes when it was opened");
    } else if (errno != EINTR) {
      const int error = errno;
      Fail(ErrorCode::kIo, name_, ": offset ", offset + done, ": cannot be read: ", ErrnoText(error));
    }
  }
}

std::span<const std::byte> FileReader::ReadStaged(uint64_t offset, size_t size, StagingBuffer& staging) const {
  CheckRange(offset, size);
  // Whole blocks around the piece.
  constexpr size_t kBlock = StagingBuffer::kAlignment;
  const size_t skip = offset % kBlock;
  std::byte* const out = staging.Reserve(CheckedAlign(CheckedAdd(skip, size, "staged bytes"), kBlock, "staged bytes"));
  if (size >= StagingBuffer::kLeastDirect) {
    if (Io().pread_cached(fd_, out + skip, size, offset) == static_cast<int64_t>(size)) return {out + skip, size};
    if (ReadDirect(offset - skip, skip + size, out)) return {out + skip, size};
  }
  ReadAt(offset, {out + skip, size});
  DropPages(offset, size);
  return {out + skip, size};
}

// False where it did not work out, for whatever reason: the plain read that follows either works or knows what to say.
bool FileReader::ReadDirect(uint64_t offset, size_t size, std::byte* out) const {
  const int fd = DirectDescriptor();
  if (fd < 0) return false;
  constexpr size_t kBlock = StagingBuffer::kAlignment;
  const size_t whole = (size + kBlock - 1) / kBlock * kBlock;
  size_t done = 0;
  while (done < size) {
    const int64_t got = Io().pread(fd, out + done, whole - done, offset + done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    done += static_cast<size_t>(got);
    if (done < size && done % kBlock != 0) return false;  // the file ends here, or the read was cut where none can go on
  }
  return true;
}

int FileReader::DirectDescriptor() const {
  const std::lock_guard lock(direct_mutex_);
  if (!direct_asked_) {
    direct_asked_ = true;
    direct_fd_ = Io().open_direct(fd_);
  }
  return direct_fd_;
}

void FileReader::DropPages(uint64_t offset, uint64_t size) const { Io().drop_pages(fd_, mapping_, offset, size); }

std::string ReadWholeFile(const std::string& path, uint64_t limit) {
  const FileReader file(path);
  if (file.size() > limit) Fail(ErrorCode::kLimit, file.name(), ": ", file.size(), " bytes; the limit for this file is ", limit);
  std::string out(static_cast<size_t>(file.size()), '\0');
  file.ReadAt(0, std::as_writable_bytes(std::span(out)));
  return out;
}

}  // namespace scout::io
