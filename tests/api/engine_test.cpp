// Requests, events, scoring and the two ways to run an engine, through the public header.
#include <poll.h>

#include <cmath>
#include <cstring>
#include <map>
#include <set>

#include "tiny.h"

namespace {

TEST(Generate, AnswersAQuestionInWholeCharacters) {
  const user::Model model = tiny::Load();
  scout_request_options options = user::RequestOptions();
  options.max_tokens = 60;
  options.ignore_end = 1;
  options.tag = 77;
  scout_request* made = nullptr;
  ASSERT_EQ(scout_generate(model.get(), "Who are you?", &options, &made), SCOUT_OK) << scout_last_error();
  const user::Request request(made);
  const scout_event* event = nullptr;
  std::string text;
  int64_t tokens = 0;
  int last = 0;
  scout_status status;
  while ((status = scout_request_next(made, SCOUT_WAIT, &event)) == SCOUT_OK) {
    EXPECT_EQ(event->tag, 77u);
    EXPECT_EQ(event->struct_size, sizeof(scout_event));
    EXPECT_EQ(event->text[event->text_size], 0);
    EXPECT_EQ(event->logprobs, nullptr);
    text.append(event->text, event->text_size);
    tokens += static_cast<int64_t>(event->id_count);
    if (event->stop == SCOUT_STOP_NONE) continue;
    ++last;
    EXPECT_EQ(event->stop, SCOUT_STOP_LENGTH);
    EXPECT_NE(std::string(event->message).find("max_tokens"), std::string::npos) << event->message;
    EXPECT_EQ(event->generated_tokens, 60);
    // begin-of-text; header (6 ids and 2 line ends); the text; the turn's end; the answer's header.
    EXPECT_EQ(event->prompt_tokens, 1 + (2 + 4 + 2) + 12 + 1 + (2 + 9 + 2));
    EXPECT_GE(event->queue_ms, 0);
    EXPECT_GT(event->prefill_ms, 0);
    EXPECT_GT(event->decode_ms, 0);
  }
  EXPECT_EQ(status, SCOUT_DONE);
  EXPECT_EQ(event, nullptr);
  EXPECT_EQ(last, 1);
  EXPECT_EQ(tokens, 60);
  EXPECT_EQ(scout_request_next(made, 0, &event), SCOUT_DONE);
  // Valid UTF-8 although a random model writes random bytes.
  uint64_t needed = 0;
  EXPECT_EQ(scout_encode(model.get(), text.data(), text.size(), 0, nullptr, 0, &needed), SCOUT_OK);
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const size_t length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0;
    ASSERT_NE(length, 0u) << "byte " << i;
    for (size_t j = 1; j < length; ++j) ASSERT_EQ(static_cast<unsigned char>(text[i + j]) & 0xc0, 0x80);
    i += length;
  }
}

TEST(Generate, RawContinuesTheText) {
  const user::Model model = tiny::Load();
  scout_request_options options = user::RequestOptions();
  options.max_tokens = 4;
  options.raw = 1;
  scout_request* made = nullptr;
  ASSERT_EQ(scout_generate(model.get(), "abc", &options, &made), SCOUT_OK);
  EXPECT_EQ(user::Read(user::Request(made).get()).prompt_tokens, 4);
}

TEST(Generate, SameSeedSameAnswerAndGreedyByDefault) {
  const user::Model model = tiny::Load();
  const auto run = [&](float temperature, uint64_t seed) {
    scout_request_options options = user::RequestOptions();
    options.max_tokens = 24;
    options.ignore_end = 1;
    options.temperature = temperature;
    options.seed = seed;
    scout_request* made = nullptr;
    EXPECT_EQ(scout_generate(model.get(), "dice", &options, &made), SCOUT_OK);
    return user::Read(user::Request(made).get()).ids;
  };
  EXPECT_EQ(run(0, 1), run(0, 2));
  EXPECT_EQ(run(1, 5), run(1, 5));
  EXPECT_NE(run(1, 5), run(1, 6));
}

