// Files that are not files, and systems that fail (F01 to F10 of the catalogue), through the table of system calls and its limits.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <new>

#include "base/io_ops.h"
#include "hostile.h"
#include "io/checkpoint.h"
#include "io/file_reader.h"
#include "support/alloc_meter.h"
#include "support/bounded_call.h"
#include "support/gguf_writer.h"
#include "support/sanitized.h"
#include "support/temp_dir.h"

namespace scout::io {
namespace {

using test::TempDir;
using test::WriteFile;
namespace fs = std::filesystem;

// State of the faulty calls below; each test sets what it needs.
struct Faults {
  int calls = 0;           // of pread so far
  int fail_at = -1;        // the call that fails,
  int fail_errno = EIO;    // with this
  bool one_byte = false;   // every pread returns at most one byte
  bool interrupt = false;  // every other pread fails with EINTR
  int opens = 0;
  int descriptors = 0;  // open now
} g_faults;

int FaultyOpen(const char* path) {
  if (g_faults.interrupt && g_faults.opens++ % 2 == 0) return errno = EINTR, -1;
  const int fd = SystemIo().open_read(path);
  if (fd >= 0) ++g_faults.descriptors;
  return fd;
}
int CountedClose(int fd) { return --g_faults.descriptors, SystemIo().close(fd); }
int64_t FaultyPread(int fd, void* buffer, size_t size, uint64_t offset) {
  const int call = g_faults.calls++;
  if (call == g_faults.fail_at) return errno = g_faults.fail_errno, -1;
  if (g_faults.interrupt && call % 2 == 0) return errno = EINTR, -1;
  return SystemIo().pread(fd, buffer, g_faults.one_byte ? std::min<size_t>(size, 1) : size, offset);
}

IoOps FaultyIo() {
  g_faults = {};
  IoOps ops = SystemIo();
  ops.open_read = FaultyOpen;
  ops.pread = FaultyPread;
  ops.close = CountedClose;
  return ops;
}

std::string Small(const TempDir& dir) {
  test::GgufWriter file;
  file.String("general.architecture", "llama4").Strings("tokens", {"a", "b", "c"});
  file.Tensor("t", {64}, 0, std::string(256, 't'));
  WriteFile(dir / "m.gguf", file.Build());
  return dir / "m.gguf";
}

std::string ReadTensor(const Checkpoint& checkpoint) {
  std::string out(256, '\0');
  checkpoint.Read(*checkpoint.FindTensor("t"), 0, std::as_writable_bytes(std::span(out)));
  return out;
}

TEST(FileFaults, F01_AFileCutAfterOpeningIsTruncated) {
  const TempDir dir;
  const std::string path = Small(dir);
  const auto checkpoint = OpenCheckpoint(path, {});
  fs::resize_file(path, fs::file_size(path) - 100);
  try {
    ReadTensor(*checkpoint);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kTruncated);
    EXPECT_NE(std::string(error.what()).find("the file ends here; it had"), std::string::npos) << error.what();
  }
}

TEST(FileFaults, F02_AReplacedFileIsNotSeen) {
  const TempDir dir;
  const std::string path = Small(dir);
  const auto checkpoint = OpenCheckpoint(path, {});
  WriteFile(dir / "other", "something else entirely");
  fs::rename(dir / "other", path);
  EXPECT_EQ(ReadTensor(*checkpoint), std::string(256, 't'));
}

TEST(FileFaults, F03_ShortAndInterruptedReadsAreFinished) {
  const TempDir dir;
  const std::string path = Small(dir);
  for (const int mode : {0, 1, 2}) {
    const IoOps ops = FaultyIo();
    g_faults.one_byte = mode != 1;
    g_faults.interrupt = mode != 0;
    const ScopedIoOps scope(&ops);
    {
      const auto checkpoint = OpenCheckpoint(path, {});
      EXPECT_EQ(ReadTensor(*checkpoint), std::string(256, 't'));
      EXPECT_EQ(checkpoint->metadata().FindArray("tokens")->size(), 3u);
    }
    EXPECT_GT(g_faults.calls, mode == 1 ? 3 : 256);
    EXPECT_EQ(g_faults.descriptors, 0);
  }
}

TEST(FileFaults, F04_AnErrorAtAnyReadIsReportedAndLeaksNothing) {
  const TempDir dir;
  const std::string path = Small(dir);
  int reads = 0;
  {
    const IoOps ops = FaultyIo();
    g_faults.one_byte = true;
    const ScopedIoOps scope(&ops);
    OpenCheckpoint(path, {});
    reads = g_faults.calls;
  }
  ASSERT_GT(reads, 100);
  for (int k = 0; k < reads; ++k) {
    const IoOps ops = FaultyIo();
    g_faults.one_byte = true;
    g_faults.fail_at = k;
    const ScopedIoOps scope(&ops);
    try {
      OpenCheckpoint(path, {});
      FAIL() << k;
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ErrorCode::kIo) << k;
      ASSERT_NE(std::string(error.what()).find("m.gguf: offset " + std::to_string(k) + ": "), std::string::npos) << error.what();
      ASSERT_NE(std::string(error.what()).find("Input/output error (errno 5)"), std::string::npos) << error.what();
    }
    ASSERT_EQ(g_faults.descriptors, 0) << k;
  }
}

