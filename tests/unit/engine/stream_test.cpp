#include "engine/stream.h"

#include <gtest/gtest.h>

namespace scout::engine {
namespace {

struct Read {
  std::string text;
  bool stopped = false;
};

Read Pieces(const std::vector<std::string>& stops, const std::vector<std::string>& pieces) {
  Stream stream(stops);
  Read read;
  for (const std::string& piece : pieces) {
    if (stream.Append(piece, read.text)) {
      read.stopped = true;
      return read;
    }
  }
  read.stopped = stream.Flush(read.text);
  return read;
}

// Every way of cutting `text` into two or three pieces gives the same.
void ExpectAnyCut(const std::vector<std::string>& stops, const std::string& text, const std::string& expected, bool stopped) {
  for (size_t a = 0; a <= text.size(); ++a) {
    for (size_t b = a; b <= text.size(); ++b) {
      const Read read = Pieces(stops, {text.substr(0, a), text.substr(a, b - a), text.substr(b)});
      EXPECT_EQ(read.text, expected) << "cut at " << a << " and " << b;
      EXPECT_EQ(read.stopped, stopped);
    }
  }
}

TEST(Stream, AStopStringEndsTheTextBeforeItWhereverTokensAreCut) {
  ExpectAnyCut({"STOP"}, "one STOP two", "one ", true);
  ExpectAnyCut({"STOP"}, "one STO two", "one STO two", false);
  ExpectAnyCut({"aab"}, "aaab", "a", true);
  ExpectAnyCut({"abab"}, "xababab", "x", true);
  ExpectAnyCut({"\n\n", "User:"}, "Hi\nUser: x\n\n", "Hi\n", true);
}

TEST(Stream, OfSeveralStopStringsTheFirstToBeCompleteCounts) {
  ExpectAnyCut({"abcd", "bc"}, "xabcd", "xa", true);
  ExpectAnyCut({"bcd", "abcd"}, "xabcd", "x", true);  // complete at the same byte: the longest
  ExpectAnyCut({"abcx", "abcy", "bcz"}, "abcabcz", "abca", true);
}

TEST(Stream, HoldsBackOnlyWhatMayBeginAStopString) {
  Stream stream({"STOP"});
  std::string out;
  EXPECT_FALSE(stream.Append("one S", out));
  EXPECT_EQ(out, "one ");
  EXPECT_TRUE(stream.holding());
  EXPECT_FALSE(stream.Append("TO", out));
  EXPECT_EQ(out, "one ");
  EXPECT_FALSE(stream.Append("x", out));
  EXPECT_EQ(out, "one STOx");
  EXPECT_FALSE(stream.holding());
  EXPECT_FALSE(stream.Append("ST", out));
  EXPECT_FALSE(stream.Flush(out));
  EXPECT_EQ(out, "one STOxST") << "the end of the answer is no stop string";
}

TEST(Stream, GivesWholeCharactersOnly) {
  const std::string llama = "\xf0\x9f\xa6\x99";  // U+1F999
  Stream stream;
  std::string out;
  for (size_t i = 0; i < 3; ++i) {
    stream.Append(llama.substr(i, 1), out);
    EXPECT_EQ(out, "");
    EXPECT_TRUE(stream.holding());
  }
  stream.Append(llama.substr(3) + "x", out);
  EXPECT_EQ(out, llama + "x");
  ExpectAnyCut({}, "a" + llama + "\xc3\xa9z", "a" + llama + "\xc3\xa9z", false);
  ExpectAnyCut({"\xc3\xa9"}, "a" + llama + "\xc3\xa9z", "a" + llama, true);
}

TEST(Stream, BytesThatAreNoCharacterBecomeTheReplacementCharacter) {
  const std::string bad = "\xef\xbf\xbd";
  ExpectAnyCut({},
               "a\xff"
               "b",
               "a" + bad + "b", false);
  ExpectAnyCut({}, "a\xf0\x9f", "a" + bad, false);
  EXPECT_TRUE(Pieces({bad}, {"a\xf0\x9f"}).stopped) << "even at the very end";
}

TEST(Stream, ALongStopStringOfOneLetterTakesLinearTime) {
  // 65,536 letters against a million of the same letter with interruptions: quadratic work would take hours.
  const std::string stop = std::string(65535, 'a') + "b";
  Stream stream({stop});
  std::string out;
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(stream.Append(std::string(1000, 'a'), out));
  EXPECT_EQ(out.size(), 1000000u - 65535u);
  EXPECT_TRUE(stream.Append("b", out));
  EXPECT_EQ(out.size(), 1000000u - 65535u);
}

}  // namespace
}  // namespace scout::engine
