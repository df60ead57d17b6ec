#include "io/hf_directory.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/error.h"
#include "io/hf_config.h"
#include "io/json.h"
#include "io/paths.h"
#include "io/safetensors.h"
#include "io/stored_checkpoint.h"

namespace scout::io {
namespace {

constexpr uint64_t kMaxConfigBytes = 16 * 1024 * 1024;
constexpr uint64_t kMaxIndexBytes = 64 * 1024 * 1024;
constexpr size_t kMaxShards = 4096;  // each keeps a descriptor open

constexpr std::string_view kConfig = "config.json";
constexpr std::string_view kSingle = "model.safetensors";
constexpr std::string_view kIndex = "model.safetensors.index.json";

// model.safetensors.index.json: {"metadata": {"total_size": bytes, ...}, "weight_map": {tensor: file, ...}}
class IndexReader : public JsonHandler {
 public:
  struct Place {
    std::string tensor;
    uint32_t file = 0;  // index into `files`
  };
  std::vector<Place> places;
  std::vector<std::string> files;  // in order of first mention
  std::optional<uint64_t> total_size;
  bool has_map = false;

 private:
  enum class Section { kOther, kMetadata, kMap };

  void BeginObject() override {
    ++depth_;
    if (depth_ == 2 && section_ == Section::kMap)
      has_map = true;
    else if (depth_ == 3 && section_ == Section::kMap)
      NotAFile("an object");
  }
  void EndObject() override { --depth_; }
  void BeginArray() override {
    if (depth_ == 0) Refuse(ErrorCode::kFormat, "the index is an array, expected an object");
    NotAFile("an array");
    ++depth_;
  }
  void EndArray() override { --depth_; }
  void Key(std::string_view key) override {
    if (depth_ == 1) section_ = key == "weight_map" ? Section::kMap : key == "metadata" ? Section::kMetadata : Section::kOther;
    key_ = key;
  }
  void String(std::string_view value) override {
    if (depth_ == 1 && section_ == Section::kMap) NotAFile("a string");
    if (depth_ == 2 && section_ == Section::kMetadata && key_ == "total_size") BadTotal("a string");
    if (depth_ != 2 || section_ != Section::kMap) return;
    if (!IsPlainFileName(value))
      Refuse(ErrorCode::kDenied, "weight_map: tensor ", Escape(key_), ": the file name \"", Escape(value),
             "\" is not a plain name in this folder");
    if (places.size() >= kMaxSafetensorsTensors) Refuse(ErrorCode::kLimit, "more than ", kMaxSafetensorsTensors, " tensors");
    places.push_back({std::string(key_), FileNumber(value)});
  }
  void Uint(uint64_t value) override {
    NotAFile("a number");
    if (depth_ == 2 && section_ == Section::kMetadata && key_ == "total_size") total_size = value;
  }
  void Int(int64_t value) override { OtherNumber(StrCat(value)); }
  // Some writers put the sum as a float; a whole one is taken.
  void Float(double value) override {
    if (depth_ == 2 && section_ == Section::kMetadata && key_ == "total_size" && value >= 0 && value < 9e15 &&
        value == static_cast<double>(static_cast<uint64_t>(value)))
      total_size = static_cast<uint64_t>(value);
    else
      OtherNumber(StrCat(value));
  }
  void Bool(bool) override { OtherNumber("a bool"); }
  void Null() override { NotAFile("null"); }

  void OtherNumber(const std::string& what) {
    NotAFile(what);
    if (depth_ == 2 && section_ == Section::kMetadata && key_ == "total_size") BadTotal(what);
  }
  void NotAFile(std::string_view found) {
    if (section_ != Section::kMap || depth_ == 0) return;
    if (depth_ == 1) Refuse(ErrorCode::kFormat, "weight_map is ", found, ", expected an object");
    Refuse(ErrorCode::kFormat, "weight_map: tensor ", Escape(key_), " is ", found, ", expected a file name");
  }
  [[noreturn]] void BadTotal(std::string_view found) {
    Refuse(ErrorCode::kFormat, "metadata.total_size is ", found, ", expected a whole number");
  }

  uint32_t FileNumber(std::string_view name) {
    // Tensors of one file mostly follow each other; the rest is a binary search.
    if (!files.empty() && files[last_] == name) return last_;
    const auto at =
        std::lower_bound(sorted_.begin(), sorted_.end(), name, [&](uint32_t i, std::string_view n) { return files[i] < n; });
    if (at != sorted_.end() && files[*at] == name) return last_ = *at;
    if (files.size() >= kMaxShards) Refuse(ErrorCode::kLimit, "weight_map names more than ", kMaxShards, " files");
    last_ = static_cast<uint32_t>(files.size());
    sorted_.insert(at, last_);
    files.emplace_back(name);
    return last_;
  }

