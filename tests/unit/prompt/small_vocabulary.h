// Vocabularies for the tests, small enough to look at and made from nothing but this file: the 256 single bytes and some
// merges learned from a few sentences, with Llama 4's control tokens behind them.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "prompt/byte_text.h"
#include "prompt/llama4_tokens.h"
#include "prompt/pretokenize.h"
#include "prompt/tokenizer.h"
#include "prompt/vocabulary.h"

namespace scout::prompt::test {

struct SmallVocabulary {
  std::vector<std::string> texts;                           // text tokens in the order of their ids
  std::vector<std::pair<std::string, std::string>> merges;  // merge i makes texts[256 + i]
};

// Byte-pair training in its plainest form: count neighbours, join the commonest pair (the first in byte order among equals).
inline SmallVocabulary Learn(size_t merges = 300) {
  const std::string_view sentences =
      "the quick brown fox jumps over the lazy dog. the user asks and the assistant answers: hello there, how are you? "
      "I don't know what you're thinking, they'll see that we've been there. The system of the house is the user's own. "
      "a cat and a hat and a bat sat on the mat; ten thousand tokens and nothing that repeats repeats repeats. "
      "naive caf\xc3\xa9 and \xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82 \xd0\xbc\xd0\xb8\xd1\x80, "
      "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82! "
      "ipython 123 123 456 \n\n \n\n assistant user system <| |> aaaaaaaaaaaaaaaa aaaaaaaa ........ ";
  SmallVocabulary out;
  for (int byte = 0; byte < 256; ++byte) out.texts.emplace_back(1, static_cast<char>(byte));
  std::vector<std::string> parts;
  for (const char c : sentences) parts.emplace_back(1, c);
  while (out.merges.size() < merges) {
    std::map<std::pair<std::string, std::string>, int> counts;
    for (size_t i = 0; i + 1 < parts.size(); ++i)
      if (parts[i + 1].front() != ' ') ++counts[{parts[i], parts[i + 1]}];
    if (counts.empty()) break;
    const auto best =
        std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    const auto [left, right] = best->first;
    const std::string joined = left + right;
    if (std::find(out.texts.begin(), out.texts.end(), joined) == out.texts.end()) {
      out.merges.push_back(best->first);
      out.texts.push_back(joined);
    }
    std::vector<std::string> next;
    for (size_t i = 0; i < parts.size(); ++i) {
      if (i + 1 < parts.size() && parts[i] == left && parts[i + 1] == right) {
        next.push_back(joined);
        ++i;
      } else {
        next.push_back(parts[i]);
      }
    }
    if (next.size() == parts.size()) break;
    parts = std::move(next);
  }
  return out;
}

inline const SmallVocabulary& Small() {
  static const SmallVocabulary vocabulary = Learn();
  return vocabulary;
}

inline std::string Base64(std::string_view bytes) {
  static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t j = 0; j < 3; ++j) bits = bits << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    for (size_t j = 0; j < 4; ++j) out.push_back(i + j > bytes.size() ? '=' : kAlphabet[bits >> (18 - 6 * j) & 63]);
  }
  return out;
}

inline std::string TiktokenText(const std::vector<std::string>& texts) {
  std::string out;
  for (size_t i = 0; i < texts.size(); ++i) out += Base64(texts[i]) + " " + std::to_string(i) + "\n";
  return out;
}

// The small vocabulary merged by rank, ids as in a tiktoken file.
inline std::shared_ptr<const Tokenizer> SmallTokenizer() {
  static const auto tokenizer = std::make_shared<const Tokenizer>(ReadTiktokenVocabulary(TiktokenText(Small().texts), "small"));
  return tokenizer;
}

// GGUF arrays that own their memory; change them and call Source().
struct GgufArrays {
  std::string architecture = "llama4", model = "gpt2";
  std::vector<std::string> tokens;
  std::vector<int64_t> types;
  std::vector<std::string> merges;
  bool has_types = true, has_merges = true;
  std::optional<size_t> score_count;
  std::optional<int64_t> bos, eos;
  std::vector<int64_t> more_eos;

