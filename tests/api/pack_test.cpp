// Packed side-files through the public header: the same logits, tokens and token ids with and without; a sentence for each thing
// that does not fit; nothing left behind by what failed.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>

#include "support/goldens.h"
#include "tiny.h"

namespace {

using scout::test::ReadFileBytes;
using scout::test::TempDir;
using scout::test::TinyModel;
using scout::test::WriteFile;
namespace fs = std::filesystem;

scout_load_options Options(int32_t pack) {
  scout_load_options options;
  EXPECT_EQ(scout_load_options_init(&options, sizeof options), SCOUT_OK);
  EXPECT_EQ(options.pack, SCOUT_PACK_NONE);
  options.device = "cpu";
  options.threads = 1;
  options.kv_bytes = 16 << 20;
  options.pack = pack;
  return options;
}

user::Model Load(const std::string& path, const scout_load_options& options) {
  scout_model* model = nullptr;
  EXPECT_EQ(scout_load(path.c_str(), &options, &model), SCOUT_OK) << scout_last_error();
  return user::Model(model);
}
user::Model Load(const std::string& path, int32_t pack) { return Load(path, Options(pack)); }

void ExpectRefused(const std::string& path, const scout_load_options& options, scout_status code,
                   std::initializer_list<const char*> says) {
  scout_model* model = nullptr;
  EXPECT_EQ(scout_load(path.c_str(), &options, &model), code) << scout_last_error();
  for (const char* text : says) EXPECT_NE(std::strstr(scout_last_error(), text), nullptr) << scout_last_error();
  scout_free(model);
}

std::vector<float> Logits(const user::Model& model, const std::vector<int32_t>& ids) {
  return user::Logits(user::NewEngine(model, user::EngineOptions()), ids);
}

std::vector<int32_t> Ids(const user::Model& model, const std::string& text) {
  std::vector<int32_t> ids(text.size() + 1);
  uint64_t needed = 0;
  const scout_status status = scout_encode(model.get(), text.data(), text.size(), 0, ids.data(), ids.size(), &needed);
  if (status == SCOUT_ERR_STATE) return {};  // no tokenizer
  EXPECT_EQ(status, SCOUT_OK) << scout_last_error();
  ids.resize(needed);
  return ids;
}

size_t Files(const TempDir& folder) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()));
}

// A tiny model in a folder of its own, packed.
struct Packed {
  Packed() {
    WriteFile(path, TinyModel{}.Build());
    EXPECT_NE(Load(path, SCOUT_PACK_WRITE), nullptr);
  }
  TempDir folder;
  std::string path = folder / "tiny.gguf", pack = path + ".pack";
};

TEST(Pack, LogitsAndIdsAreTheSameBytesInEveryFile) {
  std::vector<std::string> files;
  for (const goldens::Golden& golden : goldens::All(SCOUT_SOURCE_DIR "/tests/fixtures/goldens"))
    if (golden.container.ends_with(".gguf")) files.push_back(golden.container);
  if (const std::string bundled = SCOUT_SOURCE_DIR "/examples/models/scout-tiny.gguf"; fs::exists(bundled))
    files.push_back(bundled);
  files.push_back(tiny::Path());
  files.erase(std::unique(files.begin(), files.end()), files.end());  // a container has several prompts
  ASSERT_GT(files.size(), 2u);
  const TempDir folder;
  const std::string pack = folder / "any.pack";
  for (const std::string& file : files) {
    for (const char* device : {"cpu", "ref"}) {
      if (device == std::string("ref") && fs::file_size(file) > 1000000) continue;
      scout_load_options options = Options(SCOUT_PACK_WRITE);
      options.device = device;
      options.pack_path = pack.c_str();
      const user::Model made = Load(file, options);
      ASSERT_NE(made, nullptr) << file;
      scout_model_info info = {};
      info.struct_size = sizeof info;
      ASSERT_EQ(scout_model_get_info(made.get(), &info), SCOUT_OK);
      std::vector<int32_t> prompt = tiny::Prompt(37);
      for (int32_t& id : prompt) id %= static_cast<int32_t>(info.vocabulary);
      const std::vector<float> want = Logits(made, prompt);
      EXPECT_EQ(Logits(Load(file,
                            [&] {
                              scout_load_options plain = options;
                              plain.pack = SCOUT_PACK_NONE;
                              return plain;
                            }()),
                       prompt),
                want);
      for (const int32_t use : {SCOUT_PACK_USE, SCOUT_PACK_CHECK}) {
        options.pack = use;
        const user::Model model = Load(file, options);
        ASSERT_NE(model, nullptr) << file;
        const std::vector<float> got = Logits(model, prompt);
        ASSERT_EQ(got.size(), want.size());
        EXPECT_EQ(std::memcmp(got.data(), want.data(), want.size() * sizeof want[0]), 0) << file << " " << device;
        for (const char* text : {"Tell me a story about a fox.", "\xff\xfe 12345 \xd0\xbf\xd1\x80", ""})
          EXPECT_EQ(Ids(model, text), Ids(made, text)) << file;
      }
    }
  }
}

