#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/checked.h"
#include "base/error.h"
#include "base/io_ops.h"
#include "io/pack_file.h"
#include "io/paths.h"

namespace scout::io {
namespace {

// A file that is there under a name of its own until it is whole.
class NewFile {
 public:
  explicit NewFile(const std::string& path) : path_(path) {
    if (path.empty() || path.find('\0') != std::string::npos)
      Fail(ErrorCode::kArgument, "the path of the packed side-file is empty or holds a NUL byte");
    const auto clock = static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
    for (uint64_t attempt = 0; attempt < 16 && fd_ < 0; ++attempt) {
      beside_ = StrCat(path, ".new-", (clock + attempt) % 1000000);
      do fd_ = Io().create(beside_.c_str());
      while (fd_ < 0 && errno == EINTR);
      if (fd_ < 0 && errno != EEXIST) break;
    }
    if (fd_ < 0) Refuse(beside_, "cannot be made", errno);
  }
  ~NewFile() {
    if (fd_ >= 0) Io().close(fd_);
    if (!beside_.empty()) Io().remove(beside_.c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  void Write(uint64_t offset, std::span<const std::byte> bytes) {
    for (size_t done = 0; done < bytes.size();) {
      const int64_t wrote = Io().pwrite(fd_, bytes.data() + done, bytes.size() - done, offset + done);
      if (wrote > 0) {
        done += static_cast<size_t>(wrote);
      } else if (wrote == 0 || errno != EINTR) {
        Refuse(beside_, StrCat("offset ", offset + done, ": cannot be written"), wrote == 0 ? EIO : errno);
      }
    }
  }

  // To the disk, and then in the place of what has the name.
  void Keep() {
    if (Io().sync(fd_) != 0) Refuse(beside_, "cannot be brought to the disk", errno);
    const int fd = fd_;
    fd_ = -1;
    if (Io().close(fd) != 0) Refuse(beside_, "cannot be closed", errno);
    if (Io().rename(beside_.c_str(), path_.c_str()) != 0) Refuse(path_, "cannot be replaced", errno);
    beside_.clear();
    // The name itself, too. Some file systems cannot: the file is whole in any case.
    const int folder = Io().open_read(DirectoryOf(path_).c_str());
    if (folder < 0) return;
    Io().sync(folder);
    Io().close(folder);
  }

 private:
  [[noreturn]] static void Refuse(const std::string& path, const std::string& what, int error) {
    Fail(ErrorCode::kIo, Escape(path, 256), ": ", what, ": ", ErrnoText(error));
  }

  std::string path_, beside_;
  int fd_ = -1;
};

PackSection Place(uint64_t* end, std::span<const std::byte> bytes) {
  PackSection section = {CheckedAlign(*end, kPackAlignment, "a section"), bytes.size(), HashOf(bytes)};
  *end = section.offset + section.bytes;
  return section;
}

}  // namespace

void WritePack(const std::string& path, PackContents contents, PackProgress& progress) {
  SCOUT_CHECK(!contents.parts.empty() && contents.parts.size() == contents.data.size(), contents.parts.size(), " parts, ",
              contents.data.size(), " of data");
  const auto limit = [](uint64_t count, uint64_t most, std::string_view what) {
    if (count > most) Fail(ErrorCode::kLimit, "a packed side-file of ", count, " ", what, "; the limit is ", most);
  };
  limit(contents.sources.size(), kMaxPackSources, "sources");
  limit(contents.skips.size(), kMaxPackSkips, "skipped arrays");
  limit(contents.parts.size(), kMaxPackParts, "parts");
  limit(contents.tokenizer.size(), kMaxPackTokenizer, "bytes of a tokenizer");
  limit(contents.layout.size(), kMaxPackText - 1, "bytes of a layout's name");
  NewFile file(path);
  const auto bytes_of = [](const auto& list) { return std::as_bytes(std::span(list)); };

  PackHeader header = {};
  std::memcpy(header.magic, kPackMagic, sizeof kPackMagic);
  header.version = kPackVersion;
  header.header_bytes = sizeof header;
  std::memcpy(header.layout, contents.layout.data(), contents.layout.size());
  header.fingerprint = contents.fingerprint;
  uint64_t end = sizeof header;
  header.sources = Place(&end, bytes_of(contents.sources));
  header.skips = Place(&end, bytes_of(contents.skips));
  header.parts = Place(&end, bytes_of(contents.parts));  // its hash comes last
  header.tokenizer = Place(&end, bytes_of(contents.tokenizer));
  file.Write(header.sources.offset, bytes_of(contents.sources));
  file.Write(header.skips.offset, bytes_of(contents.skips));
  file.Write(header.tokenizer.offset, bytes_of(contents.tokenizer));

  // Large writes to multiples of their size: the page cache then holds the file in large pages, where it has them.
  constexpr uint64_t kPiece = uint64_t{8} << 20;
  for (size_t i = 0; i < contents.parts.size(); ++i) {
    PackPart& part = contents.parts[i];
    const std::span<const std::byte> data = contents.data[i];
    part.offset = CheckedAlign(end, kPackAlignment, "a part");
    part.bytes = data.size();
    end = CheckedAdd(part.offset, part.bytes, "a part");
    for (size_t at = 0; at < data.size();) {
      const auto size = static_cast<size_t>(std::min<uint64_t>(kPiece - (part.offset + at) % kPiece, data.size() - at));
      file.Write(part.offset + at, data.subspan(at, size));
      at += size;
      progress.Wrote(size);
    }
    PieceHash hash;
    hash.Add(data);
    part.hash = hash.Finish();
  }
  header.parts.hash = HashOf(bytes_of(contents.parts));
  header.file_bytes = end;
  header.hash = HashOfHeader(header);
  file.Write(header.parts.offset, bytes_of(contents.parts));
  file.Write(0, std::as_bytes(std::span(&header, 1)));
  file.Keep();
}

}  // namespace scout::io