  GgufVocabulary Source() {
    token_views.assign(tokens.begin(), tokens.end());
    merge_views.assign(merges.begin(), merges.end());
    GgufVocabulary source;
    source.architecture = architecture;
    source.model = model;
    source.tokens = token_views;
    if (has_types) source.types = types;
    if (has_merges) source.merges = merge_views;
    source.score_count = score_count;
    source.bos = bos;
    source.eos = eos;
    source.more_eos = more_eos;
    return source;
  }

  std::vector<std::string_view> token_views, merge_views;
};

inline GgufArrays SmallGguf(size_t control_tokens = 20) {
  GgufArrays arrays;
  for (const std::string& text : Small().texts) {
    arrays.tokens.push_back(EncodeByteText(text));
    arrays.types.push_back(1);
  }
  for (size_t i = 0; i < control_tokens; ++i) {
    arrays.tokens.push_back(Llama4ControlName(i));
    arrays.types.push_back(3);
  }
  for (const auto& [left, right] : Small().merges) arrays.merges.push_back(EncodeByteText(left) + " " + EncodeByteText(right));
  arrays.bos = static_cast<int64_t>(Small().texts.size());
  arrays.eos = *arrays.bos + 8;
  return arrays;
}

inline std::string JsonString(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

// The parts of a tokenizer.json; change them and call Text().
struct JsonParts {
  std::vector<std::string> vocabulary, merges, added;
  std::string normalizer = "null";
  std::string pattern = std::string(kLlama4SplitPattern);
  std::string pre_tokenizer;  // replaces the usual one when not empty
  std::string decoder = R"({"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true})";
  std::string model_type = "\"BPE\"";
  std::string ignore_merges = "true";

  static std::string Join(const std::vector<std::string>& parts) {
    std::string out;
    for (const std::string& part : parts) out += (out.empty() ? "" : ",") + part;
    return out;
  }
  std::string Text() const {
    const std::string pre =
        !pre_tokenizer.empty()
            ? pre_tokenizer
            : R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":)" + JsonString(pattern) +
                  R"(},"behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]})";
    return R"({"version":"1.0","truncation":null,"padding":null,"added_tokens":[)" + Join(added) + R"(],"normalizer":)" +
           normalizer + R"(,"pre_tokenizer":)" + pre +
           R"(,"post_processor":{"type":"ByteLevel","special":[1,2,{"a":null}]},"decoder":)" + decoder + R"(,"model":{"type":)" +
           model_type +
           R"(,"dropout":null,"unk_token":null,"continuing_subword_prefix":null,"end_of_word_suffix":null,"fuse_unk":false,)"
           R"("byte_fallback":false,"ignore_merges":)" +
           ignore_merges + R"(,"vocab":{)" + Join(vocabulary) + R"(},"merges":[)" + Join(merges) + "]}}";
  }
};

inline std::string AddedTokenText(size_t id, std::string_view content, bool special = true) {
  return R"({"id":)" + std::to_string(id) + R"(,"content":)" + JsonString(content) +
         R"(,"single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":)" + (special ? "true}" : "false}");
}

inline JsonParts SmallJson(size_t control_tokens = 20) {
  JsonParts parts;
  const auto& texts = Small().texts;
  for (size_t i = 0; i < texts.size(); ++i)
    parts.vocabulary.push_back(JsonString(EncodeByteText(texts[i])) + ":" + std::to_string(i));
  for (const auto& [left, right] : Small().merges)
    parts.merges.push_back("[" + JsonString(EncodeByteText(left)) + "," + JsonString(EncodeByteText(right)) + "]");
  for (size_t i = 0; i < control_tokens; ++i) parts.added.push_back(AddedTokenText(texts.size() + i, Llama4ControlName(i)));
  return parts;
}

}  // namespace scout::prompt::test
