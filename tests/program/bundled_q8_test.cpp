// Keys and values in bytes (SCOUT_KV_Q8_0) with the bundled model, whose heads of 64 are whole blocks, through the C ABI.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "support/goldens.h"
#include "support/recorded_chat.h"
#include "support/user.h"

namespace {

const char kModel[] = SCOUT_SOURCE_DIR "/examples/models/scout-tiny.gguf";

std::vector<int32_t> Words(int64_t count) {
  std::vector<int32_t> ids;
  uint64_t state = 11;
  while (static_cast<int64_t>(ids.size()) < count)
    ids.push_back(static_cast<int32_t>(((state = state * 6364136223846793005u + 1442695040888963407u) >> 33) % 2000));
  return ids;
}

std::vector<float> LogitsOf(const user::Model& model, int32_t kv_format, int64_t tokens, int32_t step_rows = 0) {
  scout_engine_options options = user::EngineOptions();
  options.kv_format = kv_format;
  options.step_rows = step_rows;
  options.no_prefix_cache = 1;
  return user::Logits(user::NewEngine(model, options), Words(tokens));
}

double Rms(const std::vector<float>& x) {
  double sum = 0;
  for (const float v : x) sum += static_cast<double>(v) * v;
  return std::sqrt(sum / static_cast<double>(x.size()));
}

TEST(BytePages, TakeHalfTheMemoryOfHalves) {
  const user::Model model = user::Load(kModel, "cpu", 2);
  uint64_t halves = 0, bytes = 0;
  ASSERT_EQ(scout_model_kv_bytes(model.get(), 4096, SCOUT_KV_F16, &halves), SCOUT_OK) << scout_last_error();
  ASSERT_EQ(scout_model_kv_bytes(model.get(), 4096, SCOUT_KV_Q8_0, &bytes), SCOUT_OK) << scout_last_error();
  EXPECT_EQ(bytes * 64, halves * 34);
}

// In plain float32, where nothing else is rounded. A code is at most half a step of max / 127 off, so a value is about 0.3 % off on
// average, and what comes out is of that order.
TEST(BytePages, LogitsAreNearlyThoseOfFloats) {
  scout_load_options options;
  ASSERT_EQ(scout_load_options_init(&options, sizeof options), SCOUT_OK);
  options.device = "ref";
  options.numerics = SCOUT_NUMERICS_FLOAT32;
  options.kv_bytes = 16 << 20;
  scout_model* loaded = nullptr;
  ASSERT_EQ(scout_load(kModel, &options, &loaded), SCOUT_OK) << scout_last_error();
  const user::Model model(loaded);
  const std::vector<float> want = LogitsOf(model, SCOUT_KV_F32, 90);
  for (const auto& [format, most] : {std::pair(SCOUT_KV_F16, 1e-3), std::pair(SCOUT_KV_Q8_0, 1e-2)}) {
    std::vector<float> off = LogitsOf(model, format, 90);
    for (size_t i = 0; i < off.size(); ++i) off[i] -= want[i];
    std::printf("  format %d: difference %.2g of the logits' rms\n", format, Rms(off) / Rms(want));
    EXPECT_GT(Rms(off), 0.0);
    EXPECT_LT(Rms(off), most * Rms(want));
  }
}

TEST(BytePages, AreTheSameBitsWhateverTheThreadsAndTheCuts) {
  const user::Model one = user::Load(kModel, "cpu", 1), two = user::Load(kModel, "cpu", 2), ref = user::Load(kModel, "ref", 1);
  const std::vector<float> want = LogitsOf(one, SCOUT_KV_Q8_0, 290);
  for (const int32_t rows : {1, 7, 64, 512}) {
    EXPECT_EQ(LogitsOf(one, SCOUT_KV_Q8_0, 290, rows), want) << rows;
    EXPECT_EQ(LogitsOf(two, SCOUT_KV_Q8_0, 290, rows), want) << rows;
  }
  const std::vector<float> defined = LogitsOf(ref, SCOUT_KV_Q8_0, 290);
  EXPECT_EQ(defined, want) << "ref defines the arithmetic";
}

TEST(BytePages, WhatWasToldChunksBeforeIsRecalled) {
  const auto document = nlohmann::json::parse(goldens::Slurp(SCOUT_SOURCE_DIR "/examples/models/expectations.json"));
  const user::Model model = user::Load(kModel, "cpu", 2, SCOUT_KV_Q8_0);
  const user::Engine engine = user::NewEngine(model, user::EngineOptions());
  std::vector<user::Request> requests;
  std::vector<const nlohmann::json*> asked;
  for (size_t i = 0; i < document["recall"].size(); i += 2) {
    const auto& entry = document["recall"][i];
    const user::Chat chat = user::ChatOf(model, entry["messages"]);
    scout_request_options options = user::RequestOptions();
    options.max_tokens = static_cast<int64_t>(entry["ids"].size());
    scout_request* request = nullptr;
    ASSERT_EQ(scout_submit(engine.get(), chat.get(), &options, &request), SCOUT_OK) << scout_last_error();
    requests.emplace_back(request);
    asked.push_back(&entry);
  }
  int right = 0, reference = 0;
  for (size_t i = 0; i < requests.size(); ++i) {
    right += user::Read(requests[i].get()).text == (*asked[i])["expected"].get<std::string>();
    reference += (*asked[i])["text"] == (*asked[i])["expected"];
  }
  std::printf("  %d of %zu recalled (float32 PyTorch: %d)\n", right, requests.size(), reference);
  EXPECT_GE(right, reference - 3);
}

}  // namespace
