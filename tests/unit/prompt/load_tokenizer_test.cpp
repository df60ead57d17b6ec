#include "prompt/load_tokenizer.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "gtest/gtest.h"
#include "small_vocabulary.h"

namespace scout::prompt {
namespace {

class FakeMetadata : public io::Metadata {
 public:
  std::map<std::string, io::MetaValue, std::less<>> values;
  const io::MetaValue* Find(std::string_view key) const override {
    const auto found = values.find(key);
    return found == values.end() ? nullptr : &found->second;
  }
  std::vector<std::string_view> Keys() const override { return {}; }

  void SetStrings(const std::string& key, const std::vector<std::string>& strings) {
    auto array = std::make_unique<io::MetaArray>();
    array->kind = io::MetaArray::Kind::kString;
    array->strings.assign(strings.begin(), strings.end());
    values[key] = std::move(array);
  }
  void SetInts(const std::string& key, const std::vector<int64_t>& ints) {
    auto array = std::make_unique<io::MetaArray>();
    array->ints = ints;
    values[key] = std::move(array);
  }
};

class FakeCheckpoint : public io::Checkpoint {
 public:
  io::CheckpointFormat kind = io::CheckpointFormat::kGguf;
  FakeMetadata meta;
  std::map<std::string, std::string, std::less<>> files;

  io::CheckpointFormat format() const override { return kind; }
  const std::string& path() const override { return path_; }
  const io::Metadata& metadata() const override { return meta; }
  std::span<const io::TensorInfo> tensors() const override { return {}; }
  const io::TensorInfo* FindTensor(std::string_view) const override { return nullptr; }
  uint64_t file_bytes() const override { return 0; }
  void Read(const io::TensorInfo&, uint64_t, std::span<std::byte>) const override {}
  const std::byte* Mapped(const io::TensorInfo&) const override { return nullptr; }
  void DropPages(const io::TensorInfo&) const override {}
  std::optional<std::string> ReadSideFile(std::string_view name, uint64_t) const override {
    const auto found = files.find(name);
    return found == files.end() ? std::nullopt : std::optional<std::string>(found->second);
  }

 private:
  std::string path_ = "fake";
};

struct GgufCheckpoint : FakeCheckpoint {
  test::GgufArrays arrays = test::SmallGguf();
  GgufCheckpoint() {
    meta.values["general.architecture"] = std::string_view("llama4");
    meta.values["tokenizer.ggml.model"] = std::string_view("gpt2");
    meta.values["tokenizer.ggml.pre"] = std::string_view("default");
    meta.SetStrings("tokenizer.ggml.tokens", arrays.tokens);
    meta.SetInts("tokenizer.ggml.token_type", arrays.types);
    meta.SetStrings("tokenizer.ggml.merges", arrays.merges);
    meta.values["tokenizer.ggml.bos_token_id"] = static_cast<uint64_t>(*arrays.bos);
    meta.values["tokenizer.ggml.eos_token_id"] = static_cast<uint64_t>(*arrays.eos);
  }
};

ErrorCode CodeOf(const io::Checkpoint& checkpoint, std::string* message = nullptr) {
  try {
    LoadTokenizer(checkpoint);
  } catch (const Error& error) {
    if (message) *message = error.what();
    return error.code();
  }
  return ErrorCode{};
}

TEST(LoadTokenizer, ReadsTheArraysOfAGgufFile) {
  const GgufCheckpoint checkpoint;
  const auto tokenizer = LoadTokenizer(checkpoint);
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(tokenizer->Encode("the user"), test::SmallTokenizer()->Encode("the user"));
  EXPECT_EQ(tokenizer->bos(), static_cast<TokenId>(*checkpoint.arrays.bos));
}

TEST(LoadTokenizer, AFileWithoutATokenizerHasNone) {
  FakeCheckpoint checkpoint;
  EXPECT_EQ(LoadTokenizer(checkpoint), nullptr);
  checkpoint.kind = io::CheckpointFormat::kHuggingFace;
  EXPECT_EQ(LoadTokenizer(checkpoint), nullptr);
}

TEST(LoadTokenizer, TakesATiktokenFileBesideEither) {
  FakeCheckpoint checkpoint;
  checkpoint.files["tokenizer.model"] = test::TiktokenText(test::Small().texts);
  ASSERT_TRUE(LoadTokenizer(checkpoint));
  checkpoint.kind = io::CheckpointFormat::kHuggingFace;
  const auto tokenizer = LoadTokenizer(checkpoint);
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(tokenizer->Fingerprint(), test::SmallTokenizer()->Fingerprint());
}

TEST(LoadTokenizer, ADirectorysJsonComesBeforeItsTiktokenFile) {
  FakeCheckpoint checkpoint;
  checkpoint.kind = io::CheckpointFormat::kHuggingFace;
  checkpoint.files["tokenizer.model"] = "wrong";
  checkpoint.files["tokenizer.json"] = test::SmallJson().Text();
  const auto base = static_cast<int64_t>(test::Small().texts.size());
  checkpoint.meta.values["bos_token_id"] = uint64_t{3};
  checkpoint.meta.values["text_config.bos_token_id"] = static_cast<uint64_t>(base);
  checkpoint.meta.SetInts("eos_token_id", {base + 9, base + 1});
  const auto tokenizer = LoadTokenizer(checkpoint);
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(tokenizer->bos(), static_cast<TokenId>(base));
  EXPECT_TRUE(tokenizer->IsStop(static_cast<TokenId>(base + 9)));
  EXPECT_TRUE(tokenizer->IsStop(static_cast<TokenId>(base + 8)));  // by name
}

// T01 of the list of hostile inputs.
TEST(LoadTokenizer, RefusesWrongTypesByKey) {
  const std::vector<std::string> keys = {
      "tokenizer.ggml.tokens",       "tokenizer.ggml.token_type",    "tokenizer.ggml.merges", "tokenizer.ggml.bos_token_id",
      "tokenizer.ggml.eos_token_id", "tokenizer.ggml.eos_token_ids", "tokenizer.ggml.model",  "tokenizer.ggml.scores"};
  for (const std::string& key : keys) {
    GgufCheckpoint checkpoint;
    checkpoint.meta.values[key] = 1.5;
    std::string message;
    EXPECT_EQ(CodeOf(checkpoint, &message), ErrorCode::kFormat) << key;
    EXPECT_NE(message.find(key), std::string::npos) << message;
  }
  for (const std::string key : {"tokenizer.ggml.tokens", "tokenizer.ggml.merges"}) {
    GgufCheckpoint checkpoint;
    checkpoint.meta.SetInts(key, {1, 2, 3});
    EXPECT_EQ(CodeOf(checkpoint), ErrorCode::kFormat) << key;
  }
  GgufCheckpoint checkpoint;
  checkpoint.meta.SetStrings("tokenizer.ggml.token_type", {"a"});
  EXPECT_EQ(CodeOf(checkpoint), ErrorCode::kFormat);
  GgufCheckpoint scored;
  scored.meta.SetStrings("tokenizer.ggml.scores", std::vector<std::string>(scored.arrays.tokens.size(), "1"));
  std::string message;
  EXPECT_EQ(CodeOf(scored, &message), ErrorCode::kFormat);
  EXPECT_EQ(message, "tokenizer.ggml.scores is an array of strings, expected numbers");
}

}  // namespace
}  // namespace scout::prompt
