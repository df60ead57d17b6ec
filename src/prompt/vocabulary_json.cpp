// A Hugging Face tokenizer.json -> Vocabulary.
//
// The text is walked once. Three places are large and are read as they pass: model.vocab, model.merges and added_tokens.
// Everything else is small settings; their scalars are kept under their paths ("pre_tokenizer.pretokenizers.0.type") and
// compared, at the end, with the few values that are understood.
#include <algorithm>
#include <map>
#include <string>

#include "base/error.h"
#include "io/json.h"
#include "prompt/byte_text.h"
#include "prompt/pretokenize.h"
#include "prompt/vocabulary.h"

namespace scout::prompt {
namespace {

constexpr size_t kMaxSettings = 4096;
constexpr size_t kMaxSettingBytes = 4096;

struct AddedToken {
  int64_t id = -1;
  std::string content;
  bool special = false;
  uint64_t offset = 0;
};

struct VocabularyEntry {
  TokenId id;
  uint32_t size;   // bytes of the spelling
  uint64_t begin;  // in the blob of spellings
};

class Reader : public io::JsonHandler {
 public:
  std::vector<VocabularyEntry> entries;
  std::string spellings;
  std::vector<AddedToken> added;
  // Both sides of each merge, as spelt, one after another; merge i is [ends[2i - 1], ends[2i]) and [ends[2i], ends[2i + 1]).
  std::string merge_text;
  std::vector<uint64_t> merge_ends;
  std::map<std::string, std::string, std::less<>> settings;  // strings as "\"text\"", the rest as JSON spells it

  void BeginObject() override { Open(false); }
  void BeginArray() override { Open(true); }
  void EndObject() override { Close(); }
  void EndArray() override { Close(); }
  void Key(std::string_view key) override { frames_.back().key.assign(key); }

  void Null() override { Scalar("null"); }
  void Bool(bool value) override {
    if (Here() == Place::kAddedToken && frames_.back().key == "special") added.back().special = value;
    Scalar(value ? "true" : "false");
  }
  void Int(int64_t value) override {
    if (Here() == Place::kVocabulary || (Here() == Place::kAddedToken && frames_.back().key == "id"))
      Refuse(ErrorCode::kFormat, "the id ", value, " is negative");
    Scalar(StrCat(value));
  }
  void Uint(uint64_t value) override {
    if (Here() == Place::kVocabulary) {
      if (entries.size() >= kMaxTokens) Refuse(ErrorCode::kLimit, "model.vocab has more than ", kMaxTokens, " tokens");
      const std::string& spelling = frames_.back().key;
      if (spelling.size() > kMaxSpellingBytes)
        Refuse(ErrorCode::kLimit, spelling.size(), " bytes, \"", Escape(spelling), "\"; the limit for a token is ", kMaxTokenBytes);
      entries.push_back({Id(value), static_cast<uint32_t>(spelling.size()), spellings.size()});
      spellings.append(spelling);
      return;
    }
    if (Here() == Place::kAddedToken && frames_.back().key == "id") added.back().id = Id(value);
    Scalar(StrCat(value));
  }
  void Float(double value) override { Scalar(StrCat(value)); }
  void String(std::string_view value) override {
    if (Here() == Place::kMerge) return AddSide(value);
    if (Here() == Place::kMerges) {
      const size_t space = value.find(' ');
      if (space == std::string_view::npos || value.find(' ', space + 1) != std::string_view::npos)
        Refuse(ErrorCode::kFormat, "merge ", merge_ends.size() / 2, " \"", Escape(value),
               "\" is not two tokens with one space between");
      AddSide(value.substr(0, space));
      AddSide(value.substr(space + 1));
      return;
    }
    if (Here() == Place::kAddedToken && frames_.back().key == "content") {
      if (value.size() > kMaxNameBytes)
        Refuse(ErrorCode::kLimit, "an added token of ", value.size(), " bytes, \"", Escape(value), "\"; the limit is ",
               kMaxNameBytes);
      added.back().content.assign(value);
    }
    // Longer than anything that is understood: what is cut off cannot make it equal to that.
    Scalar(StrCat("\"", value.substr(0, kMaxSettingBytes), "\""));
  }

