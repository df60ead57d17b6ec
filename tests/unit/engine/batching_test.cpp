// Continuous batching over the fake runner, whose tokens are a hash of what each row reads through its pages.
#include "harness.h"

namespace scout::test {
namespace {

// Sixteen requests of different lengths with all kinds of samplers.
std::vector<Job> Sixteen() {
  std::vector<Job> jobs;
  const int64_t lengths[] = {1, 2, 3, 5, 7, 15, 16, 17, 31, 33, 48, 64, 65, 80, 111, 150};
  for (uint64_t i = 0; i < 16; ++i) {
    Job job = Greedy(Tokens(i + 1, lengths[i]), 3 + static_cast<int64_t>(i * 5 % 23));
    engine::Sampling& s = job.options.sampling;
    if (i % 4 != 0) s.temperature = 0.4f + 0.3f * static_cast<float>(i % 5);
    if (i % 3 == 1) s.top_k = 5 + static_cast<int32_t>(i);
    if (i % 3 == 2) s.top_p = 0.8f;
    if (i % 5 == 3) s.min_p = 0.05f;
    if (i % 4 == 1) s.repetition_penalty = 1.3f;
    if (i % 4 == 2) s.frequency_penalty = 0.5f;
    if (i % 6 == 5) s.logit_bias = {{3, 2.5f}, {50, -4.0f}};
    s.logprobs = i % 2 == 0;
    s.top_logprobs = i % 2 == 0 ? 3 : 0;
    s.seed = 1000 + i;
    s.choice = static_cast<uint32_t>(i % 3);
    if (i == 9) job.options.stop = {"w1", "w22 w"};
    jobs.push_back(std::move(job));
  }
  return jobs;
}

std::vector<Answer> EachAlone(const std::vector<Job>& jobs, const FakeOptions& fake = {}) {
  std::vector<Answer> alone;
  for (const Job& job : jobs) alone.push_back(Harness(fake).Run(job));
  return alone;
}

TEST(Batching, SixteenRequestsTogetherEqualEachAloneWithAnyPrefillChunk) {
  const std::vector<Job> jobs = Sixteen();
  const std::vector<Answer> alone = EachAlone(jobs);
  for (const int32_t chunk : {1, 7, 64, 512}) {
    for (const bool cache : {false, true}) {
      EngineOptions options;
      options.step_rows = chunk;
      options.decode_step_rows = chunk;
      options.prefix_cache = cache;
      Harness together({}, options);
      const std::vector<Answer> answers = together.RunAll(jobs);
      for (size_t i = 0; i < jobs.size(); ++i) EXPECT_TRUE(answers[i].SameAs(alone[i])) << "request " << i << ", chunk " << chunk;
      EXPECT_GT(together.control->most_sequences, 1);
      together.ExpectNoPagesHeld();
    }
  }
}

TEST(Batching, AnswersDifferBetweenRequestsSoThatEqualityMeansSomething) {
  const std::vector<Answer> alone = EachAlone(Sixteen());
  for (size_t i = 1; i < alone.size(); ++i) EXPECT_NE(alone[i].ids, alone[0].ids);
  // Nothing but the first token of the prompt changes: everything follows from the whole history.
  Job a = Greedy(Tokens(5, 90), 12), b = a;
  b.prompt[0] ^= 1;
  EXPECT_NE(Harness().Run(a).ids, Harness().Run(b).ids);
}

TEST(Batching, RequestsJoinAndLeaveBetweenSteps) {
  const std::vector<Job> jobs = Sixteen();
  const std::vector<Answer> alone = EachAlone(jobs);
  Harness harness;
  std::vector<std::shared_ptr<Request>> requests;
  std::vector<Answer> answers(jobs.size());
  for (int round = 0; round < 4000; ++round) {
    if (round % 7 == 0 && requests.size() < jobs.size()) {
      const Job& job = jobs[requests.size()];
      requests.push_back(harness.engine->Submit(job.prompt, job.options));
    }
    harness.engine->Step(0);
    for (size_t i = 0; i < requests.size(); ++i) {
      while (harness.engine->NextEvent(*requests[i], 0, harness.event) == Next::kEvent) Add(answers[i], harness.event);
    }
  }
  for (size_t i = 0; i < jobs.size(); ++i) EXPECT_TRUE(answers[i].SameAs(alone[i])) << "request " << i;
}

TEST(Batching, DecodingGoesOnWhileALongPromptIsReadInSmallPieces) {
  EngineOptions options;
  options.step_rows = 64;
  options.decode_step_rows = 8;
  Harness harness({}, options);
  const auto talking = harness.engine->Submit(Tokens(1, 4), Greedy({}, 60).options);
  harness.engine->Step(0);
  while (harness.engine->NextEvent(*talking, 0, harness.event) != Next::kEvent) harness.engine->Step(0);
  const auto reading = harness.engine->Submit(Tokens(2, 200), Greedy({}, 2).options);
  harness.control->most_rows = 0;
  int events = 0;
  while (harness.engine->NextEvent(*reading, 0, harness.event) != Next::kEvent) {
    harness.engine->Step(0);
    while (harness.engine->NextEvent(*talking, 0, harness.event) == Next::kEvent) ++events;
  }
  EXPECT_LE(harness.control->most_rows, 8);
  EXPECT_GE(events, 200 / 8 - 1) << "a token with every piece";
}

TEST(Batching, MoreRequestsThanLogitRowsAllComeToTheirEnd) {
  FakeOptions fake;
  fake.max_logit_rows = 3;
  std::vector<Job> jobs;
  for (uint64_t i = 0; i < 12; ++i) jobs.push_back(Greedy(Tokens(i, 3 + static_cast<int64_t>(i)), 9));
  const std::vector<Answer> alone = EachAlone(jobs);
  for (const int32_t rows : {1, 3}) {
    fake.max_logit_rows = rows;
    for (const int32_t max_rows : {1, 5, 64}) {
      fake.max_rows = max_rows;
      const std::vector<Answer> answers = Harness(fake).RunAll(jobs);
      for (size_t i = 0; i < jobs.size(); ++i) EXPECT_TRUE(answers[i].SameAs(alone[i])) << rows << " " << max_rows << " " << i;
    }
  }
}

TEST(Batching, AStepAcrossAttentionChunksEqualsStepsCutAtThem) {
  for (const int64_t chunk : {8, 16, 10}) {  // 10 is no multiple of the page size
    FakeOptions fake;
    fake.chunk = chunk;
    const Job job = Greedy(Tokens(3, 77), 30);
    EngineOptions cut;  // pieces that end at every boundary
    cut.step_rows = static_cast<int32_t>(chunk);
    EngineOptions whole;
    whole.step_rows = 512;
    Harness one(fake, cut), other(fake, whole);
    EXPECT_TRUE(one.Run(job).SameAs(other.Run(job))) << chunk;
    EXPECT_EQ(other.control->most_rows, 77);
  }
}

TEST(Batching, ModelsWithOnePageGroupRun) {
  FakeOptions only_global, only_local;
  only_global.chunk = 0;
  only_local.global = false;
  for (const FakeOptions& fake : {only_global, only_local}) {
    const std::vector<Job> jobs = Sixteen();
    const std::vector<Answer> alone = EachAlone(jobs, fake);
    const std::vector<Answer> answers = Harness(fake).RunAll(jobs);
    for (size_t i = 0; i < jobs.size(); ++i) EXPECT_TRUE(answers[i].SameAs(alone[i])) << "request " << i;
  }
}

TEST(Pages, ChunkLocalPagesStayBoundedOverFiveChunks) {
  FakeOptions fake;  // chunk 16 of 4 pages
  EngineOptions options;
  options.prefix_cache = false;
  options.step_rows = 16;
  Harness harness(fake, options);
  const Job job = Greedy(Tokens(9, 20), 70);  // to position 90, the sixth chunk
  const Answer answer = harness.Run(job);
  EXPECT_EQ(answer.ids.size(), 70u);
  const EngineStats stats = harness.engine->Stats();
  EXPECT_LE(stats.pages_peak[kLocalPages], 2 * 4) << "a step of 16 rows touches two chunks at most";
  EXPECT_EQ(stats.pages_peak[kGlobalPages], (89 + 3) / 4);
  // The same with room for one chunk only.
  fake.local_pages = 4;
  Harness narrow(fake, options);
  EXPECT_TRUE(narrow.Run(job).SameAs(answer));
  EXPECT_LE(narrow.engine->Stats().pages_peak[kLocalPages], 4);
}

TEST(Pages, AFullPoolPreemptsTheYoungestAndChangesNoToken) {
  const std::vector<Job> jobs = Sixteen();
  const std::vector<Answer> alone = EachAlone(jobs);
  for (const int64_t pages : {45, 60, 90}) {
    for (const bool cache : {false, true}) {
      FakeOptions fake;
      fake.global_pages = pages;  // the largest request needs 41
      fake.local_pages = 14;
      EngineOptions options;
      options.prefix_cache = cache;
      Harness harness(fake, options);
      const std::vector<Answer> answers = harness.RunAll(jobs);
      for (size_t i = 0; i < jobs.size(); ++i) EXPECT_TRUE(answers[i].SameAs(alone[i])) << "request " << i << " with " << pages;
      harness.ExpectNoPagesHeld();
    }
  }
}

TEST(Pages, PreemptionHappensAndIsCounted) {
  FakeOptions fake;
  fake.global_pages = 20;
  std::vector<Job> jobs;
  for (uint64_t i = 0; i < 4; ++i) jobs.push_back(Greedy(Tokens(i, 8), 60));  // 17 pages each in the end
  std::vector<Answer> alone;
  for (const Job& job : jobs) alone.push_back(Harness().Run(job));
  Harness harness(fake);
  const std::vector<Answer> answers = harness.RunAll(jobs);
  EXPECT_GT(harness.engine->Stats().preemptions, 0);
  for (size_t i = 0; i < jobs.size(); ++i) EXPECT_TRUE(answers[i].SameAs(alone[i]));
}

TEST(Pages, WhatCanNeverFitIsRefusedWithTheNumbers) {
  FakeOptions fake;
  fake.global_pages = 10;  // 40 positions
  Harness harness(fake);
  try {
    harness.engine->Submit(Tokens(1, 41), {});
    FAIL() << "not refused";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kLimit);
    EXPECT_STREQ(error.what(), "the prompt has 41 tokens; the context holds 40 and the answer needs at least one");
  }
  EngineOptions options;
  options.context = 1000;
  Harness larger(fake, options);
  try {
    larger.engine->Submit(Tokens(1, 41), {});
    FAIL() << "not refused";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kLimit);
    EXPECT_STREQ(error.what(), "the prompt has 41 tokens; the page pool holds 40 positions");
  }
}