TEST(FileFaults, F05_OnlyRegularFilesAreOpened) {
  const TempDir dir;
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  ExpectRefused("F05 FIFO", dir / "fifo", 0, ErrorCode::kUnsupported, {"is a FIFO, expected a regular file"});
  ExpectRefused("F05 zero", "/dev/zero", 0, ErrorCode::kUnsupported, {"/dev/zero", "a device"});
  ExpectRefused("F05 full", "/dev/full", 0, ErrorCode::kUnsupported, {"a device"});
  ExpectRefused("F05 a folder", dir.path(), 0, ErrorCode::kFormat, {"without config.json"});
  ExpectRefused("F05 memory", "/proc/self/mem", 0, ErrorCode::kTruncated,
                {"/proc/self/mem"});  // a file of 0 bytes by its own account
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, (dir / "socket").c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ExpectRefused("F05 socket", dir / "socket", 0, ErrorCode::kIo, {"socket", "errno"});
  ::close(fd);
  // The same in the place of a file that a folder should hold.
  fs::create_directory(dir / "model");
  ASSERT_EQ(::mkfifo((dir / "model/config.json").c_str(), 0600), 0);
  ExpectRefused("F05 a FIFO as config.json", dir / "model", 0, ErrorCode::kUnsupported, {"config.json", "a FIFO"});
}

TEST(FileFaults, F06_StrangePathsAreIoErrors) {
  const TempDir dir;
  fs::create_symlink("loop", dir / "loop");
  fs::create_symlink("nowhere", dir / "dangling");
  ExpectRefused("F06 loop", dir / "loop", 0, ErrorCode::kIo, {"loop", "errno 40"});
  ExpectRefused("F06 dangling", dir / "dangling", 0, ErrorCode::kIo, {"No such file or directory (errno 2)"});
  ExpectRefused("F06 long", "/" + std::string(5000, 'x'), 0, ErrorCode::kIo, {"errno 36", "..."});
  ExpectRefused("F06 not UTF-8", dir / "\xff\xfe", 0, ErrorCode::kIo, {"\\xff\\xfe"});
  ExpectRefused("F06 empty", "", 0, ErrorCode::kArgument, {"empty path"});
  ExpectRefused("F06 NUL", std::string("a\0b", 3), 0, ErrorCode::kArgument, {"NUL"});
  ExpectRefused("F06 a safetensors file", dir / "model.safetensors", 0, ErrorCode::kArgument, {"folder"});
}

TEST(FileFaults, F07_SystemErrorsAreQuoted) {
  const TempDir dir;
  const std::string path = Small(dir);
  IoOps ops = SystemIo();
  ops.open_read = [](const char*) { return errno = ESTALE, -1; };
  {
    const ScopedIoOps scope(&ops);
    try {
      OpenCheckpoint(path, {});
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kIo);
      EXPECT_NE(std::string(error.what()).find("errno 116"), std::string::npos) << error.what();
    }
  }
  if (::geteuid() != 0) {  // root reads everything
    fs::permissions(path, fs::perms::none);
    ExpectRefused("F07 unreadable", path, 0, ErrorCode::kIo, {"Permission denied"});
  }
}

TEST(FileFaults, F08_AFailedMappingFallsBackToReading) {
  const TempDir dir;
  const std::string path = Small(dir);
  IoOps ops = SystemIo();
  ops.map = [](int, uint64_t) -> void* { return errno = ENODEV, nullptr; };
  const ScopedIoOps scope(&ops);
  const auto checkpoint = OpenCheckpoint(path, {.map = true});
  EXPECT_EQ(checkpoint->Mapped(*checkpoint->FindTensor("t")), nullptr);
  EXPECT_EQ(ReadTensor(*checkpoint), std::string(256, 't'));
  checkpoint->DropPages(*checkpoint->FindTensor("t"));
}

