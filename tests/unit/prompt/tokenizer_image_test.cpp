// A tokenizer's tables as a block of bytes: the same tokenizer comes out, and no block takes it outside its memory.
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "base/error.h"
#include "prompt/load_tokenizer.h"
#include "prompt/tokenizer_image.h"
#include "small_vocabulary.h"

namespace scout::prompt {
namespace {

using test::SmallGguf;
using test::SmallTokenizer;

constexpr std::string_view kText =
    "the quick brown fox: don't you'll 1234567 \xd0\xbf\xd1\x80\xd0\xb8 <|eot|> "
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa \xff\n";

// A block that is aligned as a file's is.
struct Block {
  explicit Block(const std::string& image) : size(image.size()), memory(new (std::align_val_t{64}) char[image.size()]) {
    std::memcpy(memory, image.data(), size);
  }
  ~Block() { ::operator delete[](memory, std::align_val_t{64}); }
  Block(const Block&) = delete;
  std::span<const std::byte> bytes() const { return std::as_bytes(std::span<const char>(memory, size)); }
  size_t size;
  char* memory;
};

std::shared_ptr<const Tokenizer> Read(const std::string& image) {
  const auto block = std::make_shared<Block>(image);
  return ReadImage(block->bytes(), block);
}

std::vector<std::shared_ptr<const Tokenizer>> Tokenizers() {
  auto by_pair = SmallGguf(), unsorted = SmallGguf(), added = SmallGguf();
  std::reverse(unsorted.merges.begin(), unsorted.merges.end());
  added.types.back() = 4;
  added.more_eos = {3, 5};
  added.bos.reset();
  return {SmallTokenizer(), std::make_shared<const Tokenizer>(ReadGgufVocabulary(by_pair.Source())),
          std::make_shared<const Tokenizer>(ReadGgufVocabulary(unsorted.Source())),
          std::make_shared<const Tokenizer>(ReadGgufVocabulary(added.Source()))};
}

TEST(TokenizerImage, TheSameTokenizerComesOut) {
  for (const auto& made : Tokenizers()) {
    const auto read = Read(WriteImage(*made));
    ASSERT_EQ(read->size(), made->size());
    EXPECT_EQ(read->Fingerprint(), made->Fingerprint());
    EXPECT_EQ(read->bos(), made->bos());
    EXPECT_TRUE(std::ranges::equal(read->stops(), made->stops()));
    for (const bool special : {false, true}) {
      const EncodeOptions options = {.allow_special = special};
      EXPECT_EQ(read->Encode(kText, options), made->Encode(kText, options));
    }
    for (size_t i = 0; i < made->size(); ++i) {
      const auto id = static_cast<TokenId>(i);
      EXPECT_EQ(read->TokenBytes(id), made->TokenBytes(id));
      EXPECT_EQ(read->Kind(id), made->Kind(id));
    }
    EXPECT_EQ(WriteImage(*read), WriteImage(*made));
  }
}

TEST(TokenizerImage, ACutBlockIsRefused) {
  const std::string image = WriteImage(*Tokenizers()[1]);
  for (size_t size = 1; size < image.size(); size += 997) {
    try {
      Read(image.substr(0, size));
      ADD_FAILURE() << size;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kTruncated) << error.what();
    }
  }
  EXPECT_THROW(Read(image + "x"), Error);
}

// Everything that a tokenizer does with text, whatever its tables hold: it may be refused or give other ids, but each id is one.
void Use(const std::string& image, const std::string& what) {
  try {
    const auto tokenizer = Read(image);
    for (const bool special : {false, true}) {
      const auto ids =
          tokenizer->Encode(std::string(kText) + std::string(70, 'a') + std::string(200, 't'), {.allow_special = special});
      for (const TokenId id : ids) EXPECT_TRUE(id >= 0 && static_cast<size_t>(id) < tokenizer->size()) << what;
      tokenizer->Decode(ids, true);
    }
    tokenizer->Fingerprint();
  } catch (const Error& error) {
    EXPECT_NE(error.code(), ErrorCode::kInternal) << what << ": " << error.what();
  }
}

TEST(TokenizerImage, NoNumberInABlockLeadsOutsideIt) {
  for (const auto& made : Tokenizers()) {
    const std::string image = WriteImage(*made);
    // Every word of the header, then words all over: numbers that lie just past, far past and below what they count.
    std::vector<size_t> places;
    for (size_t at = 0; at < 96; at += 4) places.push_back(at);
    std::mt19937 random(3);
    for (int i = 0; i < 150; ++i) places.push_back(random() % (image.size() / 4) * 4);
    for (const size_t at : places) {
      uint32_t word;
      std::memcpy(&word, image.data() + at, 4);
      for (const uint32_t lie : {word + 1, word - 1, 0xffffffffu, 0x7fffffffu}) {
        if (lie == word) continue;
        std::string changed = image;
        std::memcpy(changed.data() + at, &lie, 4);
        Use(changed, "byte " + std::to_string(at) + " is " + std::to_string(lie));
      }
    }
  }
}

TEST(TokenizerImage, FullTablesAreRefused) {
  // Without a free slot a search would never end.
  const std::string image = WriteImage(*Tokenizers()[1]);
  std::string full = image;
  for (size_t at = 64; at + 4 <= full.size(); at += 4) {
    uint32_t word;
    std::memcpy(&word, full.data() + at, 4);
    if (word == 0xffffffffu) std::memset(full.data() + at, 0, 4);
  }
  try {
    Read(full);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kFormat);
    EXPECT_NE(std::string(error.what()).find("used slots"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace scout::prompt
