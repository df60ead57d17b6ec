// What can happen to a request besides being answered: cancels, failures, full queues, refusals, the end of the engine.
#include <poll.h>

#include <cmath>
#include <limits>

#include "harness.h"

namespace scout::test {
namespace {

std::vector<Job> Three() {
  std::vector<Job> jobs;
  for (uint64_t i = 0; i < 3; ++i) {
    Job job = Greedy(Tokens(i + 10, 20 + 9 * static_cast<int64_t>(i)), 12);
    job.options.tag = 100 + i;
    jobs.push_back(job);
  }
  return jobs;
}

TEST(Cancel, AtAnyLayerOfAnyStepEndsThatRequestAndChangesNoOther) {
  const std::vector<Job> jobs = Three();
  std::vector<Answer> alone;
  for (const Job& job : jobs) alone.push_back(Harness().Run(job));
  EngineOptions options;
  options.step_rows = options.decode_step_rows = 16;
  int cancelled = 0;
  for (int when = 0; when < 60; ++when) {
    Harness harness({}, options);
    std::vector<std::shared_ptr<Request>> requests;
    for (const Job& job : jobs) requests.push_back(harness.engine->Submit(job.prompt, job.options));
    for (int i = 0; i < when; ++i) harness.engine->Step(0);  // one layer each
    const bool over = requests[1]->finished();
    requests[1]->Cancel();
    EXPECT_TRUE(requests[1]->finished()) << "at once, whatever runs";
    const std::vector<Answer> answers = harness.Drain(requests);
    EXPECT_TRUE(answers[0].SameAs(alone[0])) << when;
    EXPECT_TRUE(answers[2].SameAs(alone[2])) << when;
    if (!over) {
      ++cancelled;
      EXPECT_EQ(answers[1].last.stop, StopReason::kCancelled);
      EXPECT_EQ(answers[1].last.status, static_cast<int>(ErrorCode::kCancelled));
      EXPECT_EQ(answers[1].last.tag, 101u);
      EXPECT_TRUE(std::equal(answers[1].ids.begin(), answers[1].ids.end(), alone[1].ids.begin()));
    }
    harness.ExpectNoPagesHeld();
  }
  EXPECT_GT(cancelled, 40);
}

TEST(Cancel, TheLastEventIsThereAtOnceAndOnlyOnce) {
  Harness harness;
  const auto request = harness.engine->Submit(Tokens(1, 10), {});
  request->Cancel();
  request->Cancel();
  EXPECT_EQ(harness.engine->NextEvent(*request, 0, harness.event), Next::kEvent);
  EXPECT_EQ(harness.event.stop, StopReason::kCancelled);
  EXPECT_EQ(harness.engine->NextEvent(*request, 0, harness.event), Next::kDone);
  EXPECT_EQ(harness.engine->NextEvent(*request, 0, harness.event), Next::kDone);
  request->Cancel();
  EXPECT_EQ(harness.control->steps, 0);
}

TEST(Cancel, AStepThatNobodyWantsAnyLongerIsAbortedBetweenLayers) {
  Harness harness;
  const auto request = harness.engine->Submit(Tokens(1, 10), {});
  EXPECT_TRUE(harness.engine->Step(0));  // the first of three layers
  request->Cancel();
  harness.engine->Step(0);
  EXPECT_EQ(harness.control->aborts, 1);
  harness.ExpectNoPagesHeld();
}

TEST(Cancel, AFreedRequestIsCancelledAndItsPagesReturn) {
  Harness harness;
  auto request = harness.engine->Submit(Tokens(1, 30), {});
  auto waiting = harness.engine->Submit(Tokens(2, 30), {});
  for (int i = 0; i < 10; ++i) harness.engine->Step(0);
  request.reset();
  waiting.reset();
  harness.ExpectNoPagesHeld();
  EXPECT_EQ(harness.engine->NextEvent(0, harness.event, nullptr), Next::kAgain) << "nobody's events";
}

TEST(Failure, AStepThatFailsCommitsNothingAndOnlyTheRequestAtFaultFails) {
  const std::vector<Job> jobs = Three();
  std::vector<Answer> alone;
  for (const Job& job : jobs) alone.push_back(Harness().Run(job));
  for (size_t bad = 0; bad < 3; ++bad) {
    Harness harness;
    // The bad request is known by its tokens: any step that holds its row at the position fails.
    const std::vector<int32_t>& prompt = jobs[bad].prompt;
    const auto at = static_cast<int32_t>(prompt.size()) + 3;  // while it decodes
    std::vector<int32_t> history = prompt;
    history.insert(history.end(), alone[bad].ids.begin(), alone[bad].ids.end());
    int failures = 0;
    harness.control->fail = [&](const StepPlan& plan) -> std::string {
      for (size_t row = 0; row < plan.token.size(); ++row) {
        if (plan.position[row] == at && plan.token[row] == history[static_cast<size_t>(at)]) {
          ++failures;
          return "the device stumbled";
        }
      }
      return {};
    };
    const std::vector<Answer> answers = harness.RunAll(jobs);
    EXPECT_EQ(failures, 2) << "once with the others, once alone";
    for (size_t i = 0; i < 3; ++i) {
      if (i != bad) {
        EXPECT_TRUE(answers[i].SameAs(alone[i])) << i;
        continue;
      }
      EXPECT_EQ(answers[i].last.stop, StopReason::kError);
      EXPECT_EQ(answers[i].last.status, static_cast<int>(ErrorCode::kDevice));
      EXPECT_EQ(answers[i].last.message, "the device stumbled");
      EXPECT_EQ(answers[i].ids.size(), 4u) << "what came before it was delivered";
    }
    harness.ExpectNoPagesHeld();
    harness.control->fail = nullptr;
    EXPECT_TRUE(harness.Run(jobs[bad]).SameAs(alone[bad])) << "the engine serves on";
  }
}

TEST(Failure, AnErrorInAnyStepOnceIsSurvivedByAllButALoneRequest) {
  const std::vector<Job> jobs = Three();
  std::vector<Answer> alone;
  for (const Job& job : jobs) alone.push_back(Harness().Run(job));
  for (int64_t k = 1; k <= 16; ++k) {
    Harness harness;
    harness.control->fail = [&, done = false](const StepPlan& plan) mutable -> std::string {
      if (done || harness.control->steps != k || plan.sequences() == 1) return {};
      done = true;
      return "a hiccup";
    };
    const std::vector<Answer> answers = harness.RunAll(jobs);
    for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(answers[i].SameAs(alone[i])) << i << " after a failure in step " << k;
  }
}

TEST(Failure, ADeviceThatAlwaysFailsEndsEveryRequest) {
  Harness harness;
  harness.control->fail = [](const StepPlan&) { return std::string("the device is gone"); };
  for (const Answer& answer : harness.RunAll(Three())) {
    EXPECT_EQ(answer.last.stop, StopReason::kError);
    EXPECT_EQ(answer.last.message, "the device is gone");
  }
  harness.control->fail = nullptr;
  harness.control->fail_sample = [] { return true; };
  for (const Answer& answer : harness.RunAll(Three())) EXPECT_EQ(answer.last.message, "sampling failed");
  harness.ExpectNoPagesHeld();
}

TEST(Failure, NonFiniteLogitsFailOnlyTheirRequest) {
  const std::vector<Job> jobs = Three();
  std::vector<Answer> alone;
  for (const Job& job : jobs) alone.push_back(Harness().Run(job));
  Harness harness;
  const int32_t at = static_cast<int32_t>(jobs[2].prompt.size()) - 1 + 5;
  harness.control->nan = [&](int32_t token, int32_t position) { return position == at && token == alone[2].ids[4]; };
  const std::vector<Answer> answers = harness.RunAll(jobs);
  EXPECT_TRUE(answers[0].SameAs(alone[0]));
  EXPECT_TRUE(answers[1].SameAs(alone[1]));
  EXPECT_EQ(answers[2].last.stop, StopReason::kError);
  EXPECT_EQ(answers[2].last.status, static_cast<int>(ErrorCode::kState));
  EXPECT_EQ(answers[2].last.message, "non-finite logits at position " + std::to_string(at));
  EXPECT_EQ(answers[2].ids.size(), 5u);
}

TEST(Failure, ARequestWhoseEditsLeaveNoTokenFailsAlone) {
  std::vector<Job> jobs = Three();
  for (int32_t id = 0; id < 97; ++id) jobs[1].options.sampling.logit_bias.push_back({id, -std::numeric_limits<float>::infinity()});
  const std::vector<Answer> answers = Harness().RunAll(jobs);
  EXPECT_EQ(answers[1].last.message, "no token is left to choose from at position 29");
  EXPECT_EQ(answers[0].ids.size(), 12u);
}

TEST(Text, StopTokensStopStringsAndControlTokens) {
  Harness harness;
  const std::vector<int32_t> script = {10, 11, 90, 12, 13, 14, 15, 16};
  harness.control->script = [&](int32_t position) {
    return position >= 4 ? script[static_cast<size_t>(position - 4) % script.size()] : -1;
  };
  const char* words[] = {"ab", "cS", "TO", "P d", "e", "f", "g"};
  harness.text = std::make_shared<FakeText>(
      97,
      [&](int32_t id) {
        return id >= 10 && id < 17 ? std::string(words[id - 10]) : id >= 90 ? "<|" + std::to_string(id) + "|>" : std::string("?");
      },
      90);
  harness.stop_tokens = {15};
  harness.Make({.mode = Mode::kStepped, .check_invariants = true});
  Job job = Greedy(Tokens(1, 5), 8);
  Answer answer = harness.Run(job);
  EXPECT_EQ(answer.text, "abcSTOP de");
  EXPECT_EQ(answer.last.stop, StopReason::kEnd);
  EXPECT_EQ(answer.ids, (std::vector<int32_t>{10, 11, 90, 12, 13, 14, 15}));
  job.options.include_special = true;
  EXPECT_EQ(harness.Run(job).text, "abcS<|90|>TOP de");
  job.options.include_special = false;
  job.options.ignore_end = true;
  answer = harness.Run(job);
  EXPECT_EQ(answer.text, "abcSTOP defg");
  EXPECT_EQ(answer.last.stop, StopReason::kLength);
  job.options.stop_tokens = {14};
  answer = harness.Run(job);
  EXPECT_EQ(answer.text, "abcSTOP d");
  EXPECT_EQ(answer.last.stop, StopReason::kEnd);
  job.options.stop = {"zz", "STOP"};
  answer = harness.Run(job);
  EXPECT_EQ(answer.text, "abc") << "the stop string lies across three tokens and a control token";
  EXPECT_EQ(answer.last.stop, StopReason::kStopString);
  EXPECT_EQ(answer.ids, (std::vector<int32_t>{10, 11, 90, 12, 13})) << "each token once, those of the stop string too";
}

TEST(Text, CharactersCutOverTokensComeWhole) {
  Harness harness;
  const std::string bytes =
      "\xf0\x9f\xa6\x99"
      "a\xc3\xa9\xff";  // U+1F999, a, U+00E9, a byte that is no character
  harness.control->script = [](int32_t position) { return position >= 4 ? position - 4 : -1; };
  harness.text = std::make_shared<FakeText>(
      97,
      [&](int32_t id) {
        return id < static_cast<int32_t>(bytes.size()) ? bytes.substr(static_cast<size_t>(id), 1) : std::string("x");
      },
      97);
  harness.Make({.mode = Mode::kStepped});
  const auto request = harness.engine->Submit(Tokens(1, 5), Greedy({}, 8).options);
  harness.StepAll();
  std::vector<std::string> texts;
  std::vector<size_t> counts;
  while (harness.engine->NextEvent(*request, 0, harness.event) == Next::kEvent) {
    texts.push_back(harness.event.text);
    counts.push_back(harness.event.ids.size());
  }
  EXPECT_EQ(texts, (std::vector<std::string>{"\xf0\x9f\xa6\x99", "a", "\xc3\xa9", "\xef\xbf\xbd"}));
  EXPECT_EQ(counts, (std::vector<size_t>{4, 1, 2, 1}));
}

TEST(Text, WithoutATokenizerEventsCarryIdsAndStopStringsAreRefused) {
  Harness harness;
  harness.text = nullptr;
  harness.Make({.mode = Mode::kStepped});
  Job job = Greedy(Tokens(1, 5), 4);
  const Answer answer = harness.Run(job);
  EXPECT_EQ(answer.ids.size(), 4u);
  EXPECT_EQ(answer.text, "");
  EXPECT_EQ(answer.events, 4);
  job.options.stop = {"x"};
  EXPECT_THROW(harness.engine->Submit(job.prompt, job.options), Error);
}

TEST(Events, LogprobsAreOfTheModelsOwnDistribution) {
  Harness plain, biased;
  Job job = Greedy(Tokens(3, 30), 10);
  job.options.sampling.logprobs = true;
  job.options.sampling.top_logprobs = 5;
  const Answer answer = plain.Run(job);
  ASSERT_EQ(answer.logprobs.size(), 10u);
  ASSERT_EQ(answer.top_ids.size(), 50u);
  for (size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(answer.top_ids[i * 5], answer.ids[i]) << "greedy takes the best";
    EXPECT_EQ(answer.top_logprobs[i * 5], answer.logprobs[i]);
    EXPECT_LT(answer.logprobs[i], 0);
  }
  // Force the same tokens by a bias: the log-probabilities stay what they were, asked for from the device.
  job.options.sampling.top_logprobs = 0;
  job.options.max_tokens = 1;
  job.options.sampling.logit_bias = {{answer.ids[0], 3.0f}};
  const Answer forced = biased.Run(job);
  EXPECT_EQ(forced.ids[0], answer.ids[0]);
  EXPECT_EQ(forced.logprobs[0], answer.logprobs[0]);
}

TEST(Events, AFullQueuePausesItsRequestUntilItIsRead) {
  EngineOptions options;
  options.max_queued_events = 3;
  Harness harness({}, options);
  const Job job = Greedy(Tokens(1, 10), 9);
  const Answer expected = Harness().Run(job);
  const auto slow = harness.engine->Submit(job.prompt, job.options);
  harness.StepAll();
  EXPECT_EQ(harness.control->steps, 3) << "the prompt's step gives the first token";
  EXPECT_EQ(harness.engine->Stats().generated_tokens, 3);
  EXPECT_TRUE(harness.Run(Greedy(Tokens(2, 10), 3)).ids.size() == 3) << "others are served meanwhile";
  const std::vector<Answer> answers = harness.Drain({slow});
  EXPECT_TRUE(answers[0].SameAs(expected));
}

TEST(Events, ARequestWhoseReaderIsBehindGivesItsPagesToThoseWhoWait) {
  FakeOptions fake;
  fake.global_pages = 20;
  EngineOptions options;
  options.max_queued_events = 2;
  Harness harness(fake, options);
  const Job job = Greedy(Tokens(1, 60), 15);
  const Answer expected = Harness().Run(job);
  const auto slow = harness.engine->Submit(job.prompt, job.options);
  harness.StepAll();
  EXPECT_EQ(harness.Run(Greedy(Tokens(2, 50), 10)).ids.size(), 10u);
  EXPECT_GT(harness.engine->Stats().preemptions, 0);
  EXPECT_TRUE(harness.Drain({slow})[0].SameAs(expected));
}

TEST(Events, OfAnyRequestComeInTurnWithTagAndHandle) {
  Harness harness;
  const std::vector<Job> jobs = Three();
  std::vector<std::shared_ptr<Request>> requests;
  for (const Job& job : jobs) requests.push_back(harness.engine->Submit(job.prompt, job.options));
  std::map<uint64_t, Answer> answers;
  std::shared_ptr<Request> from;
  while (harness.engine->Step(-1)) {
  }
  uint64_t before = 0;
  int same = 0;
  while (harness.engine->NextEvent(0, harness.event, &from) == Next::kEvent) {
    EXPECT_EQ(from->tag(), harness.event.tag);
    same += harness.event.tag == before;
    before = harness.event.tag;
    Add(answers[harness.event.tag], harness.event);
  }
  EXPECT_EQ(same, 0) << "each in turn";
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(answers[100 + i].SameAs(Harness().Run(jobs[i])));
    std::vector<int32_t> all = jobs[i].prompt;
    all.insert(all.end(), answers[100 + i].ids.begin(), answers[100 + i].ids.end());
    EXPECT_EQ(requests[i]->GeneratedIds(), all);
    EXPECT_EQ(requests[i]->prompt_tokens(), static_cast<int64_t>(jobs[i].prompt.size()));
  }
}

TEST(Events, TheDescriptorIsReadableWhileThereIsAnEvent) {
  Harness harness;
  const auto readable = [&] {
    pollfd fd{harness.engine->descriptor(), POLLIN, 0};
    return poll(&fd, 1, 0) == 1;
  };
  if (harness.engine->descriptor() < 0) GTEST_SKIP() << "this system gives no descriptor";
  EXPECT_FALSE(readable());
  auto a = harness.engine->Submit(Tokens(1, 5), Greedy({}, 2).options);
  auto b = harness.engine->Submit(Tokens(2, 5), Greedy({}, 2).options);
  EXPECT_FALSE(readable());
  harness.StepAll();
  EXPECT_TRUE(readable());
  while (harness.engine->NextEvent(*a, 0, harness.event) == Next::kEvent) {
  }
  EXPECT_TRUE(readable());
  EXPECT_EQ(harness.engine->NextEvent(0, harness.event, nullptr), Next::kEvent);
  EXPECT_TRUE(readable());
  b.reset();
  EXPECT_FALSE(readable()) << "what nobody can read does not count";
}

TEST(Submit, AFullWaitingListAnswersTryAgain) {
  EngineOptions options;
  options.max_waiting = 2;
  Harness harness({}, options);
  const auto a = harness.engine->Submit(Tokens(1, 5), {}), b = harness.engine->Submit(Tokens(2, 5), {});
  EXPECT_NE(b, nullptr);
  EXPECT_EQ(harness.engine->Submit(Tokens(3, 5), {}), nullptr);
  harness.engine->Step(0);
  EXPECT_NE(harness.engine->Submit(Tokens(3, 5), {}), nullptr);
}

TEST(Submit, RefusesBadTokensAndOptionsByName) {
  Harness harness;
  const auto refused = [&](std::vector<int32_t> prompt, auto change) {
    RequestOptions options;
    change(options);
    try {
      harness.engine->Submit(std::move(prompt), options);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const auto nothing = [](RequestOptions&) {};
  EXPECT_EQ(refused({}, nothing), "no tokens: at least one is needed");
  EXPECT_EQ(refused({1, 97}, nothing), "tokens: id 97 at index 1 is outside 0 to 96");
  EXPECT_EQ(refused({-1}, nothing), "tokens: id -1 at index 0 is outside 0 to 96");
  EXPECT_EQ(refused({1}, [](RequestOptions& o) { o.max_tokens = -5; }), "max_tokens is -5, must be 0 (no limit) or more");
  EXPECT_EQ(refused({1}, [](RequestOptions& o) { o.stop = {"a", ""}; }), "stop string 1 is empty");
  EXPECT_EQ(refused({1}, [](RequestOptions& o) { o.stop = {"\xc3"}; }), "stop string 0 is not UTF-8: \\xc3");
  EXPECT_EQ(refused({1}, [](RequestOptions& o) { o.stop.assign(1000000, "x"); }), "1000000 stop strings, at most 256");
  EXPECT_EQ(refused({1}, [](RequestOptions& o) { o.stop_tokens = {97}; }), "stop_tokens: id 97 at index 0 is outside 0 to 96");
  EXPECT_EQ(refused({1}, [](RequestOptions& o) { o.sampling.top_p = 2; }), "top_p is 2, must be from 0 to 1");
  EXPECT_EQ(refused({1}, [](RequestOptions& o) { o.max_tokens = INT64_MAX; }), "");
}

TEST(Submit, EngineOptionsOutOfRangeAreRefused) {
  const auto refused = [](auto change) {
    EngineOptions options;
    change(options);
    try {
      engine::MakeEngine(MakeFakeRunner({}, std::make_shared<FakeControl>()), nullptr, {}, 0, options);
    } catch (const Error& error) {
      return error.code() == ErrorCode::kArgument;
    }
    return false;
  };
  EXPECT_FALSE(refused([](EngineOptions&) {}));
  EXPECT_TRUE(refused([](EngineOptions& o) { o.context = -1; }));
  EXPECT_TRUE(refused([](EngineOptions& o) { o.context = int64_t{1} << 31; }));
  EXPECT_TRUE(refused([](EngineOptions& o) { o.step_rows = 0; }));
  EXPECT_TRUE(refused([](EngineOptions& o) { o.decode_step_rows = -1; }));
  EXPECT_TRUE(refused([](EngineOptions& o) { o.max_running = 0; }));
  EXPECT_TRUE(refused([](EngineOptions& o) { o.max_waiting = 0; }));
  EXPECT_TRUE(refused([](EngineOptions& o) { o.max_queued_events = 0; }));
}

TEST(Close, EndsRequestsAtAnyLayerAndRefusesNewOnes) {
  for (int when = 0; when < 8; ++when) {
    auto harness = std::make_unique<Harness>();
    const auto request = harness->engine->Submit(Tokens(1, 5), {});
    for (int i = 0; i < when; ++i) harness->engine->Step(0);
    while (harness->engine->NextEvent(*request, 0, harness->event) == Next::kEvent) {
    }
    harness->engine->Close();
    EXPECT_EQ(harness->control->alive, 0) << "pages and workspace are given back";
    EXPECT_EQ(harness->engine->NextEvent(*request, -1, harness->event), Next::kEvent);
    EXPECT_EQ(harness->event.stop, StopReason::kCancelled);
    EXPECT_EQ(harness->event.status, static_cast<int>(ErrorCode::kState));
    EXPECT_EQ(harness->event.message, "the engine was closed");
    EXPECT_EQ(harness->engine->NextEvent(*request, -1, harness->event), Next::kDone);
    EXPECT_EQ(harness->engine->NextEvent(-1, harness->event, nullptr), Next::kDone);
    EXPECT_FALSE(harness->engine->Step(5));
    EXPECT_THROW(harness->engine->Submit(Tokens(1, 5), {}), Error);
    harness->engine->Close();
    harness->engine.reset();
    EXPECT_EQ(request->GeneratedIds().size(), static_cast<size_t>(request->prompt_tokens()) + static_cast<size_t>(when / 3));
    request->Cancel();  // the handle outlives everything
  }
}

TEST(Step, ABudgetOfNothingRunsOneLayer) {
  Harness harness;
  int layers = 0;
  harness.control->on_advance = [&] { ++layers; };
  const auto request = harness.engine->Submit(Tokens(1, 5), Greedy({}, 2).options);
  for (int i = 1; i <= 5; ++i) {
    EXPECT_TRUE(harness.engine->Step(0));
    EXPECT_EQ(layers, i);
  }
  harness.engine->Step(0);
  EXPECT_EQ(layers, 6) << "two steps of three layers";
  EXPECT_TRUE(request->finished());
  EXPECT_FALSE(harness.engine->Step(0));
}

TEST(Step, BelongsToTheSteppedMode) {
  const auto engine = engine::MakeEngine(MakeFakeRunner({}, std::make_shared<FakeControl>()), nullptr, {}, 0, {});
  EXPECT_THROW(engine->Step(0), Error);
}

TEST(Step, AnotherEnginesRequestIsRefused) {
  Harness a, b;
  const auto request = a.engine->Submit(Tokens(1, 5), {});
  EXPECT_THROW(b.engine->NextEvent(*request, 0, b.event), Error);
}

}  // namespace
}  // namespace scout::test
