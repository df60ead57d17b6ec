// Pictures from many threads at once: submitted, cancelled while the tower works on them, their handles and their engine freed
// meanwhile.
#include <atomic>
#include <thread>

#include "seeing.h"

namespace {

using namespace seeing;

scout_engine_options SmallCache() {
  scout_engine_options options = user::EngineOptions();
  options.picture_cache_bytes = 2000;  // a few tiles: pictures come and go
  return options;
}

TEST(PictureThreads, AnswersAreTheSameWhateverElseIsSubmittedAndCancelled) {
  constexpr int kThreads = 4, kRounds = 6;
  const user::Model model = LoadSeeing(TheFiles().with, 1, "cpu", 2);
  std::vector<user::Answer> alone;
  {
    const user::Engine engine = user::NewEngine(model, user::EngineOptions());
    for (uint32_t seed = 0; seed < kThreads; ++seed)
      alone.push_back(user::Read(Submit(engine, Asking(model, {seed, seed + 1})).get()));
  }
  const user::Engine engine = user::NewEngine(model, SmallCache());
  std::atomic<int> ended{0}, cancelled{0};
  std::vector<std::thread> threads;
  for (uint32_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (uint32_t round = 0; round < kRounds; ++round) {
        const user::Request kept = Submit(engine, Asking(model, {thread, thread + 1}));
        // Pictures that nobody else has, let go of in the midst of them.
        const user::Request dropped = Submit(engine, Asking(model, {100 + thread * kRounds + round, 202, 204}));
        if (round % 2 == 0) std::this_thread::yield();
        EXPECT_EQ(scout_request_cancel(dropped.get()), SCOUT_OK);
        const user::Answer last = user::Read(dropped.get());
        ++ended;
        cancelled += last.stop == SCOUT_STOP_CANCELLED;
        ExpectSame(user::Read(kept.get()), alone[thread], "thread " + std::to_string(thread));
        scout_engine_stats stats = {};
        stats.struct_size = sizeof stats;
        EXPECT_EQ(scout_engine_get_stats(engine.get(), &stats), SCOUT_OK);
        EXPECT_LE(stats.picture_cache_bytes, 2000u);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ended, kThreads * kRounds);
  EXPECT_GT(cancelled, 0);
}

TEST(PictureThreads, AnImageMayBeSharedAndFreedWhileOthersSubmitIt) {
  const user::Model model = LoadSeeing();
  const user::Engine engine = user::NewEngine(model, SmallCache());
  for (int round = 0; round < 10; ++round) {
    scout_image* const shared = Picture(32, 16, static_cast<uint32_t>(round)).release();
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&] {
        scout_request_options options = user::RequestOptions();
        const scout_image* const images[] = {shared};
        options.images = images;
        options.image_count = 1;
        options.max_tokens = 1;
        scout_request* request = nullptr;
        const scout_status status = scout_submit_text(engine.get(), "what?", 5, &options, &request);
        if (status == SCOUT_ERR_STATE) return;  // it was freed before
        EXPECT_EQ(status, SCOUT_OK) << scout_last_error();
        user::Read(request);
        scout_request_free(request);
      });
    }
    scout_image_free(shared);
    for (std::thread& thread : threads) thread.join();
  }
}

TEST(PictureThreads, AnEngineFreedWithPicturesInTheTowerEndsThem) {
  const user::Model model = LoadSeeing();
  for (int round = 0; round < 8; ++round) {
    user::Engine engine = user::NewEngine(model, SmallCache());
    std::vector<user::Request> requests;
    for (uint32_t i = 0; i < 4; ++i) requests.push_back(Submit(engine, Asking(model, {2 * i, 2 * i + 2, 2 * i + 4})));
    std::thread reader([&] { user::Read(requests[0].get()); });
    for (int i = 0; i < round * 50; ++i) std::this_thread::yield();
    engine.reset();
    reader.join();
    for (size_t i = 1; i < requests.size(); ++i) {
      const user::Answer answer = user::Read(requests[i].get());
      EXPECT_NE(answer.stop, SCOUT_STOP_NONE);
      EXPECT_NE(answer.stop, SCOUT_STOP_ERROR) << answer.message;
    }
  }
}

}  // namespace