  int depth_ = 0;
  Section section_ = Section::kOther;
  std::string key_;
  std::vector<uint32_t> sorted_;  // indices of files, by name
  uint32_t last_ = 0;
};

void OpenSingle(StoredCheckpoint& stored, const std::string& path, const OpenOptions& options) {
  stored.files.push_back(std::make_unique<FileReader>(path, options.map));
  stored.tensors = ReadSafetensorsHeader(*stored.files[0], 0);
}

void OpenSharded(StoredCheckpoint& stored, const std::string& index_path, const OpenOptions& options) {
  const std::string index_name = Escape(index_path, 256);
  const std::string text = ReadWholeFile(index_path, kMaxIndexBytes);
  IndexReader index;
  ParseJson(text, index_name, index, {.max_depth = 64, .max_keys = kMaxSafetensorsKeys});
  if (!index.has_map || index.places.empty()) Fail(ErrorCode::kFormat, index_name, ": weight_map is missing or empty");

  uint64_t bytes = 0;
  for (uint32_t i = 0; i < index.files.size(); ++i) {
    const std::optional<std::string> path = ResolveBeside(stored.directory, index.files[i]);
    if (!path) Fail(ErrorCode::kFormat, index_name, ": the file ", Escape(index.files[i]), " that weight_map names is missing");
    stored.files.push_back(std::make_unique<FileReader>(*path, options.map));
    std::vector<TensorInfo> tensors = ReadSafetensorsHeader(*stored.files.back(), i);
    if (stored.tensors.size() + tensors.size() > kMaxSafetensorsTensors)
      Fail(ErrorCode::kLimit, stored.files.back()->name(), ": more than ", kMaxSafetensorsTensors, " tensors in all files");
    bytes += stored.files.back()->size();
    stored.tensors.insert(stored.tensors.end(), std::make_move_iterator(tensors.begin()), std::make_move_iterator(tensors.end()));
  }
  // Too small a sum is a slip of some writers and harmless; one that no file can fill means that something is missing.
  if (index.total_size && *index.total_size > bytes)
    Fail(ErrorCode::kLimit, index_name, ": metadata.total_size is ", *index.total_size, ", the files hold ", bytes, " bytes");

  // What the index says and what the files hold must agree, tensor by tensor. Tensors that it leaves out are taken as found.
  std::vector<uint32_t> by_name(stored.tensors.size());
  for (uint32_t i = 0; i < by_name.size(); ++i) by_name[i] = i;
  std::sort(by_name.begin(), by_name.end(),
            [&](uint32_t a, uint32_t b) { return stored.tensors[a].name < stored.tensors[b].name; });
  for (const IndexReader::Place& place : index.places) {
    auto at = std::lower_bound(by_name.begin(), by_name.end(), place.tensor,
                               [&](uint32_t i, const std::string& name) { return stored.tensors[i].name < name; });
    bool found = false;
    for (; at != by_name.end() && stored.tensors[*at].name == place.tensor; ++at)
      found = found || stored.tensors[*at].file == place.file;
    if (!found)
      Fail(ErrorCode::kFormat, index_name, ": the file ", Escape(index.files[place.file]), " does not hold the tensor ",
           Escape(place.tensor), " that weight_map places there");
  }
}

}  // namespace

std::shared_ptr<const Checkpoint> OpenHfDirectory(const std::string& path, const OpenOptions& options) {
  StoredCheckpoint stored;
  stored.format = CheckpointFormat::kHuggingFace;
  stored.path = path;
  stored.directory = path;
  const std::string name = Escape(path, 256);
  const std::optional<std::string> config = ResolveBeside(path, kConfig);
  if (!config)
    Fail(ErrorCode::kFormat, name,
         ": a folder without config.json; give a GGUF file, or a folder with config.json and model.safetensors");
  stored.metadata = FlattenJson(ReadWholeFile(*config, kMaxConfigBytes), Escape(*config, 256));
  if (const auto index = ResolveBeside(path, kIndex))
    OpenSharded(stored, *index, options);
  else if (const auto single = ResolveBeside(path, kSingle))
    OpenSingle(stored, *single, options);
  else
    Fail(ErrorCode::kFormat, name, ": neither ", kSingle, " nor ", kIndex, " is in this folder");
  return MakeCheckpoint(std::move(stored));
}

}  // namespace scout::io