// Two shards in either container; each descriptor that the reader could have may be the one that is refused.
TEST(FileFaults, F09_NoDescriptorLeftIsAnIoError) {
  if (test::kSanitized) GTEST_SKIP() << "a sanitizer looks at memory through a pipe, which takes descriptors";
  const TempDir dir;
  const auto shard = [](const std::string& name) {
    const std::string header = "{\"" + name + "\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}";
    return test::Raw(static_cast<uint64_t>(header.size())) + header + "xxxx";
  };
  WriteFile(dir / "one.safetensors", shard("a"));
  WriteFile(dir / "two.safetensors", shard("b"));
  WriteFile(dir / "config.json", "{}");
  WriteFile(dir / "model.safetensors.index.json", R"({"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}})");
  for (uint16_t i = 0; i < 2; ++i) {
    test::GgufWriter file;
    file.Number("split.no", test::kGgufU16, i).Number("split.count", test::kGgufU16, uint16_t{2});
    file.Tensor(i == 0 ? "a" : "b", {8}, 0, std::string(32, 'x'));
    WriteFile(dir / ("m-0000" + std::to_string(i + 1) + "-of-00002.gguf"), file.Build());
  }
  rlimit limit = {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const int next = ::open("/dev/null", O_RDONLY);  // the lowest number that is free
  ASSERT_GE(next, 0);
  ::close(next);
  for (const std::string& path : {dir.path(), dir / "m-00001-of-00002.gguf"}) {
    int refused = 0;
    for (bool opened = false; !opened; ++refused) {
      ASSERT_LT(refused, 16);
      const test::BoundedCall call = test::CallBounded([&] {
        rlimit tight = limit;
        tight.rlim_cur = static_cast<rlim_t>(next + refused);
        ::setrlimit(RLIMIT_NOFILE, &tight);
        try {
          OpenCheckpoint(path, {});
        } catch (...) {
          ::setrlimit(RLIMIT_NOFILE, &limit);
          throw;
        }
        ::setrlimit(RLIMIT_NOFILE, &limit);
      });
      const std::string id = path + " with room for " + std::to_string(refused);
      test::ExpectWithinBounds(id, call, 1024);
      opened = call.returned;
      if (opened) break;
      ASSERT_TRUE(call.code) << id;
      EXPECT_EQ(*call.code, ErrorCode::kIo) << id << ": " << call.message;
      EXPECT_NE(std::string(call.message).find("Too many open files (errno 24)"), std::string::npos) << id << ": " << call.message;
    }
    EXPECT_GE(refused, 2) << "both shards stay open";
  }
}

// A folder with an index and two shards, opened with the k-th allocation failing, for every k: bad_alloc comes out, no memory
// and no descriptor stays behind, and without the failure all is well.
TEST(FileFaults, F10_AFailedAllocationLeaksNothing) {
  const TempDir dir;
  const std::string gguf = Small(dir);
  const auto shard = [](const std::string& name) {
    const std::string header = "{\"" + name + "\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}";
    return test::Raw(static_cast<uint64_t>(header.size())) + header + "xxxx";
  };
  fs::create_directory(dir / "hf");
  WriteFile(dir / "hf/one.safetensors", shard("a"));
  WriteFile(dir / "hf/two.safetensors", shard("b"));
  WriteFile(dir / "hf/config.json", R"({"a": {"list": [1, 2], "text": "x"}, "b": [true]})");
  WriteFile(dir / "hf/model.safetensors.index.json", R"({"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}})");
  for (const std::string& path : {gguf, dir / "hf"})
    for (const bool all_later : {false, true}) {
      int64_t k = 0;
      for (bool failed = true; failed; ++k) {
        ASSERT_LT(k, 10000);
        const IoOps ops = FaultyIo();
        const ScopedIoOps scope(&ops);
        const int64_t before = test::Allocations().live_blocks;
        failed = false;
        test::FailAllocation(k, all_later);
        try {
          OpenCheckpoint(path, {});
        } catch (const std::bad_alloc&) {
          failed = true;
        } catch (...) {
          failed = true;
          ADD_FAILURE() << path << ": allocation " << k << ": another exception than bad_alloc";
        }
        test::FailAllocation(-1);
        ASSERT_EQ(test::Allocations().live_blocks, before) << path << ": allocation " << k;
        ASSERT_EQ(g_faults.descriptors, 0) << path << ": allocation " << k;
      }
      EXPECT_GT(k, 10);
    }
}

TEST(FileReader, ReadsPastTheEndAreTruncated) {
  const TempDir dir;
  WriteFile(dir / "f", "0123456789");
  const FileReader file(dir / "f");
  EXPECT_EQ(file.size(), 10u);
  std::byte out[4];
  EXPECT_NO_THROW(file.ReadAt(6, out));
  EXPECT_THROW(file.ReadAt(7, out), Error);
  EXPECT_THROW(file.ReadAt(~uint64_t{0}, out), Error);
  EXPECT_NO_THROW(file.ReadAt(10, {}));
  EXPECT_EQ(ReadWholeFile(dir / "f", 10), "0123456789");
  EXPECT_THROW(ReadWholeFile(dir / "f", 9), Error);
}

}  // namespace
}  // namespace scout::io
