// Descriptors, waking, the default engine, and who reads a request's events.
#include <poll.h>

#include <chrono>
#include <thread>

#include "tiny.h"

namespace {

bool Readable(int32_t descriptor, int timeout_ms = 0) {
  pollfd waiting = {descriptor, POLLIN, 0};
  return poll(&waiting, 1, timeout_ms) == 1;
}

scout_request_options Tokens(int64_t count) {
  scout_request_options options = user::RequestOptions();
  options.max_tokens = count;
  options.ignore_end = 1;
  return options;
}

user::Engine DefaultEngine(const user::Model& model) {
  scout_engine* engine = nullptr;
  EXPECT_EQ(scout_model_engine(model.get(), &engine), SCOUT_OK) << scout_last_error();
  return user::Engine(engine);
}

TEST(Descriptor, OfARequestIsReadableWhileThereIsSomethingToRead) {
  const user::Model model = tiny::Load();
  const user::Engine engine = user::NewEngine(model, user::SteppedOptions());
  const user::Request request = user::Submit(engine, tiny::Prompt(5), Tokens(3));
  const int32_t descriptor = scout_request_descriptor(request.get());
  ASSERT_GE(descriptor, 0);
  EXPECT_EQ(scout_request_descriptor(request.get()), descriptor) << "one for good";
  EXPECT_FALSE(Readable(descriptor));
  const scout_event* event = nullptr;
  int events = 0;
  while (scout_engine_step(engine.get(), 0) == SCOUT_OK) {
    while (Readable(descriptor)) {
      ASSERT_EQ(scout_request_next(request.get(), 0, &event), SCOUT_OK);
      ++events;
      if (event->stop != SCOUT_STOP_NONE) break;
    }
    EXPECT_EQ(scout_request_next(request.get(), 0, &event), Readable(descriptor) ? SCOUT_DONE : SCOUT_AGAIN);
  }
  while (scout_request_next(request.get(), 0, &event) == SCOUT_OK) ++events;
  EXPECT_GE(events, 1);
  EXPECT_TRUE(Readable(descriptor)) << "the end can be asked for";
}

TEST(Descriptor, OfScoresAndOfALoad) {
  scout_load_options options;
  ASSERT_EQ(scout_load_options_init(&options, sizeof options), SCOUT_OK);
  options.kv_bytes = 64 << 20;
  scout_operation* made = nullptr;
  ASSERT_EQ(scout_load_start(tiny::Path().c_str(), &options, &made), SCOUT_OK);
  const user::Operation operation(made);
  const int32_t loading = scout_operation_descriptor(made);
  ASSERT_GE(loading, 0);
  ASSERT_TRUE(Readable(loading, 60000));
  scout_model* loaded = nullptr;
  ASSERT_EQ(scout_operation_wait(made, 0, &loaded), SCOUT_OK) << "readable means ready";
  const user::Model model(loaded);

  const user::Engine engine = user::NewEngine(model, user::SteppedOptions());
  const std::vector<int32_t> ids = tiny::Prompt(20);
  scout_scores* scoring = nullptr;
  ASSERT_EQ(scout_score(engine.get(), ids.data(), ids.size(), nullptr, &scoring), SCOUT_OK);
  const user::Scores scores(scoring);
  const int32_t descriptor = scout_scores_descriptor(scoring);
  ASSERT_GE(descriptor, 0);
  EXPECT_FALSE(Readable(descriptor));
  const scout_score_block* block = nullptr;
  while (!Readable(descriptor)) ASSERT_GE(scout_engine_step(engine.get(), 0), SCOUT_OK);
  EXPECT_EQ(scout_scores_next(scoring, 0, &block), SCOUT_OK);
  while (scout_engine_step(engine.get(), 0) == SCOUT_OK) {
  }
  while (scout_scores_next(scoring, 0, &block) == SCOUT_OK) {
  }
  EXPECT_TRUE(Readable(descriptor));
  EXPECT_EQ(scout_scores_next(scoring, 0, &block), SCOUT_DONE);
}

TEST(Wake, EndsTheWaitOrTheNextOne) {
  const user::Model model = tiny::Load();
  const user::Engine engine = user::NewEngine(model, user::EngineOptions());
  const int32_t descriptor = scout_engine_descriptor(engine.get());
  const scout_event* event = nullptr;
  ASSERT_EQ(scout_engine_wake(engine.get()), SCOUT_OK);
  EXPECT_TRUE(Readable(descriptor));
  EXPECT_EQ(scout_engine_next(engine.get(), SCOUT_WAIT, &event), SCOUT_AGAIN) << "woken before it waited";
  EXPECT_FALSE(Readable(descriptor));
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(scout_engine_wake(engine.get()), SCOUT_OK);
  });
  EXPECT_EQ(scout_engine_next(engine.get(), SCOUT_WAIT, &event), SCOUT_AGAIN);
  other.join();
  // An event comes first; the wake stays for the call that finds none.
  const user::Request request = user::Submit(engine, tiny::Prompt(5), Tokens(1));
  ASSERT_TRUE(Readable(descriptor, 60000));
  ASSERT_EQ(scout_engine_wake(engine.get()), SCOUT_OK);
  int events = 0;
  scout_status status;
  while ((status = scout_engine_next(engine.get(), SCOUT_WAIT, &event)) == SCOUT_OK) {
    ++events;
    if (event->stop != SCOUT_STOP_NONE) break;
  }
  EXPECT_GE(events, 1);
  if (status == SCOUT_OK) {
    EXPECT_EQ(scout_engine_next(engine.get(), SCOUT_WAIT, &event), SCOUT_AGAIN);
  }
}