 private:
  enum class Place { kRoot, kModel, kVocabulary, kMerges, kMerge, kAddedList, kAddedToken, kSettings };
  struct Frame {
    Place place;
    bool array;
    uint64_t next = 0;  // index of the value being read, in an array
    std::string key;    // key of the value being read, in an object
  };

  Place Here() const { return frames_.empty() ? Place::kSettings : frames_.back().place; }

  TokenId Id(uint64_t value) {
    if (value >= kMaxTokens) Refuse(ErrorCode::kLimit, "the id ", value, "; the limit is ", kMaxTokens - 1);
    return static_cast<TokenId>(value);
  }

  void Open(bool array) {
    Place place = Place::kSettings;
    if (frames_.empty()) {
      if (array) Refuse(ErrorCode::kFormat, "an array where the tokenizer's object is expected");
      place = Place::kRoot;
    } else {
      const std::string& key = frames_.back().key;
      switch (Here()) {
        case Place::kRoot:
          if (key == "model" && !array) place = Place::kModel;
          if (key == "added_tokens" && array) place = Place::kAddedList;
          break;
        case Place::kModel:
          if (key == "vocab" && !array) place = Place::kVocabulary;
          if (key == "merges" && array) place = Place::kMerges;
          break;
        case Place::kMerges:
          if (!array) Refuse(ErrorCode::kFormat, "a merge is an object, expected two tokens");
          place = Place::kMerge;
          break;
        case Place::kAddedList:
          if (array) Refuse(ErrorCode::kFormat, "an added token is an array, expected an object");
          if (added.size() >= kMaxAddedTokens) Refuse(ErrorCode::kLimit, "more than ", kMaxAddedTokens, " added tokens");
          place = Place::kAddedToken;
          added.emplace_back();
          added.back().offset = offset();
          break;
        case Place::kVocabulary:
          Refuse(ErrorCode::kFormat, "the id of \"", Escape(key), "\" is not a number");
        case Place::kMerge:
          Refuse(ErrorCode::kFormat, "merge ", merge_ends.size() / 2, " holds more than two texts");
        case Place::kAddedToken:
        case Place::kSettings:
          break;
      }
    }
    frames_.push_back({place, array, 0, {}});
  }

  void Close() {
    const Place closed = Here();
    if (closed == Place::kMerge && frames_.back().next != 2)
      Refuse(ErrorCode::kFormat, "merge ", merge_ends.size() / 2, " has ", frames_.back().next, " parts, expected 2");
    if (closed == Place::kAddedToken && added.back().id < 0) Refuse(ErrorCode::kFormat, "an added token without an id");
    if (closed == Place::kAddedToken && added.back().content.empty())
      Refuse(ErrorCode::kFormat, "added token ", added.back().id, " has no content");
    frames_.pop_back();
    if (!frames_.empty()) ++frames_.back().next;
  }

  void AddSide(std::string_view side) {
    if (merge_ends.size() / 2 >= kMaxMerges) Refuse(ErrorCode::kLimit, "model.merges has more than ", kMaxMerges, " entries");
    if (side.empty()) Refuse(ErrorCode::kFormat, "merge ", merge_ends.size() / 2, " has an empty part");
    merge_text.append(side);
    merge_ends.push_back(merge_text.size());
    if (Here() == Place::kMerge && ++frames_.back().next > 2)
      Refuse(ErrorCode::kFormat, "merge ", merge_ends.size() / 2 - 1, " has more than 2 parts");
  }

  // Keeps a scalar of the settings; everywhere else a scalar of a type that was not expected ends up here too.
  void Scalar(std::string_view text) {
    switch (Here()) {
      case Place::kAddedToken:
        return;
      case Place::kVocabulary:
        Refuse(ErrorCode::kFormat, "the id of \"", Escape(frames_.back().key), "\" is ", Escape(text), ", expected a number");
      case Place::kMerges:
      case Place::kMerge:
        Refuse(ErrorCode::kFormat, "merge ", merge_ends.size() / 2, " holds ", Escape(text), ", expected text");
      case Place::kAddedList:
        Refuse(ErrorCode::kFormat, "an added token is ", Escape(text), ", expected an object");
      default:
        break;
    }
    if (frames_.empty()) Refuse(ErrorCode::kFormat, Escape(text), " where the tokenizer's object is expected");
    std::string path;
    for (const Frame& frame : frames_) {
      if (!path.empty()) path.push_back('.');
      path.append(frame.array ? StrCat(frame.next) : frame.key);
    }
    ++frames_.back().next;
    // What is never looked at is not kept, so that a long post-processor costs nothing.
    constexpr std::string_view kKept[] = {"model", "normalizer", "pre_tokenizer", "decoder"};
    if (std::find(std::begin(kKept), std::end(kKept), frames_.front().key) == std::end(kKept)) return;
    if (settings.size() >= kMaxSettings) Refuse(ErrorCode::kLimit, "more than ", kMaxSettings, " settings");
    settings[path].assign(text);
  }

