#include "io/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

namespace scout::io {
namespace {

// Writes the events down in one line.
class Recorder : public JsonHandler {
 public:
  void Null() override { out += "null "; }
  void Bool(bool v) override { out += v ? "true " : "false "; }
  void Int(int64_t v) override { out += StrCat("i", v, " "); }
  void Uint(uint64_t v) override { out += StrCat("u", v, " "); }
  void Float(double v) override { out += StrCat("f", v, " "); }
  void String(std::string_view v) override { out += StrCat("'", v, "' "); }
  void BeginObject() override { out += "{ "; }
  void Key(std::string_view v) override { out += StrCat(v, ": "); }
  void EndObject() override { out += "} "; }
  void BeginArray() override { out += "[ "; }
  void EndArray() override { out += "] "; }
  std::string out;
};

std::string Events(std::string_view text, JsonLimits limits = {}) {
  Recorder recorder;
  ParseJson(text, "a.json", recorder, limits);
  return recorder.out;
}

std::string Refusal(std::string_view text) {
  try {
    Events(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kFormat) << error.what();
    return error.what();
  }
  return "accepted";
}

TEST(Json, EventsComeInTextOrder) {
  EXPECT_EQ(Events(R"( {"a": [1, -2, 3.5, true, false, null], "b": {}, "c": [], "d": "x"} )"),
            "{ a: [ u1 i-2 f3.5 true false null ] b: { } c: [ ] d: 'x' } ");
}

TEST(Json, WholeNumbersKeepAll64Bits) {
  EXPECT_EQ(Events("[18446744073709551615, -9223372036854775808, 0, -0]"),
            "[ u18446744073709551615 i-9223372036854775808 u0 i0 ] ");
  EXPECT_EQ(Events("[18446744073709551616]"), "[ f18446744073709551616 ] ");
}

TEST(Json, EscapesDecodeToUtf8) {
  EXPECT_EQ(Events(R"(["\u0041\u00e9\u20ac\ud83e\udd99\n\t\"\\\/\b\f\r"])"), "[ 'A\u00e9\u20ac\U0001F999\n\t\"\\/\b\f\r' ] ");
}

TEST(Json, RefusalsNameLineAndOffset) {
  EXPECT_EQ(Refusal("{\n\"a\": 1,\n\"b\" 2}"), "a.json: line 3, offset 14: expected ':' after a key, found '2'");
  EXPECT_EQ(Refusal("{\"a\":1,\"\\u0061\":2}"),
            "a.json: line 1, offset 7: the key \"a\" occurs twice in one object, first at offset 1");
  EXPECT_EQ(Refusal("[1e999]"), "a.json: line 1, offset 1: the number 1e999 does not fit a double");
}

TEST(Json, MalformedTextIsRefused) {
  for (const char* text : {"",
                           " ",
                           "{",
                           "[",
                           "[1",
                           "[1,",
                           "[1,]",
                           "{\"a\"",
                           "{\"a\":",
                           "{\"a\":1",
                           "{\"a\":1,",
                           "{\"a\":1,}",
                           "{,}",
                           "{1:2}",
                           "[1 2]",
                           "01",
                           "-",
                           "1.",
                           "1.e5",
                           "1e",
                           "1e+",
                           "+1",
                           ".5",
                           "NaN",
                           "Infinity",
                           "-Infinity",
                           "tru",
                           "nul",
                           "True",
                           "'a'",
                           "\"a",
                           "\"\\x\"",
                           "\"\\u12\"",
                           "\"\\ud800\"",
                           "\"\\ud800\\u0041\"",
                           "\"\\udc00\"",
                           "\"\\u+123\"",
                           "\"\t\"",
                           "\"\xc0\x80\"",
                           "\"\xed\xa0\x80\"",
                           "\"\xff\"",
                           "\"\xf5\x80\x80\x80\"",
                           "\"\xe2\x82\"",
                           "1 2",
                           "{}{}",
                           "[]x",
                           "\xef\xbb\xbf{}",
                           "/*c*/1",
                           "[1,,2]",
                           "]",
                           "}",
                           "{]",
                           "[}"})
    EXPECT_NE(Refusal(text), "accepted") << Escape(text);
  EXPECT_NE(Refusal(std::string_view("[1\0]", 4)), "accepted");
}

TEST(Json, DepthIsBoundedWithoutRecursion) {
  const std::string deep(100000, '[');
  EXPECT_EQ(Refusal(deep), "a.json: line 1, offset 64: nested deeper than 64 brackets");
  EXPECT_NO_THROW(Events(std::string(64, '[') + std::string(64, ']')));
  EXPECT_EQ(Events("[[1]]", {.max_depth = 2}), "[ [ u1 ] ] ");
}

TEST(Json, EqualKeysInDifferentObjectsAreFine) {
  EXPECT_EQ(Events(R"({"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]})"), "{ a: { a: { a: u1 } } b: [ { a: u1 } { a: u2 } ] } ");
}

TEST(Json, AMillionKeysAreLinear) {
  std::string text = "{";
  for (int i = 0; i < 1000000; ++i) text += StrCat(i ? "," : "", "\"key", i, "\":0");
  text += "}";
  JsonHandler nothing;
  EXPECT_NO_THROW(ParseJson(text, "a.json", nothing));
  text.back() = ',';
  text += "\"key500000\":1}";
  EXPECT_THROW(ParseJson(text, "a.json", nothing), Error);
}

TEST(Json, EveryPrefixIsRefused) {
  const std::string text = R"({"a": [1, -2.5e3, "x\u00e9\ud83e\udd99"], "b": {"c": null, "d": true}})";
  for (size_t n = 0; n < text.size(); ++n) EXPECT_NE(Refusal(text.substr(0, n)), "accepted") << n;
}

// Random mutations of valid text: the verdict equals that of an independent reader, except for what is stricter here
// (duplicate keys, a byte order mark, numbers that underflow).
TEST(Json, VerdictEqualsAnIndependentReader) {
  const std::string seed_text =
      R"({"a": [1, -2.5e3, "x\u00e9\ud83e\udd99é"], "b": {"c": null, "d": true, "e": [[], {}]}, "f": 0.125})";
  std::mt19937 random(7);
  const std::string alphabet = "{}[]\",:0123456789.eE+-\\utrflsn aé \n\t\x01\xff";
  int agreed = 0, accepted = 0;
  for (int round = 0; round < 200000; ++round) {
    std::string text = seed_text;
    const int edits = 1 + static_cast<int>(random() % 3);
    for (int i = 0; i < edits; ++i) {
      const size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = alphabet[random() % alphabet.size()];
          break;
        case 1:
          text.erase(at, 1 + random() % 3);
          break;
        default:
          text.insert(at, 1, alphabet[random() % alphabet.size()]);
      }
    }
    bool ours = true;
    std::string message;
    Recorder recorder;
    try {
      ParseJson(text, "a.json", recorder);
    } catch (const Error& error) {
      ours = false;
      message = error.what();
    }
    const bool theirs = nlohmann::json::accept(text);
    if (ours != theirs) {
      const bool stricter = message.find("occurs twice") != std::string::npos || message.find("does not fit") != std::string::npos;
      EXPECT_TRUE(theirs && stricter) << Escape(text, 200) << " | " << message;
    }
    agreed += ours == theirs;
    accepted += ours;
  }
  EXPECT_GT(accepted, 5000);
  EXPECT_GT(agreed, 190000);
}

}  // namespace
}  // namespace scout::io