TEST(Request, LogprobsAreTheModelsOwnAndTopOnesBestFirst) {
  const user::Model model = tiny::Load();
  const user::Engine engine = user::NewEngine(model, user::EngineOptions());
  scout_request_options options = user::RequestOptions();
  options.max_tokens = 10;
  options.ignore_end = 1;
  options.logprobs = 1;
  options.top_logprobs = 20;
  const std::vector<int32_t> prompt = tiny::Prompt(30);
  const user::Answer answer = user::Read(user::Submit(engine, prompt, options).get());
  ASSERT_EQ(answer.ids.size(), 10u);
  ASSERT_EQ(answer.logprobs.size(), 10u);
  ASSERT_EQ(answer.top_ids.size(), 200u);
  for (size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(answer.top_ids[i * 20], answer.ids[i]);  // greedy
    EXPECT_EQ(answer.top_logprobs[i * 20], answer.logprobs[i]);
    for (size_t j = 1; j < 20; ++j) EXPECT_LE(answer.top_logprobs[i * 20 + j], answer.top_logprobs[i * 20 + j - 1]);
  }
  // Scoring the same text gives the same numbers.
  std::vector<int32_t> whole = prompt;
  whole.insert(whole.end(), answer.ids.begin(), answer.ids.end());
  scout_scores* made = nullptr;
  ASSERT_EQ(scout_score(engine.get(), whole.data(), whole.size(), nullptr, &made), SCOUT_OK);
  const user::Scores scores(made);
  const scout_score_block* block = nullptr;
  std::vector<float> logprobs;
  int64_t expected = 0;
  while (scout_scores_next(made, SCOUT_WAIT, &block) == SCOUT_OK) {
    EXPECT_EQ(block->logits, nullptr);
    for (uint64_t i = 0; i < block->count; ++i) EXPECT_EQ(block->positions[i], expected++);
    logprobs.insert(logprobs.end(), block->logprobs, block->logprobs + block->count);
  }
  ASSERT_EQ(logprobs.size(), whole.size());
  EXPECT_TRUE(std::isnan(logprobs[0]));
  EXPECT_EQ(std::memcmp(&logprobs[30], answer.logprobs.data(), 10 * sizeof(float)), 0);
}

