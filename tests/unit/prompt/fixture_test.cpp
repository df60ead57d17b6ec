// The ids that tiktoken and Hugging Face tokenizers gave for 840 texts over a small vocabulary: tests/fixtures/tokenizer.
#include <charconv>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "prompt/tokenizer.h"

namespace scout::prompt {
namespace {

std::string Fixture(const char* name) {
  std::ifstream file(std::string(SCOUT_SOURCE_DIR) + "/tests/fixtures/tokenizer/" + name, std::ios::binary);
  EXPECT_TRUE(file) << name;
  return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

std::string FromHex(std::string_view hex) {
  std::string out;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    int byte = 0;
    std::from_chars(hex.data() + i, hex.data() + i + 2, byte, 16);
    out.push_back(static_cast<char>(byte));
  }
  return out;
}

TEST(TokenizerFixture, IdsEqualThoseOfTiktokenAndTokenizers) {
  const Tokenizer ranks(ReadTiktokenVocabulary(Fixture("small.tiktoken"), "small.tiktoken"));
  const Tokenizer merges(ReadJsonVocabulary(Fixture("small.json"), "small.json"));
  const std::string expected = Fixture("expected.txt");
  size_t texts = 0;
  for (size_t at = expected.find('\n') + 1; at < expected.size();) {
    const std::string_view line = std::string_view(expected).substr(at, expected.find('\n', at) - at);
    at += line.size() + 1;
    const size_t tab = line.find('\t');
    const std::string text = FromHex(line.substr(0, tab));
    std::vector<TokenId> ids;
    for (const char *p = line.data() + tab + 1, *end = line.data() + line.size(); p < end; ++p) {
      TokenId id = kNoToken;
      p = std::from_chars(p, end, id).ptr;
      ids.push_back(id);
    }
    ASSERT_EQ(ranks.Encode(text), ids) << text;
    ASSERT_EQ(merges.Encode(text), ids) << text;
    ASSERT_EQ(ranks.Decode(ids), text);
    ++texts;
  }
  EXPECT_EQ(texts, 840u);
  EXPECT_EQ(merges.Find("<|eot|>"), 958);
  EXPECT_TRUE(merges.IsStop(958));
}

}  // namespace
}  // namespace scout::prompt
