// Handles freed in any order, from any thread, at any moment.
#include <algorithm>
#include <atomic>
#include <thread>

#include "tiny.h"

namespace {

using tiny::Prompt;

scout_request_options Endless() {
  scout_request_options options = user::RequestOptions();
  options.ignore_end = 1;
  return options;
}

TEST(Lifecycle, HandlesMayBeFreedInAnyOrder) {
  // 0 model, 1 engine, 2 request, 3 chat, 4 scores: every permutation.
  std::vector<int> order = {0, 1, 2, 3, 4};
  const std::vector<int32_t> prompt = Prompt(20);
  do {
    scout_model* model = tiny::Load().release();
    scout_engine* engine = nullptr;
    scout_chat* chat = nullptr;
    scout_request* request = nullptr;
    scout_scores* scores = nullptr;
    const scout_request_options options = Endless();
    ASSERT_EQ(scout_engine_new(model, nullptr, &engine), SCOUT_OK);
    ASSERT_EQ(scout_chat_new(model, &chat), SCOUT_OK);
    ASSERT_EQ(scout_submit_tokens(engine, prompt.data(), prompt.size(), &options, &request), SCOUT_OK);
    ASSERT_EQ(scout_score(engine, prompt.data(), prompt.size(), nullptr, &scores), SCOUT_OK);
    for (const int what : order) {
      switch (what) {
        case 0:
          scout_free(model);
          break;
        case 1:
          scout_engine_free(engine);
          break;
        case 2:
          scout_request_free(request);
          break;
        case 3:
          scout_chat_free(chat);
          break;
        default:
          scout_scores_free(scores);
          break;
      }
    }
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(Lifecycle, ARequestOutlivesItsModelAndReadsToTheEnd) {
  const user::Answer expected = [] {
    const user::Model model = tiny::Load();
    scout_request_options options = Endless();
    options.max_tokens = 20;
    scout_request* request = nullptr;
    EXPECT_EQ(scout_generate(model.get(), "go on", &options, &request), SCOUT_OK);
    return user::Read(user::Request(request).get());
  }();
  scout_model* model = tiny::Load().release();
  scout_request_options options = Endless();
  options.max_tokens = 20;
  scout_request* request = nullptr;
  ASSERT_EQ(scout_generate(model, "go on", &options, &request), SCOUT_OK);
  scout_free(model);
  const user::Answer answer = user::Read(user::Request(request).get());
  EXPECT_EQ(answer.stop, SCOUT_STOP_LENGTH);
  EXPECT_EQ(answer.ids, expected.ids);
}

TEST(Lifecycle, FreeingAnEngineEndsItsRequestsWithALastEvent) {
  const user::Model model = tiny::Load();
  user::Engine engine = user::NewEngine(model, user::EngineOptions());
  const user::Request running = user::Submit(engine, Prompt(20), Endless());
  const user::Request other = user::Submit(engine, Prompt(30), Endless());
  const scout_event* event = nullptr;
  ASSERT_EQ(scout_request_next(running.get(), SCOUT_WAIT, &event), SCOUT_OK);
  engine.reset();
  for (const user::Request* request : {&running, &other}) {
    const user::Answer answer = user::Read(request->get());
    EXPECT_EQ(answer.stop, SCOUT_STOP_CANCELLED);
    EXPECT_LT(answer.status, 0);
    EXPECT_NE(answer.message, "");
    EXPECT_EQ(scout_request_cancel(request->get()), SCOUT_OK);
  }
}

TEST(Lifecycle, CancelMayComeAtAnyTime) {
  const user::Model model = tiny::Load();
  scout_engine_options stepped = user::EngineOptions();
  stepped.mode = SCOUT_ENGINE_STEPPED;
  stepped.step_rows = 8;
  const user::Engine engine = user::NewEngine(model, stepped);
  const std::vector<int32_t> prompt = Prompt(40);
  // After so many layers: before the start, in the prompt, while decoding.
  for (const int layers : {0, 1, 2, 3, 7, 19, 22, 50, 90}) {
    const user::Request request = user::Submit(engine, prompt, Endless());
    for (int i = 0; i < layers; ++i) ASSERT_EQ(scout_engine_step(engine.get(), 0), SCOUT_OK);
    ASSERT_EQ(scout_request_cancel(request.get()), SCOUT_OK);
    while (scout_engine_step(engine.get(), 1000) == SCOUT_OK) {
    }
    const user::Answer answer = user::Read(request.get());
    EXPECT_EQ(answer.stop, SCOUT_STOP_CANCELLED) << layers;
    EXPECT_EQ(answer.status, SCOUT_ERR_CANCELLED) << layers;
    EXPECT_EQ(scout_request_cancel(request.get()), SCOUT_OK);  // after the end
  }
  scout_engine_stats stats = {};
  stats.struct_size = sizeof stats;
  ASSERT_EQ(scout_engine_get_stats(engine.get(), &stats), SCOUT_OK);
  EXPECT_EQ(stats.running + stats.waiting, 0);
  EXPECT_EQ(stats.local_pages_used, 0);
  EXPECT_EQ(stats.global_pages_used, 0);
}

TEST(Lifecycle, AStormOfCancelsFromEightThreads) {
  const user::Model model = tiny::Load();
  const user::Engine engine = user::NewEngine(model, user::EngineOptions());
  const std::vector<int32_t> prompt = Prompt(24);
  const std::vector<int32_t> expected = tiny::Solo(model, prompt, 6).ids;
  for (int round = 0; round < 12; ++round) {
    const user::Request victim = user::Submit(engine, prompt, Endless());
    scout_request_options six = Endless();
    six.max_tokens = 6;
    const user::Request bystander = user::Submit(engine, prompt, six);
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t)
      threads.emplace_back([&] {
        for (int i = 0; i < 1000; ++i) EXPECT_EQ(scout_request_cancel(victim.get()), SCOUT_OK);
      });
    const user::Answer answer = user::Read(victim.get());
    for (std::thread& thread : threads) thread.join();
    EXPECT_TRUE(answer.stop == SCOUT_STOP_CANCELLED || answer.stop == SCOUT_STOP_LENGTH);
    EXPECT_EQ(user::Read(bystander.get()).ids, expected);
  }
}

TEST(Lifecycle, FreeingUnderAWaitingReaderIsSafe) {
  const user::Model model = tiny::Load();
  for (int i = 0; i < 30; ++i) {
    user::Engine engine = user::NewEngine(model, user::EngineOptions());
    scout_request* request = user::Submit(engine, Prompt(20), Endless()).release();
    std::atomic<bool> reading{false};
    std::thread reader([&] {
      const scout_event* event = nullptr;
      scout_status status;
      do {
        status = scout_request_next(request, SCOUT_WAIT, &event);
        reading = true;
      } while (status == SCOUT_OK);
      EXPECT_TRUE(status == SCOUT_DONE || status == SCOUT_ERR_STATE) << status;
    });
    while (!reading) std::this_thread::yield();
    if (i % 3 == 0) engine.reset();
    scout_request_free(request);
    reader.join();
  }
}

TEST(Lifecycle, ASecondReaderOfARequestIsRefused) {
  const user::Model model = tiny::Load();
  scout_engine_options stepped = user::EngineOptions();
  const user::Engine engine = user::NewEngine(model, stepped);
  const user::Request request = user::Submit(engine, Prompt(4), Endless());
  std::atomic<int> refused{0}, served{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      const scout_event* event = nullptr;
      for (int i = 0; i < 200; ++i) {
        const scout_status status = scout_request_next(request.get(), 1, &event);
        if (status == SCOUT_ERR_STATE)
          ++refused;
        else
          ++served;
        EXPECT_TRUE(status == SCOUT_OK || status == SCOUT_AGAIN || status == SCOUT_DONE || status == SCOUT_ERR_STATE) << status;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(refused + served, 800);
  EXPECT_GT(served, 0);
}

TEST(Lifecycle, OneModelServesSixtyFourThreads) {
  const user::Model model = tiny::Load(2);
  const std::vector<int32_t> expected = tiny::Solo(model, Prompt(17), 8).ids;
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int t = 0; t < 64; ++t)
    threads.emplace_back([&, t] {
      uint64_t count = 0;
      scout_model_info info = {};
      info.struct_size = sizeof info;
      for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(scout_count_tokens(model.get(), "hello", SCOUT_NUL, 0, &count), SCOUT_OK);
        EXPECT_EQ(scout_model_get_info(model.get(), &info), SCOUT_OK);
      }
      scout_request_options options = Endless();
      options.max_tokens = 8;
      scout_request* made = nullptr;
      if (t % 4 == 0) {  // all of them ask for the default engine at once
        EXPECT_EQ(scout_generate(model.get(), "x", &options, &made), SCOUT_OK) << scout_last_error();
        EXPECT_EQ(user::Read(user::Request(made).get()).ids.size(), 8u);
        ++right;
      } else if (t % 4 == 1) {
        const user::Engine engine = user::NewEngine(model, user::EngineOptions());
        right += user::Read(user::Submit(engine, Prompt(17), options).get()).ids == expected;
      } else {  // each thread sees its own message
        EXPECT_EQ(scout_model_get_layer(model.get(), 100 + t, nullptr, nullptr, nullptr), SCOUT_ERR_ARGUMENT);
        std::this_thread::yield();
        right += std::string(scout_last_error()).find(std::to_string(100 + t)) != std::string::npos;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 64);
}

TEST(Lifecycle, LoadingTwiceGivesTwoModels) {
  const user::Model one = tiny::Load();
  user::Model two = tiny::Load();
  EXPECT_NE(one.get(), two.get());
  two.reset();
  EXPECT_EQ(tiny::Solo(one, Prompt(5), 3).ids.size(), 3u);
}

}  // namespace