TEST(Pack, LiesBesideTheModelAndIsReplacedWhole) {
  const Packed packed;
  EXPECT_EQ(Files(packed.folder), 2u);
  const user::Model user = Load(packed.path, SCOUT_PACK_USE);  // has the first one mapped
  const std::vector<float> want = Logits(user, tiny::Prompt(20));
  const std::string first = ReadFileBytes(packed.pack);
  EXPECT_NE(Load(packed.path, SCOUT_PACK_WRITE), nullptr);
  EXPECT_EQ(Files(packed.folder), 2u);
  EXPECT_EQ(ReadFileBytes(packed.pack), first);
  EXPECT_EQ(Logits(user, tiny::Prompt(20)), want);
}

TEST(Pack, AnswersChatsAsTheModelDoes) {
  const Packed packed;
  const user::Model plain = Load(packed.path, SCOUT_PACK_NONE), model = Load(packed.path, SCOUT_PACK_USE);
  for (const user::Model* each : {&plain, &model}) {
    scout_model_info info = {};
    info.struct_size = sizeof info;
    ASSERT_EQ(scout_model_get_info(each->get(), &info), SCOUT_OK);
    EXPECT_EQ(info.has_chat, 1);
    EXPECT_EQ(info.tokenizer_size, TinyModel::kBytes + TinyModel::kControls);
    EXPECT_GT(info.weight_bytes, 0u);
  }
  const user::Answer want = tiny::Solo(plain, tiny::Prompt(30), 20), got = tiny::Solo(model, tiny::Prompt(30), 20);
  EXPECT_EQ(got.text, want.text);
  EXPECT_EQ(got.ids, want.ids);
  EXPECT_EQ(got.logprobs, want.logprobs);
}

TEST(Pack, ASideFileThatIsNotThereIsAnError) {
  const std::string path = tiny::Path();
  ExpectRefused(path, Options(SCOUT_PACK_USE), SCOUT_ERR_IO, {"tiny.gguf.pack", "cannot be opened"});
}

TEST(Pack, AChangedSourceIsRefused) {
  const Packed packed;
  const std::string bytes = ReadFileBytes(packed.path);
  const auto time = fs::last_write_time(packed.path);

  fs::last_write_time(packed.path, time + std::chrono::seconds(5));  // touched
  ExpectRefused(packed.path, Options(SCOUT_PACK_USE), SCOUT_ERR_STATE, {"last changed", "pack the model again"});
  EXPECT_NE(Load(packed.path, SCOUT_PACK_CHECK), nullptr);  // and yet the same

  WriteFile(packed.path, bytes + std::string(64, '\0'));  // grown
  ExpectRefused(packed.path, Options(SCOUT_PACK_USE), SCOUT_ERR_STATE, {"made from a file of", "bytes"});

  TinyModel other;
  other.seed = 2;
  WriteFile(packed.path, other.Build());  // other weights at the same time
  fs::last_write_time(packed.path, time);
  ExpectRefused(packed.path, Options(SCOUT_PACK_USE), SCOUT_ERR_STATE, {"fingerprint", "pack the model again"});
  ExpectRefused(packed.path, Options(SCOUT_PACK_CHECK), SCOUT_ERR_STATE, {"whose hash is"});

  other.layers = 8;
  WriteFile(packed.path, other.Build());
  fs::last_write_time(packed.path, time);
  ExpectRefused(packed.path, Options(SCOUT_PACK_USE), SCOUT_ERR_STATE, {"pack the model again"});
}

