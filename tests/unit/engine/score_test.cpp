// Scoring: log-probabilities of given tokens and full logits, against each other and against what generation reports.
#include <cmath>

#include "harness.h"

namespace scout::test {
namespace {

using engine::ScoreBlock;
using engine::ScoreOptions;

struct Scores {
  std::map<int64_t, float> logprob;
  std::map<int64_t, std::vector<float>> logits;
  std::vector<int64_t> order;
  int blocks = 0;
  size_t largest = 0;
};

Scores Read(Harness& harness, const std::shared_ptr<Request>& request, int64_t vocabulary = 97) {
  Scores scores;
  ScoreBlock block;
  for (int rounds = 0; rounds < 10000; ++rounds) {
    harness.engine->Step(0);
    const Next next = harness.engine->NextBlock(*request, 0, block);
    if (next == Next::kDone) return scores;
    if (next == Next::kAgain) continue;
    ++scores.blocks;
    scores.largest = std::max(scores.largest, block.positions.size());
    for (size_t i = 0; i < block.positions.size(); ++i) {
      const int64_t position = block.positions[i];
      scores.order.push_back(position);
      if (!block.logprobs.empty()) scores.logprob[position] = block.logprobs[i];
      if (!block.logits.empty()) {
        const auto begin = block.logits.begin() + static_cast<std::ptrdiff_t>(i) * vocabulary;
        scores.logits[position] = {begin, begin + vocabulary};
      }
    }
  }
  ADD_FAILURE() << "no end";
  return scores;
}

Scores Score(const std::vector<int32_t>& tokens, const ScoreOptions& options, const EngineOptions& engine = {},
             FakeOptions fake = {}) {
  Harness harness(fake, engine);
  const auto request = harness.engine->SubmitScore(tokens, options);
  Scores scores = Read(harness, request);
  harness.ExpectNoPagesHeld();
  EXPECT_TRUE(std::is_sorted(scores.order.begin(), scores.order.end()));
  return scores;
}

float LogProb(const std::vector<float>& logits, int32_t token) {
  double sum = 0;
  for (const float l : logits) sum += std::exp(static_cast<double>(l));
  return static_cast<float>(logits[static_cast<size_t>(token)] - std::log(sum));
}

TEST(Score, LogprobsFollowFromTheLogitsBeforeThem) {
  const std::vector<int32_t> tokens = Tokens(4, 150);
  ScoreOptions all;
  all.logits = true;
  const Scores scores = Score(tokens, all);
  ASSERT_EQ(scores.order.size(), 150u);
  ASSERT_EQ(scores.logits.size(), 150u);
  EXPECT_TRUE(std::isnan(scores.logprob.at(0)));
  // float32 of values below 10: three roundings of 2^-21 at most.
  for (int64_t p = 1; p < 150; ++p)
    EXPECT_NEAR(scores.logprob.at(p), LogProb(scores.logits.at(p - 1), tokens[static_cast<size_t>(p)]), 3.0 / (1 << 21)) << p;
  EXPECT_LE(scores.largest, 64u) << "in blocks";
}

TEST(Score, EveryWayOfAskingGivesTheSameBits) {
  const std::vector<int32_t> tokens = Tokens(4, 150);
  ScoreOptions all;
  all.logits = true;
  const Scores reference = Score(tokens, all);
  ScoreOptions only_logprobs, chosen, chosen_only;
  chosen.logit_positions = chosen_only.logit_positions = {0, 17, 18, 99, 149};
  chosen_only.logprobs = false;
  for (const int32_t rows : {1, 7, 64, 512}) {
    EngineOptions engine;
    engine.step_rows = rows;
    const Scores a = Score(tokens, only_logprobs, engine), b = Score(tokens, chosen, engine),
                 c = Score(tokens, chosen_only, engine);
    EXPECT_EQ(a.order.size(), 150u);
    EXPECT_TRUE(a.logits.empty());
    EXPECT_EQ(b.order.size(), 150u);
    EXPECT_EQ(c.order, chosen_only.logit_positions);
    EXPECT_TRUE(c.logprob.empty());
    for (int64_t p = 1; p < 150; ++p) {
      EXPECT_EQ(a.logprob.at(p), reference.logprob.at(p));
      EXPECT_EQ(b.logprob.at(p), reference.logprob.at(p));
    }
    ASSERT_EQ(b.logits.size(), 5u);
    for (const auto& [p, logits] : b.logits) EXPECT_EQ(logits, reference.logits.at(p)) << p;
    for (const auto& [p, logits] : c.logits) EXPECT_EQ(logits, reference.logits.at(p)) << p;
  }
}

TEST(Score, AgreesWithWhatGenerationReports) {
  Job job = Greedy(Tokens(6, 40), 20);
  job.options.sampling.logprobs = true;
  const Answer answer = Harness().Run(job);
  std::vector<int32_t> tokens = job.prompt;
  tokens.insert(tokens.end(), answer.ids.begin(), answer.ids.end());
  const Scores scores = Score(tokens, {});
  for (size_t i = 0; i < 20; ++i) EXPECT_EQ(scores.logprob.at(40 + static_cast<int64_t>(i)), answer.logprobs[i]);
}

TEST(Score, WaitsForItsReader) {
  Harness harness;
  ScoreOptions all;
  all.logits = true;
  const auto request = harness.engine->SubmitScore(Tokens(4, 200), all);
  harness.StepAll();
  EXPECT_EQ(harness.control->rows, 64) << "one block of full logits unread";
  EXPECT_EQ(Read(harness, request).order.size(), 200u);
}

TEST(Score, SharesStepsWithGenerationWithoutChangingIt) {
  const Job job = Greedy(Tokens(1, 30), 25);
  const Answer alone = Harness().Run(job);
  const std::vector<int32_t> tokens = Tokens(4, 120);
  const Scores scores_alone = Score(tokens, {});
  Harness harness;
  const auto answer = harness.engine->Submit(job.prompt, job.options);
  const auto score = harness.engine->SubmitScore(tokens, {});
  const Scores scores = Read(harness, score);
  EXPECT_TRUE(harness.Drain({answer})[0].SameAs(alone));
  for (int64_t p = 1; p < 120; ++p) EXPECT_EQ(scores.logprob.at(p), scores_alone.logprob.at(p));
  EXPECT_GT(harness.control->most_sequences, 1);
}

TEST(Score, ChosenLogitsUseThePrefixCacheUpToTheFirstOfThem) {
  Harness harness;
  const std::vector<int32_t> tokens = Tokens(4, 100);
  ScoreOptions last;
  last.logprobs = false;
  last.logit_positions = {98};
  const auto first = Read(harness, harness.engine->SubmitScore(tokens, last));
  const int64_t rows = harness.control->rows;
  const auto again = Read(harness, harness.engine->SubmitScore(tokens, last));
  EXPECT_EQ(again.logits, first.logits);
  EXPECT_EQ(harness.control->rows - rows, 99 - 96);
}

TEST(Score, PreemptionDeliversNothingTwice) {
  const std::vector<int32_t> tokens = Tokens(4, 90);
  const Scores reference = Score(tokens, {});
  for (const bool cache : {false, true}) {
    FakeOptions fake;
    fake.global_pages = 27;  // the two need 23 each in the end; they grow side by side until nothing is left
    EngineOptions options;
    options.decode_step_rows = 4;
    options.prefix_cache = cache;
    Harness harness(fake, options);
    const auto answer = harness.engine->Submit(Tokens(1, 10), Greedy({}, 80).options);
    for (int i = 0; i < 3; ++i) harness.engine->Step(0);
    const auto score = harness.engine->SubmitScore(tokens, {});
    const Scores scores = Read(harness, score);
    EXPECT_GT(harness.engine->Stats().preemptions, 0);
    EXPECT_EQ(scores.order.size(), 90u);
    for (int64_t p = 1; p < 90; ++p) EXPECT_EQ(scores.logprob.at(p), reference.logprob.at(p)) << p;
    EXPECT_EQ(harness.Drain({answer})[0].ids.size(), 80u);
  }
}

TEST(Score, ErrorsAreThrownAfterTheBlocksBeforeThem) {
  Harness harness;
  harness.control->nan = [](int32_t, int32_t position) { return position == 70; };
  const auto request = harness.engine->SubmitScore(Tokens(4, 100), {});
  ScoreBlock block;
  std::vector<int64_t> positions;
  try {
    for (int i = 0; i < 1000; ++i) {
      harness.engine->Step(0);
      if (harness.engine->NextBlock(*request, 0, block) == Next::kEvent)
        positions.insert(positions.end(), block.positions.begin(), block.positions.end());
    }
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kState);
    EXPECT_STREQ(error.what(), "non-finite logits at position 70");
  }
  EXPECT_EQ(positions.size(), 64u);
  const auto cancelled = harness.engine->SubmitScore(Tokens(4, 100), {});
  cancelled->Cancel();
  EXPECT_THROW(harness.engine->NextBlock(*cancelled, 0, block), Error);
  EXPECT_THROW(harness.engine->NextEvent(*cancelled, 0, harness.event), Error) << "blocks, not events";
}

TEST(Score, OneTokenHasNoLogprobAndIsDoneAtOnce) {
  const Scores scores = Score({5}, {});
  EXPECT_EQ(scores.order, (std::vector<int64_t>{0}));
  EXPECT_TRUE(std::isnan(scores.logprob.at(0)));
  ScoreOptions logits;
  logits.logits = true;
  EXPECT_EQ(Score({5}, logits).logits.size(), 1u);
}

TEST(Score, RefusesPositionsOutOfOrderOrRange) {
  Harness harness;
  const auto refused = [&](std::vector<int64_t> positions, bool logprobs) {
    ScoreOptions options;
    options.logit_positions = std::move(positions);
    options.logprobs = logprobs;
    try {
      harness.engine->SubmitScore(Tokens(1, 10), options);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(refused({10}, true), "logit_positions: 10 is outside the 10 tokens");
  EXPECT_EQ(refused({-1}, true), "logit_positions: -1 is outside the 10 tokens");
  EXPECT_EQ(refused({3, 3}, true), "logit_positions: 3 follows 3; they must ascend");
  EXPECT_EQ(refused({}, false), "neither log-probabilities nor logits are asked for");
}

}  // namespace
}  // namespace scout::test
