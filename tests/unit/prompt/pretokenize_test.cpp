#include "prompt/pretokenize.h"

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "reference_splitter.h"
#include "support/small_stack.h"

namespace scout::prompt {
namespace {

std::vector<std::string> Split(std::string_view text) {
  std::vector<std::string> pieces;
  PieceScanner scanner(text);
  std::string_view piece;
  while (scanner.Next(&piece)) pieces.emplace_back(piece);
  return pieces;
}

using Pieces = std::vector<std::string>;

// Every class, every character that the pattern names, and the ones next to them.
const std::vector<std::string>& Alphabet() {
  static const std::vector<std::string> alphabet = {"A",
                                                    "a",
                                                    "\u65e5",
                                                    "\u0301",
                                                    "1",
                                                    " ",
                                                    "\n",
                                                    ".",
                                                    "'",
                                                    "s",
                                                    "/",
                                                    "\t",
                                                    "\r",  // the first 13 go deep
                                                    "S",
                                                    "\u017f",
                                                    "t",
                                                    "r",
                                                    "R",
                                                    "e",
                                                    "E",
                                                    "v",
                                                    "m",
                                                    "l",
                                                    "L",
                                                    "d",
                                                    "\u01c5",
                                                    "\u02b0",
                                                    "\u00e9",
                                                    "\u0414",
                                                    "\u00a0",
                                                    "\u0085",
                                                    "\u3000",
                                                    "\u2028",
                                                    "\u0663",
                                                    "\u00bd",
                                                    "\u2019",
                                                    "\U0001F600",
                                                    "\u20dd",
                                                    "\u0903",
                                                    "_",
                                                    "\xff",
                                                    "\xc3",
                                                    "\xed\xa0\x80",
                                                    "\xf0\x9f\x98",
                                                    "\x80",
                                                    "\x01",
                                                    std::string(1, '\0')};
  return alphabet;
}

TEST(Pretokenize, ClassesHaveTheSizesThatTiktokensExpressionsHave) {
  // Counted by asking tiktoken 0.14.0, class by class (generate_unicode_tables.py --check-tiktoken); surrogates stand in no
  // class but "other".
  std::array<int, 8> counts{};
  for (uint32_t c = 0; c < 0x110000; ++c) ++counts[static_cast<size_t>(ClassOf(c))];
  EXPECT_EQ(counts[static_cast<size_t>(CharClass::kUpper)], 1889);
  EXPECT_EQ(counts[static_cast<size_t>(CharClass::kLower)], 2258);
  EXPECT_EQ(counts[static_cast<size_t>(CharClass::kCaseless)], 136881);
  EXPECT_EQ(counts[static_cast<size_t>(CharClass::kMark)], 2501);
  EXPECT_EQ(counts[static_cast<size_t>(CharClass::kNumber)], 1911);
  EXPECT_EQ(counts[static_cast<size_t>(CharClass::kSpace)], 23);
  EXPECT_EQ(counts[static_cast<size_t>(CharClass::kNewline)], 2);
  EXPECT_STREQ(unicode_tables::kVersion, "16.0.0");
}

TEST(Pretokenize, ContractionsStayWithTheirWord) {
  EXPECT_EQ(Split("I'll DON'T we've"), (Pieces{"I'll", " DON'T", " we've"}));
  EXPECT_EQ(Split("word'\u017f x"), (Pieces{"word'\u017f", " x"}));
  EXPECT_EQ(Split("it'x"), (Pieces{"it", "'x"}));
  EXPECT_EQ(Split("'s"), (Pieces{"'s"}));
}

TEST(Pretokenize, UpperCaseGivesBackToLowerCase) {
  EXPECT_EQ(Split("HTTPServer"), (Pieces{"HTTPServer"}));
  EXPECT_EQ(Split("aB"), (Pieces{"a", "B"}));
  EXPECT_EQ(Split("\u65e5AB"), (Pieces{"\u65e5", "AB"}));
  EXPECT_EQ(Split("AB\u65e5CD"), (Pieces{"AB\u65e5", "CD"}));
}

TEST(Pretokenize, WhiteSpaceLeavesItsLastCharacterToTheWord) {
  EXPECT_EQ(Split("  two"), (Pieces{" ", " two"}));
  EXPECT_EQ(Split("a \n\n  b"), (Pieces{"a", " \n\n", " ", " b"}));
  EXPECT_EQ(Split("a   "), (Pieces{"a", "   "}));
  EXPECT_EQ(Split(" 1"), (Pieces{" ", "1"}));
}

TEST(Pretokenize, EqualsThePatternOnAllShortTexts) {
  const test::ReferenceSplitter reference(kLlama4SplitPattern);
  constexpr size_t kDeep = 13;
  for (size_t length = 1; length <= 4; ++length) {
    std::vector<size_t> digits(length, 0);
    for (;;) {
      std::string text;
      for (const size_t digit : digits) text += Alphabet()[digit];
      ASSERT_EQ(Split(text), reference.Split(text)) << testing::PrintToString(text);
      size_t i = 0;
      while (i < length && ++digits[i] == kDeep) digits[i++] = 0;
      if (i == length) break;
    }
  }
}

TEST(Pretokenize, EqualsThePatternOnRandomTexts) {
  const test::ReferenceSplitter reference(kLlama4SplitPattern);
  std::mt19937 random(7);
  for (int round = 0; round < 20000; ++round) {
    // Few different characters at a time make long runs of neighbours that interact.
    const size_t first = random() % Alphabet().size(), width = 1 + random() % Alphabet().size();
    const size_t length = 1 + random() % 24;
    std::string text;
    for (size_t i = 0; i < length; ++i) text += Alphabet()[(first + (random() % width) * (random() % 3)) % Alphabet().size()];
    ASSERT_EQ(Split(text), reference.Split(text)) << testing::PrintToString(text);
  }
}

TEST(Pretokenize, EqualsThePatternOnRandomBytes) {
  const test::ReferenceSplitter reference(kLlama4SplitPattern);
  std::mt19937 random(8);
  for (int round = 0; round < 5000; ++round) {
    std::string text;
    for (size_t i = 0; i < 1 + random() % 24; ++i) text += static_cast<char>(random() & (round % 2 ? 0xffu : 0x9fu));
    ASSERT_EQ(Split(text), reference.Split(text)) << testing::PrintToString(text);
  }
}

TEST(Pretokenize, LooksAtEachByteAtMostFourTimes) {
  // The shapes in which something is looked at and not taken: a give-back, a lonely prefix, white space before a word.
  std::vector<std::string> units = {"a",  "A",      "aA", "\u65e5A", "\u0301A", ".A", " \n ", " ",     "  x",
                                    "\n", "\u0301", "'",  "a'",      "7",       "/",  "\xff", "\u3000"};
  for (const std::string& a : Alphabet()) units.push_back(a + "A");
  scout::test::OnSmallStack(
      [&] {
        for (const std::string& unit : units) {
          std::string text;
          while (text.size() < 200000) text += unit;
          for (const std::string& tail : {std::string(), std::string("a"), std::string("\n"), std::string("x y")}) {
            const std::string whole = unit + std::string(50000, 'A') + text + tail;
            PieceScanner scanner(whole);
            std::string_view piece;
            size_t bytes = 0;
            while (scanner.Next(&piece)) bytes += piece.size();
            EXPECT_EQ(bytes, whole.size());
            EXPECT_LE(scanner.bytes_examined(), 4 * whole.size()) << testing::PrintToString(unit);
          }
        }
      },
      scout::test::kSmallStack);
}

}  // namespace
}  // namespace scout::prompt