TEST(Pack, DamageIsRefusedAndNeverAnswers) {
  const Packed packed;
  const std::string good = ReadFileBytes(packed.pack);
  const std::vector<float> want = Logits(Load(packed.path, SCOUT_PACK_USE), tiny::Prompt(10));
  for (size_t at = 0; at < good.size(); at += at < 70000 ? 1237 : 9973) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x40);
    WriteFile(packed.pack, bad);
    // Whatever was damaged is refused, when all of it is looked at, or is padding between tables.
    const scout_load_options options = Options(SCOUT_PACK_CHECK);
    scout_model* model = nullptr;
    const scout_status status = scout_load(packed.path.c_str(), &options, &model);
    const user::Model owner(model);
    if (status == SCOUT_OK) {
      EXPECT_EQ(Logits(owner, tiny::Prompt(10)), want) << at;
    } else {
      EXPECT_TRUE(status == SCOUT_ERR_CORRUPT || status == SCOUT_ERR_FORMAT || status == SCOUT_ERR_UNSUPPORTED)
          << scout_last_error();
    }
  }
  for (const size_t size : {size_t{0}, size_t{100}, size_t{4096}, good.size() / 2, good.size() - 1}) {
    WriteFile(packed.pack, good.substr(0, size));
    ExpectRefused(packed.path, Options(SCOUT_PACK_USE), SCOUT_ERR_TRUNCATED, {"bytes"});
  }
  WriteFile(packed.pack, ReadFileBytes(packed.path));
  ExpectRefused(packed.path, Options(SCOUT_PACK_USE), SCOUT_ERR_FORMAT, {"no packed side-file"});
}

TEST(Pack, AnotherDevicesArrangementIsRefused) {
  const Packed packed;  // by "cpu"
  scout_load_options options = Options(SCOUT_PACK_USE);
  options.device = "ref";
  scout_model* made = nullptr;
  const scout_status status = scout_load(packed.path.c_str(), &options, &made);
  const user::Model model(made);
  if (status == SCOUT_OK) GTEST_SKIP() << "this machine's kernels take rows, as ref does";
  EXPECT_EQ(status, SCOUT_ERR_UNSUPPORTED);
  EXPECT_NE(std::strstr(scout_last_error(), "its weights lie in \"panels of 16 rows, version 3\""), nullptr) << scout_last_error();
}

TEST(Pack, WhatCannotBeIsAnArgumentOrUnsupported) {
  const Packed packed;
  for (const int32_t pack : {-1, 4}) ExpectRefused(packed.path, Options(pack), SCOUT_ERR_ARGUMENT, {"pack"});
  scout_load_options options = Options(SCOUT_PACK_WRITE);
  options.map_file = 1;
  ExpectRefused(packed.path, options, SCOUT_ERR_ARGUMENT, {"map_file is 1"});
  options = Options(SCOUT_PACK_WRITE);
  const std::string path = packed.folder / "none/file.pack";
  options.pack_path = path.c_str();
  ExpectRefused(packed.path, options, SCOUT_ERR_IO, {"cannot be made", "file.pack"});
  for (const goldens::Golden& golden : goldens::All(SCOUT_SOURCE_DIR "/tests/fixtures/goldens")) {
    if (!fs::is_directory(golden.container)) continue;
    const std::string other = packed.folder / "other.pack";
    options.pack_path = other.c_str();
    ExpectRefused(golden.container, options, SCOUT_ERR_UNSUPPORTED, {"GGUF files"});
    options.pack = SCOUT_PACK_USE;
    options.pack_path = packed.pack.c_str();
    ExpectRefused(golden.container, options, SCOUT_ERR_UNSUPPORTED, {"GGUF files"});
    break;
  }
  EXPECT_EQ(Files(packed.folder), 2u);
}

TEST(Pack, ACancelledWriteLeavesTheOldFile) {
  const Packed packed;
  const std::string good = ReadFileBytes(packed.pack);
  for (int i = 0; i < 8; ++i) {
    const scout_load_options options = Options(SCOUT_PACK_WRITE);
    scout_operation* made = nullptr;
    ASSERT_EQ(scout_load_start(packed.path.c_str(), &options, &made), SCOUT_OK);
    const user::Operation operation(made);
    ASSERT_EQ(scout_operation_cancel(operation.get()), SCOUT_OK);
    scout_model* model = nullptr;
    const scout_status status = scout_operation_wait(operation.get(), SCOUT_WAIT, &model);
    EXPECT_TRUE(status == SCOUT_ERR_CANCELLED || status == SCOUT_OK) << scout_last_error();
    scout_free(model);
    EXPECT_EQ(ReadFileBytes(packed.pack), good);
    EXPECT_EQ(Files(packed.folder), 2u);
  }
}

}  // namespace
