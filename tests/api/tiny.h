// The random model of tests/support as a file, and what the tests of this folder do with it.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "support/gguf_writer.h"
#include "support/temp_dir.h"
#include "support/tiny_model.h"
#include "support/user.h"

namespace tiny {

// Written once for the whole program.
inline const std::string& Path() {
  static const scout::test::TempDir folder;
  static const std::string path = [] {
    std::string file = folder / "tiny.gguf";
    scout::test::WriteFile(file, scout::test::TinyModel{}.Build());
    return file;
  }();
  return path;
}

// The device that a model is loaded on by default.
inline const char* Device() {
  scout_device_info info = {};
  info.struct_size = sizeof info;
  EXPECT_EQ(scout_device_get(0, &info), SCOUT_OK);
  return info.name;
}

// Counts, 0 after a failure.
inline uint64_t DeviceCount() {
  uint64_t count = 0;
  EXPECT_EQ(scout_device_count(&count), SCOUT_OK);
  return count;
}
inline uint64_t Count(const scout_chat* chat) {
  uint64_t count = 0;
  EXPECT_EQ(scout_chat_count(chat, &count), SCOUT_OK);
  return count;
}
inline uint64_t TensorCount(const scout_model* model) {
  uint64_t count = 0;
  EXPECT_EQ(scout_model_tensor_count(model, &count), SCOUT_OK);
  return count;
}

inline user::Model Load(int threads = 1) { return user::Load(Path(), Device(), threads, SCOUT_KV_F16); }

inline std::vector<int32_t> Prompt(size_t count, uint32_t seed = 1) {
  std::vector<int32_t> ids(count);
  for (int32_t& id : ids) id = static_cast<int32_t>((seed = seed * 1664525u + 1013904223u) >> 24);
  return ids;
}

// What a prompt is always answered, alone and greedily.
inline user::Answer Solo(const user::Model& model, const std::vector<int32_t>& prompt, int64_t tokens) {
  const user::Engine engine = user::NewEngine(model, user::EngineOptions());
  scout_request_options options = user::RequestOptions();
  options.max_tokens = tokens;
  options.ignore_end = 1;
  options.logprobs = 1;
  return user::Read(user::Submit(engine, prompt, options).get());
}

}  // namespace tiny