TEST(Pages, AnAnswerEndsWithLengthAndSaysWhichLimit) {
  FakeOptions fake;
  fake.global_pages = 10;  // 40 positions
  EngineOptions options;
  options.context = 30;
  Answer answer = Harness(fake, options).Run(Greedy(Tokens(1, 10), 1000));
  EXPECT_EQ(answer.last.stop, StopReason::kLength);
  EXPECT_EQ(answer.last.message, "the context of 30 positions is full");
  EXPECT_EQ(answer.ids.size(), 20u);
  options.context = 1000;
  answer = Harness(fake, options).Run(Greedy(Tokens(1, 10), 0));
  EXPECT_EQ(answer.last.message, "the page pool is full: it holds 40 positions");
  EXPECT_EQ(answer.ids.size(), 31u) << "the last token's keys and values are not needed";
  answer = Harness(fake, options).Run(Greedy(Tokens(1, 10), 7));
  EXPECT_EQ(answer.last.message, "max_tokens is 7");
  EXPECT_EQ(answer.ids.size(), 7u);
  EXPECT_EQ(answer.last.status, 0);
}

TEST(Prefix, TheNextTurnFindsThePagesOfTheTurnsBefore) {
  Harness harness;
  const Answer first = harness.Run(Greedy(Tokens(1, 37), 30));
  EXPECT_EQ(first.last.cached_tokens, 0);
  Job next = Greedy(Tokens(1, 37), 10);
  next.prompt.insert(next.prompt.end(), first.ids.begin(), first.ids.end());
  const std::vector<int32_t> question = Tokens(2, 9);
  next.prompt.insert(next.prompt.end(), question.begin(), question.end());
  const Answer fresh = Harness().Run(next);
  const Answer second = harness.Run(next);
  EXPECT_TRUE(second.SameAs(fresh));
  EXPECT_EQ(second.last.cached_tokens, 64) << "66 positions were computed in the first turn, 16 pages of them full";
  EXPECT_EQ(second.last.prompt_tokens, 37 + 30 + 9);
  EXPECT_EQ(second.last.generated_tokens, 10);
}