TEST(Reader, TheFirstOneKeepsTheRequest) {
  const user::Model model = tiny::Load();
  const user::Engine engine = user::NewEngine(model, user::SteppedOptions());
  const user::Request own = user::Submit(engine, tiny::Prompt(5), Tokens(3));
  const user::Request shared = user::Submit(engine, tiny::Prompt(6), Tokens(3));
  const scout_event* event = nullptr;
  EXPECT_EQ(scout_request_next(own.get(), 0, &event), SCOUT_AGAIN);
  while (scout_engine_step(engine.get(), 1000) == SCOUT_OK) {
  }
  int64_t shared_tokens = 0;
  while (scout_engine_next(engine.get(), 0, &event) == SCOUT_OK) shared_tokens += static_cast<int64_t>(event->id_count);
  EXPECT_EQ(shared_tokens, 3) << "the engine gives the other one's events only";
  EXPECT_EQ(scout_request_next(shared.get(), 0, &event), SCOUT_ERR_STATE);
  EXPECT_NE(std::string(scout_last_error()).find("engine"), std::string::npos) << scout_last_error();
  EXPECT_EQ(user::Read(own.get()).ids.size(), 3u);
}

TEST(DefaultEngine, IsTheOneThatGenerateUses) {
  const user::Model model = tiny::Load();
  user::Engine engine = DefaultEngine(model);
  const scout_request_options options = Tokens(4);
  scout_request* made = nullptr;
  ASSERT_EQ(scout_generate(model.get(), "Who are you?", &options, &made), SCOUT_OK);
  const user::Answer one = user::Read(user::Request(made).get());
  scout_engine_stats stats = {};
  stats.struct_size = sizeof stats;
  ASSERT_EQ(scout_engine_get_stats(engine.get(), &stats), SCOUT_OK);
  EXPECT_EQ(stats.generated_tokens, 4);
  EXPECT_GT(stats.context, 0);
  EXPECT_GT(stats.kv_bytes, 0u);
  // A text with its size is read as scout_generate reads one.
  const std::string text = "Who are you?!";
  ASSERT_EQ(scout_submit_text(engine.get(), text.data(), text.size() - 1, &options, &made), SCOUT_OK) << scout_last_error();
  EXPECT_EQ(user::Read(user::Request(made).get()).ids, one.ids);
  ASSERT_EQ(scout_submit_text(engine.get(), "a\0b", 3, &options, &made), SCOUT_OK) << scout_last_error();
  EXPECT_EQ(user::Read(user::Request(made).get()).ids.size(), 4u);
  // The handle goes, the engine stays.
  engine.reset();
  ASSERT_EQ(scout_generate(model.get(), "Who are you?", &options, &made), SCOUT_OK);
  EXPECT_EQ(user::Read(user::Request(made).get()).ids, one.ids);
  EXPECT_EQ(scout_engine_step(DefaultEngine(model).get(), 0), SCOUT_ERR_STATE) << "it has a thread of its own";
}

TEST(DefaultEngine, OutlivesTheModelsHandle) {
  user::Model model = tiny::Load();
  const user::Engine engine = DefaultEngine(model);
  model.reset();
  EXPECT_EQ(user::Read(user::Submit(engine, tiny::Prompt(5), Tokens(3)).get()).ids.size(), 3u);
}

TEST(Again, AFullWaitingListSaysHowManyWait) {
  const user::Model model = tiny::Load();
  scout_engine_options options = user::SteppedOptions();
  options.max_waiting = 1;
  const user::Engine engine = user::NewEngine(model, options);
  const user::Request first = user::Submit(engine, tiny::Prompt(5), Tokens(3));
  scout_request* second = nullptr;
  scout_clear_error();
  const std::vector<int32_t> ids = tiny::Prompt(5);
  EXPECT_EQ(scout_submit_tokens(engine.get(), ids.data(), ids.size(), nullptr, &second), SCOUT_AGAIN);
  EXPECT_NE(std::string(scout_last_error()).find("1 requests wait"), std::string::npos) << scout_last_error();
  EXPECT_EQ(second, nullptr);
  scout_clear_error();
  scout_scores* scores = nullptr;
  EXPECT_EQ(scout_score(engine.get(), ids.data(), ids.size(), nullptr, &scores), SCOUT_AGAIN);
  EXPECT_NE(std::string(scout_last_error()).find("max_waiting"), std::string::npos) << scout_last_error();
}

TEST(Status, HasTheNameOfTheHeader) {
  EXPECT_STREQ(scout_status_name(SCOUT_OK), "SCOUT_OK");
  EXPECT_STREQ(scout_status_name(SCOUT_AGAIN), "SCOUT_AGAIN");
  EXPECT_STREQ(scout_status_name(SCOUT_ERR_NO_MEMORY), "SCOUT_ERR_NO_MEMORY");
  EXPECT_STREQ(scout_status_name(4711), "SCOUT_UNKNOWN");
}

}  // namespace