  std::vector<Frame> frames_;
};

// The settings of a file against what is understood.
class Settings {
 public:
  Settings(const Reader& reader, std::string_view name) : reader_(reader), name_(name) {}

  const std::string* Find(std::string_view path) const {
    const auto found = reader_.settings.find(path);
    return found == reader_.settings.end() ? nullptr : &found->second;
  }

  // Throws kUnsupported unless the setting at `path` is one of `allowed`; "absent" allows that it is not there.
  void Require(std::string_view path, std::initializer_list<std::string_view> allowed) const {
    const std::string* value = Find(path);
    for (const std::string_view good : allowed)
      if (value ? *value == good : good == "absent") return;
    Fail(ErrorCode::kUnsupported, name_, ": ", path, " is ", value ? Escape(*value) : std::string("absent"), ", expected ",
         Escape(*allowed.begin()));
  }

  // Throws kUnsupported when `section` is anything but null or absent.
  void RequireNothing(std::string_view section) const {
    const auto at = reader_.settings.lower_bound(section);
    if (at == reader_.settings.end()) return;
    const std::string_view path = at->first;
    if (path.substr(0, section.size()) != section || (path.size() > section.size() && path[section.size()] != '.')) return;
    if (path == section && at->second == "null") return;
    const std::string* type = Find(StrCat(section, ".type"));
    Fail(ErrorCode::kUnsupported, name_, ": a ", section, " of type ", type ? Escape(*type) : std::string("unknown"),
         "; none is served");
  }