TEST(Prefix, TheLastTokenOfAPromptIsAlwaysComputed) {
  Harness harness;
  const Job job = Greedy(Tokens(1, 64), 5);
  const Answer first = harness.Run(job);
  const Answer again = harness.Run(job);
  EXPECT_TRUE(again.SameAs(first));
  EXPECT_EQ(again.last.cached_tokens, 60);
}

TEST(Prefix, ADifferentTokenASaltOrAnotherBeginningIsNoPrefix) {
  Harness harness;
  const Job job = Greedy(Tokens(1, 64), 5);
  harness.Run(job);
  Job other = job;
  other.prompt[21] ^= 1;
  EXPECT_EQ(harness.Run(other).last.cached_tokens, 20);
  other = job;
  other.prompt[0] ^= 1;
  EXPECT_EQ(harness.Run(other).last.cached_tokens, 0);
  other = job;
  other.options.cache_salt = 7;
  EXPECT_EQ(harness.Run(other).last.cached_tokens, 0);
  EXPECT_EQ(harness.Run(other).last.cached_tokens, 60);
}

TEST(Prefix, LostLocalPagesLeaveTheStartOfTheirChunk) {
  FakeOptions fake;
  fake.local_pages = 8;  // two chunks' worth: a second request pushes the first one's out
  fake.global_pages = 400;
  Harness harness(fake);
  const Job job = Greedy(Tokens(1, 60), 5);
  const Answer first = harness.Run(job);
  harness.Run(Greedy(Tokens(2, 100), 5));
  const Answer again = harness.Run(job);
  EXPECT_TRUE(again.SameAs(first));
  EXPECT_EQ(again.last.cached_tokens, 48) << "56 but for the local pages from 48 on";
}

