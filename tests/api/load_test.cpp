// Loading and what a model says about itself, through the public header.
#include <cstdlib>
#include <filesystem>

#include "tiny.h"

namespace {

using scout::test::ReadFileBytes;
using scout::test::TempDir;
using scout::test::TinyModel;
using scout::test::WriteFile;

scout_status TryLoad(const std::string& path, scout_load_options options) {
  scout_model* model = reinterpret_cast<scout_model*>(8);
  const scout_status status = scout_load(path.c_str(), &options, &model);
  EXPECT_EQ(model == nullptr, status != SCOUT_OK);
  scout_free(model);
  return status;
}

scout_load_options Options() {
  scout_load_options options;
  EXPECT_EQ(scout_load_options_init(&options, sizeof options), SCOUT_OK);
  return options;
}

TEST(Load, DescribesTheModel) {
  const user::Model model = tiny::Load();
  scout_model_info info = {};
  info.struct_size = sizeof info;
  ASSERT_EQ(scout_model_get_info(model.get(), &info), SCOUT_OK);
  EXPECT_STREQ(info.architecture, "llama4");
  EXPECT_STREQ(info.name, "tiny");
  EXPECT_EQ(info.layers, 4);
  EXPECT_EQ(info.embedding, TinyModel::kWidth);
  EXPECT_EQ(info.heads, TinyModel::kHeads);
  EXPECT_EQ(info.kv_heads, TinyModel::kKvHeads);
  EXPECT_EQ(info.head_dim, TinyModel::kHeadDim);
  EXPECT_EQ(info.vocabulary, TinyModel::kVocabulary);
  EXPECT_EQ(info.tokenizer_size, TinyModel::kBytes + TinyModel::kControls);
  EXPECT_EQ(info.experts, TinyModel::kExperts);
  EXPECT_EQ(info.experts_used, 1);
  EXPECT_EQ(info.moe_layers, 4);
  EXPECT_EQ(info.global_layers, 1);
  EXPECT_EQ(info.attention_chunk, 16);
  EXPECT_EQ(info.context, 4096);
  EXPECT_EQ(info.has_chat, 1);
  EXPECT_EQ(info.kv_format, SCOUT_KV_F16);
  EXPECT_EQ(info.file_bytes, std::filesystem::file_size(tiny::Path()));
  // K and V, 2 heads of 16, f16: 128 bytes a layer.
  EXPECT_EQ(info.kv_bytes_per_position_global, 128u);
  EXPECT_EQ(info.kv_bytes_per_position_local, 3u * 128u);

  int32_t moe = -1, rope = -1, chunked = -1;
  ASSERT_EQ(scout_model_get_layer(model.get(), 3, &moe, &rope, &chunked), SCOUT_OK);
  EXPECT_EQ(moe, 1);
  EXPECT_EQ(rope, 0);
  EXPECT_EQ(chunked, 0);
  EXPECT_EQ(scout_model_get_layer(model.get(), 0, nullptr, &rope, nullptr), SCOUT_OK);
  EXPECT_EQ(rope, 1);
  EXPECT_EQ(scout_model_get_layer(model.get(), 4, &moe, &rope, &chunked), SCOUT_ERR_ARGUMENT);
  EXPECT_EQ(scout_model_get_layer(model.get(), -1, &moe, &rope, &chunked), SCOUT_ERR_ARGUMENT);

  ASSERT_EQ(tiny::TensorCount(model.get()), 3u + 4 * 13);
  scout_tensor_info tensor = {};
  tensor.struct_size = sizeof tensor;
  ASSERT_EQ(scout_model_get_tensor(model.get(), 0, &tensor), SCOUT_OK);
  EXPECT_STREQ(tensor.name, "token_embd.weight");
  EXPECT_STREQ(tensor.format, "F32");
  EXPECT_EQ(tensor.rank, 2);
  EXPECT_EQ(tensor.shape[0], TinyModel::kVocabulary);
  EXPECT_EQ(tensor.shape[1], TinyModel::kWidth);
  EXPECT_EQ(tensor.used, 1);
  EXPECT_EQ(scout_model_get_tensor(model.get(), 3 + 4 * 13, &tensor), SCOUT_ERR_ARGUMENT);

  // Pages of 16 positions, as long as a chunk: 100 positions are 7 global pages and, of the local group, as many, because a step
  // may reach over all of them.
  uint64_t bytes = 0;
  ASSERT_EQ(scout_model_kv_bytes(model.get(), 100, SCOUT_KV_DEFAULT, &bytes), SCOUT_OK);
  EXPECT_EQ(bytes, 7u * 16 * 128 + 7u * 16 * 3 * 128);
  ASSERT_EQ(scout_model_kv_bytes(model.get(), 100, SCOUT_KV_F32, &bytes), SCOUT_OK);
  EXPECT_EQ(bytes, 2 * (7u * 16 * 128 + 7u * 16 * 3 * 128));
  // 600 positions: the last position of a chunk and the 512 of a step from there on lie in 33 chunks.
  ASSERT_EQ(scout_model_kv_bytes(model.get(), 600, SCOUT_KV_DEFAULT, &bytes), SCOUT_OK);
  EXPECT_EQ(bytes, 38u * 16 * 128 + 33u * 16 * 3 * 128);
}

TEST(Load, TheBytesOfAContextAreWhatAnEngineOfItNeeds) {
  const user::Model model = tiny::Load();
  for (const int64_t positions : {1, 16, 17, 100, 527, 528, 1000}) {
    scout_engine_options options = user::EngineOptions();
    options.context = positions;
    ASSERT_EQ(scout_model_kv_bytes(model.get(), positions, SCOUT_KV_DEFAULT, &options.kv_bytes), SCOUT_OK);
    scout_engine* engine = nullptr;
    EXPECT_EQ(scout_engine_new(model.get(), &options, &engine), SCOUT_OK) << positions << ": " << scout_last_error();
    scout_engine_free(engine);
    --options.kv_bytes;
    EXPECT_EQ(scout_engine_new(model.get(), &options, &engine), SCOUT_ERR_NO_MEMORY) << positions;
  }
}

TEST(Load, DevicesAreListed) {
  ASSERT_GE(tiny::DeviceCount(), 1u);
  bool reference = false;
  for (uint64_t i = 0; i < tiny::DeviceCount(); ++i) {
    scout_device_info info = {};
    info.struct_size = sizeof info;
    ASSERT_EQ(scout_device_get(i, &info), SCOUT_OK);
    reference |= std::string(info.name) == "ref";
    EXPECT_NE(std::string(info.description), "");
    EXPECT_GT(info.memory_total_bytes, 0u);
    EXPECT_GT(info.memory_free_bytes, 0u);
  }
  EXPECT_TRUE(reference);
  scout_device_info info = {};
  info.struct_size = sizeof info;
  EXPECT_EQ(scout_device_get(tiny::DeviceCount(), &info), SCOUT_ERR_ARGUMENT);
}

TEST(Load, FindsAModelByItsName) {
  const TempDir folder;
  std::filesystem::create_directory(folder / "models");
  WriteFile(folder / "models/some-model.gguf", ReadFileBytes(tiny::Path()));
  ASSERT_EQ(setenv("SCOUT_MODELS", (folder / "absent" + ":" + folder / "models").c_str(), 1), 0);
  EXPECT_EQ(TryLoad("some-model", Options()), SCOUT_OK) << scout_last_error();
  EXPECT_EQ(TryLoad("other-model", Options()), SCOUT_ERR_IO);
  const std::string message = scout_last_error();
  EXPECT_NE(message.find("other-model"), std::string::npos) << message;
  EXPECT_NE(message.find(folder / "models"), std::string::npos) << message;
  EXPECT_NE(message.find("share/scout/models"), std::string::npos) << message;
  EXPECT_EQ(TryLoad("../models/some-model", Options()), SCOUT_ERR_IO);  // a name never climbs
  ASSERT_EQ(unsetenv("SCOUT_MODELS"), 0);
  EXPECT_EQ(TryLoad("some-model", Options()), SCOUT_ERR_IO);
}

struct Wrong {
  const char* what;
  std::string path;
  scout_status status;
  const char* said;  // part of the message
};

// What people try in the first hour: one sentence each that says what is wrong with what.
TEST(Load, WhatIsNoModelGetsASentence) {
  const TempDir folder;
  const std::string good = ReadFileBytes(tiny::Path());
  std::filesystem::create_directory(folder / "empty");
  WriteFile(folder / "text.txt", std::string(100, 'x') + "\nThis is a text file.\n");
  WriteFile(folder / "nothing.gguf", "");
  WriteFile(folder / "half.gguf", good.substr(0, good.size() / 2));
  TinyModel other;
  other.architecture = "llama";
  WriteFile(folder / "other.gguf", other.Build());
  scout::test::GgufWriter vision;
  vision.String("general.architecture", "clip");
  vision.Bool("clip.has_vision_encoder", true);
  vision.Tensor("v.patch_embd.weight", {4, 4}, 0, std::string(64, '\0'));
  WriteFile(folder / "mmproj.gguf", vision.Build());
  const Wrong cases[] = {
      {"a path that is not there", folder / "absent.gguf", SCOUT_ERR_IO, "absent.gguf"},
      {"an Ollama model that is not there", "ollama:no-such-model-of-ours", SCOUT_ERR_IO, "no-such-model-of-ours"},
      {"a folder without a model", folder / "empty", SCOUT_ERR_FORMAT, "config.json"},
      {"a text file", folder / "text.txt", SCOUT_ERR_FORMAT, "text.txt"},
      {"an empty file", folder / "nothing.gguf", SCOUT_ERR_TRUNCATED, "nothing.gguf"},
      {"half a download", folder / "half.gguf", SCOUT_ERR_TRUNCATED, "half.gguf"},
      {"another architecture", folder / "other.gguf", SCOUT_ERR_UNSUPPORTED, "\"llama\""},
      {"a vision-only file", folder / "mmproj.gguf", SCOUT_ERR_UNSUPPORTED, "\"clip\""},
  };
  for (const Wrong& c : cases) {
    EXPECT_EQ(TryLoad(c.path, Options()), c.status) << c.what << ": " << scout_last_error();
    const std::string message = scout_last_error();
    EXPECT_NE(message.find(c.said), std::string::npos) << c.what << ": " << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << c.what;
    EXPECT_LT(message.size(), 400u) << c.what << ": " << message;
  }
}

TEST(Load, WhatDoesNotFitIsRefusedWithBothNumbers) {
  scout_load_options options = Options();
  options.memory_limit_bytes = 1000;
  EXPECT_EQ(TryLoad(tiny::Path(), options), SCOUT_ERR_NO_MEMORY);
  const std::string message = scout_last_error();
  EXPECT_NE(message.find("1000"), std::string::npos) << message;
}

TEST(Load, OptionsOutsideTheirRangesAreRefusedByName) {
  const auto expect = [](const char* name, scout_load_options options) {
    EXPECT_EQ(TryLoad(tiny::Path(), options), SCOUT_ERR_ARGUMENT) << name;
    EXPECT_NE(std::string(scout_last_error()).find(name), std::string::npos) << scout_last_error();
    scout_operation* operation = nullptr;  // those that need no file are told at once
    EXPECT_EQ(scout_load_start(tiny::Path().c_str(), &options, &operation), SCOUT_ERR_ARGUMENT) << name;
    EXPECT_EQ(operation, nullptr);
  };
  scout_load_options options = Options();
  options.threads = -1;
  expect("threads", options);
  options.threads = 1000000;
  expect("threads", options);
  options = Options();
  options.context = -1;
  expect("context", options);
  options.context = int64_t{1} << 31;
  expect("context", options);
  options = Options();
  options.kv_format = 9;
  expect("kv_format", options);
  options = Options();
  options.numerics = -1;
  expect("numerics", options);
  options = Options();
  options.device = "abacus";
  expect("device", options);
  options = Options();
  options.device = "cpu";
  options.numerics = SCOUT_NUMERICS_FLOAT32;
  if (tiny::DeviceCount() > 1) expect("FLOAT32", options);
  options = Options();
  options.map_file = 2;
  expect("map_file", options);
}

TEST(Load, AMappedFileGivesTheSameModel) {
  scout_load_options options = Options();
  options.map_file = 1;
  options.kv_bytes = 16 << 20;
  scout_model* mapped = nullptr;
  ASSERT_EQ(scout_load(tiny::Path().c_str(), &options, &mapped), SCOUT_OK) << scout_last_error();
  const std::vector<int32_t> prompt = tiny::Prompt(40);
  EXPECT_EQ(tiny::Solo(user::Model(mapped), prompt, 8).ids, tiny::Solo(tiny::Load(), prompt, 8).ids);
}

TEST(Load, AnOperationCanBePolledAndGivesItsModelOnce) {
  scout_operation* started = nullptr;
  const scout_load_options options = Options();
  ASSERT_EQ(scout_load_start(tiny::Path().c_str(), &options, &started), SCOUT_OK) << scout_last_error();
  const user::Operation operation(started);
  scout_model* model = nullptr;
  scout_status status;
  while ((status = scout_operation_wait(started, 1, &model)) == SCOUT_AGAIN) EXPECT_EQ(model, nullptr);
  ASSERT_EQ(status, SCOUT_OK) << scout_last_error();
  const user::Model owned(model);
  uint64_t done = 0, total = 0;
  ASSERT_EQ(scout_operation_progress(started, &done, &total), SCOUT_OK);
  EXPECT_GT(total, 0u);
  EXPECT_EQ(done, total);
  EXPECT_EQ(scout_operation_progress(started, nullptr, nullptr), SCOUT_OK);
  EXPECT_EQ(scout_operation_wait(started, 0, &model), SCOUT_ERR_STATE);
  EXPECT_EQ(model, nullptr);
  EXPECT_EQ(scout_operation_cancel(started), SCOUT_OK);  // too late, and harmless
  EXPECT_EQ(tiny::TensorCount(owned.get()), 3u + 4 * 13);
}

TEST(Load, AnOperationCanBeCancelledAndFreedAtAnyTime) {
  const scout_load_options options = Options();
  for (int i = 0; i < 50; ++i) {
    scout_operation* operation = nullptr;
    ASSERT_EQ(scout_load_start(tiny::Path().c_str(), &options, &operation), SCOUT_OK);
    if (i % 3 == 1) {
      ASSERT_EQ(scout_operation_cancel(operation), SCOUT_OK);
      scout_model* model = nullptr;
      const scout_status status = scout_operation_wait(operation, SCOUT_WAIT, &model);
      EXPECT_TRUE(status == SCOUT_OK || status == SCOUT_ERR_CANCELLED) << status;
      scout_free(model);
    }
    if (i % 3 == 2) scout_operation_wait(operation, 1, nullptr);
    scout_operation_free(operation);
  }
}

TEST(Load, ACheckpointWithoutATokenizerServesIdsOnly) {
  const TempDir folder;
  TinyModel plain;
  plain.tokenizer = false;
  WriteFile(folder / "plain.gguf", plain.Build());
  const user::Model model = user::Load(folder / "plain.gguf", tiny::Device(), 1);
  scout_model_info info = {};
  info.struct_size = sizeof info;
  ASSERT_EQ(scout_model_get_info(model.get(), &info), SCOUT_OK);
  EXPECT_EQ(info.tokenizer_size, 0);
  EXPECT_EQ(info.has_chat, 0);
  uint64_t count = 0;
  EXPECT_EQ(scout_count_tokens(model.get(), "x", 1, 0, &count), SCOUT_ERR_STATE);
  scout_chat* chat = nullptr;
  EXPECT_EQ(scout_chat_new(model.get(), &chat), SCOUT_ERR_STATE);
  scout_request* request = nullptr;
  EXPECT_EQ(scout_generate(model.get(), "x", nullptr, &request), SCOUT_ERR_STATE);
  const user::Answer answer = tiny::Solo(model, tiny::Prompt(20), 5);
  EXPECT_EQ(answer.ids.size(), 5u);
  EXPECT_EQ(answer.text, "");
}

TEST(Load, ATokenizerWithoutChatTokensContinuesText) {
  const TempDir folder;
  TinyModel plain;
  plain.chat = false;
  WriteFile(folder / "plain.gguf", plain.Build());
  const user::Model model = user::Load(folder / "plain.gguf", tiny::Device(), 1);
  scout_chat* chat = nullptr;
  EXPECT_EQ(scout_chat_new(model.get(), &chat), SCOUT_ERR_STATE);
  EXPECT_NE(std::string(scout_last_error()).find("<|"), std::string::npos) << scout_last_error();
  scout_request_options options = user::RequestOptions();
  options.max_tokens = 3;
  scout_request* request = nullptr;
  ASSERT_EQ(scout_generate(model.get(), "abc", &options, &request), SCOUT_OK) << scout_last_error();
  const user::Answer answer = user::Read(user::Request(request).get());
  EXPECT_EQ(answer.prompt_tokens, 4);  // begin-of-text and three bytes
}

}  // namespace
