// Short owners for the public header's handles, for tests that are programs like a user's.
#pragma once

#include <gtest/gtest.h>
#include <scout/scout.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace user {

struct Free {
  void operator()(scout_model* p) const { scout_free(p); }
  void operator()(scout_operation* p) const { scout_operation_free(p); }
  void operator()(scout_engine* p) const { scout_engine_free(p); }
  void operator()(scout_request* p) const { scout_request_free(p); }
  void operator()(scout_chat* p) const { scout_chat_free(p); }
  void operator()(scout_scores* p) const { scout_scores_free(p); }
  void operator()(scout_image* p) const { scout_image_free(p); }
  void operator()(scout_video* p) const { scout_video_free(p); }
};
using Model = std::unique_ptr<scout_model, Free>;
using Operation = std::unique_ptr<scout_operation, Free>;
using Engine = std::unique_ptr<scout_engine, Free>;
using Request = std::unique_ptr<scout_request, Free>;
using Chat = std::unique_ptr<scout_chat, Free>;
using Scores = std::unique_ptr<scout_scores, Free>;
using Image = std::unique_ptr<scout_image, Free>;
using Video = std::unique_ptr<scout_video, Free>;

inline Model Load(const std::string& path, const char* device, int threads, int32_t kv_format = SCOUT_KV_F32) {
  scout_load_options options;
  EXPECT_EQ(scout_load_options_init(&options, sizeof options), SCOUT_OK);
  options.device = device;
  options.threads = threads;
  options.kv_format = kv_format;
  options.kv_bytes = 64 << 20;
  scout_model* model = nullptr;
  EXPECT_EQ(scout_load(path.c_str(), &options, &model), SCOUT_OK) << scout_last_error();
  return Model(model);
}

inline Engine NewEngine(const Model& model, const scout_engine_options& options) {
  scout_engine* engine = nullptr;
  EXPECT_EQ(scout_engine_new(model.get(), &options, &engine), SCOUT_OK) << scout_last_error();
  return Engine(engine);
}

inline scout_engine_options EngineOptions() {
  scout_engine_options options;
  EXPECT_EQ(scout_engine_options_init(&options, sizeof options), SCOUT_OK);
  return options;
}

inline scout_engine_options SteppedOptions() {
  scout_engine_options options = EngineOptions();
  options.mode = SCOUT_ENGINE_STEPPED;
  return options;
}

inline scout_request_options RequestOptions() {
  scout_request_options options;
  EXPECT_EQ(scout_request_options_init(&options, sizeof options), SCOUT_OK);
  return options;
}

// Everything that a request answered.
struct Answer {
  std::string text;
  std::vector<int32_t> ids;
  std::vector<float> logprobs;
  std::vector<float> top_logprobs;
  std::vector<int32_t> top_ids;
  int32_t stop = SCOUT_STOP_NONE;
  int32_t status = 0;
  std::string message;
  int64_t prompt_tokens = 0, cached_tokens = 0, generated_tokens = 0;

  void Add(const scout_event& event) {
    text.append(event.text, static_cast<size_t>(event.text_size));
    ids.insert(ids.end(), event.ids, event.ids + event.id_count);
    if (event.logprobs != nullptr) logprobs.insert(logprobs.end(), event.logprobs, event.logprobs + event.id_count);
    if (event.top_logprobs != nullptr) {
      top_logprobs.insert(top_logprobs.end(), event.top_logprobs, event.top_logprobs + event.id_count * event.top_count);
      top_ids.insert(top_ids.end(), event.top_ids, event.top_ids + event.id_count * event.top_count);
    }
    stop = event.stop;
    status = event.status;
    message = event.message;
    prompt_tokens = event.prompt_tokens;
    cached_tokens = event.cached_tokens;
    generated_tokens = event.generated_tokens;
  }
};

// Reads a request to its end.
inline Answer Read(scout_request* request) {
  Answer answer;
  const scout_event* event = nullptr;
  scout_status status;
  while ((status = scout_request_next(request, 60000, &event)) == SCOUT_OK) answer.Add(*event);
  EXPECT_EQ(status, SCOUT_DONE) << scout_last_error();
  return answer;
}

inline Request Submit(const Engine& engine, const std::vector<int32_t>& ids, const scout_request_options& options) {
  scout_request* request = nullptr;
  EXPECT_EQ(scout_submit_tokens(engine.get(), ids.data(), ids.size(), &options, &request), SCOUT_OK) << scout_last_error();
  return Request(request);
}

// All logits of all positions. [positions, vocabulary]
inline std::vector<float> Logits(const Engine& engine, const std::vector<int32_t>& ids) {
  scout_score_options options;
  EXPECT_EQ(scout_score_options_init(&options, sizeof options), SCOUT_OK);
  options.logits = 1;
  scout_scores* made = nullptr;
  EXPECT_EQ(scout_score(engine.get(), ids.data(), ids.size(), &options, &made), SCOUT_OK) << scout_last_error();
  const Scores scores(made);
  std::vector<float> logits;
  const scout_score_block* block = nullptr;
  scout_status status;
  while ((status = scout_scores_next(scores.get(), 60000, &block)) == SCOUT_OK)
    logits.insert(logits.end(), block->logits, block->logits + block->count * block->vocabulary);
  EXPECT_EQ(status, SCOUT_DONE) << scout_last_error();
  return logits;
}

}  // namespace user
