// A model that sees, and what the tests of this folder show it: a text model with random weights, whose tokens of plain text are
// its bytes, and the vision tower of a fixture beside it. Pictures of at most 16 x 16 are one tile of 4 patches; 32 x 16 are three
// with the whole.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "support/seeing_model.h"
#include "tiny.h"

namespace seeing {

using scout::test::TinyModel;

struct Files {
  scout::test::TempDir folder;
  std::string with = folder / "with.gguf", without;
  Files() {
    scout::test::WriteSeeingModel(with, SCOUT_SOURCE_DIR "/tests/fixtures/vision/square/mmproj-F32.gguf");
    std::filesystem::create_directory(folder / "text");
    without = folder / "text/model.gguf";
    scout::test::WriteFile(without, scout::test::SeeingModel().Build());
  }
};
inline const Files& TheFiles() {
  static const Files files;
  return files;
}

inline user::Model LoadSeeing(const std::string& path = TheFiles().with, int32_t vision = 1, const char* device = "cpu",
                              int threads = 1) {
  scout_load_options options;
  EXPECT_EQ(scout_load_options_init(&options, sizeof options), SCOUT_OK);
  options.device = device;
  options.threads = threads;
  options.kv_format = SCOUT_KV_F32;
  options.kv_bytes = 16 << 20;
  options.vision = vision;
  scout_model* model = nullptr;
  EXPECT_EQ(scout_load(path.c_str(), &options, &model), SCOUT_OK) << scout_last_error();
  return user::Model(model);
}

inline user::Image Picture(uint64_t width, uint64_t height, uint32_t seed) {
  std::string pixels(width * height * 3, '\0');
  for (char& sample : pixels) sample = static_cast<char>((seed = seed * 1664525u + 1013904223u) >> 24);
  scout_image* image = nullptr;
  EXPECT_EQ(scout_image_from_pixels(pixels.data(), pixels.size(), width, height, 0, 3, nullptr, &image), SCOUT_OK)
      << scout_last_error();
  return user::Image(image);
}

inline user::Chat NewChat(const user::Model& model) {
  scout_chat* chat = nullptr;
  EXPECT_EQ(scout_chat_new(model.get(), &chat), SCOUT_OK) << scout_last_error();
  return user::Chat(chat);
}

// Pictures of these seeds, with words between them, and a question. The pictures' handles go at once.
inline user::Chat Asking(const user::Model& model, const std::vector<uint32_t>& seeds, const std::string& question = "what?") {
  user::Chat chat = NewChat(model);
  EXPECT_EQ(scout_chat_begin(chat.get(), SCOUT_ROLE_USER), SCOUT_OK);
  for (const uint32_t seed : seeds) {
    // 16 x 16 is one tile; twice as wide is three with the whole.
    EXPECT_EQ(scout_chat_add_image(chat.get(), Picture(seed % 2 == 0 ? 32 : 16, 16, seed).get()), SCOUT_OK) << scout_last_error();
    EXPECT_EQ(scout_chat_add_text(chat.get(), "and", SCOUT_NUL), SCOUT_OK);
  }
  EXPECT_EQ(scout_chat_add_text(chat.get(), question.data(), question.size()), SCOUT_OK);
  return chat;
}

inline std::vector<int32_t> Ids(const user::Chat& chat) {
  uint64_t needed = 0;
  EXPECT_EQ(scout_chat_tokens(chat.get(), nullptr, 0, &needed), SCOUT_OK);
  std::vector<int32_t> ids(needed);
  EXPECT_EQ(scout_chat_tokens(chat.get(), ids.data(), ids.size(), &needed), SCOUT_OK);
  return ids;
}

inline user::Request Submit(const user::Engine& engine, const user::Chat& chat) {
  scout_request_options options = user::RequestOptions();
  options.max_tokens = 8;
  options.ignore_end = 1;
  options.logprobs = 1;
  scout_request* request = nullptr;
  EXPECT_EQ(scout_submit(engine.get(), chat.get(), &options, &request), SCOUT_OK) << scout_last_error();
  return user::Request(request);
}

inline void ExpectSame(const user::Answer& got, const user::Answer& want, const std::string& what) {
  EXPECT_EQ(got.ids, want.ids) << what;
  ASSERT_EQ(got.logprobs.size(), want.logprobs.size()) << what;
  EXPECT_EQ(std::memcmp(got.logprobs.data(), want.logprobs.data(), want.logprobs.size() * sizeof(float)), 0) << what;
}

}  // namespace seeing