TEST(Request, OptionsOutsideTheirRangesAreRefusedByName) {
  const user::Model model = tiny::Load();
  const user::Engine engine = user::NewEngine(model, user::EngineOptions());
  const auto expect = [&](const char* name, const scout_request_options& options, scout_status status = SCOUT_ERR_ARGUMENT) {
    const int32_t id = 1;
    scout_request* request = nullptr;
    EXPECT_EQ(scout_submit_tokens(engine.get(), &id, 1, &options, &request), status) << name;
    EXPECT_EQ(request, nullptr);
    EXPECT_NE(std::string(scout_last_error()).find(name), std::string::npos) << name << ": " << scout_last_error();
  };
  const auto with = [](auto change) {
    scout_request_options options = user::RequestOptions();
    change(options);
    return options;
  };
  using O = scout_request_options;
  for (const float bad : {NAN, -1.0f, INFINITY, -INFINITY}) expect("temperature", with([&](O& o) { o.temperature = bad; }));
  for (const float bad : {NAN, -0.5f, 2.0f}) expect("top_p", with([&](O& o) { o.top_p = bad; }));
  for (const float bad : {NAN, -0.5f, 1.5f}) expect("min_p", with([&](O& o) { o.min_p = bad; }));
  for (const float bad : {NAN, 0.0f, -1.0f, INFINITY})
    expect("repetition_penalty", with([&](O& o) { o.repetition_penalty = bad; }));
  for (const float bad : {NAN, INFINITY}) expect("frequency_penalty", with([&](O& o) { o.frequency_penalty = bad; }));
  for (const float bad : {NAN, -INFINITY}) expect("presence_penalty", with([&](O& o) { o.presence_penalty = bad; }));
  expect("top_k", with([](O& o) { o.top_k = -1; }));
  expect("max_tokens", with([](O& o) { o.max_tokens = -1; }));
  for (const int32_t bad : {-1, 21}) expect("top_logprobs", with([&](O& o) { o.top_logprobs = bad; }));
  expect("logprobs", with([](O& o) { o.logprobs = 7; }));
  expect("ignore_end", with([](O& o) { o.ignore_end = -1; }));
  expect("raw", with([](O& o) { o.raw = 2; }));

  int32_t ids[] = {264};
  const float values[] = {NAN};
  expect("bias", with([&](O& o) {
           o.bias_ids = ids;
           o.bias_values = values;
           o.bias_count = 1;
         }));
  ids[0] = 3;
  expect("bias", with([&](O& o) {
           o.bias_ids = ids;
           o.bias_values = values;
           o.bias_count = 1;
         }));
  expect("bias", with([&](O& o) {
           o.bias_ids = ids;
           o.bias_count = 1;
         }));
  expect("bias", with([&](O& o) {
           o.bias_values = values;
           o.bias_count = 1;
         }));
  expect("bias_count", with([&](O& o) {
           o.bias_ids = ids;
           o.bias_values = values;
           o.bias_count = UINT64_MAX;
         }),
         SCOUT_ERR_LIMIT);
  const char* stops[] = {nullptr, "\xff"};
  const uint64_t sizes[] = {UINT64_MAX};
  expect("stop[0]", with([&](O& o) {
           o.stop = stops;
           o.stop_count = 1;
         }));
  expect("stop", with([&](O& o) {
           o.stop = stops + 1;
           o.stop_count = 1;
         }));
  expect("stop is NULL", with([&](O& o) { o.stop_count = 1; }));
  expect("stop_count", with([&](O& o) {
           o.stop = stops;
           o.stop_count = 1u << 30;
         }),
         SCOUT_ERR_LIMIT);
  expect("stop_sizes[0]", with([&](O& o) {
           o.stop = stops + 1;
           o.stop_sizes = sizes;
           o.stop_count = 1;
         }),
         SCOUT_ERR_LIMIT);
  expect("stop_token", with([&](O& o) { o.stop_token_count = 5; }));
  ids[0] = -1;
  expect("stop_tokens", with([&](O& o) {
           o.stop_tokens = ids;
           o.stop_token_count = 1;
         }));
}

TEST(Request, PromptsThatCannotBeServedAreRefusedWithTheNumbers) {
  const user::Model model = tiny::Load();
  scout_engine_options engine_options = user::EngineOptions();
  engine_options.context = 100;
  const user::Engine engine = user::NewEngine(model, engine_options);
  scout_request* request = nullptr;
  const std::vector<int32_t> longer = tiny::Prompt(101);
  EXPECT_EQ(scout_submit_tokens(engine.get(), longer.data(), longer.size(), nullptr, &request), SCOUT_ERR_LIMIT);
  const std::string message = scout_last_error();
  EXPECT_NE(message.find("101"), std::string::npos) << message;
  EXPECT_NE(message.find("100"), std::string::npos) << message;
  for (const int32_t id : {-1, 264, INT32_MAX, INT32_MIN})
    EXPECT_EQ(scout_submit_tokens(engine.get(), &id, 1, nullptr, &request), SCOUT_ERR_ARGUMENT) << id;
  EXPECT_EQ(scout_submit_tokens(engine.get(), longer.data(), 0, nullptr, &request), SCOUT_ERR_ARGUMENT);
  EXPECT_NE(scout_submit_tokens(engine.get(), longer.data(), SIZE_MAX, nullptr, &request), SCOUT_OK);
  EXPECT_EQ(request, nullptr);

  // More tokens than fit: the answer ends, and says which limit it met.
  scout_request_options options = user::RequestOptions();
  options.ignore_end = 1;
  const user::Answer answer = user::Read(user::Submit(engine, tiny::Prompt(90), options).get());
  EXPECT_EQ(answer.stop, SCOUT_STOP_LENGTH);
  EXPECT_LE(answer.ids.size(), 11u);
  EXPECT_GE(answer.ids.size(), 10u);
  EXPECT_NE(answer.message.find("context"), std::string::npos) << answer.message;
}

