// The engine on its own thread, used from many. Run under ThreadSanitizer as well.
#include <poll.h>
#include <unistd.h>

#include <sys/wait.h>

#include <thread>

#include "harness.h"

namespace scout::test {
namespace {

std::shared_ptr<Engine> MakeThreaded(const std::shared_ptr<FakeControl>& control, const FakeOptions& fake = {},
                                     EngineOptions options = {}) {
  options.check_invariants = true;
  auto text = std::make_shared<FakeText>(
      fake.vocabulary, [](int32_t id) { return " w" + std::to_string(id); }, static_cast<int32_t>(fake.vocabulary));
  return engine::MakeEngine(MakeFakeRunner(fake, control), text, {}, 42, options);
}

Answer ReadAll(Engine& engine, Request& request) {
  Answer answer;
  Event event;
  while (engine.NextEvent(request, -1, event) == Next::kEvent) Add(answer, event);
  return answer;
}

Job Numbered(uint64_t i) {
  Job job = Greedy(Tokens(i % 40, 1 + static_cast<int64_t>(i * 7 % 60)), 1 + static_cast<int64_t>(i * 3 % 14));
  job.options.sampling.temperature = i % 2 == 0 ? 0.0f : 0.9f;
  job.options.sampling.seed = i;
  job.options.sampling.logprobs = i % 3 == 0;
  job.options.tag = i;
  return job;
}

TEST(Threads, EveryAnswerEqualsTheOneGivenAlone) {
  std::vector<Answer> alone;
  for (uint64_t i = 0; i < 48; ++i) alone.push_back(Harness().Run(Numbered(i)));
  const auto control = std::make_shared<FakeControl>();
  FakeOptions fake;
  fake.global_pages = 60;
  fake.local_pages = 24;
  EngineOptions options;
  options.step_rows = 24;
  options.decode_step_rows = 16;
  options.max_running = 10;
  const auto engine = MakeThreaded(control, fake, options);
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (uint64_t t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = t; i < 48; i += 6) {
        const Job job = Numbered(i);
        const auto request = engine->Submit(job.prompt, job.options);
        right += ReadAll(*engine, *request).SameAs(alone[i]);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 48);
  engine->Close();
  EXPECT_EQ(control->complaints, std::vector<std::string>());
}

TEST(Threads, CancelsFreesAndReadsFromEverywhereLeaveTheOthersRight) {
  const auto control = std::make_shared<FakeControl>();
  FakeOptions fake;
  fake.global_pages = 80;
  EngineOptions options;
  options.max_queued_events = 4;
  const auto engine = MakeThreaded(control, fake, options);
  std::vector<Answer> alone;
  for (uint64_t i = 0; i < 8; ++i) alone.push_back(Harness().Run(Numbered(i)));
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      Numbers numbers(t);
      Event event;
      for (int round = 0; round < 125; ++round) {
        const uint64_t i = static_cast<uint64_t>(numbers.Below(8));
        const Job job = Numbered(i);
        const std::shared_ptr<Request> request = engine->Submit(job.prompt, job.options);
        ASSERT_NE(request, nullptr);
        switch (numbers.Below(5)) {
          case 0:
            EXPECT_TRUE(ReadAll(*engine, *request).SameAs(alone[i]));
            break;
          case 1:
            request->Cancel();
            break;
          case 2: {
            engine->NextEvent(*request, numbers.Below(3), event);
            std::thread other([request] { request->Cancel(); });
            const Answer answer = ReadAll(*engine, *request);
            other.join();
            EXPECT_NE(answer.last.stop, StopReason::kError);
            break;
          }
          case 3: {
            const auto score = engine->SubmitScore(job.prompt, {});
            engine::ScoreBlock block;
            size_t positions = 0;
            while (engine->NextBlock(*score, -1, block) == Next::kEvent) positions += block.positions.size();
            EXPECT_EQ(positions, job.prompt.size());
            break;
          }
          default:
            engine->Stats();
            request->GeneratedIds();
            break;  // and let go of it
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < 1000 && engine->Stats().running > 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const EngineStats stats = engine->Stats();
  EXPECT_EQ(stats.pages_used[0] + stats.pages_used[1] + stats.waiting + stats.running, 0);
  engine->Close();
  EXPECT_EQ(control->complaints, std::vector<std::string>());
}

TEST(Threads, OneReaderServesAllRequestsByTheDescriptor) {
  const auto control = std::make_shared<FakeControl>();
  const auto engine = MakeThreaded(control);
  std::map<uint64_t, std::shared_ptr<Request>> open;
  std::map<uint64_t, Answer> answers;
  std::shared_ptr<Request> from;
  Event event;
  uint64_t submitted = 0;
  while (submitted < 30 || !open.empty()) {
    if (submitted < 30 && open.size() < 5) {
      const Job job = Numbered(submitted);
      open[submitted] = engine->Submit(job.prompt, job.options);
      ++submitted;
    }
    pollfd fd{engine->descriptor(), POLLIN, 0};
    if (fd.fd >= 0) {
      ASSERT_EQ(poll(&fd, 1, 20000), 1) << "nothing to read although requests run";
    }
    while (engine->NextEvent(fd.fd >= 0 ? 0 : 100, event, &from) == Next::kEvent) {
      Add(answers[event.tag], event);
      if (event.stop != StopReason::kNone) open.erase(event.tag);
    }
  }
  for (uint64_t i = 0; i < 30; ++i) EXPECT_TRUE(answers[i].SameAs(Harness().Run(Numbered(i)))) << i;
}

TEST(Threads, ReadersAreWokenWhenTheEngineCloses) {
  const auto control = std::make_shared<FakeControl>();
  auto engine = MakeThreaded(control);
  std::vector<std::thread> threads;
  // Each last event is taken once, by the request's own reader or by the one that reads for all; a reader that came second is told
  // so.
  std::atomic<int> last_events{0}, ended{0};
  std::vector<std::shared_ptr<Request>> requests;  // outlive their readers: a request that is let go of has no last event
  for (uint64_t t = 0; t < 3; ++t) {
    requests.push_back(engine->Submit(Tokens(t, 10), {}));
    threads.emplace_back([&, shared = engine, request = requests.back()] {
      Event event;
      try {
        while (shared->NextEvent(*request, -1, event) == Next::kEvent) last_events += event.stop != StopReason::kNone;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kState) << error.what();
      }
      ++ended;
    });
  }
  threads.emplace_back([&, shared = engine] {
    Event event;
    while (shared->NextEvent(-1, event, nullptr) == Next::kEvent) last_events += event.stop != StopReason::kNone;
    ++ended;
  });
  while (engine->Stats().steps < 20) std::this_thread::yield();
  std::thread closer([shared = engine] { shared->Close(); });
  engine->Close();
  closer.join();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ended, 4);
  EXPECT_EQ(last_events, 3);
  requests.clear();
  EXPECT_EQ(control->alive, 0);
}

TEST(Threads, AnyOrderOfReleaseIsFine) {
  for (int order = 0; order < 4; ++order) {
    const auto control = std::make_shared<FakeControl>();
    auto engine = MakeThreaded(control);
    std::shared_ptr<Request> a = engine->Submit(Tokens(1, 30), {}), b = engine->SubmitScore(Tokens(2, 90), {});
    if (order & 1) {
      engine.reset();
      a->Cancel();
      EXPECT_TRUE(b->finished());
      EXPECT_GE(a->GeneratedIds().size(), 30u);
    }
    if (order & 2) a.reset();
    b.reset();
    engine.reset();
    a.reset();
    EXPECT_EQ(control->alive, 0);
  }
}

TEST(Threads, AForksChildIsToldAndCanLetGo) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "ThreadSanitizer does not follow forks of threaded programs";
#endif
  const auto control = std::make_shared<FakeControl>();
  auto engine = MakeThreaded(control);
  auto request = engine->Submit(Tokens(1, 5), {});
  const pid_t child = fork();
  if (child == 0) {
    int wrong = 1;
    Event event;
    try {
      engine->NextEvent(*request, -1, event);
    } catch (const Error& error) {
      wrong = error.code() == ErrorCode::kState ? 0 : 2;
    }
    request->Cancel();
    request.reset();
    engine.reset();
    _exit(wrong);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  request->Cancel();
  const StopReason stop = ReadAll(*engine, *request).last.stop;  // it may have come to its end before
  EXPECT_TRUE(stop == StopReason::kCancelled || stop == StopReason::kLength);
}

}  // namespace
}  // namespace scout::test
