// Large pieces read past the page cache: whatever goes wrong on that way, the bytes or the error are those of a plain read.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/error.h"
#include "base/io_ops.h"
#include "io/file_reader.h"
#include "support/gguf_writer.h"
#include "support/temp_dir.h"

namespace scout::io {
namespace {

using test::TempDir;
using test::WriteFile;
namespace fs = std::filesystem;

constexpr size_t kFile = (size_t{3} << 20) + 1234;

std::string Content() {
  std::string text(kFile, '\0');
  uint32_t state = 1;
  for (char& c : text) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return text;
}

struct Piece {
  uint64_t offset;
  size_t size;
};
// On and between blocks, small and large, up to the end of the file.
constexpr Piece kPieces[] = {
    {0, kFile},           {0, 1 << 20}, {4096, 2 << 20}, {4097, (1 << 20) + 1}, {kFile - (1 << 20), 1 << 20},
    {1233, kFile - 1233}, {kFile, 0},   {77, 4096}};

// What the faulty calls below do, and how often they were made.
struct {
  int direct = -1;  // the descriptor
  int directs = 0, direct_reads = 0, plain_reads = 0, descriptors = 0, dropped = 0;
  bool cached = false;  // the page cache has everything
  size_t most = ~size_t{0};
  int fail_errno = 0, interrupts = 0;
} g_calls;

IoOps Watched() {
  g_calls = {};
  IoOps ops = SystemIo();
  ops.open_read = [](const char* path) {
    ++g_calls.descriptors;
    return SystemIo().open_read(path);
  };
  ops.close = [](int fd) {
    --g_calls.descriptors;
    return SystemIo().close(fd);
  };
  ops.pread_cached = [](int fd, void* buffer, size_t size, uint64_t offset) -> int64_t {
    return g_calls.cached ? SystemIo().pread(fd, buffer, size, offset) : (errno = EAGAIN, -1);
  };
  // A plain second descriptor, so that the tests mean the same on file systems without direct reads; alignment is watched here.
  ops.open_direct = [](int fd) {
    ++g_calls.directs;
    ++g_calls.descriptors;
    return g_calls.direct = ::dup(fd);
  };
  ops.pread = [](int fd, void* buffer, size_t size, uint64_t offset) -> int64_t {
    if (fd != g_calls.direct) return ++g_calls.plain_reads, SystemIo().pread(fd, buffer, size, offset);
    ++g_calls.direct_reads;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer) % 4096, 0u);
    EXPECT_EQ(size % 4096, 0u);
    EXPECT_EQ(offset % 4096, 0u);
    if (g_calls.fail_errno != 0) return errno = g_calls.fail_errno, -1;
    if (g_calls.interrupts > 0) return --g_calls.interrupts, errno = EINTR, -1;
    return SystemIo().pread(fd, buffer, std::min(size, g_calls.most), offset);
  };
  ops.drop_pages = [](int, void*, uint64_t, uint64_t size) { g_calls.dropped += size > 0; };
  return ops;
}

void ExpectAllPieces(const FileReader& file, const std::string& content) {
  StagingBuffer staging;
  for (const Piece& piece : kPieces) {
    const auto bytes = file.ReadStaged(piece.offset, piece.size, staging);
    ASSERT_EQ(bytes.size(), piece.size);
    EXPECT_TRUE(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()) ==
                std::string_view(content).substr(piece.offset, piece.size))
        << piece.offset << " " << piece.size;
  }
}

TEST(StagedRead, GivesTheBytesOfTheFileWhateverTheSystemOffers) {
  const TempDir dir;
  const std::string content = Content();
  WriteFile(dir / "f", content);
  {
    const FileReader file(dir / "f");  // the system as it is
    ExpectAllPieces(file, content);
  }
  const IoOps none = [] {
    IoOps ops = SystemIo();
    ops.pread_cached = [](int, void*, size_t, uint64_t) -> int64_t { return errno = EOPNOTSUPP, -1; };
    ops.open_direct = [](int) { return errno = EINVAL, -1; };
    return ops;
  }();
  const ScopedIoOps scope(&none);
  const FileReader file(dir / "f");
  ExpectAllPieces(file, content);
}

TEST(StagedRead, GoesPastThePageCacheInWholeBlocksAndLeavesNoDescriptor) {
  const TempDir dir;
  const std::string content = Content();
  WriteFile(dir / "f", content);
  const IoOps ops = Watched();
  const ScopedIoOps scope(&ops);
  {
    const FileReader file(dir / "f");
    ExpectAllPieces(file, content);
    EXPECT_EQ(g_calls.directs, 1);
    EXPECT_EQ(g_calls.direct_reads, 6);
    EXPECT_EQ(g_calls.plain_reads, 1);  // the 4,096 bytes
  }
  EXPECT_EQ(g_calls.descriptors, 0);
}