TEST(Engine, OneReaderServesAllRequestsByTheirTags) {
  const user::Model model = tiny::Load();
  const user::Engine engine = user::NewEngine(model, user::EngineOptions());
  const int descriptor = scout_engine_descriptor(engine.get());
  ASSERT_GE(descriptor, 0);
  std::vector<user::Request> requests;
  std::vector<std::vector<int32_t>> prompts;
  for (uint32_t i = 0; i < 12; ++i) {
    prompts.push_back(tiny::Prompt(5 + 7 * i, i));
    scout_request_options options = user::RequestOptions();
    options.max_tokens = 10 + i;
    options.ignore_end = 1;
    options.tag = i;
    requests.push_back(user::Submit(engine, prompts.back(), options));
  }
  std::map<uint64_t, std::vector<int32_t>> got;
  size_t open = requests.size();
  while (open > 0) {
    pollfd wake = {descriptor, POLLIN, 0};
    ASSERT_EQ(poll(&wake, 1, 30000), 1) << "nothing to read with " << open << " answers open";
    const scout_event* event = nullptr;
    scout_status status;
    while ((status = scout_engine_next(engine.get(), 0, &event)) == SCOUT_OK) {
      got[event->tag].insert(got[event->tag].end(), event->ids, event->ids + event->id_count);
      if (event->stop != SCOUT_STOP_NONE) --open;
    }
    ASSERT_EQ(status, SCOUT_AGAIN) << scout_last_error();
  }
  pollfd wake = {descriptor, POLLIN, 0};
  EXPECT_EQ(poll(&wake, 1, 0), 0);
  for (uint32_t i = 0; i < 12; ++i) EXPECT_EQ(got[i], tiny::Solo(model, prompts[i], 10 + i).ids) << i;
}

TEST(Engine, SteppedAnswersTheSameAndNeverWaits) {
  const user::Model model = tiny::Load();
  const user::Engine engine = user::NewEngine(model, user::SteppedOptions());
  const std::vector<int32_t> prompt = tiny::Prompt(50);
  scout_request_options options = user::RequestOptions();
  options.max_tokens = 12;
  options.ignore_end = 1;
  const user::Request request = user::Submit(engine, prompt, options);
  const scout_event* event = nullptr;
  EXPECT_EQ(scout_request_next(request.get(), SCOUT_WAIT, &event), SCOUT_AGAIN);
  EXPECT_EQ(scout_engine_next(engine.get(), SCOUT_WAIT, &event), SCOUT_AGAIN);
  std::vector<int32_t> ids;
  int steps = 0;
  scout_status status = SCOUT_OK;
  while (status == SCOUT_OK) {
    status = scout_engine_step(engine.get(), 0);  // a layer at a time
    ASSERT_GE(status, 0) << scout_last_error();
    ++steps;
    while (scout_request_next(request.get(), 0, &event) == SCOUT_OK)
      ids.insert(ids.end(), event->ids, event->ids + event->id_count);
  }
  EXPECT_EQ(status, SCOUT_DONE);
  EXPECT_GE(steps, 12 * 4);
  EXPECT_EQ(ids, tiny::Solo(model, prompt, 12).ids);
  EXPECT_EQ(scout_engine_step(engine.get(), 1), SCOUT_DONE);
  EXPECT_EQ(scout_engine_step(engine.get(), -1), SCOUT_ERR_ARGUMENT);
  const user::Engine threaded = user::NewEngine(model, user::EngineOptions());
  EXPECT_EQ(scout_engine_step(threaded.get(), 1), SCOUT_ERR_STATE);
}

