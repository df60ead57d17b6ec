#include "prompt/vocabulary.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "prompt/tokenizer.h"
#include "small_vocabulary.h"

namespace scout::prompt {
namespace {

TEST(ByteText, EveryByteHasOneSpelling) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  const std::string text = EncodeByteText(all);
  std::string back;
  EXPECT_EQ(DecodeByteText(text, back), text.size());
  EXPECT_EQ(back, all);
  EXPECT_EQ(EncodeByteText(" a\n"), "\u0120a\u010a");
  EXPECT_EQ(EncodeByteText("\xad\xff"), "\u0143\u00ff");
}

TEST(ByteText, SaysWhereASpellingIsWrong) {
  std::string bytes;
  EXPECT_EQ(DecodeByteText("ab c", bytes), 2u);
  EXPECT_EQ(DecodeByteText("\u0144", bytes), 0u);
  EXPECT_EQ(DecodeByteText("a\xff", bytes), 1u);
}

TEST(GgufVocabulary, FillersOfAFullSizeVocabularyGetTheirNamesBack) {
  test::GgufArrays arrays;
  for (int byte = 0; byte < 256; ++byte) arrays.tokens.push_back(EncodeByteText(std::string(1, static_cast<char>(byte))));
  // Texts that no other token has: three letters of the byte alphabet from their number.
  for (int i = 256; i < 200000; ++i)
    arrays.tokens.push_back(std::string{static_cast<char>('a' + i / 17576 % 26), static_cast<char>('a' + i / 676 % 26),
                                        static_cast<char>('a' + i / 26 % 26), static_cast<char>('a' + i % 26)});
  arrays.tokens.push_back(kBeginOfText);
  for (int i = 200001; i < 202048; ++i) arrays.tokens.push_back("[PAD" + std::to_string(i) + "]");
  arrays.types.assign(arrays.tokens.size(), 1);
  for (size_t i = 200000; i < arrays.types.size(); ++i) arrays.types[i] = i == 200000 ? 3 : 5;
  arrays.has_merges = false;
  const Tokenizer tokenizer(ReadGgufVocabulary(arrays.Source()));
  EXPECT_EQ(tokenizer.Find("<|eot|>"), 200008);
  EXPECT_EQ(tokenizer.Find("<|reserved_special_token_903|>"), 202047);
  EXPECT_EQ(tokenizer.Find("[PAD200008]"), kNoToken);
  EXPECT_TRUE(tokenizer.IsStop(200007));
}

TEST(GgufVocabulary, FillersOfAnotherVocabularyStayUnused) {
  test::GgufArrays arrays = test::SmallGguf();
  arrays.tokens.push_back("[PAD576]");
  arrays.types.push_back(5);
  const Tokenizer tokenizer(ReadGgufVocabulary(arrays.Source()));
  const auto last = static_cast<TokenId>(tokenizer.size() - 1);
  EXPECT_EQ(tokenizer.Kind(last), TokenKind::kUnused);
  EXPECT_EQ(tokenizer.Find("[PAD576]"), kNoToken);
  EXPECT_EQ(tokenizer.Decode(std::vector<TokenId>{last}), "");
  EXPECT_EQ(tokenizer.Decode(std::vector<TokenId>{last}, true), "[PAD576]");
}

TEST(GgufVocabulary, ByteTokensStandForTheirByte) {
  test::GgufArrays arrays = test::SmallGguf();
  arrays.tokens[65] = "<0x41>";
  arrays.types[65] = 6;
  const Tokenizer tokenizer(ReadGgufVocabulary(arrays.Source()));
  EXPECT_EQ(tokenizer.TokenBytes(65), "A");
}

TEST(TiktokenVocabulary, WindowsLineEndsAndEmptyLinesAreFine) {
  std::string text = test::TiktokenText(test::Small().texts), windows;
  for (const char c : text) windows += c == '\n' ? "\r\n" : std::string(1, c);
  const Tokenizer plain(ReadTiktokenVocabulary(text, "a")), other(ReadTiktokenVocabulary(windows + "\r\n\n", "b"));
  EXPECT_EQ(plain.Fingerprint(), other.Fingerprint());
  text.pop_back();  // the last line end
  EXPECT_EQ(Tokenizer(ReadTiktokenVocabulary(text, "c")).Fingerprint(), plain.Fingerprint());
}

TEST(JsonVocabulary, MergesMayBeTextsOrPairs) {
  test::JsonParts parts = test::SmallJson();
  const Tokenizer pairs(ReadJsonVocabulary(parts.Text(), "a"));
  parts.merges.clear();
  for (const auto& [left, right] : test::Small().merges)
    parts.merges.push_back(test::JsonString(EncodeByteText(left) + " " + EncodeByteText(right)));
  EXPECT_EQ(Tokenizer(ReadJsonVocabulary(parts.Text(), "b")).Fingerprint(), pairs.Fingerprint());
}

TEST(JsonVocabulary, AddedTokensMayRepeatTheVocabularysEntry) {
  test::JsonParts parts = test::SmallJson();
  const size_t id = parts.vocabulary.size();
  parts.vocabulary.push_back(test::JsonString("<|begin_of_text|>") + ":" + std::to_string(id));
  const Tokenizer tokenizer(ReadJsonVocabulary(parts.Text(), "a"));
  EXPECT_EQ(tokenizer.Find("<|begin_of_text|>"), static_cast<TokenId>(id));
  EXPECT_EQ(tokenizer.Kind(static_cast<TokenId>(id)), TokenKind::kControl);
}

TEST(JsonVocabulary, IgnoreMergesDecidesAboutWholePieces) {
  // "zq" is a token that no merge makes: only a whole piece can become it.
  test::JsonParts parts = test::SmallJson(0);
  parts.vocabulary.push_back("\"zq\":" + std::to_string(parts.vocabulary.size()));
  const auto last = static_cast<TokenId>(parts.vocabulary.size() - 1);
  EXPECT_EQ(Tokenizer(ReadJsonVocabulary(parts.Text(), "a")).Encode("zq"), std::vector<TokenId>{last});
  parts.ignore_merges = "false";
  EXPECT_EQ(Tokenizer(ReadJsonVocabulary(parts.Text(), "a")).Encode("zq").size(), 2u);
}

}  // namespace
}  // namespace scout::prompt
