// What a malformed tokenizer must get: an error with a code and one line that names the place, the value and the limit, in
// bounded time, on a small stack; and afterwards everything works as before. Rows T01 to T14 and T20 of the project's list of
// hostile inputs; T15 to T17 are in hostile_text_test.cpp, T18 in tokenizer_test.cpp, T19 (output buffers) in tests/api.
#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/error.h"
#include "gtest/gtest.h"
#include "prompt/pretokenize.h"
#include "prompt/tokenizer.h"
#include "small_vocabulary.h"
#include "support/bounded_call.h"

namespace scout::prompt {
namespace {

using test::GgufArrays;
using test::JsonParts;

// An input made ready, and the call that must refuse it. Both belong to the test; only the call is held to the contract.
struct Prepared {
  size_t input_bytes;
  std::function<void()> call;
};

struct Case {
  std::string id;
  ErrorCode code;
  std::string named;  // must stand in the message
  std::function<Prepared()> prepare;
};

Case Gguf(std::string id, ErrorCode code, std::string named, std::function<void(GgufArrays&)> change) {
  return {std::move(id), code, std::move(named), [change] {
            auto arrays = std::make_shared<GgufArrays>(test::SmallGguf());
            change(*arrays);
            const GgufVocabulary source = arrays->Source();
            size_t bytes = source.architecture.size() + arrays->types.size() * 4;
            // As in the file: a string has its length, eight bytes, before it.
            for (const std::string& text : arrays->tokens) bytes += 8 + text.size();
            for (const std::string& text : arrays->merges) bytes += 8 + text.size();
            return Prepared{bytes, [arrays, source] { Tokenizer tokenizer(ReadGgufVocabulary(source)); }};
          }};
}
Case JsonText(std::string id, ErrorCode code, std::string named, std::function<std::string()> make) {
  return {std::move(id), code, std::move(named), [make] {
            auto text = std::make_shared<const std::string>(make());
            return Prepared{text->size(), [text] { Tokenizer tokenizer(ReadJsonVocabulary(*text, "tokenizer.json")); }};
          }};
}
Case Json(std::string id, ErrorCode code, std::string named, std::function<void(JsonParts&)> change) {
  return JsonText(std::move(id), code, std::move(named), [change] {
    JsonParts parts = test::SmallJson();
    change(parts);
    return parts.Text();
  });
}
// A tiktoken file of the 256 single bytes with something done to it.
Case Tiktoken(std::string id, ErrorCode code, std::string named, std::function<void(std::vector<std::string>& lines)> change) {
  return {std::move(id), code, std::move(named), [change] {
            std::vector<std::string> lines;
            for (int byte = 0; byte < 256; ++byte)
              lines.push_back(test::Base64(std::string(1, static_cast<char>(byte))) + " " + std::to_string(byte));
            change(lines);
            std::string joined;
            for (const std::string& line : lines) joined += line + "\n";
            auto text = std::make_shared<const std::string>(std::move(joined));
            return Prepared{text->size(), [text] { Tokenizer tokenizer(ReadTiktokenVocabulary(*text, "tokenizer.model")); }};
          }};
}

std::vector<Case> Cases() {
  using E = ErrorCode;
  const auto n = static_cast<int64_t>(test::SmallGguf().tokens.size());
  const std::string size = std::to_string(n - 1);
  std::vector<Case> cases;
  const auto add = [&](Case c) { cases.push_back(std::move(c)); };

  add(Gguf("T01 types shorter", E::kFormat, "tokenizer.ggml.token_type has", [](auto& a) { a.types.pop_back(); }));
  add(Gguf("T01 types longer", E::kFormat, "tokenizer.ggml.token_type has", [](auto& a) { a.types.push_back(1); }));
  add(Gguf("T01 scores of another length", E::kFormat, "tokenizer.ggml.scores has 3", [](auto& a) { a.score_count = 3; }));
  for (const int64_t type : {int64_t{0}, int64_t{7}, int64_t{-1}, INT64_MAX})
    add(Gguf("T01 type " + std::to_string(type), E::kFormat, "token_type[5] is " + std::to_string(type),
             [type](auto& a) { a.types[5] = type; }));
  add(Gguf("T02 no tokens", E::kFormat, "tokenizer.ggml.tokens is empty", [](auto& a) { a.tokens.clear(), a.types.clear(); }));
  add(Gguf("T02 too many tokens", E::kLimit, "4194304", [](auto& a) {
    a.tokens.assign(kMaxTokens + 1, "x");
    a.has_types = false;
  }));
  add(Gguf("T03 duplicate token", E::kFormat, "token 300 has the same text as token 299",
           [](auto& a) { a.tokens[300] = a.tokens[299]; }));
  add(Gguf("T03 duplicate control token", E::kFormat, "are both called",
           [](auto& a) { a.tokens.back() = a.tokens[a.tokens.size() - 2]; }));
  add(Gguf("T03 empty token", E::kFormat, "tokenizer.ggml.tokens[300]: an empty token", [](auto& a) { a.tokens[300].clear(); }));
  add(Gguf("T03 empty control token", E::kFormat, "an empty token", [](auto& a) { a.tokens.back().clear(); }));
  add(Gguf("T03 NUL in a byte-level spelling", E::kFormat, "at byte 1", [](auto& a) { a.tokens[300] = std::string("a\0b", 3); }));
  add(Gguf("T03 invalid UTF-8", E::kFormat, "tokens[300]: \"a\\xff\" is not UTF-8", [](auto& a) { a.tokens[300] = "a\xff"; }));
  add(Gguf("T03 overlong UTF-8", E::kFormat, "is not UTF-8", [](auto& a) { a.tokens[300] = "\xc0\x80"; }));
  add(Gguf("T03 invalid UTF-8 in a control token", E::kFormat, "is not UTF-8",
           [](auto& a) { a.tokens.back() = "<|\xed\xa0\x80|>"; }));
  add(Gguf("T03 a space in a byte-level spelling", E::kFormat, "stands for no byte", [](auto& a) { a.tokens[300] = "a b"; }));
  add(Gguf("T03 a token of 16 MiB", E::kLimit, "tokens[300]: 16777216 bytes",
           [](auto& a) { a.tokens[300].assign(16 << 20, 'a'); }));
  add(Gguf("T03 a token of 64 KiB", E::kLimit, "the limit is 65535", [](auto& a) { a.tokens[300].assign(65536, 'a'); }));
  add(Json("T03 a token of 16 MiB", E::kLimit, "the limit for a token is 65535",
           [](auto& p) { p.vocabulary[300] = "\"" + std::string(16 << 20, 'a') + "\":300"; }));
  add(Json("T03 a control token of 16 MiB", E::kLimit, "the limit is 256",
           [](auto& p) { p.added[3] = test::AddedTokenText(test::Small().texts.size() + 3, std::string(16 << 20, 'a')); }));
  add(Gguf("T03 a control token of 300 bytes", E::kLimit, "the limit is 256", [](auto& a) { a.tokens.back().assign(300, 'a'); }));
  add(Gguf("T03 a missing byte", E::kFormat, "single byte 65", [](auto& a) { a.tokens[65] = "zzzzzz", a.has_merges = false; }));
  for (const int64_t id : {int64_t{-1}, n, int64_t{4294967295}, INT64_MIN}) {
    const std::string shown = " is " + std::to_string(id) + ", outside the vocabulary's ids 0 to " + size;
    add(Gguf("T04 bos " + std::to_string(id), E::kFormat, "bos_token_id" + shown, [id](auto& a) { a.bos = id; }));
    add(Gguf("T04 eos " + std::to_string(id), E::kFormat, "eos_token_id" + shown, [id](auto& a) { a.eos = id; }));
    add(Gguf("T04 eos list " + std::to_string(id), E::kFormat, "eos_token_ids" + shown, [id](auto& a) { a.more_eos = {3, id}; }));
  }
  for (const std::string text : {"<0x-1>", "<0xZZ>", "<0x100>", "<0x>", "<0x41", "A", "<0X41>", "<0x4 >"})
    add(Gguf("T05 byte token " + text, E::kFormat, "a byte token spelt \"" + text + "\"",
             [text](auto& a) { a.tokens[65] = text, a.types[65] = 6; }));
  add(Gguf("T06 unknown left part", E::kFormat, "merges[2]: its left part \"qqqq\"", [](auto& a) { a.merges[2] = "qqqq a"; }));
  add(Gguf("T06 unknown right part", E::kFormat, "merges[2]: its right part", [](auto& a) { a.merges[2] = "a qqqq"; }));
  add(Gguf("T06 unknown result", E::kFormat, "merges[2]: what \"q z\" makes", [](auto& a) { a.merges[2] = "q z"; }));
  add(Gguf("T06 no separator", E::kFormat, "is not two tokens with one space", [](auto& a) { a.merges[2] = "th"; }));
  add(Gguf("T06 three parts", E::kFormat, "is not two tokens with one space", [](auto& a) { a.merges[2] = "t h e"; }));
  add(Gguf("T06 a control token in a merge", E::kFormat, "is no token", [](auto& a) { a.merges[2] = "<|eot|> a"; }));
  add(Gguf("T06 a merge twice", E::kFormat, "which an earlier merge joins too", [](auto& a) { a.merges.push_back(a.merges[0]); }));
  add(Gguf("T06 too many merges", E::kLimit, "the limit is 4194304", [](auto& a) { a.merges.assign(kMaxMerges + 1, "a"); }));
  add(Gguf("T07 empty left part (a -> a)", E::kFormat, "is not two tokens", [](auto& a) { a.merges[2] = " a"; }));
  add(Gguf("T07 empty right part (a -> a)", E::kFormat, "is not two tokens", [](auto& a) { a.merges[2] = "a "; }));
  add(Gguf("T07 empty merge", E::kFormat, "is not two tokens", [](auto& a) { a.merges[2] = ""; }));
  add(Gguf("another architecture", E::kUnsupported, "general.architecture is \"llama\"",
           [](auto& a) { a.architecture = "llama"; }));
  add(Gguf("an architecture of 16 MiB", E::kUnsupported, "general.architecture",
           [](auto& a) { a.architecture.assign(16 << 20, 'x'); }));
  add(Gguf("another model", E::kUnsupported, "tokenizer.ggml.model is \"llama\"", [](auto& a) { a.model = "llama"; }));

  add(Tiktoken("T08 no rank", E::kFormat, "line 8: \"Bw==\" has no rank", [](auto& l) { l[7] = "Bw=="; }));
  for (const std::string rank : {"-1", "1e3", "9223372036854775808000", "", "7x", "0x7", "+7", " 7", "7 7"})
    add(Tiktoken("T08 rank " + rank, E::kFormat, "line 8: the rank \"" + rank + "\"", [rank](auto& l) { l[7] = "Bw== " + rank; }));
  add(Tiktoken("T08 rank 2^63", E::kFormat, "line 8: rank 9223372036854775808, expected 7",
               [](auto& l) { l[7] = "Bw== 9223372036854775808"; }));
  add(Tiktoken("T08 rank gap", E::kFormat, "line 8: rank 8, expected 7", [](auto& l) { l.erase(l.begin() + 7); }));
  add(Tiktoken("T08 duplicate rank", E::kFormat, "line 9: rank 7, expected 8", [](auto& l) { l.insert(l.begin() + 8, l[7]); }));
  for (const std::string bad : {"Bw=", "Bw", "B===", "====", "Bw=x", "B!==", "Bx==", "Bw==Bw=="})
    add(Tiktoken("T08 not base64 " + bad, E::kFormat, "line 8: \"" + bad + "\" is not base64",
                 [bad](auto& l) { l[7] = bad + " 7"; }));
  add(Tiktoken("T08 base64 of length 0", E::kFormat, "line 8: \"\" is not base64", [](auto& l) { l[7] = " 7"; }));
  add(Tiktoken("T08 duplicate token", E::kFormat, "line 257: token 256 has the same text as token 7",
               [](auto& l) { l.push_back("Bw== 256"); }));
  add(Tiktoken("T08 empty file", E::kFormat, "holds no token", [](auto& l) { l.clear(); }));
  add(Tiktoken("T09 a line of 32 MiB", E::kLimit, "line 8, offset", [](auto& l) { l[7].assign(32 << 20, 'A'); }));
  add(Tiktoken("T09 a token of 64 KiB", E::kLimit, "line 257: a token of 65536 bytes",
               [](auto& l) { l.push_back(test::Base64(std::string(65536, 'a')) + " 256"); }));
  add(Tiktoken("T09 byte order mark", E::kFormat, "line 1: begins with a byte order mark",
               [](auto& l) { l[0] = "\xef\xbb\xbf" + l[0]; }));
  add(Tiktoken("T09 NUL in a line", E::kFormat, "line 8: \"B\\x00==\" is not base64",
               [](auto& l) { l[7] = std::string("B\0== 7", 6); }));
  add(Tiktoken("T09 lines that end with CR alone", E::kFormat, "line 1: the rank \"0\\x0d\" is not a decimal number",
               [](auto& l) { l[0] += "\r\r"; }));

  add(JsonText("T10 100,000 arrays deep", E::kFormat, "nested deeper than 64",
               [] { return "{\"a\":" + std::string(100000, '['); }));
  add(JsonText("T10 100,000 objects deep", E::kFormat, "nested deeper than 64", [] {
    std::string text;
    for (int i = 0; i < 100000; ++i) text += "{\"a\":";
    return text;
  }));
  add(JsonText("T10 a million equal keys", E::kFormat, "occurs twice", [] {
    std::string text = "{";
    for (int i = 0; i < 1000000; ++i) text += "\"a\":1,";
    return text + "\"b\":1}";
  }));
  add(Json("T10 lone surrogate", E::kFormat, "surrogate", [](auto& p) { p.normalizer = "\"\\ud800\""; }));
  add(Json("T10 1e999", E::kFormat, "does not fit a double", [](auto& p) { p.normalizer = "1e999"; }));
  add(JsonText("T10 not an object", E::kFormat, "where the tokenizer's object is expected", [] { return "17"; }));
  add(JsonText("T10 an array", E::kFormat, "where the tokenizer's object is expected", [] { return "[]"; }));
  add(JsonText("T10 empty", E::kFormat, "", [] { return ""; }));
  add(JsonText("T10 an empty object", E::kUnsupported, "pre_tokenizer.type is absent", [] { return "{}"; }));
  add(Json("T10 an id that is text", E::kFormat, "the id of \"qq\" is \"7\"",
           [](auto& p) { p.vocabulary.push_back("\"qq\":\"7\""); }));
  add(Json("T10 an id that is an object", E::kFormat, "is not a number", [](auto& p) { p.vocabulary.push_back("\"qq\":{}"); }));
  add(Json("T10 a negative id", E::kFormat, "the id -7 is negative", [](auto& p) { p.vocabulary.push_back("\"qq\":-7"); }));
  add(Json("T10 an id of 2^31", E::kLimit, "the id 2147483648; the limit",
           [](auto& p) { p.vocabulary.push_back("\"qq\":2147483648"); }));
  add(Json("T10 an id with a point", E::kFormat, "expected a number", [](auto& p) { p.vocabulary.push_back("\"qq\":7.5"); }));
  add(Json("T10 an id twice", E::kFormat, "two tokens have the id 7", [](auto& p) { p.vocabulary.push_back("\"qq\":7"); }));
  add(Json("T10 a token twice in two spellings", E::kFormat, "occurs twice",
           [](auto& p) { p.vocabulary.push_back("\"\\u0061\":9999"); }));
  add(Json("T10 the spelling of no bytes", E::kFormat, "stands for no byte", [](auto& p) { p.vocabulary[300] = "\"a b\":300"; }));
  add(Json("T06 merge of three parts", E::kFormat, "more than 2 parts", [](auto& p) { p.merges[2] = R"(["t","h","e"])"; }));
  add(Json("T06 merge of one part", E::kFormat, "has 1 parts, expected 2", [](auto& p) { p.merges[2] = R"(["t"])"; }));
  add(Json("T06 merge with an empty part", E::kFormat, "has an empty part", [](auto& p) { p.merges[2] = R"(["","a"])"; }));
  add(Json("T06 merge without separator", E::kFormat, "is not two tokens", [](auto& p) { p.merges[2] = "\"th\""; }));
  add(Json("T06 merge of numbers", E::kFormat, "merge 2 holds 1", [](auto& p) { p.merges[2] = "[1,2]"; }));
  add(Json("T06 merge of arrays", E::kFormat, "", [](auto& p) { p.merges[2] = "[[\"a\"],[\"b\"]]"; }));
  add(Json("T06 merge of an unknown token", E::kFormat, "merges[2]: its right part \"qqqq\"",
           [](auto& p) { p.merges[2] = R"(["a","qqqq"])"; }));
  add(Json("T11 hole before the added tokens", E::kFormat, "no token has the id", [](auto& p) { p.added.erase(p.added.begin()); }));
  add(Json("T11 overlap with the vocabulary", E::kFormat, "token 300: is",
           [](auto& p) { p.added.push_back(test::AddedTokenText(300, "<|x|>")); }));
  add(Json("T11 two added tokens with one id", E::kFormat, "two tokens have the id",
           [](auto& p) { p.added.push_back(test::AddedTokenText(test::Small().texts.size(), "<|x|>")); }));
  add(Json("T11 empty content", E::kFormat, "has no content",
           [](auto& p) { p.added[3] = test::AddedTokenText(test::Small().texts.size() + 3, ""); }));
  add(Json("T11 no id", E::kFormat, "an added token without an id", [](auto& p) { p.added[3] = R"({"content":"x"})"; }));
  add(Json("T11 a negative id", E::kFormat, "the id -1 is negative", [](auto& p) { p.added[3] = R"({"id":-1,"content":"x"})"; }));
  add(Json("T11 not an object", E::kFormat, "expected an object", [](auto& p) { p.added[3] = "3"; }));
  add(Json("T11 a million added tokens", E::kLimit, "more than 65536 added tokens", [](auto& p) {
    for (size_t i = 20; i < 1000000; ++i)
      p.added.push_back(test::AddedTokenText(test::Small().texts.size() + i, "<|" + std::to_string(i) + "|>"));
  }));
  const std::string changed = "pre_tokenizer.pretokenizers.0.pattern.Regex is ";
  for (const std::string& pattern :
       {std::string("(a+)+$"), std::string("(?<=x)*"), std::string(kLlama4SplitPattern) + "|x", std::string(1 << 20, '(')})
    add(Json("T12 pattern " + pattern.substr(0, 20), E::kUnsupported, changed, [pattern](auto& p) { p.pattern = pattern; }));
  add(Json("T12 no pre-tokenizer", E::kUnsupported, "pre_tokenizer.type is absent", [](auto& p) { p.pre_tokenizer = "null"; }));
  add(Json("T12 another pre-tokenizer", E::kUnsupported, "pre_tokenizer.type is \"Metaspace\"",
           [](auto& p) { p.pre_tokenizer = R"({"type":"Metaspace"})"; }));
  add(Json("T13 a normalizer", E::kUnsupported, "a normalizer of type \"NFC\"",
           [](auto& p) { p.normalizer = R"({"type":"NFC"})"; }));
  add(Json("T13 an unknown normalizer", E::kUnsupported, "a normalizer of type",
           [](auto& p) { p.normalizer = R"({"type":"Exec","cmd":"x"})"; }));
  add(Json("T13 an unknown decoder", E::kUnsupported, "decoder.type is \"Exec\"",
           [](auto& p) { p.decoder = R"({"type":"Exec"})"; }));
  add(Json("T13 a decoder of no type", E::kUnsupported, "a decoder of type", [](auto& p) { p.decoder = "7"; }));
  add(Json("T13 a normalizer of 16 MiB", E::kUnsupported, "a normalizer of type",
           [](auto& p) { p.normalizer = "\"" + std::string(16 << 20, 'x') + "\""; }));
  add(Json("T13 another model", E::kUnsupported, "model.type is \"Unigram\"", [](auto& p) { p.model_type = "\"Unigram\""; }));
  add({"T14 swapped tokens", E::kCorrupt, "fingerprint", [] {
         auto arrays = std::make_shared<GgufArrays>(test::SmallGguf());
         const std::string expected = Tokenizer(ReadGgufVocabulary(arrays->Source())).Fingerprint();
         std::swap(arrays->tokens[300], arrays->tokens[301]);
         return Prepared{0, [arrays, expected, source = arrays->Source()] {
                           Tokenizer(ReadGgufVocabulary(source)).CheckFingerprint(expected);
                         }};
       }});
  for (const TokenId id : {TokenId{-1}, static_cast<TokenId>(test::SmallTokenizer()->size()), INT32_MAX, INT32_MIN}) {
    const std::string shown = "token id " + std::to_string(id) + " is outside";
    add({"T20 decode of " + std::to_string(id), E::kArgument, shown, [id] {
           return Prepared{0, [id] { test::SmallTokenizer()->Decode(std::vector<TokenId>{1, id}); }};
         }});
    add({"T20 bytes of " + std::to_string(id), E::kArgument, shown, [id] {
           return Prepared{0, [id] { test::SmallTokenizer()->TokenBytes(id); }};
         }});
    add({"T20 kind of " + std::to_string(id), E::kArgument, shown, [id] {
           return Prepared{0, [id] { test::SmallTokenizer()->IsSpecial(id); }};
         }});
  }
  return cases;
}

TEST(HostileTokenizer, EveryCaseGetsItsCodeAndAMessageThatNamesThePlace) {
  const std::vector<TokenId> golden = test::SmallTokenizer()->Encode("the user asks, and the assistant answers.");
  size_t met = 0;
  const std::vector<Case> cases = Cases();
  for (const Case& c : cases) {
    const Prepared prepared = c.prepare();
    const scout::test::BoundedCall call = scout::test::CallBounded(prepared.call, scout::test::kSmallStack);
    const bool bounded = scout::test::ExpectWithinBounds(c.id, call, prepared.input_bytes);
    const bool refused = call.code.has_value();
    if (refused) {
      const std::string message = call.message;
      EXPECT_EQ(static_cast<int>(*call.code), static_cast<int>(c.code)) << c.id << ": " << message;
      EXPECT_NE(message.find(c.named), std::string::npos) << c.id << ": " << message << "\n  should name: " << c.named;
      EXPECT_LE(message.size(), 600u) << c.id << ": " << message;
      for (const char byte : message) EXPECT_TRUE(byte >= 0x20 && byte < 0x7f) << c.id << ": " << message;
    }
    EXPECT_TRUE(refused) << c.id << " was accepted";
    met += refused && bounded && !HasFailure() ? 1 : 0;
  }
  EXPECT_EQ(met, cases.size());
  EXPECT_EQ(test::SmallTokenizer()->Encode("the user asks, and the assistant answers."), golden);
  std::printf(
      "%zu malformed inputs tried, %zu refused with their code and a message that names the place, in bounded time and memory\n",
      cases.size(), met);
}

TEST(HostileTokenizer, AJsonFileCutAnywhereIsRefused) {
  // T10. A small vocabulary would hide what follows it, so the parts are few: cut at every byte.
  JsonParts parts;
  for (int byte = 0; byte < 256; ++byte)
    parts.vocabulary.push_back(test::JsonString(EncodeByteText(std::string(1, static_cast<char>(byte)))) + ":" +
                               std::to_string(byte));
  parts.added.push_back(test::AddedTokenText(256, "<|eot|>"));
  const std::string text = parts.Text();
  EXPECT_EQ(Tokenizer(ReadJsonVocabulary(text, "t")).size(), 257u);
  for (size_t size = 0; size < text.size(); ++size) {
    const std::string id = "T10 cut at byte " + std::to_string(size);
    const scout::test::BoundedCall call = scout::test::CallBounded(
        [&] { ReadJsonVocabulary(std::string_view(text).substr(0, size), "t"); }, scout::test::kSmallStack);
    ASSERT_TRUE(call.code) << id << " was accepted";
    ASSERT_EQ(static_cast<int>(*call.code), static_cast<int>(ErrorCode::kFormat)) << id << ": " << call.message;
    ASSERT_TRUE(scout::test::ExpectWithinBounds(id, call, size));
  }
}

TEST(HostileTokenizer, ATiktokenFileCutAnywhereIsReadOrRefused) {
  std::string text;
  for (int byte = 0; byte < 256; ++byte)
    text += test::Base64(std::string(1, static_cast<char>(byte))) + " " + std::to_string(byte) + "\n";
  for (size_t size = 0; size + 5 < text.size(); ++size) {  // the last rank may lose its last digits' line end
    const std::string id = "T08 cut at byte " + std::to_string(size);
    const scout::test::BoundedCall call =
        scout::test::CallBounded([&] { Tokenizer tokenizer(ReadTiktokenVocabulary(std::string_view(text).substr(0, size), "t")); },
                                 scout::test::kSmallStack);
    ASSERT_TRUE(call.code) << id << " was accepted";
    ASSERT_TRUE(scout::test::ExpectWithinBounds(id, call, size));
  }
}

TEST(HostileTokenizer, MutatedFilesAreReadOrRefusedButNeverMore) {
  std::mt19937 random(11);
  JsonParts parts = test::SmallJson(10);
  const std::string json = parts.Text(), tiktoken = test::TiktokenText(test::Small().texts);
  for (int round = 0; round < 600; ++round) {
    std::string text = round % 2 ? json : tiktoken;
    for (size_t changes = 1 + random() % 4; changes > 0; --changes) text[random() % text.size()] = static_cast<char>(random());
    const std::string probe = "the user's \xff 123\n";
    bool same = true;
    const scout::test::BoundedCall call = scout::test::CallBounded(
        [&] {
          const Tokenizer tokenizer(round % 2 ? ReadJsonVocabulary(text, "t") : ReadTiktokenVocabulary(text, "t"));
          same = tokenizer.Decode(tokenizer.Encode(probe)) == probe;
        },
        scout::test::kSmallStack);
    EXPECT_TRUE(same) << "round " << round;
    if (call.code) {
      EXPECT_NE(static_cast<int>(*call.code), static_cast<int>(ErrorCode::kInternal)) << call.message;
    }
    scout::test::ExpectWithinBounds("round " + std::to_string(round), call, text.size());
  }
}

TEST(HostileTokenizer, ControlAndReservedIdsDecodeByTheirRule) {
  // T20: nothing for a reader, the name where asked.
  const auto tokenizer = test::SmallTokenizer();
  const auto reserved = static_cast<TokenId>(tokenizer->size() - 1);
  EXPECT_EQ(tokenizer->Decode(std::vector<TokenId>{reserved}), "");
  EXPECT_EQ(tokenizer->Decode(std::vector<TokenId>{reserved}, true), "<|reserved_special_token_903|>");
}

}  // namespace
}  // namespace scout::prompt