TEST(Engine, AFullWaitingListAnswersAgain) {
  const user::Model model = tiny::Load();
  scout_engine_options options = user::SteppedOptions();
  options.max_waiting = 2;
  options.max_running = 1;
  const user::Engine engine = user::NewEngine(model, options);
  const std::vector<int32_t> prompt = tiny::Prompt(8);
  std::vector<user::Request> requests;
  scout_request* made = nullptr;
  scout_status status;
  while ((status = scout_submit_tokens(engine.get(), prompt.data(), prompt.size(), nullptr, &made)) == SCOUT_OK) {
    requests.emplace_back(made);
    ASSERT_LE(requests.size(), 3u);
  }
  EXPECT_EQ(status, SCOUT_AGAIN);
  EXPECT_EQ(made, nullptr);
  EXPECT_GE(requests.size(), 2u);
  requests.front().reset();  // cancels; the next step makes room
  while (scout_engine_step(engine.get(), 1000) == SCOUT_OK) {
  }
  EXPECT_EQ(scout_submit_tokens(engine.get(), prompt.data(), prompt.size(), nullptr, &made), SCOUT_OK);
  scout_request_free(made);
}

TEST(Engine, StatsCount) {
  const user::Model model = tiny::Load();
  scout_engine_options options = user::EngineOptions();
  options.context = 512;
  options.kv_bytes = 1 << 20;
  const user::Engine engine = user::NewEngine(model, options);
  scout_request_options request = user::RequestOptions();
  request.max_tokens = 7;
  request.ignore_end = 1;
  user::Read(user::Submit(engine, tiny::Prompt(33), request).get());
  scout_engine_stats stats = {};
  stats.struct_size = sizeof stats;
  ASSERT_EQ(scout_engine_get_stats(engine.get(), &stats), SCOUT_OK);
  EXPECT_EQ(stats.prompt_tokens, 33);
  EXPECT_EQ(stats.generated_tokens, 7);
  EXPECT_GE(stats.rows, 33 + 6);
  EXPECT_GE(stats.steps, 7);
  EXPECT_EQ(stats.context, 512);
  EXPECT_EQ(stats.page_positions, 16);
  EXPECT_LE(stats.kv_bytes, uint64_t{1} << 20);
  EXPECT_GT(stats.workspace_bytes, 0u);
  EXPECT_GT(stats.global_pages_peak, 0);
  EXPECT_LE(stats.global_pages_peak, stats.global_pages);
}

TEST(Engine, OptionsOutsideTheirRangesAreRefused) {
  const user::Model model = tiny::Load();
  const auto expect = [&](const char* name, scout_status status, auto change) {
    scout_engine_options options = user::EngineOptions();
    change(options);
    scout_engine* engine = nullptr;
    EXPECT_EQ(scout_engine_new(model.get(), &options, &engine), status) << name << ": " << scout_last_error();
    EXPECT_EQ(engine, nullptr);
    scout_engine_free(engine);
    EXPECT_NE(std::string(scout_last_error()).find(name), std::string::npos) << scout_last_error();
  };
  using O = scout_engine_options;
  expect("mode", SCOUT_ERR_ARGUMENT, [](O& o) { o.mode = 2; });
  expect("kv_format", SCOUT_ERR_ARGUMENT, [](O& o) { o.kv_format = -1; });
  for (const int32_t bad : {-1, INT32_MAX, INT32_MIN}) {
    expect("step_rows", SCOUT_ERR_ARGUMENT, [&](O& o) { o.step_rows = bad; });
    expect("decode_step_rows", SCOUT_ERR_ARGUMENT, [&](O& o) { o.decode_step_rows = bad; });
    expect("max_waiting", SCOUT_ERR_ARGUMENT, [&](O& o) { o.max_waiting = bad; });
    expect("max_running", SCOUT_ERR_ARGUMENT, [&](O& o) { o.max_running = bad; });
  }
  for (const int64_t bad : {int64_t{-1}, int64_t{1} << 31, INT64_MAX, INT64_MIN})
    expect("context", SCOUT_ERR_ARGUMENT, [&](O& o) { o.context = bad; });
  expect("kv_bytes", SCOUT_ERR_NO_MEMORY, [](O& o) { o.kv_bytes = 1; });
  expect("kv_bytes", SCOUT_ERR_NO_MEMORY, [](O& o) {
    o.context = 1 << 20;
    o.kv_bytes = 1 << 20;
  });
}

