// A packed side-file: a checkpoint's weights as a device keeps them, and its tokenizer's tables, ready to be mapped and shared by
// processes.
//
//   PackHeader       one block of 4096 bytes: what the file is, for which machine, where its sections are, hashes of all of it
//   sections, each from a multiple of 4096 on, zeros between:
//     sources        PackSource x files of the checkpoint: size, time, hash of the header, hash of the whole
//     skips          PackSkip x arrays of the checkpoint's headers that the tokenizer's tables stand for
//     parts          PackPart x parts of weights, in the order of the data
//     tokenizer      tables, see prompt/tokenizer_image.h; may be empty
//   data             the parts' bytes, each from a multiple of 4096 on
//
// Integers are little-endian. Every offset is determined by what lies before it: any other is refused, so nothing overlaps and the
// file ends where the last part does. Header, sections and tables are compared with their hashes whenever the file is opened; the
// data of a part on request, because that reads it. The file is as untrusted as any: what the fields promise is checked, whatever
// their hash.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
#include "io/file_reader.h"

namespace scout::io {

constexpr uint32_t kPackVersion = 1;
constexpr uint64_t kPackAlignment = 4096;
constexpr uint64_t kMaxPackSources = 4096, kMaxPackSkips = 64, kMaxPackParts = 65536;
constexpr uint64_t kMaxPackTokenizer = uint64_t{1} << 30;  // bytes
constexpr size_t kMaxPackText = 64;                        // bytes of a name, a NUL included

struct PackSection {
  uint64_t offset, bytes;
  Hash128 hash;
};

struct PackHeader {
  char magic[8];
  uint32_t version, header_bytes;
  char layout[kMaxPackText];  // what the device calls its arrangement of weights
  uint64_t file_bytes;
  uint64_t fingerprint;  // of the model, as model/fingerprint.h has it
  PackSection sources, skips, parts, tokenizer;
  Hash128 hash;  // of this header, with zeros here
};
constexpr char kPackMagic[8] = {'S', 'C', 'O', 'U', 'T', 'P', 'C', 'K'};

struct PackSource {
  uint64_t bytes;
  int64_t modified_ns;
  uint64_t header_bytes;
  Hash128 header, whole;
};

// A value of a file's header that need not be read: bytes [begin, end).
struct PackSkip {
  uint64_t file, begin, end;
};

struct PackPart {
  char name[kMaxPackText];                                       // of the weight: that of its first tensor
  char format[8];                                                // "Q4_K"
  uint64_t weight, rows, cols, experts, row_bytes, panel_bytes;  // as of StoredPart; `weight` counts from 0 and never skips
  uint64_t offset, bytes;
  Hash128 hash;  // PieceHash of the bytes
};

class PackFile {
 public:
  // Throws kIo, kFormat, kTruncated, kLimit, kUnsupported (another version), kCorrupt (a hash), each naming file, field, value and
  // limit. The file is mapped as long as this lives.
  static std::shared_ptr<const PackFile> Open(const std::string& path);

  const std::string& name() const { return file_.name(); }
  std::string_view layout() const { return header_.layout; }
  uint64_t fingerprint() const { return header_.fingerprint; }
  uint64_t file_bytes() const { return file_.size(); }
  std::span<const PackSource> sources() const { return sources_; }
  std::span<const PackSkip> skips() const { return skips_; }
  std::span<const PackPart> parts() const { return parts_; }  // of weights in order
  std::span<const std::byte> tokenizer() const;               // aligned; empty: none
  std::span<const std::byte> BytesOf(const PackPart& part) const;

  // Compares file `index` of a checkpoint with what this was made from: size, time and the hash of its header; with `whole` its
  // whole content instead of the time. Throws kState naming field and both values.
  void CheckSource(size_t index, const FileReader& file, bool whole) const;
  // Throws kState unless a checkpoint has as many files as this was made from.
  void CheckSourceCount(size_t files) const;
  // Compares a part's bytes with their hash. Throws kCorrupt.
  void CheckData(const PackPart& part) const;

 private:
  explicit PackFile(const std::string& path) : file_(path, true) {}
  void ReadHeader();
  void CheckSection(const PackSection& section, std::string_view what, uint64_t record, uint64_t limit, uint64_t* end) const;
  template <typename Record>
  void ReadSection(const PackSection& section, std::string_view what, std::vector<Record>& records) const;
  void CheckParts(uint64_t end) const;
  template <typename... Text>
  [[noreturn]] void Refuse(ErrorCode code, const Text&... text) const {
    Fail(code, file_.name(), ": ", text...);
  }

  FileReader file_;
  PackHeader header_ = {};
  std::vector<PackSource> sources_;
  std::vector<PackSkip> skips_;
  std::vector<PackPart> parts_;
};

// The hash of a header, its own field aside.
Hash128 HashOfHeader(PackHeader header);
// What a file of a checkpoint is now. With `whole` all of it is read.
PackSource DescribeSource(const FileReader& file, uint64_t header_bytes, bool whole);

// What goes into a side-file. Offsets and hashes are filled in by WritePack.
struct PackContents {
  std::string layout;
  uint64_t fingerprint = 0;
  std::vector<PackSource> sources;
  std::vector<PackSkip> skips;
  std::vector<PackPart> parts;
  std::vector<std::span<const std::byte>> data;  // [parts]
  std::string tokenizer;
};

// Called after every piece that was written, with its bytes; may throw to end the work.
class PackProgress {
 public:
  virtual ~PackProgress() = default;
  virtual void Wrote(uint64_t bytes) = 0;
};

// Writes a new file beside `path`, brings it to the disk and gives it that name: whoever opens `path` finds the old file or the new
// one, whole. Throws kIo, kLimit; whatever it throws, the new file is gone.
void WritePack(const std::string& path, PackContents contents, PackProgress& progress);

}  // namespace scout::io
