#include "io/gguf.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/io_ops.h"
#include "io/gguf_header.h"
#include "io/pack_file.h"
#include "io/paths.h"
#include "io/stored_checkpoint.h"

namespace scout::io {
namespace {

constexpr uint64_t kMaxShards = 4096;  // each keeps a descriptor open

// "NAME-00002-of-00005.gguf" -> prefix "NAME", number 2, count 5.
struct ShardName {
  std::string prefix;
  uint32_t number = 0, count = 0;
};

std::optional<ShardName> ParseShardName(std::string_view path) {
  constexpr std::string_view kPattern = "-00000-of-00000.gguf";
  if (path.size() < kPattern.size()) return std::nullopt;
  const std::string_view tail = path.substr(path.size() - kPattern.size());
  ShardName out;
  for (size_t i = 0; i < kPattern.size(); ++i) {
    const bool digit = tail[i] >= '0' && tail[i] <= '9';
    if (kPattern[i] == '0' ? !digit : tail[i] != kPattern[i]) return std::nullopt;
  }
  std::from_chars(tail.data() + 1, tail.data() + 6, out.number);
  std::from_chars(tail.data() + 10, tail.data() + 15, out.count);
  out.prefix = path.substr(0, path.size() - kPattern.size());
  return out;
}

std::string ShardPath(const ShardName& shard, uint32_t number) {
  const auto five = [](uint32_t n) {
    const std::string digits = std::to_string(n);
    return std::string(5 - digits.size(), '0') + digits;
  };
  return StrCat(shard.prefix, "-", five(number), "-of-", five(shard.count), ".gguf");
}

// Opens one shard. A missing file is the split file's fault, not the system's; one that is there and cannot be opened is the
// system's.
std::unique_ptr<FileReader> OpenShard(const std::string& path, uint32_t number, uint32_t count, bool map) {
  try {
    return std::make_unique<FileReader>(path, map);
  } catch (const Error& error) {
    std::string resolved;
    if (error.code() != ErrorCode::kIo || Io().real_path(path.c_str(), &resolved)) throw;
    Fail(ErrorCode::kFormat, "shard ", number, " of ", count, ": ", error.what());
  }
}

// What every shard says about the whole.
struct SplitKeys {
  uint64_t count = 0, number = 0;  // number counts from 0
  std::optional<uint64_t> tensors;
};

SplitKeys ReadSplitKeys(const Metadata& metadata) {
  SplitKeys out;
  out.count = metadata.FindUint("split.count", 0, 65535).value_or(0);
  out.number = metadata.FindUint("split.no", 0, 65535).value_or(0);
  out.tensors = metadata.FindUint("split.tensors.count", 0, kMaxGgufTensors);
  return out;
}

void CheckSameModel(const FileReader& file, const Metadata& first, const Metadata& other) {
  for (const std::string_view key : {"general.architecture", "general.name"}) {
    const MetaValue* a = first.Find(key);
    const MetaValue* b = other.Find(key);
    if (a && b && *a != *b)
      Fail(ErrorCode::kFormat, file.name(), ": the key ", key, " differs from that of the first shard: another model");
  }
}

}  // namespace

std::shared_ptr<const Checkpoint> OpenGguf(const std::string& path, const OpenOptions& options) {
  StoredCheckpoint stored;
  stored.format = CheckpointFormat::kGguf;
  stored.path = path;
  stored.directory = DirectoryOf(path);
  stored.files.push_back(std::make_unique<FileReader>(path, options.map));
  // Of a split file any part may be given: those that a side-file was made from are known by their numbers only once they are read.
  const PackFile* const pack = options.pack;
  const bool alone = pack != nullptr && pack->sources().size() == 1;
  if (alone) pack->CheckSource(0, *stored.files[0], options.whole_hash);
  GgufHeader header = ReadGgufHeader(*stored.files[0], 0, alone ? pack->skips() : std::span<const PackSkip>());
  const SplitKeys split = ReadSplitKeys(*header.metadata);
  if (split.count <= 1) {
    if (split.number != 0)
      Fail(ErrorCode::kFormat, stored.files[0]->name(), ": split.no is ", split.number, ", split.count is ", split.count);
    if (pack != nullptr) pack->CheckSourceCount(1);
    stored.header_bytes.push_back(std::min(header.data_begin, stored.files[0]->size()));
    stored.large = std::move(header.large);
    stored.tensors = std::move(header.tensors);
    stored.metadata = std::move(header.metadata);
    return MakeCheckpoint(std::move(stored));
  }

  const std::string name = stored.files[0]->name();
  const std::optional<ShardName> shard = ParseShardName(path);
  if (!shard || shard->count != split.count || shard->number != split.number + 1)
    Fail(ErrorCode::kFormat, name, ": is shard ", split.number + 1, " of ", split.count,
         " by its keys split.no and split.count, its name ",
         shard ? StrCat("says ", shard->number, " of ", shard->count) : "does not end in -%05d-of-%05d.gguf");
  if (split.count > kMaxShards) Fail(ErrorCode::kLimit, name, ": split.count is ", split.count, "; the limit is ", kMaxShards);

  if (pack != nullptr) pack->CheckSourceCount(static_cast<size_t>(split.count));
  stored.files.clear();
  for (uint32_t i = 0; i < split.count; ++i) {
    stored.files.push_back(OpenShard(ShardPath(*shard, i + 1), i + 1, shard->count, options.map));
    const FileReader& file = *stored.files.back();
    if (pack != nullptr) pack->CheckSource(i, file, options.whole_hash);
    header = ReadGgufHeader(file, i, pack != nullptr ? pack->skips() : std::span<const PackSkip>());
    stored.header_bytes.push_back(std::min(header.data_begin, file.size()));
    stored.large.insert(stored.large.end(), header.large.begin(), header.large.end());
    const SplitKeys keys = ReadSplitKeys(*header.metadata);
    if (keys.count != split.count || keys.number != i)
      Fail(ErrorCode::kFormat, file.name(), ": split.no is ", keys.number, " and split.count ", keys.count, ", expected ", i,
           " and ", split.count);
    if (keys.tensors != split.tensors)
      Fail(ErrorCode::kFormat, file.name(), ": split.tensors.count is ", keys.tensors.value_or(0), ", that of another shard is ",
           split.tensors.value_or(0));
    if (i == 0)
      stored.metadata = std::move(header.metadata);
    else
      CheckSameModel(file, *stored.metadata, *header.metadata);
    if (stored.tensors.size() + header.tensors.size() > kMaxGgufTensors)
      Fail(ErrorCode::kLimit, file.name(), ": more than ", kMaxGgufTensors, " tensors in all shards");
    stored.tensors.insert(stored.tensors.end(), std::make_move_iterator(header.tensors.begin()),
                          std::make_move_iterator(header.tensors.end()));
  }
  if (split.tensors && *split.tensors != stored.tensors.size())
    Fail(ErrorCode::kFormat, name, ": split.tensors.count is ", *split.tensors, ", the shards hold ", stored.tensors.size());
  return MakeCheckpoint(std::move(stored));
}

}  // namespace scout::io
