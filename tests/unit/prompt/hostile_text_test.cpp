// Texts that are hard on a tokenizer: long runs of one character, everything that Unicode has, bytes that are no text, and one word
// of sixteen mebibytes. Rows T15 to T17 of the project's list of hostile inputs, and files too large to be read (T09, T10). What
// the work grows with is counted in bpe_test.cpp and pretokenize_test.cpp; here are whole texts, with a bound on time and memory.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "io/checkpoint.h"
#include "prompt/load_tokenizer.h"
#include "prompt/pretokenize.h"
#include "prompt/tokenizer.h"
#include "prompt/utf8.h"
#include "small_vocabulary.h"
#include "support/bounded_call.h"
#include "support/gguf_writer.h"
#include "support/temp_dir.h"

namespace scout::prompt {
namespace {

// The contract's sixteen mebibytes; a sanitizer's build does with one.
constexpr size_t kLargest = scout::test::kSanitized ? size_t{1} << 20 : size_t{16} << 20;
constexpr double kTextSeconds = 10;        // of processor time for the longest
constexpr int64_t kBytesPerTextByte = 32;  // merging takes 10.3, ids at most 4 and while they grow as much again

// Encodes and decodes on a small stack; the text must come back.
void ExpectRoundTrip(const std::string& id, const std::string& text) {
  const auto tokenizer = test::SmallTokenizer();
  bool same = false, as_many = false;
  const scout::test::BoundedCall call = scout::test::CallBounded(
      [&] {
        const std::vector<TokenId> ids = tokenizer->Encode(text);
        as_many = tokenizer->Count(text) == ids.size();
        same = tokenizer->Decode(ids) == text;
      },
      scout::test::kSmallStack);
  EXPECT_TRUE(same) << id << ": " << call.message;
  EXPECT_TRUE(as_many) << id;
  scout::test::ExpectWithinBounds(id, call, text.size(),
                                  {kTextSeconds, (4 << 20) + kBytesPerTextByte * static_cast<int64_t>(text.size())});
}

TEST(HostileText, T15_RunsOfOneCharacterOfEveryLength) {
  for (const char c : std::string_view("aA. \n")) {
    for (size_t size = 1; size <= size_t{1} << 20; size *= 2) {
      const std::string id = std::string("T15 ") + std::to_string(size) + " times '" + c + "'";
      ExpectRoundTrip(id, std::string(size, c));
    }
    if (kLargest > size_t{1} << 20) ExpectRoundTrip(std::string("T15 the longest of '") + c + "'", std::string(kLargest, c));
  }
}

TEST(HostileText, T16_WhatIsRareInText) {
  const size_t count = scout::test::kSanitized ? 100000 : 1000000;
  for (const std::string_view unit : {"aA", "\u0301", "a\u0301", "\U0001F468\u200d\U0001F469\u200d", "\u3000", "\u00a0\n"}) {
    std::string text;
    for (size_t i = 0; i < count; ++i) text += unit;
    ExpectRoundTrip("T16 \"" + std::string(unit) + "\" repeated", text);
  }
}

TEST(HostileText, T16_IllFormedUtf8OfEveryLength) {
  // Every proper beginning of a character, bytes that begin none, overlong forms, a surrogate, one past the last code point; alone,
  // repeated to every length up to 40 and behind a letter.
  for (const std::string_view bad : {"\x80", "\xc3", "\xe2", "\xe2\x82", "\xf0", "\xf0\x9f", "\xf0\x9f\x91", "\xc0\x80",
                                     "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe", "\xff"}) {
    std::string text;
    for (int n = 1; n <= 40; ++n) {
      text += bad;
      for (const std::string& whole : {text, "a" + text, text + "a", text + "\n"}) {
        const auto tokenizer = test::SmallTokenizer();
        ASSERT_EQ(tokenizer->Decode(tokenizer->Encode(whole)), whole);
      }
    }
    while (text.size() < (size_t{1} << 20)) text += bad;
    ExpectRoundTrip("T16 ill-formed", text);
  }
}

TEST(HostileText, T16_AllOfUnicodeRoundTrips) {
  // Every code point, shuffled, and every two-byte string.
  std::string text;
  std::vector<uint32_t> codes;
  for (uint32_t code = 0; code < 0x110000; ++code) codes.push_back(code);
  std::shuffle(codes.begin(), codes.end(), std::mt19937(5));
  for (const uint32_t code : codes) AppendUtf8(code, text);  // surrogates come out as bytes that are no UTF-8
  ExpectRoundTrip("T16 all code points", text);
  const auto tokenizer = test::SmallTokenizer();
  for (int pair = 0; pair < 65536; ++pair) {
    const std::string two = {static_cast<char>(pair >> 8), static_cast<char>(pair)};
    ASSERT_EQ(tokenizer->Decode(tokenizer->Encode(two)), two);
  }
}

TEST(HostileText, T17_OnePieceOfSixteenMebibytes) {
  // Worst where hardly anything merges. The released vocabulary takes some 4 s.
  std::mt19937 random(12);
  std::string text;
  text.reserve(kLargest);
  while (text.size() < kLargest) text.push_back(static_cast<char>('a' + random() % 26));
  std::string_view piece;
  ASSERT_TRUE(PieceScanner(text).Next(&piece));
  ASSERT_EQ(piece.size(), text.size());
  ExpectRoundTrip("T17", text);
}

TEST(HostileText, T09_T10_FilesOfAGibibyteAreRefusedUnread) {
  for (const std::string name : {"tokenizer.model", "tokenizer.json"}) {
    const scout::test::TempDir dir;
    scout::test::WriteFile(dir / "config.json", "{}");
    scout::test::WriteFile(dir / "model.safetensors", scout::test::Raw(uint64_t{8}) + "{}      ");
    scout::test::WriteFile(dir / name, "");
    std::filesystem::resize_file(dir / name, uint64_t{1} << 30);  // sparse: one line of NUL bytes
    const auto checkpoint = io::OpenCheckpoint(dir.path(), {});
    const scout::test::BoundedCall call = scout::test::CallBounded([&] { LoadTokenizer(*checkpoint); }, scout::test::kSmallStack);
    ASSERT_TRUE(call.code) << name;
    EXPECT_EQ(static_cast<int>(*call.code), static_cast<int>(ErrorCode::kLimit)) << call.message;
    EXPECT_NE(std::string(call.message).find(name), std::string::npos) << call.message;
    EXPECT_NE(std::string(call.message).find("1073741824"), std::string::npos) << call.message;
    scout::test::ExpectWithinBounds(name, call, 0);
  }
}

}  // namespace
}  // namespace scout::prompt
