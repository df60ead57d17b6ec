#include "prompt/load_tokenizer.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"

namespace scout::prompt {
namespace {

constexpr uint64_t kMaxJsonBytes = uint64_t{256} << 20;     // the released one has 27 MB
constexpr uint64_t kMaxTiktokenBytes = uint64_t{64} << 20;  // the released one has 3.6 MB

// An id as it stands in the file, sign included; the vocabulary checks its range.
std::optional<int64_t> FindId(const io::Metadata& metadata, std::string_view key) {
  const io::MetaValue* value = metadata.Find(key);
  if (!value) return std::nullopt;
  if (const auto* number = std::get_if<int64_t>(value)) return *number;
  if (const auto* number = std::get_if<uint64_t>(value); number && *number <= INT64_MAX) return static_cast<int64_t>(*number);
  Fail(ErrorCode::kFormat, key, " is no token id: expected an integer that fits 63 bits");
}

// A list of ids, or one alone.
std::vector<int64_t> FindIds(const io::Metadata& metadata, std::string_view key) {
  const io::MetaValue* value = metadata.Find(key);
  std::vector<int64_t> ids;
  if (!value) return ids;
  const io::MetaArray* list =
      std::holds_alternative<std::unique_ptr<const io::MetaArray>>(*value) ? metadata.FindArray(key) : nullptr;
  if (!list) return {*FindId(metadata, key)};
  if (list->size() > 64) Fail(ErrorCode::kLimit, key, " lists ", list->size(), " ids; the limit is 64");
  if (list->kind == io::MetaArray::Kind::kInt) {
    ids = list->ints;
  } else if (list->kind == io::MetaArray::Kind::kUint) {
    for (const uint64_t id : list->uints) {
      if (id > INT64_MAX) Fail(ErrorCode::kFormat, key, " lists the id ", id, ", which does not fit 63 bits");
      ids.push_back(static_cast<int64_t>(id));
    }
  } else if (list->size() > 0) {
    Fail(ErrorCode::kFormat, key, " is a list of something else than integers");
  }
  return ids;
}

const io::MetaArray* FindStrings(const io::Metadata& metadata, std::string_view key) {
  const io::MetaArray* array = metadata.FindArray(key);
  if (array && array->kind != io::MetaArray::Kind::kString && array->size() > 0)
    Fail(ErrorCode::kFormat, key, " is an array of numbers, expected strings");
  return array;
}

Vocabulary FromGguf(const io::Metadata& metadata, const io::MetaArray& tokens) {
  GgufVocabulary source;
  source.architecture = metadata.FindString("general.architecture").value_or("");
  source.model = metadata.FindString("tokenizer.ggml.model").value_or("");
  source.tokens = tokens.strings;
  std::vector<int64_t> types;
  if (const io::MetaArray* array = metadata.FindArray("tokenizer.ggml.token_type")) {
    if (array->kind == io::MetaArray::Kind::kInt) {
      types = array->ints;
    } else if (array->kind == io::MetaArray::Kind::kUint) {
      for (const uint64_t type : array->uints) types.push_back(type <= INT64_MAX ? static_cast<int64_t>(type) : INT64_MAX);
    } else if (array->size() > 0) {
      Fail(ErrorCode::kFormat, "tokenizer.ggml.token_type is an array of something else than integers");
    }
    source.types = types;
  }
  if (const io::MetaArray* array = FindStrings(metadata, "tokenizer.ggml.merges")) source.merges = array->strings;
  if (const io::MetaArray* array = metadata.FindArray("tokenizer.ggml.scores")) {
    if (array->kind == io::MetaArray::Kind::kString && array->size() > 0)
      Fail(ErrorCode::kFormat, "tokenizer.ggml.scores is an array of strings, expected numbers");
    source.score_count = array->size();
  }
  source.bos = FindId(metadata, "tokenizer.ggml.bos_token_id");
  source.eos = FindId(metadata, "tokenizer.ggml.eos_token_id");
  source.more_eos = FindIds(metadata, "tokenizer.ggml.eos_token_ids");
  return ReadGgufVocabulary(source);
}

// bos_token_id and eos_token_id of config.json, the text model's own first.
void ReadConfigIds(const io::Metadata& metadata, Vocabulary& vocabulary) {
  for (const std::string_view key : {"text_config.bos_token_id", "bos_token_id"}) {
    if (vocabulary.bos || !metadata.Find(key)) continue;
    vocabulary.bos = CheckedId(vocabulary, *FindId(metadata, key), key);
  }
  for (const std::string_view key : {"text_config.eos_token_id", "eos_token_id"})
    for (const int64_t id : FindIds(metadata, key)) vocabulary.stops.push_back(CheckedId(vocabulary, id, key));
}

}  // namespace

std::shared_ptr<const Tokenizer> LoadTokenizer(const io::Checkpoint& checkpoint) {
  const io::Metadata& metadata = checkpoint.metadata();
  if (checkpoint.format() == io::CheckpointFormat::kGguf) {
    if (const io::MetaArray* tokens = FindStrings(metadata, "tokenizer.ggml.tokens"))
      return std::make_shared<const Tokenizer>(FromGguf(metadata, *tokens));
  } else if (const std::optional<std::string> json = checkpoint.ReadSideFile("tokenizer.json", kMaxJsonBytes)) {
    Vocabulary vocabulary = ReadJsonVocabulary(*json, "tokenizer.json");
    ReadConfigIds(metadata, vocabulary);
    return std::make_shared<const Tokenizer>(std::move(vocabulary));
  }
  if (const std::optional<std::string> text = checkpoint.ReadSideFile("tokenizer.model", kMaxTiktokenBytes)) {
    Vocabulary vocabulary = ReadTiktokenVocabulary(*text, "tokenizer.model");
    if (checkpoint.format() == io::CheckpointFormat::kHuggingFace) ReadConfigIds(metadata, vocabulary);
    return std::make_shared<const Tokenizer>(std::move(vocabulary));
  }
  return nullptr;
}

}  // namespace scout::prompt
