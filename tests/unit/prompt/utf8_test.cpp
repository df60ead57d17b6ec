#include "prompt/utf8.h"

#include <random>
#include <string>

#include "gtest/gtest.h"
#include "io/json.h"

namespace scout::prompt {
namespace {

std::string Assemble(std::string_view bytes, size_t cut) {
  Utf8Assembler assembler;
  std::string out;
  for (size_t at = 0; at < bytes.size(); at += cut) {
    const size_t before = out.size();
    assembler.Append(bytes.substr(at, cut), out);
    EXPECT_TRUE(io::IsUtf8(std::string_view(out).substr(before)));  // whole characters in every call
    EXPECT_LE(assembler.pending(), 3u);
  }
  assembler.Flush(out);
  EXPECT_EQ(assembler.pending(), 0u);
  return out;
}

TEST(Utf8, EveryCodePointRoundTrips) {
  for (uint32_t code = 0; code < 0x110000; ++code) {
    std::string text;
    AppendUtf8(code, text);
    const auto* at = reinterpret_cast<const unsigned char*>(text.data());
    const Utf8Char c = DecodeUtf8(at, at + text.size());
    if (code >= 0xd800 && code <= 0xdfff) {
      ASSERT_EQ(c.length, 0u) << code;
    } else {
      ASSERT_EQ(c.length, text.size()) << code;
      ASSERT_EQ(c.code_point, code);
      if (text.size() > 1) {
        ASSERT_EQ(DecodeUtf8(at, at + text.size() - 1).length, 0u) << code;
      }
    }
  }
}

TEST(Utf8, IllFormedFormsAreRefused) {
  for (const std::string_view bad :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc3", "\xc3(", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf",
        "\xe2\x82", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xf0\x9f\x98"}) {
    const auto* at = reinterpret_cast<const unsigned char*>(bad.data());
    EXPECT_EQ(DecodeUtf8(at, at + bad.size()).length, 0u) << testing::PrintToString(bad);
  }
}

TEST(Utf8Assembler, PutsCharactersTogetherWhateverTheCuts) {
  const std::string text = "a\u00e9\u65e5\U0001F600z";
  for (size_t cut = 1; cut <= text.size(); ++cut) EXPECT_EQ(Assemble(text, cut), text);
}

TEST(Utf8Assembler, HoldsBackAnUnfinishedCharacter) {
  Utf8Assembler assembler;
  std::string out;
  assembler.Append("x\xf0\x9f", out);
  EXPECT_EQ(out, "x");
  EXPECT_EQ(assembler.pending(), 2u);
  assembler.Append("\x98\x80y", out);
  EXPECT_EQ(out, "x\U0001F600y");
}

TEST(Utf8Assembler, ReplacesEachMaximalSubpartByOneCharacter) {
  // The example of the Unicode standard, section 3.9, table 3-8, and its neighbours.
  const std::string r = "\ufffd";
  EXPECT_EQ(Assemble("a\xf1\x80\x80\xe1\x80\xc2"
                     "b\x80"
                     "c\x80\xbf"
                     "d",
                     99),
            "a" + r + r + r + "b" + r + "c" + r + r + "d");
  EXPECT_EQ(Assemble("\xc0\xaf\xe0\x80\xbf\xf0\x81\x82"
                     "A",
                     99),
            r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(Assemble("\xed\xa0\x80", 99), r + r + r);
  EXPECT_EQ(Assemble("x\xf0\x9f\x98", 99), "x" + r);  // at the end of the stream
}

TEST(Utf8Assembler, TheCutsNeverMatter) {
  std::mt19937 random(3);
  for (int round = 0; round < 3000; ++round) {
    std::string bytes;
    for (size_t i = 0; i < random() % 20; ++i) {
      static constexpr char kBytes[] = "a\x80\xbf\xc3\xa9\xe0\xa0\xed\xf0\x90\x9f\xf4\x8f\xff";
      bytes += kBytes[random() % (sizeof kBytes - 1)];
    }
    const std::string whole = Assemble(bytes, 99);
    EXPECT_TRUE(io::IsUtf8(whole));
    if (io::IsUtf8(bytes)) {
      EXPECT_EQ(whole, bytes);
    }
    for (size_t cut = 1; cut < 5; ++cut) EXPECT_EQ(Assemble(bytes, cut), whole) << testing::PrintToString(bytes);
  }
}

}  // namespace
}  // namespace scout::prompt