TEST(StagedRead, TakesWhatThePageCacheHasFromThere) {
  const TempDir dir;
  const std::string content = Content();
  WriteFile(dir / "f", content);
  const IoOps ops = Watched();
  g_calls.cached = true;
  const ScopedIoOps scope(&ops);
  const FileReader file(dir / "f");
  ExpectAllPieces(file, content);
  EXPECT_EQ(g_calls.directs, 0);
}

TEST(StagedRead, ShortInterruptedAndFailedReadsEndAsPlainOnes) {
  const TempDir dir;
  const std::string content = Content();
  WriteFile(dir / "f", content);
  const auto expect = [&](const char* what, int plain, auto set) {
    SCOPED_TRACE(what);
    const IoOps ops = Watched();
    set();
    const ScopedIoOps scope(&ops);
    {
      const FileReader file(dir / "f");
      ExpectAllPieces(file, content);
      EXPECT_EQ(g_calls.plain_reads, plain);
      EXPECT_EQ(g_calls.dropped, plain);  // what a plain read left in the cache is given back
    }
    EXPECT_EQ(g_calls.descriptors, 0);
  };
  expect("whole blocks at a time", 1, [] { g_calls.most = 8192; });
  expect("interrupted", 1, [] { g_calls.interrupts = 5; });
  expect("one byte at a time", 7, [] { g_calls.most = 1; });
  expect("refused", 7, [] { g_calls.fail_errno = EINVAL; });
  expect("failing", 7, [] { g_calls.fail_errno = EIO; });
}

TEST(StagedRead, AFileThatHasShrunkIsTruncated) {
  const TempDir dir;
  WriteFile(dir / "f", Content());
  const FileReader file(dir / "f");
  fs::resize_file(dir / "f", kFile - 100);
  StagingBuffer staging;
  EXPECT_EQ(file.ReadStaged(0, 2 << 20, staging).size(), size_t{2} << 20);
  for (const Piece& piece : {Piece{0, kFile}, Piece{kFile - (1 << 20), 1 << 20}}) {
    try {
      file.ReadStaged(piece.offset, piece.size, staging);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kTruncated);
      EXPECT_NE(std::string(error.what()).find("offset 3146862: the file ends here; it had 3146962 bytes"), std::string::npos)
          << error.what();
    }
  }
  EXPECT_THROW(file.ReadStaged(kFile - 10, 11, staging), Error);
  EXPECT_THROW(file.ReadStaged(~uint64_t{0}, 1, staging), Error);
}

TEST(StagedRead, LeavesNothingInThePageCache) {
  const TempDir dir;
  WriteFile(dir / "f", Content());
  const auto cached = [&](int fd) {
    std::byte bytes[4096];
    return SystemIo().pread_cached(fd, bytes, sizeof bytes, 1 << 20) == static_cast<int64_t>(sizeof bytes);
  };
  const int fd = SystemIo().open_read((dir / "f").c_str());
  ASSERT_GE(fd, 0);
  const bool seen = cached(fd);
  ::fsync(fd);
  SystemIo().drop_pages(fd, nullptr, 0, kFile);
  const bool dropped = !cached(fd);
  if (seen && dropped) {
    const FileReader file(dir / "f");
    StagingBuffer staging;
    file.ReadStaged(0, kFile, staging);
    EXPECT_FALSE(cached(fd));
  }
  ::close(fd);
  if (!seen || !dropped) GTEST_SKIP() << "this file system cannot be asked what the page cache holds";
}

TEST(StagingBuffer, IsAlignedAndKeptFromReadToRead) {
  StagingBuffer staging;
  std::byte* const small = staging.Reserve(1);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(small) % StagingBuffer::kAlignment, 0u);
  std::byte* const large = staging.Reserve(5 << 20);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(large) % StagingBuffer::kAlignment, 0u);
  large[0] = large[(5 << 20) - 1] = std::byte{1};
  EXPECT_EQ(staging.Reserve(1 << 20), large);
  StagingPool pool;
  const StagingBuffer* first = nullptr;
  {
    const StagingPool::Handle one(pool), two(pool);
    first = &*two;
    EXPECT_NE(&*one, first);
  }
  const StagingPool::Handle a(pool), b(pool);
  EXPECT_TRUE(&*a == first || &*b == first);
}

}  // namespace
}  // namespace scout::io
