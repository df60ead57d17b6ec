// Packed side-files: what is written is read again; whatever is damaged, cut, changed or a lie is refused with a sentence; and a
// file is replaced whole or not at all.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>

#include "base/error.h"
#include "base/io_ops.h"
#include "io/pack_file.h"
#include "support/gguf_writer.h"
#include "support/temp_dir.h"

namespace scout::io {
namespace {

using test::ReadFileBytes;
using test::TempDir;
using test::WriteFile;
namespace fs = std::filesystem;

class NoProgress final : public PackProgress {
 public:
  void Wrote(uint64_t bytes) override { written += bytes; }
  uint64_t written = 0;
};

const std::string& Data() {
  static const std::string data = [] {
    std::string text(20000, '\0');
    uint32_t state = 1;
    for (char& c : text) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
    return text;
  }();
  return data;
}

std::span<const std::byte> Bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

PackPart Part(uint64_t weight, const char* name) {
  PackPart part = {};
  std::strcpy(part.name, name);
  std::strcpy(part.format, "Q4_K");
  part.weight = weight;
  part.rows = 16;
  return part;
}

// Two weights, one of two parts.
PackContents Contents(const FileReader& source) {
  PackContents contents;
  contents.layout = "panels, version 1";
  contents.fingerprint = 77;
  contents.sources.push_back(DescribeSource(source, 1000, true));
  contents.skips.push_back({0, 100, 900});
  contents.parts = {Part(0, "a"), Part(0, "a"), Part(1, "b")};
  contents.data = {Bytes(Data()).first(5000), Bytes(Data()).subspan(5000, 64), Bytes(Data()).subspan(64)};
  contents.tokenizer = Data().substr(0, 3000);
  return contents;
}

struct Folder {
  Folder() : source(dir / "model.gguf"), path(dir / "model.gguf.pack") {
    WriteFile(source, Data());
    Write();
    good = ReadFileBytes(path);
  }
  void Write() {
    NoProgress progress;
    WritePack(path, Contents(FileReader(source)), progress);
    EXPECT_EQ(progress.written, 5000u + 64u + Data().size() - 64u);
  }
  size_t Files() const { return static_cast<size_t>(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator())); }

