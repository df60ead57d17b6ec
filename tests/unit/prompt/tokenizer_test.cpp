#include "prompt/tokenizer.h"

#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/error.h"
#include "gtest/gtest.h"
#include "prompt/llama4_tokens.h"
#include "prompt/sha256.h"
#include "small_vocabulary.h"
#include "support/small_stack.h"

namespace scout::prompt {
namespace {

using Ids = std::vector<TokenId>;

// The released vocabulary, where it lies beside the checkout; null elsewhere.
const Tokenizer* Llama4() {
  static const std::unique_ptr<const Tokenizer> tokenizer = []() -> std::unique_ptr<const Tokenizer> {
    std::ifstream file(std::string(SCOUT_SHARED_DIR) + "/data/tokenizer.model", std::ios::binary);
    if (std::string_view(SCOUT_SHARED_DIR).empty() || !file) return nullptr;
    const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    return std::make_unique<const Tokenizer>(ReadTiktokenVocabulary(text, "tokenizer.model"));
  }();
  return tokenizer.get();
}

#define NEEDS_LLAMA4()                \
  const Tokenizer* llama4 = Llama4(); \
  if (!llama4) GTEST_SKIP() << "Llama 4's tokenizer.model does not lie beside this checkout"

TEST(Tokenizer, GivesTheKnownIdsOfLlama4) {
  NEEDS_LLAMA4();
  const struct {
    const char* text;
    Ids ids;
  } known[] = {
      {"Hello, world!", {19873, 24, 3817, 13}},
      {"Roses are red,", {62, 19441, 583, 4242, 24}},
      {"  leading spaces", {220, 10855, 15174}},
      {"a\n\n\nb  c\t", {77, 2946, 78, 220, 271, 197}},
      {"I'll DON'T we've", {102824, 93885, 59842, 35645}},
      {"don\u2019t", {21414, 2705}},
      {"1234567890", {7235, 19596, 30054, 28}},
      {"\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! \u0401\u0436", {10815, 3524, 24, 33701, 13, 266, 223, 649}},
      {"\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8", {21764, 16728, 1169, 169866}},
      {"na\u00efve caf\u00e9", {1499, 164301, 49652}},
      {"\U0001F999\U0001F680", {172394, 247, 114590, 222}},
      {"x=1;\n\tif (y) { return; }//end", {100, 41, 29, 308, 1510, 330, 101, 21, 367, 677, 39, 38021, 431}},
      {"\r\n\r\nfoo", {57966, 16662}},
      {"HTTPServer camelCaseWord", {19117, 7317, 103666, 7508, 16044}},
      {"\u0939\u093f\u0928\u094d\u0926\u0940 \u092d\u093e\u0937\u093e", {2471, 9028, 98999, 182877}},
      {"e\u0301a\u0301", {81, 7908, 77, 7908}},
      {"word'S", {1769, 36812}},
      {"<|eot|>", {40, 104, 81, 359, 159276}},
      {"\n\n", {368}},
      {"user", {1556}},
      {"assistant", {140680}},
      {"system", {15651}},
      {"ipython", {607, 6934}},
  };
  for (const auto& [text, ids] : known) {
    EXPECT_EQ(llama4->Encode(text), ids) << text;
    EXPECT_EQ(llama4->Decode(ids), text);
    EXPECT_EQ(llama4->Count(text), ids.size());
  }
}

TEST(Tokenizer, KnowsTheControlTokensOfLlama4) {
  NEEDS_LLAMA4();
  EXPECT_EQ(llama4->size(), 202048u);
  const struct {
    const char* name;
    TokenId id;
  } known[] = {{"<|begin_of_text|>", 200000},
               {"<|end_of_text|>", 200001},
               {"<|header_start|>", 200005},
               {"<|header_end|>", 200006},
               {"<|eom|>", 200007},
               {"<|eot|>", 200008},
               {"<|text_post_train_reserved_special_token_5|>", 200015},
               {"<|python_start|>", 200016},
               {"<|finetune_right_pad|>", 200018},
               {"<|text_post_train_reserved_special_token_8|>", 200019},
               {"<|image_start|>", 200080},
               {"<|tile_x_separator|>", 200084},
               {"<|image|>", 200090},
               {"<|patch|>", 200092},
               {"<|vision_reserved_special_token_1047|>", 201133},
               {"<|reasoning_thinking_end|>", 201143},
               {"<|reserved_special_token_903|>", 202047}};
  for (const auto& [name, id] : known) {
    EXPECT_EQ(llama4->Find(name), id) << name;
    EXPECT_EQ(llama4->TokenBytes(id), name);
    EXPECT_TRUE(llama4->IsSpecial(id));
  }
  EXPECT_EQ(llama4->bos(), 200000);
  EXPECT_EQ(Ids(llama4->stops().begin(), llama4->stops().end()), (Ids{200001, 200007, 200008}));
  EXPECT_EQ(llama4->Find("<|text_post_train_reserved_special_token_6|>"), kNoToken);
}

TEST(Tokenizer, TheReleasedVocabularyHasItsFingerprint) {
  NEEDS_LLAMA4();
  // Computed once from the released file whose ids were compared with tiktoken's; a change means other ids somewhere.
  EXPECT_EQ(llama4->Fingerprint(), "590996eeeb9472e80b015a7a5038105dfe487d302e5fe40ed1e95fd80fe9c6ba");
}

TEST(Tokenizer, EveryTokenOfTheReleasedVocabularyEncodesToItself) {
  NEEDS_LLAMA4();
  // Merging alone reaches every token, so a whole piece that is a token never hides another result.
  Vocabulary vocabulary;
  for (TokenId id = 0; id < 200000; ++id) vocabulary.Add(llama4->TokenBytes(id), TokenKind::kText, "token");
  const Bpe bpe(vocabulary.tokens, nullptr);
  Ids ids;
  for (TokenId id = 0; id < 200000; ++id) {
    ids.clear();
    bpe.Encode(llama4->TokenBytes(id), ids);
    ASSERT_EQ(ids, Ids{id});
  }
}

// Texts that lean on every part: bytes of all kinds, runs, control spellings.
std::vector<std::string> Texts(size_t count, uint32_t seed) {
  static const std::vector<std::string> parts = {"the ",        "user",
                                                 "'s",          "\u65e5",
                                                 "\u0301",      "12",
                                                 "  ",          "\n\n",
                                                 "\t",          "...",
                                                 "/",           "A",
                                                 "a",           "\xff",
                                                 "\xc3",        "\U0001F600",
                                                 "<|eot|>",     "<|header_start|>",
                                                 "|>",          std::string(1, '\0'),
                                                 "\u200d",      "repeats ",
                                                 "\u00a0",      "\xf0\x9f\x98",
                                                 "\xed\xa0\x80"};
  std::mt19937 random(seed);
  std::vector<std::string> texts;
  for (size_t i = 0; i < count; ++i) {
    std::string text;
    for (size_t n = random() % 30; n > 0; --n)
      text += random() % 4 ? parts[random() % parts.size()] : std::string(1 + random() % 100, static_cast<char>(random()));
    texts.push_back(text);
  }
  return texts;
}

TEST(Tokenizer, DecodeUndoesEncodeForAnyBytes) {
  const auto tokenizer = test::SmallTokenizer();
  for (const std::string& text : Texts(3000, 1)) {
    const Ids ids = tokenizer->Encode(text);
    ASSERT_EQ(tokenizer->Decode(ids), text);
    ASSERT_EQ(tokenizer->Count(text), ids.size());
    for (const TokenId id : ids) ASSERT_EQ(tokenizer->Kind(id), TokenKind::kText);
  }
}

TEST(Tokenizer, TheThreeSourcesGiveTheSameIds) {
  test::GgufArrays arrays = test::SmallGguf();
  const Tokenizer gguf(ReadGgufVocabulary(arrays.Source()));
  const Tokenizer json(ReadJsonVocabulary(test::SmallJson().Text(), "tokenizer.json"));
  arrays.has_merges = false;
  const Tokenizer no_merges(ReadGgufVocabulary(arrays.Source()));
  for (const std::string& text : Texts(2000, 2)) {
    const Ids ids = test::SmallTokenizer()->Encode(text, {.allow_special = true, .add_bos = true});
    ASSERT_EQ(gguf.Encode(text, {.allow_special = true, .add_bos = true}), ids);
    ASSERT_EQ(json.Encode(text, {.allow_special = true, .add_bos = true}), ids);
    ASSERT_EQ(no_merges.Encode(text, {.allow_special = true, .add_bos = true}), ids);
  }
  EXPECT_EQ(gguf.Fingerprint(), json.Fingerprint());
  EXPECT_NE(gguf.Fingerprint(), no_merges.Fingerprint());
}

TEST(Tokenizer, ControlSpellingsAreTextUnlessAsked) {
  const auto tokenizer = test::SmallTokenizer();
  const std::string text = "a<|eot|><|header_start|>system<|header_end|>b";
  for (const TokenId id : tokenizer->Encode(text)) EXPECT_FALSE(tokenizer->IsSpecial(id));
  const Ids ids = tokenizer->Encode(text, {.allow_special = true});
  Ids special;
  for (const TokenId id : ids)
    if (tokenizer->IsSpecial(id)) special.push_back(id);
  EXPECT_EQ(special, (Ids{tokenizer->Find("<|eot|>"), tokenizer->Find("<|header_start|>"), tokenizer->Find("<|header_end|>")}));
  EXPECT_EQ(tokenizer->Decode(ids), "asystemb");
  EXPECT_EQ(tokenizer->Decode(ids, true), text);
}

TEST(Tokenizer, TheLongestSpecialSpellingWins) {
  test::GgufArrays arrays = test::SmallGguf();
  for (const char* name : {"<x", "<x>", "<x>y"}) {
    arrays.tokens.push_back(name);
    arrays.types.push_back(3);
  }
  const Tokenizer tokenizer(ReadGgufVocabulary(arrays.Source()));
  const Ids ids = tokenizer.Encode("<x>y<x><x", {.allow_special = true});
  EXPECT_EQ(ids, (Ids{tokenizer.Find("<x>y"), tokenizer.Find("<x>"), tokenizer.Find("<x")}));
}

TEST(Tokenizer, AddedTextTokensAreTakenOnlyWhereAskedAndDecodeAsText) {
  test::GgufArrays arrays = test::SmallGguf();
  arrays.tokens.push_back("the user");
  arrays.types.push_back(4);
  const Tokenizer tokenizer(ReadGgufVocabulary(arrays.Source()));
  const TokenId added = tokenizer.Find("the user");
  EXPECT_EQ(tokenizer.Encode("the user", {.allow_special = true}), Ids{added});
  EXPECT_GT(tokenizer.Encode("the user").size(), 1u);
  EXPECT_EQ(tokenizer.Decode(Ids{added}), "the user");
}

TEST(Tokenizer, StopsAreTheFilesAndTheNamed) {
  test::GgufArrays arrays = test::SmallGguf();
  const auto base = static_cast<TokenId>(test::Small().texts.size());
  arrays.eos = base + 9;
  arrays.more_eos = {base + 3, base + 8};
  const Tokenizer tokenizer(ReadGgufVocabulary(arrays.Source()));
  EXPECT_EQ(Ids(tokenizer.stops().begin(), tokenizer.stops().end()), (Ids{base + 1, base + 3, base + 7, base + 8, base + 9}));
  EXPECT_TRUE(tokenizer.IsStop(base + 7));
  EXPECT_FALSE(tokenizer.IsStop(base));
}

TEST(Tokenizer, BeginOfTextIsAddedOnlyWhereAskedAndKnown) {
  const auto tokenizer = test::SmallTokenizer();
  EXPECT_EQ(tokenizer->Encode("", {.add_bos = true}), Ids{*tokenizer->bos()});
  EXPECT_EQ(tokenizer->Encode(""), Ids{});
  test::GgufArrays arrays = test::SmallGguf(0);
  arrays.bos = arrays.eos = std::nullopt;
  const Tokenizer plain(ReadGgufVocabulary(arrays.Source()));
  try {
    plain.Encode("x", {.add_bos = true});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kState);
  }
}

TEST(Tokenizer, LongInputOfEveryKindOnASmallStack) {
  const auto tokenizer = test::SmallTokenizer();
  scout::test::OnSmallStack(
      [&] {
        for (const std::string_view unit :
             {"a", "A", ".", " ", "\n", "aA", "\u0301", "\U0001F468\u200d", "\xff", "<|eot|>", "<|", "7"}) {
          std::string text;
          while (text.size() < 300000) text += unit;
          for (const bool special : {false, true}) {
            const Ids ids = tokenizer->Encode(text, {.allow_special = special});
            ASSERT_EQ(tokenizer->Decode(ids, true), text);
            ASSERT_EQ(tokenizer->Count(text, {.allow_special = special}), ids.size());
          }
        }
      },
      scout::test::kSmallStack);
}

TEST(Sha256, GivesThePublishedDigests) {
  const auto digest = [](std::string_view text, size_t cut) {
    Sha256 hash;
    for (size_t at = 0; at < text.size(); at += cut) hash.Update(text.substr(at, cut));
    return hash.Finish();
  };
  // FIPS 180-4's examples, and the empty text.
  EXPECT_EQ(digest("", 1), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(digest("abc", 9), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const std::string_view two_blocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
  for (const size_t cut : {1, 7, 64, 100})
    EXPECT_EQ(digest(two_blocks, cut), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(digest(std::string(1000000, 'a'), 997), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

}  // namespace
}  // namespace scout::prompt