 private:
  const Reader& reader_;
  std::string_view name_;
};

void CheckSettings(const Settings& settings) {
  settings.Require("model.type", {"\"BPE\"", "absent"});
  settings.Require("model.dropout", {"null", "absent"});
  settings.Require("model.continuing_subword_prefix", {"null", "absent", "\"\""});
  settings.Require("model.end_of_word_suffix", {"null", "absent", "\"\""});
  settings.RequireNothing("normalizer");
  settings.Require("pre_tokenizer.type", {"\"Sequence\""});
  settings.Require("pre_tokenizer.pretokenizers.0.type", {"\"Split\""});
  settings.Require("pre_tokenizer.pretokenizers.0.pattern.Regex", {StrCat("\"", kLlama4SplitPattern, "\"")});
  settings.Require("pre_tokenizer.pretokenizers.0.behavior", {"\"Isolated\""});
  settings.Require("pre_tokenizer.pretokenizers.0.invert", {"false", "absent"});
  settings.Require("pre_tokenizer.pretokenizers.1.type", {"\"ByteLevel\""});
  settings.Require("pre_tokenizer.pretokenizers.1.add_prefix_space", {"false"});
  settings.Require("pre_tokenizer.pretokenizers.1.use_regex", {"false"});
  settings.RequireNothing("pre_tokenizer.pretokenizers.2");
  if (settings.Find("decoder.type"))
    settings.Require("decoder.type", {"\"ByteLevel\""});
  else
    settings.RequireNothing("decoder");
}

// Tokens of model.vocab and added_tokens by id. An added token may repeat an entry of the vocabulary under the same id.
void AddTokens(Vocabulary& vocabulary, Reader& reader, std::string_view name) {
  std::sort(reader.entries.begin(), reader.entries.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  std::stable_sort(reader.added.begin(), reader.added.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  vocabulary.tokens.Reserve(reader.entries.size() + reader.added.size(), reader.spellings.size());
  std::string bytes;
  size_t entry = 0, extra = 0;
  while (entry < reader.entries.size() || extra < reader.added.size()) {
    const auto id = static_cast<TokenId>(vocabulary.tokens.size());
    const VocabularyEntry* from_vocabulary =
        entry < reader.entries.size() && reader.entries[entry].id == id ? &reader.entries[entry] : nullptr;
    const AddedToken* from_added = extra < reader.added.size() && reader.added[extra].id == id ? &reader.added[extra] : nullptr;
    if (!from_vocabulary && !from_added) {
      const int64_t next = std::min<int64_t>(entry < reader.entries.size() ? reader.entries[entry].id : INT64_MAX,
                                             extra < reader.added.size() ? reader.added[extra].id : INT64_MAX);
      if (next < id) Fail(ErrorCode::kFormat, name, ": two tokens have the id ", next);
      Fail(ErrorCode::kFormat, name, ": no token has the id ", id, ", the next one is ", next);
    }
    std::string_view spelling;
    if (from_vocabulary) {
      spelling = std::string_view(reader.spellings).substr(from_vocabulary->begin, from_vocabulary->size);
      ++entry;
    }
    const std::string where = StrCat(name, ": token ", id);
    if (from_added) {
      ++extra;
      if (from_vocabulary && spelling != from_added->content) {
        bytes.clear();
        if (DecodeByteText(spelling, bytes) != spelling.size() || bytes != from_added->content) {
          Fail(ErrorCode::kFormat, where, ": is \"", Escape(spelling), "\" in model.vocab and \"", Escape(from_added->content),
               "\" in added_tokens");
        }
      }
      vocabulary.Add(from_added->content, from_added->special ? TokenKind::kControl : TokenKind::kAdded, where);
      continue;
    }
    bytes.clear();
    const size_t read = DecodeByteText(spelling, bytes);
    if (read != spelling.size()) {
      Fail(ErrorCode::kFormat, where, ": \"", Escape(spelling), "\" has a character at byte ", read,
           " that stands for no byte in the byte-level spelling");
    }
    vocabulary.Add(bytes, TokenKind::kText, where);
  }
  if (vocabulary.tokens.size() == 0) Fail(ErrorCode::kFormat, name, ": holds no token");
}

void AddMerges(Vocabulary& vocabulary, const Reader& reader, std::string_view name) {
  const size_t count = reader.merge_ends.size() / 2;
  vocabulary.merge_by_pair = true;
  vocabulary.merges.reserve(count);
  std::string bytes;
  const auto token = [&](std::string_view spelling, size_t index, std::string_view what) {
    const size_t begin = bytes.size();
    TokenId id = kNoToken;
    if (DecodeByteText(spelling, bytes) == spelling.size()) id = vocabulary.tokens.Find(std::string_view(bytes).substr(begin));
    if (id == kNoToken)
      Fail(ErrorCode::kFormat, name, ": model.merges[", index, "]: its ", what, " \"", Escape(spelling), "\" is no token");
    return id;
  };
  uint64_t at = 0;
  for (size_t i = 0; i < count; ++i) {
    const std::string_view text = reader.merge_text;
    const std::string_view left = text.substr(at, reader.merge_ends[2 * i] - at);
    const std::string_view right = text.substr(reader.merge_ends[2 * i], reader.merge_ends[2 * i + 1] - reader.merge_ends[2 * i]);
    at = reader.merge_ends[2 * i + 1];
    bytes.clear();
    Merge merge;
    merge.left = token(left, i, "left part");
    merge.right = token(right, i, "right part");
    merge.result = vocabulary.tokens.Find(bytes);
    if (merge.result == kNoToken)
      Fail(ErrorCode::kFormat, name, ": model.merges[", i, "]: what \"", Escape(left), "\" and \"", Escape(right),
           "\" make is no token");
    vocabulary.merges.push_back(merge);
  }
}

}  // namespace

Vocabulary ReadJsonVocabulary(std::string_view text, std::string_view name) {
  Reader reader;
  io::ParseJson(text, name, reader);
  const Settings settings(reader, name);
  CheckSettings(settings);
  Vocabulary vocabulary;
  AddTokens(vocabulary, reader, name);
  AddMerges(vocabulary, reader, name);
  const std::string* ignore_merges = settings.Find("model.ignore_merges");
  vocabulary.whole_pieces_first = ignore_merges && *ignore_merges == "true";
  return vocabulary;
}

}  // namespace scout::prompt