  TempDir dir;
  std::string source, path, good;
};

void ExpectRefused(const std::function<void()>& call, ErrorCode code, std::initializer_list<const char*> says,
                   const std::string& what) {
  try {
    call();
    ADD_FAILURE() << what << ": accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << what << ": " << error.what();
    for (const char* text : says)
      EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << what << ": " << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << what;
    EXPECT_LE(std::string(error.what()).size(), 600u) << what;
  }
}

// The header of `file` changed by `change` and hashed again, or not.
std::string Changed(std::string file, const std::function<void(PackHeader&)>& change, bool hash = true) {
  PackHeader header;
  std::memcpy(&header, file.data(), sizeof header);
  change(header);
  if (hash) header.hash = HashOfHeader(header);
  std::memcpy(file.data(), &header, sizeof header);
  return file;
}

// Record `index` of a section changed, and everything hashed again.
template <typename Record>
std::string ChangedRecord(std::string file, PackSection PackHeader::*section, size_t index,
                          const std::function<void(Record&)>& change) {
  PackHeader header;
  std::memcpy(&header, file.data(), sizeof header);
  const PackSection place = header.*section;
  Record record;
  char* const at = file.data() + place.offset + index * sizeof record;
  std::memcpy(&record, at, sizeof record);
  change(record);
  std::memcpy(at, &record, sizeof record);
  const Hash128 hash = HashOf(Bytes(file).subspan(place.offset, place.bytes));
  return Changed(std::move(file), [&](PackHeader& changed) { (changed.*section).hash = hash; });
}

TEST(PackFile, HoldsWhatWasWritten) {
  const Folder folder;
  const auto pack = PackFile::Open(folder.path);
  EXPECT_EQ(pack->layout(), "panels, version 1");
  EXPECT_EQ(pack->fingerprint(), 77u);
  EXPECT_EQ(pack->file_bytes(), folder.good.size());
  ASSERT_EQ(pack->parts().size(), 3u);
  EXPECT_TRUE(std::ranges::equal(pack->BytesOf(pack->parts()[0]), Bytes(Data()).first(5000)));
  EXPECT_TRUE(std::ranges::equal(pack->BytesOf(pack->parts()[2]), Bytes(Data()).subspan(64)));
  EXPECT_TRUE(std::ranges::equal(pack->tokenizer(), Bytes(Data()).first(3000)));
  for (const PackPart& part : pack->parts()) {
    EXPECT_EQ(part.offset % kPackAlignment, 0u);
    pack->CheckData(part);
  }
  const FileReader source(folder.source);
  pack->CheckSourceCount(1);
  pack->CheckSource(0, source, false);
  pack->CheckSource(0, source, true);
  EXPECT_EQ(folder.Files(), 2u);
}

TEST(PackFile, AFileThatIsCutAnywhereIsTruncated) {
  const Folder folder;
  const std::string path = folder.dir / "cut";
  for (size_t size = 0; size < folder.good.size(); size += size < 8192 ? 509 : 4093) {
    WriteFile(path, folder.good.substr(0, size));
    ExpectRefused([&] { PackFile::Open(path); }, ErrorCode::kTruncated, {"bytes"}, std::to_string(size));
  }
  WriteFile(path, folder.good + "x");
  ExpectRefused([&] { PackFile::Open(path); }, ErrorCode::kFormat, {"the file has", "its header says"}, "longer");
}

TEST(PackFile, EveryByteOfHeaderTablesAndTokenizerIsLookedAt) {
  const Folder folder;
  PackHeader header;
  std::memcpy(&header, folder.good.data(), sizeof header);
  const std::string path = folder.dir / "damaged";
  const auto damage = [&](uint64_t begin, uint64_t bytes, uint64_t step) {
    for (uint64_t at = begin; at < begin + bytes; at += step) {
      std::string file = folder.good;
      file[at] = static_cast<char>(file[at] ^ 0x10);
      WriteFile(path, file);
      try {
        PackFile::Open(path);
        ADD_FAILURE() << "byte " << at << " was not missed";
      } catch (const Error& error) {
        const bool told = error.code() == ErrorCode::kCorrupt || (at < 16 && error.code() != ErrorCode::kInternal);
        EXPECT_TRUE(told) << at << ": " << error.what();
      }
    }
  };
  damage(0, sizeof header, 1);
  damage(header.sources.offset, header.sources.bytes, 1);
  damage(header.skips.offset, header.skips.bytes, 1);
  damage(header.parts.offset, header.parts.bytes, 7);
  damage(header.tokenizer.offset, header.tokenizer.bytes, 61);
}

TEST(PackFile, DamagedDataIsFoundWhenItIsLookedFor) {
  const Folder folder;
  std::string file = folder.good;
  file.back() = static_cast<char>(file.back() ^ 1);
  const std::string path = folder.dir / "damaged";
  WriteFile(path, file);
  const auto pack = PackFile::Open(path);
  pack->CheckData(pack->parts()[0]);
  ExpectRefused([&] { pack->CheckData(pack->parts()[2]); }, ErrorCode::kCorrupt, {"packed bytes of b", "expected"}, "data");
}

TEST(PackFile, LiesWithTheRightHashesAreRefused) {
  const Folder folder;
  const auto header = [&](const std::function<void(PackHeader&)>& change) { return Changed(folder.good, change); };
  const auto part = [&](size_t i, const std::function<void(PackPart&)>& change) {
    return ChangedRecord<PackPart>(folder.good, &PackHeader::parts, i, change);
  };
  const auto skip = [&](const std::function<void(PackSkip&)>& change) {
    return ChangedRecord<PackSkip>(folder.good, &PackHeader::skips, 0, change);
  };
  constexpr uint64_t kHuge[] = {uint64_t{1} << 40, uint64_t{1} << 63, ~uint64_t{0}, ~uint64_t{0} - 4095};
  struct Case {
    std::string name, file;
    ErrorCode code;
    const char* says;
  };
  std::vector<Case> cases = {
      {"magic", header([](PackHeader& h) { h.magic[0] = 'X'; }), ErrorCode::kFormat, "expected \"SCOUTPCK\""},
      {"version", header([](PackHeader& h) { h.version = 2; }), ErrorCode::kUnsupported, "version 2"},
      {"header size", header([](PackHeader& h) { h.header_bytes = 8; }), ErrorCode::kFormat, "expected"},
      {"no layout", header([](PackHeader& h) { std::memset(h.layout, 0, sizeof h.layout); }), ErrorCode::kFormat, "layout"},
      {"endless layout", header([](PackHeader& h) { std::memset(h.layout, 'x', sizeof h.layout); }), ErrorCode::kFormat, "layout"},
      {"file size", header([](PackHeader& h) { h.file_bytes -= 1; }), ErrorCode::kFormat, "its header says"},
      {"overlapping sections", header([](PackHeader& h) { h.parts.offset = h.sources.offset; }), ErrorCode::kFormat, "expected"},
      {"unaligned section", header([](PackHeader& h) { h.tokenizer.offset += 8; }), ErrorCode::kFormat, "expected"},
      {"half a record", header([](PackHeader& h) { h.parts.bytes -= 1; }), ErrorCode::kFormat, "multiple"},
      {"unaligned part", part(1, [](PackPart& p) { p.offset += 64; }), ErrorCode::kFormat, "expected"},
      {"overlapping parts", part(1, [&](PackPart& p) { p.offset -= kPackAlignment; }), ErrorCode::kFormat, "expected"},
      {"a short last part", part(2, [](PackPart& p) { p.bytes -= 1; }), ErrorCode::kFormat, "the last part ends"},
      {"skipped weight", part(2, [](PackPart& p) { p.weight = 2; }), ErrorCode::kFormat, "weight 2"},
      {"weight from 1", part(0, [](PackPart& p) { p.weight = 1; }), ErrorCode::kFormat, "weight 1"},
      {"huge weight", part(2, [](PackPart& p) { p.weight = ~uint64_t{0}; }), ErrorCode::kFormat, "weight"},
      {"endless name", part(0, [](PackPart& p) { std::memset(p.name, 'x', sizeof p.name); }), ErrorCode::kFormat, "no text"},
      {"endless format", part(0, [](PackPart& p) { std::memset(p.format, 'x', sizeof p.format); }), ErrorCode::kFormat, "no text"},
      {"text behind its end", part(0, [](PackPart& p) { p.name[9] = 'x'; }), ErrorCode::kFormat, "no text"},
      {"skip of another file", skip([](PackSkip& s) { s.file = 1; }), ErrorCode::kFormat, "file 1"},
      {"skip backwards", skip([](PackSkip& s) { s.end = s.begin; }), ErrorCode::kFormat, "skipped array"},
      {"skip past the header", skip([](PackSkip& s) { s.end = 1001; }), ErrorCode::kFormat, "1001"},
  };
  for (const uint64_t huge : kHuge) {
    const std::string number = " " + std::to_string(huge);
    cases.push_back(
        {"file size" + number, header([&](PackHeader& h) { h.file_bytes = huge; }), ErrorCode::kTruncated, "its header says"});
    cases.push_back(
        {"section offset" + number, header([&](PackHeader& h) { h.skips.offset = huge; }), ErrorCode::kFormat, "expected"});
    cases.push_back({"part offset" + number, part(1, [&](PackPart& p) { p.offset = huge; }), ErrorCode::kFormat, "expected"});
  }
  const std::string path = folder.dir / "lie";
  for (const Case& lie : cases) {
    WriteFile(path, lie.file);
    ExpectRefused([&] { PackFile::Open(path); }, lie.code, {lie.says}, lie.name);
  }
  // Sizes that no file has: whichever rule is broken first, nothing is reserved for them.
  for (const uint64_t huge : kHuge) {
    for (PackSection PackHeader::*section :
         {&PackHeader::sources, &PackHeader::skips, &PackHeader::parts, &PackHeader::tokenizer}) {
      WriteFile(path, header([&](PackHeader& h) { (h.*section).bytes = huge; }));
      EXPECT_THROW(PackFile::Open(path), Error);
    }
    WriteFile(path, part(0, [&](PackPart& p) { p.bytes = huge; }));
    EXPECT_THROW(PackFile::Open(path), Error);
  }
}

TEST(PackFile, AnotherSourceIsRefusedByTheFieldThatDiffers) {
  const Folder folder;
  const auto pack = PackFile::Open(folder.path);
  ExpectRefused([&] { pack->CheckSourceCount(2); }, ErrorCode::kState, {"made from 1 file", "has 2", "pack the model again"},
                "count");

  const std::string longer = folder.dir / "longer", later = folder.dir / "later", header = folder.dir / "header",
                    body = folder.dir / "body";
  WriteFile(longer, Data() + "x");
  ExpectRefused([&] { pack->CheckSource(0, FileReader(longer), false); }, ErrorCode::kState, {"20000 bytes", "has 20001"}, "size");

  const auto time = fs::last_write_time(folder.source);
  WriteFile(later, Data());
  fs::last_write_time(later, time + std::chrono::milliseconds(1500));
  ExpectRefused([&] { pack->CheckSource(0, FileReader(later), false); }, ErrorCode::kState, {"last changed", "since 1970"}, "time");
  pack->CheckSource(0, FileReader(later), true);  // all of it is the same

  std::string bytes = Data();
  bytes[999] = static_cast<char>(bytes[999] ^ 1);
  WriteFile(header, bytes);
  fs::last_write_time(header, time);
  ExpectRefused([&] { pack->CheckSource(0, FileReader(header), false); }, ErrorCode::kState, {"whose header's hash is"}, "header");

  bytes = Data();
  bytes[1000] = static_cast<char>(bytes[1000] ^ 1);
  WriteFile(body, bytes);
  fs::last_write_time(body, time);
  pack->CheckSource(0, FileReader(body), false);  // not looked at
  ExpectRefused([&] { pack->CheckSource(0, FileReader(body), true); }, ErrorCode::kState, {"whose hash is"}, "body");
}

TEST(PackFile, OtherThingsThanSideFilesAreRefused) {
  const Folder folder;
  ExpectRefused([&] { PackFile::Open(folder.dir / "none"); }, ErrorCode::kIo, {"cannot be opened"}, "missing");
  ExpectRefused([&] { PackFile::Open(folder.dir.path()); }, ErrorCode::kUnsupported, {"a directory"}, "folder");
  ExpectRefused([&] { PackFile::Open(folder.source); }, ErrorCode::kFormat, {"magic", "no packed side-file"}, "source");
  IoOps ops = SystemIo();
  ops.map = [](int, uint64_t) -> void* { return nullptr; };
  const ScopedIoOps scope(&ops);
  ExpectRefused([&] { PackFile::Open(folder.path); }, ErrorCode::kIo, {"cannot be mapped"}, "no mapping");
}

// What the faulty calls below do.
struct {
  int calls = 0, fail_at = -1, descriptors = 0;
  bool interrupt = false, one_byte = false;
} g_faults;

bool Fails() {
  if (g_faults.calls++ != g_faults.fail_at) return false;
  errno = ENOSPC;
  return true;
}

IoOps Faulty() {
  g_faults = {};
  IoOps ops = SystemIo();
  ops.create = [](const char* path) {
    if (Fails()) return -1;
    const int fd = SystemIo().create(path);
    g_faults.descriptors += fd >= 0 ? 1 : 0;
    return fd;
  };
  ops.open_read = [](const char* path) {
    const int fd = SystemIo().open_read(path);
    g_faults.descriptors += fd >= 0 ? 1 : 0;
    return fd;
  };
  ops.close = [](int fd) {
    --g_faults.descriptors;
    return SystemIo().close(fd);
  };
  ops.pwrite = [](int fd, const void* bytes, size_t size, uint64_t offset) -> int64_t {
    if (g_faults.interrupt && (g_faults.calls & 1) == 0) {
      ++g_faults.calls;
      errno = EINTR;
      return -1;
    }
    if (Fails()) return -1;
    return SystemIo().pwrite(fd, bytes, g_faults.one_byte ? (size + 1) / 2 : size, offset);
  };
  ops.sync = [](int fd) { return Fails() ? -1 : SystemIo().sync(fd); };
  ops.rename = [](const char* from, const char* to) { return Fails() ? -1 : SystemIo().rename(from, to); };
  return ops;
}

TEST(PackFile, AFailureWhileWritingLeavesTheOldFile) {
  Folder folder;
  const auto contents = [&] { return Contents(FileReader(folder.source)); };
  NoProgress progress;
  int calls = 0;
  {
    const IoOps ops = Faulty();
    const ScopedIoOps scope(&ops);
    WritePack(folder.path, contents(), progress);
    calls = g_faults.calls;
    EXPECT_EQ(g_faults.descriptors, 0);
  }
  ASSERT_GT(calls, 8);
  for (int k = 0; k + 1 < calls; ++k) {  // the last is the folder's, which some file systems refuse
    const IoOps ops = Faulty();
    g_faults.fail_at = k;
    const ScopedIoOps scope(&ops);
    ExpectRefused([&] { WritePack(folder.path, contents(), progress); }, ErrorCode::kIo, {"cannot be", "(errno 28)"},
                  "call " + std::to_string(k));
    EXPECT_EQ(g_faults.descriptors, 0);
    EXPECT_EQ(folder.Files(), 2u) << k;
    EXPECT_EQ(ReadFileBytes(folder.path), folder.good) << k;
  }
  for (const bool interrupt : {false, true}) {  // short and interrupted writes are finished
    const IoOps ops = Faulty();
    g_faults.interrupt = interrupt;
    g_faults.one_byte = true;
    const ScopedIoOps scope(&ops);
    WritePack(folder.path, contents(), progress);
    EXPECT_EQ(ReadFileBytes(folder.path), folder.good);
  }
}

TEST(PackFile, WhoeverEndsTheWorkLeavesTheOldFile) {
  class Ends final : public PackProgress {
   public:
    void Wrote(uint64_t) override {
      if (++calls == 2) Fail(ErrorCode::kCancelled, "enough");
    }
    int calls = 0;
  } ends;
  Folder folder;
  ExpectRefused([&] { WritePack(folder.path, Contents(FileReader(folder.source)), ends); }, ErrorCode::kCancelled, {"enough"},
                "cancel");
  EXPECT_EQ(folder.Files(), 2u);
  EXPECT_EQ(ReadFileBytes(folder.path), folder.good);
}

TEST(PackFile, WhoHasAFileOpenKeepsItWhenItIsReplaced) {
  Folder folder;
  const auto pack = PackFile::Open(folder.path);
  PackContents other = Contents(FileReader(folder.source));
  other.fingerprint = 78;
  NoProgress progress;
  WritePack(folder.path, other, progress);
  EXPECT_EQ(pack->fingerprint(), 77u);
  pack->CheckData(pack->parts()[2]);
  EXPECT_EQ(PackFile::Open(folder.path)->fingerprint(), 78u);
}

}  // namespace
}  // namespace scout::io