TEST(Prefix, RequestsThatRunShareTheirFullPages) {
  Harness harness;
  const Job job = Greedy(Tokens(1, 65), 40);
  const auto first = harness.engine->Submit(job.prompt, job.options);
  for (int i = 0; i < 20; ++i) harness.engine->Step(0);
  const int64_t used = harness.engine->Stats().pages_used[kGlobalPages];
  const auto second = harness.engine->Submit(job.prompt, job.options);
  for (int i = 0; i < 9; ++i) harness.engine->Step(0);
  EXPECT_LE(harness.engine->Stats().pages_used[kGlobalPages], used + 3) << "sixteen pages are shared";
  const std::vector<Answer> answers = harness.Drain({first, second});
  EXPECT_TRUE(answers[0].SameAs(answers[1]));
  EXPECT_EQ(answers[1].last.cached_tokens, 64);
}

TEST(Prefix, CachedPagesCountAsFree) {
  FakeOptions fake;
  fake.global_pages = 20;
  Harness harness(fake);
  for (uint64_t i = 0; i < 10; ++i) {
    const Job job = Greedy(Tokens(i, 50), 20);
    EXPECT_TRUE(harness.Run(job).SameAs(Harness().Run(job)));
  }
  EXPECT_EQ(harness.engine->Stats().preemptions, 0);
  EXPECT_GT(harness.engine->Stats().pages_cached[kGlobalPages], 10);
}

TEST(Prefix, AChunkThatIsNoMultipleOfThePageStillReuses) {
  FakeOptions fake;
  fake.chunk = 10;  // local pages end at 4, 8, 10, 14, 18, 20; global ones at 4, 8, 12, 16, 20
  Harness harness(fake);
  const Job job = Greedy(Tokens(1, 47), 3);
  const Answer first = harness.Run(job);
  const Answer again = harness.Run(job);
  EXPECT_TRUE(again.SameAs(first));
  EXPECT_EQ(again.last.cached_tokens, 44);
}

}  // namespace
}  // namespace scout::test
