#include "io/pack_file.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <type_traits>

#include "base/checked.h"
#include "base/error.h"

namespace scout::io {
namespace {

static_assert(std::endian::native == std::endian::little, "records are little-endian and read in place");
template <typename Record>
constexpr bool kNoHoles = std::is_trivially_copyable_v<Record>&& std::has_unique_object_representations_v<Record>;
static_assert(kNoHoles<PackHeader> && kNoHoles<PackSource> && kNoHoles<PackSkip> && kNoHoles<PackPart>);
static_assert(sizeof(PackHeader) <= kPackAlignment);

// A text that fills its field with zeros to the end.
bool IsText(std::span<const char> field) {
  const auto end = std::find(field.begin(), field.end(), '\0');
  return end != field.begin() && end != field.end() && std::all_of(end, field.end(), [](char c) { return c == '\0'; });
}

std::string Seconds(int64_t ns) {
  const auto fraction = std::to_string(1000000000 + (ns % 1000000000 + 1000000000) % 1000000000);
  return StrCat((ns - (ns % 1000000000 + 1000000000) % 1000000000) / 1000000000, ".", std::string_view(fraction).substr(1));
}

// In pieces, whatever lies in the page cache.
Hash128 HashOfFile(const FileReader& file, uint64_t bytes) {
  PieceHash hash;
  StagingBuffer staging;
  constexpr uint64_t kPiece = 4 * PieceHash::kBytes;
  for (uint64_t at = 0; at < bytes; at += kPiece) {
    const auto size = static_cast<size_t>(std::min(kPiece, bytes - at));
    hash.Add(file.ReadStaged(at, size, staging));
  }
  return hash.Finish();
}

// A header is read again soon: it stays in the page cache.
Hash128 HashOfFileHeader(const FileReader& file, uint64_t bytes) {
  PieceHash hash;
  const auto buffer = std::make_unique_for_overwrite<std::byte[]>(PieceHash::kBytes);
  for (uint64_t at = 0; at < bytes; at += PieceHash::kBytes) {
    const std::span<std::byte> piece(buffer.get(), static_cast<size_t>(std::min<uint64_t>(PieceHash::kBytes, bytes - at)));
    file.ReadAt(at, piece);
    hash.Add(piece);
  }
  return hash.Finish();
}

}  // namespace

Hash128 HashOfHeader(PackHeader header) {
  header.hash = {};
  return HashOf(std::as_bytes(std::span(&header, 1)));
}

PackSource DescribeSource(const FileReader& file, uint64_t header_bytes, bool whole) {
  PackSource source = {file.size(), file.modified_ns(), header_bytes, HashOfFileHeader(file, header_bytes), {}};
  if (whole) source.whole = HashOfFile(file, file.size());
  return source;
}

std::shared_ptr<const PackFile> PackFile::Open(const std::string& path) {
  const std::shared_ptr<PackFile> pack(new PackFile(path));
  pack->ReadHeader();
  return pack;
}

void PackFile::CheckSection(const PackSection& section, std::string_view what, uint64_t record, uint64_t limit,
                            uint64_t* end) const {
  const uint64_t begin = CheckedAlign(*end, kPackAlignment, "offset of a section");
  if (section.offset != begin) Refuse(ErrorCode::kFormat, "the offset of the ", what, " is ", section.offset, ", expected ", begin);
  if (section.bytes % record != 0)
    Refuse(ErrorCode::kFormat, "the ", what, " have ", section.bytes, " bytes, which is not a multiple of ", record);
  if (section.bytes / record > limit)
    Refuse(ErrorCode::kLimit, "the ", what, " are ", section.bytes / record, "; the limit is ", limit);
  *end = CheckedAdd(begin, section.bytes, "end of a section");
  if (*end > file_.size()) Refuse(ErrorCode::kTruncated, "the ", what, " end at ", *end, ", the file at ", file_.size());
}

template <typename Record>
void PackFile::ReadSection(const PackSection& section, std::string_view what, std::vector<Record>& records) const {
  records.resize(static_cast<size_t>(section.bytes / sizeof(Record)));  // the file has that many bytes
  file_.ReadAt(section.offset, std::as_writable_bytes(std::span(records)));
  if (HashOf(std::as_bytes(std::span<const Record>(records))) != section.hash)
    Refuse(ErrorCode::kCorrupt, "the ", what, " are damaged: their hash is not the one that the file states");
}

void PackFile::ReadHeader() {
  if (file_.size() < kPackAlignment)
    Refuse(ErrorCode::kTruncated, file_.size(), " bytes; a packed side-file has at least ", kPackAlignment);
  file_.ReadAt(0, std::as_writable_bytes(std::span(&header_, 1)));
  if (std::memcmp(header_.magic, kPackMagic, sizeof kPackMagic) != 0)
    Refuse(ErrorCode::kFormat, "the magic is \"", Escape({header_.magic, sizeof header_.magic}), "\", expected \"",
           std::string_view(kPackMagic, sizeof kPackMagic), "\": this is no packed side-file");
  if (header_.version != kPackVersion)
    Refuse(ErrorCode::kUnsupported, "version ", header_.version, " of packed side-files; version ", kPackVersion,
           " is read: pack the model again");
  if (header_.header_bytes != sizeof header_)
    Refuse(ErrorCode::kFormat, "the header's size is ", header_.header_bytes, ", expected ", sizeof header_);
  if (HashOfHeader(header_) != header_.hash)
    Refuse(ErrorCode::kCorrupt, "the header is damaged: its hash is not the one that the file states");
  if (!IsText(header_.layout)) Refuse(ErrorCode::kFormat, "the layout is no text of 1 to ", kMaxPackText - 1, " bytes");
  if (header_.file_bytes != file_.size())
    Refuse(header_.file_bytes > file_.size() ? ErrorCode::kTruncated : ErrorCode::kFormat, "the file has ", file_.size(),
           " bytes, its header says ", header_.file_bytes);
  uint64_t end = sizeof header_;
  CheckSection(header_.sources, "sources", sizeof(PackSource), kMaxPackSources, &end);
  CheckSection(header_.skips, "skipped arrays", sizeof(PackSkip), kMaxPackSkips, &end);
  CheckSection(header_.parts, "parts", sizeof(PackPart), kMaxPackParts, &end);
  CheckSection(header_.tokenizer, "bytes of the tokenizer", 1, kMaxPackTokenizer, &end);
  if (file_.mapping() == nullptr) Refuse(ErrorCode::kIo, "cannot be mapped");
  ReadSection(header_.sources, "sources", sources_);
  ReadSection(header_.skips, "skipped arrays", skips_);
  ReadSection(header_.parts, "parts", parts_);
  if (HashOf(tokenizer()) != header_.tokenizer.hash)
    Refuse(ErrorCode::kCorrupt, "the tokenizer's tables are damaged: their hash is not the one that the file states");
  CheckParts(end);
  for (const PackSkip& skip : skips_)
    if (skip.file >= sources_.size() || skip.begin >= skip.end || skip.end > sources_[skip.file].header_bytes)
      Refuse(ErrorCode::kFormat, "a skipped array of file ", skip.file, " lies at ", skip.begin, " to ", skip.end,
             ", outside the file's header");
}

void PackFile::CheckParts(uint64_t end) const {
  uint64_t weight = 0;
  for (size_t i = 0; i < parts_.size(); ++i) {
    const PackPart& part = parts_[i];
    const bool texts = IsText(part.name) && IsText(part.format);
    if (!texts) Refuse(ErrorCode::kFormat, "part ", i, ": its name or format is no text");
    if (part.weight != weight && (i == 0 || part.weight != weight + 1))
      Refuse(ErrorCode::kFormat, "part ", i, " belongs to weight ", part.weight, ", the one before it to weight ", weight);
    weight = part.weight;
    const uint64_t begin = CheckedAlign(end, kPackAlignment, "offset of a part");
    if (part.offset != begin) Refuse(ErrorCode::kFormat, "part ", i, ": its offset is ", part.offset, ", expected ", begin);
    end = CheckedAdd(begin, part.bytes, "end of a part");
    if (end > file_.size()) Refuse(ErrorCode::kTruncated, "part ", i, " ends at ", end, ", the file at ", file_.size());
  }
  if (end != file_.size()) Refuse(ErrorCode::kFormat, "the last part ends at ", end, ", the file at ", file_.size());
}

std::span<const std::byte> PackFile::tokenizer() const {
  return {file_.mapping() + header_.tokenizer.offset, static_cast<size_t>(header_.tokenizer.bytes)};
}

std::span<const std::byte> PackFile::BytesOf(const PackPart& part) const {
  return {file_.mapping() + part.offset, static_cast<size_t>(part.bytes)};
}

void PackFile::CheckSourceCount(size_t files) const {
  if (files != sources_.size())
    Refuse(ErrorCode::kState, "it was made from ", sources_.size(), sources_.size() == 1 ? " file" : " files",
           ", the checkpoint has ", files, ": pack the model again");
}

void PackFile::CheckSource(size_t index, const FileReader& file, bool whole) const {
  if (index >= sources_.size()) CheckSourceCount(index + 1);
  const PackSource& made = sources_[index];
  constexpr std::string_view kAgain = ": pack the model again";
  if (file.size() != made.bytes)
    Refuse(ErrorCode::kState, "it was made from a file of ", made.bytes, " bytes, ", file.name(), " has ", file.size(), kAgain);
  if (!whole && file.modified_ns() != made.modified_ns)
    Refuse(ErrorCode::kState, "it was made from a file that was last changed at ", Seconds(made.modified_ns), " s, ", file.name(),
           " was at ", Seconds(file.modified_ns()), " s (since 1970)", kAgain);
  if (made.header_bytes > made.bytes)
    Refuse(ErrorCode::kFormat, "the header of source ", index, " has ", made.header_bytes, " bytes, the file ", made.bytes);
  const Hash128 header = HashOfFileHeader(file, made.header_bytes);
  if (header != made.header)
    Refuse(ErrorCode::kState, "it was made from a file whose header's hash is ", ToText(made.header), ", that of ", file.name(),
           " is ", ToText(header), kAgain);
  if (!whole) return;
  const Hash128 all = HashOfFile(file, file.size());
  if (all != made.whole)
    Refuse(ErrorCode::kState, "it was made from a file whose hash is ", ToText(made.whole), ", that of ", file.name(), " is ",
           ToText(all), kAgain);
}

void PackFile::CheckData(const PackPart& part) const {
  PieceHash hash;
  hash.Add(BytesOf(part));
  if (hash.Finish() != part.hash)
    Refuse(ErrorCode::kCorrupt, "the packed bytes of ", Escape(part.name), " are damaged: their hash is ", ToText(hash.Finish()),
           ", expected ", ToText(part.hash));
}

}  // namespace scout::io