TEST(Engine, WhatCannotBeAllocatedIsRefusedNotTried) {
  const user::Model model = tiny::Load();
  scout_engine_options options = user::EngineOptions();
  options.kv_bytes = uint64_t{1} << 50;
  options.context = INT32_MAX;
  options.max_running = 1 << 16;
  scout_engine* engine = nullptr;
  EXPECT_EQ(scout_engine_new(model.get(), &options, &engine), SCOUT_ERR_NO_MEMORY) << scout_last_error();
  EXPECT_EQ(engine, nullptr);
  EXPECT_FALSE(tiny::Solo(model, tiny::Prompt(5), 3).ids.empty());
}

TEST(Score, PositionsNameTheirRows) {
  const user::Model model = tiny::Load();
  const user::Engine engine = user::NewEngine(model, user::EngineOptions());
  const std::vector<int32_t> ids = tiny::Prompt(60);
  const std::vector<float> all = user::Logits(engine, ids);
  ASSERT_EQ(all.size(), 60u * 264);
  const int64_t positions[] = {0, 7, 31, 59};
  scout_score_options options;
  ASSERT_EQ(scout_score_options_init(&options, sizeof options), SCOUT_OK);
  options.logits = 1;
  options.positions = positions;
  options.position_count = 4;
  scout_scores* made = nullptr;
  ASSERT_EQ(scout_score(engine.get(), ids.data(), ids.size(), &options, &made), SCOUT_OK) << scout_last_error();
  const user::Scores scores(made);
  const scout_score_block* block = nullptr;
  size_t rows = 0;
  while (scout_scores_next(made, SCOUT_WAIT, &block) == SCOUT_OK) {
    EXPECT_EQ(block->vocabulary, 264u);
    EXPECT_EQ(block->logprobs, nullptr);
    for (uint64_t i = 0; i < block->count; ++i, ++rows) {
      ASSERT_LT(rows, 4u);
      EXPECT_EQ(block->positions[i], positions[rows]);
      EXPECT_EQ(std::memcmp(block->logits + i * 264, &all[static_cast<size_t>(positions[rows]) * 264], 264 * sizeof(float)), 0)
          << rows;
    }
  }
  EXPECT_EQ(rows, 4u);

  const auto refused = [&](std::vector<int64_t> bad) {
    options.positions = bad.data();
    options.position_count = bad.size();
    scout_scores* none = nullptr;
    EXPECT_EQ(scout_score(engine.get(), ids.data(), ids.size(), &options, &none), SCOUT_ERR_ARGUMENT);
    EXPECT_EQ(none, nullptr);
  };
  refused({60});
  refused({-1});
  refused({5, 5});
  refused({6, 5});
  options.positions = nullptr;
  options.position_count = 1;
  scout_scores* none = nullptr;
  EXPECT_EQ(scout_score(engine.get(), ids.data(), ids.size(), &options, &none), SCOUT_ERR_ARGUMENT);
  options.position_count = 0;
  options.logits = 5;
  EXPECT_EQ(scout_score(engine.get(), ids.data(), ids.size(), &options, &none), SCOUT_ERR_ARGUMENT);
}

TEST(Score, CanBeCancelled) {
  const user::Model model = tiny::Load();
  const user::Engine engine = user::NewEngine(model, user::SteppedOptions());
  const std::vector<int32_t> ids = tiny::Prompt(600);
  scout_scores* made = nullptr;
  ASSERT_EQ(scout_score(engine.get(), ids.data(), ids.size(), nullptr, &made), SCOUT_OK);
  const user::Scores scores(made);
  ASSERT_EQ(scout_scores_cancel(made), SCOUT_OK);
  while (scout_engine_step(engine.get(), 1000) == SCOUT_OK) {
  }
  const scout_score_block* block = nullptr;
  scout_status status;
  while ((status = scout_scores_next(made, 0, &block)) == SCOUT_OK) {
  }
  EXPECT_EQ(status, SCOUT_ERR_CANCELLED);
}

}  // namespace
