// tokenizer.ggml.* arrays -> Vocabulary.
#include <string>

#include "base/error.h"
#include "io/json.h"
#include "prompt/byte_text.h"
#include "prompt/llama4_tokens.h"
#include "prompt/vocabulary.h"

namespace scout::prompt {
namespace {

// Values of tokenizer.ggml.token_type.
enum GgufType : int64_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnusedRow = 5, kByte = 6 };

std::string Where(size_t id) { return StrCat("tokenizer.ggml.tokens[", id, "]"); }

// "<0xHH>" -> the byte.
char ByteOf(std::string_view text, size_t id) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  if (text.size() == 6 && text.substr(0, 3) == "<0x" && text[5] == '>') {
    const int high = digit(text[3]), low = digit(text[4]);
    if (high >= 0 && low >= 0) return static_cast<char>(high * 16 + low);
  }
  Fail(ErrorCode::kFormat, Where(id), ": a byte token spelt \"", Escape(text), "\", expected <0x00> to <0xFF>");
}

// The name that a full-size Llama 4 vocabulary has at `id` when the file only has a filler there, else an empty string.
std::string PatchedName(const GgufVocabulary& source, size_t id, std::string_view text) {
  if (id < kLlama4TextTokens || id >= kLlama4TextTokens + kLlama4ControlTokens) return {};
  if (source.tokens[kLlama4TextTokens] != kBeginOfText || text != StrCat("[PAD", id, "]")) return {};
  return Llama4ControlName(id - kLlama4TextTokens);
}

void AddToken(Vocabulary& vocabulary, const GgufVocabulary& source, size_t id, std::string& scratch) {
  const std::string_view text = source.tokens[id];
  const int64_t type = source.types ? (*source.types)[id] : int64_t{kNormal};
  if (text.size() > kMaxSpellingBytes)
    Fail(ErrorCode::kLimit, Where(id), ": ", text.size(), " bytes, \"", Escape(text), "\"; the limit for a token is ",
         kMaxTokenBytes);
  if (!io::IsUtf8(text)) Fail(ErrorCode::kFormat, Where(id), ": \"", Escape(text), "\" is not UTF-8");
  if (const std::string name = PatchedName(source, id, text); !name.empty())
    return vocabulary.Add(name, TokenKind::kControl, Where(id));
  switch (type) {
    case kNormal: {
      scratch.clear();
      const size_t read = DecodeByteText(text, scratch);
      if (read != text.size()) {
        Fail(ErrorCode::kFormat, Where(id), ": \"", Escape(text), "\" has a character at byte ", read,
             " that stands for no byte in the byte-level spelling");
      }
      return vocabulary.Add(scratch, TokenKind::kText, Where(id));
    }
    case kByte: {
      const char byte = ByteOf(text, id);
      return vocabulary.Add(std::string_view(&byte, 1), TokenKind::kText, Where(id));
    }
    case kControl:
      return vocabulary.Add(text, TokenKind::kControl, Where(id));
    case kUserDefined:
      return vocabulary.Add(text, TokenKind::kAdded, Where(id));
    case kUnknown:
    case kUnusedRow:
      return vocabulary.Add(text, TokenKind::kUnused, Where(id));
    default:
      Fail(ErrorCode::kFormat, "tokenizer.ggml.token_type[", id, "] is ", type, ", expected 1 to 6");
  }
}

// One side of a merge -> its token.
TokenId SideOf(const Vocabulary& vocabulary, std::string_view side, size_t index, std::string_view which, std::string& bytes) {
  bytes.clear();
  const TokenId id = DecodeByteText(side, bytes) == side.size() ? vocabulary.tokens.Find(bytes) : kNoToken;
  if (id == kNoToken)
    Fail(ErrorCode::kFormat, "tokenizer.ggml.merges[", index, "]: its ", which, " part \"", Escape(side), "\" is no token");
  return id;
}

void ReadMerges(Vocabulary& vocabulary, std::span<const std::string_view> merges) {
  if (merges.size() > kMaxMerges)
    Fail(ErrorCode::kLimit, "tokenizer.ggml.merges has ", merges.size(), " entries; the limit is ", kMaxMerges);
  vocabulary.merge_by_pair = true;
  vocabulary.merges.reserve(merges.size());
  std::string left_bytes, right_bytes;
  for (size_t i = 0; i < merges.size(); ++i) {
    const std::string_view text = merges[i];
    const size_t space = text.find(' ');
    if (space == std::string_view::npos || space == 0 || space + 1 == text.size() ||
        text.find(' ', space + 1) != std::string_view::npos) {
      Fail(ErrorCode::kFormat, "tokenizer.ggml.merges[", i, "]: \"", Escape(text), "\" is not two tokens with one space between");
    }
    Merge merge;
    merge.left = SideOf(vocabulary, text.substr(0, space), i, "left", left_bytes);
    merge.right = SideOf(vocabulary, text.substr(space + 1), i, "right", right_bytes);
    left_bytes.append(right_bytes);
    merge.result = vocabulary.tokens.Find(left_bytes);
    if (merge.result == kNoToken)
      Fail(ErrorCode::kFormat, "tokenizer.ggml.merges[", i, "]: what \"", Escape(text), "\" makes is no token");
    vocabulary.merges.push_back(merge);
  }
}

}  // namespace

Vocabulary ReadGgufVocabulary(const GgufVocabulary& source) {
  if (source.architecture != "llama4")
    Fail(ErrorCode::kUnsupported, "general.architecture is \"", Escape(source.architecture),
         "\"; text is split for \"llama4\" only");
  if (source.model != "gpt2")
    Fail(ErrorCode::kUnsupported, "tokenizer.ggml.model is \"", Escape(source.model), "\"; byte-level BPE (\"gpt2\") is served");
  const size_t count = source.tokens.size();
  if (count == 0) Fail(ErrorCode::kFormat, "tokenizer.ggml.tokens is empty");
  if (count > kMaxTokens) Fail(ErrorCode::kLimit, "tokenizer.ggml.tokens has ", count, " entries; the limit is ", kMaxTokens);
  if (source.types && source.types->size() != count)
    Fail(ErrorCode::kFormat, "tokenizer.ggml.token_type has ", source.types->size(), " entries, tokenizer.ggml.tokens has ", count);
  if (source.score_count && *source.score_count != count)
    Fail(ErrorCode::kFormat, "tokenizer.ggml.scores has ", *source.score_count, " entries, tokenizer.ggml.tokens has ", count);

  Vocabulary vocabulary;
  size_t bytes = 0;
  for (const std::string_view token : source.tokens) bytes += token.size();
  vocabulary.tokens.Reserve(count, bytes);
  vocabulary.kinds.reserve(count);
  std::string scratch;
  for (size_t id = 0; id < count; ++id) AddToken(vocabulary, source, id, scratch);
  if (source.merges) ReadMerges(vocabulary, *source.merges);
  if (source.bos) vocabulary.bos = CheckedId(vocabulary, *source.bos, "tokenizer.ggml.bos_token_id");
  if (source.eos) vocabulary.stops.push_back(CheckedId(vocabulary, *source.eos, "tokenizer.ggml.eos_token_id"));
  for (const int64_t id : source.more_eos) vocabulary.stops.push_back(CheckedId(vocabulary, id, "tokenizer.ggml.eos_token_ids"));
  return vocabulary;
}

}  // namespace scout::prompt
