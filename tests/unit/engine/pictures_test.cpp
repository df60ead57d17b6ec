// Pictures in prompts: when they are encoded, what is kept of them, and that nothing else decides on an answer but the request.
#include <algorithm>

#include "harness.h"

namespace scout::test {
namespace {

constexpr int32_t kPatch = 96, kSeparator = 95;

engine::Picture MakePicture(uint64_t seed, int64_t tiles) {
  engine::Picture picture;
  auto bytes = std::make_shared<std::vector<uint8_t>>();
  Numbers numbers(seed);
  for (int64_t i = 0; i < tiles * kFakeTileBytes; ++i) bytes->push_back(static_cast<uint8_t>(numbers.Below(256)));
  picture.tiles = bytes;
  picture.key[0] = static_cast<uint32_t>(seed);
  return picture;
}

// `before` tokens of text, then the picture with a separator behind each tile.
void Append(Job& job, engine::Picture picture, int64_t before) {
  const std::vector<int32_t> text = Tokens(job.prompt.size() + 7, before, 90);
  job.prompt.insert(job.prompt.end(), text.begin(), text.end());
  const auto tiles = static_cast<int64_t>(picture.tiles->size()) / kFakeTileBytes;
  for (int64_t tile = 0; tile < tiles; ++tile) {
    picture.patches.push_back({static_cast<int64_t>(job.prompt.size()), kFakeTileRows});
    job.prompt.insert(job.prompt.end(), static_cast<size_t>(kFakeTileRows), kPatch);
    job.prompt.push_back(kSeparator);
  }
  job.pictures.push_back(std::move(picture));
}

struct Spec {
  uint64_t seed;
  int64_t tiles, before;
};
Job Seen(const std::vector<Spec>& specs, int64_t after = 5, int64_t max_tokens = 9) {
  Job job = Greedy({}, max_tokens);
  job.options.sampling.logprobs = true;
  job.options.sampling.top_logprobs = 5;
  for (const Spec& spec : specs) Append(job, MakePicture(spec.seed, spec.tiles), spec.before);
  const std::vector<int32_t> text = Tokens(99, after, 90);
  job.prompt.insert(job.prompt.end(), text.begin(), text.end());
  return job;
}

// The chunk of the fake runner is 16 positions, so all but the first have a picture across its boundary.
std::vector<Job> Jobs() {
  return {Seen({{1, 1, 3}}), Seen({{2, 5, 4}}),    Seen({{1, 1, 3}, {2, 5, 4}}), Seen({{3, 2, 0}, {3, 2, 0}, {4, 1, 30}}),
          Seen({{5, 3, 9}}), Seen({{6, 1, 2}}, 0), Greedy(Tokens(5, 40, 90), 9)};
}

std::vector<Answer> Alone(const std::vector<Job>& jobs) {
  std::vector<Answer> alone;
  for (const Job& job : jobs) alone.push_back(Harness().Run(job));
  return alone;
}

TEST(Pictures, AnswersDependOnTheRequestAlone) {
  const std::vector<Job> jobs = Jobs();
  const std::vector<Answer> alone = Alone(jobs);
  for (const int32_t rows : {1, 2, 3, 5, 7, 16, 64}) {
    for (const bool cache : {false, true}) {
      for (const uint64_t bytes : {uint64_t{0}, uint64_t{200}, uint64_t{1} << 20}) {
        const int64_t tiles = bytes == 200 ? 1 : 4;  // at once
        EngineOptions options;
        options.step_rows = options.decode_step_rows = rows;
        options.prefix_cache = cache;
        options.picture_cache_bytes = bytes;
        Harness harness({}, options);
        harness.vision->tiles_at_once = tiles;
        for (const bool again : {false, true}) {
          const std::vector<Answer> answers = harness.RunAll(jobs);
          for (size_t i = 0; i < jobs.size(); ++i)
            EXPECT_TRUE(answers[i].SameAs(alone[i])) << i << ", " << rows << " rows, caches " << cache << " " << bytes << again;
        }
        harness.ExpectNoPagesHeld();
      }
    }
  }
}

TEST(Pictures, TheirContentDecides) {
  const Job one = Seen({{1, 2, 3}});
  const Job other = Seen({{2, 2, 3}});
  ASSERT_EQ(one.prompt, other.prompt);
  const std::vector<Answer> alone = Alone({one, other});
  EXPECT_NE(alone[0].logprobs, alone[1].logprobs);
  Job without = one;
  without.pictures.clear();
  EXPECT_NE(Harness().Run(without).logprobs, alone[0].logprobs);
  // In one engine, with the prefix cache: pages of the same tokens with another picture are not taken.
  Harness harness;
  EXPECT_TRUE(harness.Run(one).SameAs(alone[0]));
  const Answer second = harness.Run(other);
  EXPECT_TRUE(second.SameAs(alone[1]));
  EXPECT_LE(second.last.cached_tokens, 3) << "only what comes before the picture";
  const Answer again = harness.Run(one);
  EXPECT_TRUE(again.SameAs(alone[0]));
  EXPECT_GE(again.last.cached_tokens, 8) << "with the same picture they are";
}

TEST(Pictures, ASecondQuestionAboutAPictureEncodesNothing) {
  EngineOptions options;
  options.prefix_cache = false;
  Harness harness({}, options);
  harness.Run(Seen({{1, 3, 4}}));
  EXPECT_EQ(harness.engine->Stats().pictures, 1);
  harness.Run(Seen({{1, 3, 20}}, 7));
  EXPECT_EQ(harness.vision->pictures, 1);
  EXPECT_EQ(harness.engine->Stats().picture_cache_bytes, 3u * 4 * 8);
  options = harness.engine->options();
  options.picture_cache_bytes = 0;
  harness.Make(options);
  for (int i = 0; i < 2; ++i) harness.Run(Seen({{1, 3, 4}}));
  EXPECT_EQ(harness.vision->pictures, 3) << "without the cache each is encoded";
  EXPECT_EQ(harness.engine->Stats().picture_cache_bytes, 0u);
}

TEST(Pictures, TheLeastRecentlyUsedGo) {
  EngineOptions options;
  options.prefix_cache = false;
  options.picture_cache_bytes = 2 * 4 * 8;  // two tiles
  Harness harness({}, options);
  const auto encoded = [&](uint64_t seed, int64_t tiles) {
    const int64_t before = harness.vision->pictures;
    harness.Run(Seen({{seed, tiles, 2}}));
    EXPECT_LE(harness.engine->Stats().picture_cache_bytes, options.picture_cache_bytes);
    return harness.vision->pictures - before;
  };
  EXPECT_EQ(encoded(1, 1), 1);
  EXPECT_EQ(encoded(2, 1), 1);
  EXPECT_EQ(encoded(1, 1), 0);
  EXPECT_EQ(encoded(3, 1), 1) << "2 goes";
  EXPECT_EQ(encoded(1, 1), 0);
  EXPECT_EQ(encoded(2, 1), 1);
  EXPECT_EQ(encoded(4, 3), 1) << "larger than all the room";
  EXPECT_EQ(encoded(2, 1), 0) << "and so nothing went for it";
}

TEST(Pictures, RequestsThatWaitForTheSamePictureShareItsEncoding) {
  EngineOptions options;
  options.prefix_cache = false;
  options.picture_cache_bytes = 0;
  Harness harness({}, options);
  harness.RunAll({Seen({{1, 2, 3}}), Seen({{1, 2, 5}}), Seen({{1, 2, 9}})});
  EXPECT_EQ(harness.vision->pictures, 1);
}

TEST(Pictures, ThoseThatAStepNeedsGoTogether) {
  EngineOptions options;
  options.step_rows = options.decode_step_rows = 64;
  Harness harness({}, options);
  harness.vision->tiles_at_once = 8;
  const std::vector<Job> jobs = {Seen({{1, 1, 3}, {2, 3, 2}}), Seen({{3, 2, 4}, {1, 1, 2}}), Seen({{4, 3, 1}})};
  const std::vector<Answer> alone = Alone(jobs);
  const std::vector<Answer> answers = harness.RunAll(jobs);
  for (size_t i = 0; i < jobs.size(); ++i) EXPECT_TRUE(answers[i].SameAs(alone[i])) << i;
  EXPECT_EQ(harness.vision->pictures, 4) << "each once";
  EXPECT_EQ(harness.vision->batches, 2) << "6 tiles, and then the 3 that do not fit beside them";
  EXPECT_EQ(harness.vision->advances, 2 * kFakeTileLayers);
  EXPECT_EQ(harness.engine->Stats().pictures, 4);
  // A later step's picture waits for its time.
  harness.Run(Seen({{5, 1, 3}, {6, 1, 200}}));
  EXPECT_EQ(harness.vision->batches, 4);
  // One that fits no batch goes alone, and the tower cuts it.
  harness.Run(Seen({{7, 9, 1}}));
  EXPECT_EQ(harness.vision->batches, 5);
  EXPECT_EQ(harness.vision->advances, (2 + 2 + 2) * kFakeTileLayers);
}

TEST(Pictures, ABatchGoesOnWhileAnybodyWaitsForAnyOfIt) {
  const std::vector<Job> jobs = {Seen({{1, 2, 3}}), Seen({{2, 3, 3}})};
  const std::vector<Answer> alone = Alone(jobs);
  for (const bool both : {false, true}) {
    Harness harness;
    harness.vision->tiles_at_once = 8;
    std::vector<std::shared_ptr<Request>> requests;
    for (const Job& job : jobs) requests.push_back(harness.engine->Submit(job.prompt, job.pictures, job.options));
    while (harness.vision->advances < 2) harness.engine->Step(0);
    EXPECT_EQ(harness.vision->batches, 1);
    requests[0]->Cancel();
    if (both) requests[1]->Cancel();
    const std::vector<Answer> answers = harness.Drain(requests);
    harness.engine->Step(0);
    EXPECT_EQ(answers[0].last.stop, StopReason::kCancelled);
    if (!both) {
      EXPECT_TRUE(answers[1].SameAs(alone[1]));
    }
    EXPECT_EQ(harness.vision->batches, 1);
    EXPECT_EQ(harness.vision->aborts, both ? 1 : 0);
    EXPECT_LT(harness.vision->advances, both ? kFakeTileLayers : kFakeTileLayers + 1);
    harness.ExpectNoPagesHeld();
  }
}

TEST(Pictures, ABatchThatFailsIsRepeatedOneByOne) {
  const std::vector<Job> jobs = {Seen({{1, 2, 3}}), Seen({{2, 3, 3}}), Seen({{3, 1, 3}})};
  const std::vector<Answer> alone = Alone(jobs);
  Harness harness;
  harness.vision->tiles_at_once = 8;
  int finished = 0;
  harness.vision->fail = [&] {  // together, and then the second of three
    ++finished;
    return finished == 1 || finished == 3 ? std::string("the tower fell") : std::string();
  };
  const std::vector<Answer> answers = harness.RunAll(jobs);
  EXPECT_TRUE(answers[0].SameAs(alone[0]));
  EXPECT_EQ(answers[1].last.stop, StopReason::kError);
  EXPECT_EQ(answers[1].last.message, "the tower fell");
  EXPECT_TRUE(answers[2].SameAs(alone[2]));
  EXPECT_EQ(harness.vision->batches, 4);
  EXPECT_EQ(harness.engine->Stats().pictures, 2);
  harness.ExpectNoPagesHeld();
}

TEST(Pictures, NoMoreAreEncodedThanAStepAndOneMoreAreWaitingFor) {
  EngineOptions options;
  options.prefix_cache = false;
  options.picture_cache_bytes = 0;
  options.step_rows = options.decode_step_rows = 6;
  Harness harness({}, options);
  std::vector<Job> jobs;
  std::vector<std::shared_ptr<Request>> requests;
  for (uint64_t i = 0; i < 12; ++i) jobs.push_back(Seen({{2 * i + 1, 2, 1}, {2 * i + 2, 2, 1}}));
  const std::vector<Answer> alone = Alone(jobs);
  for (const Job& job : jobs) requests.push_back(harness.engine->Submit(job.prompt, job.pictures, job.options));
  int64_t most = 0;
  for (int step = 0; step < 2000 && harness.vision->pictures < 24; ++step) {
    harness.engine->Step(0);
    most = std::max<int64_t>(most, harness.vision->feature_rows);
  }
  EXPECT_EQ(harness.vision->pictures, 24);
  // Two tiles a picture: one whose last rows are not computed, one that makes the step full, and one that was on its way.
  EXPECT_LE(most, 3 * 2 * kFakeTileRows);
  EXPECT_GT(most, 0);
  const std::vector<Answer> answers = harness.Drain(requests);
  for (size_t i = 0; i < jobs.size(); ++i) EXPECT_TRUE(answers[i].SameAs(alone[i])) << i;
  EXPECT_EQ(harness.vision->feature_rows, 0);
}

TEST(Pictures, OthersGoOnDecodingMeanwhile) {
  Harness harness;
  const auto text = harness.engine->Submit(Tokens(1, 8, 90), Greedy({}, 40).options);
  harness.engine->Step(0);
  while (harness.engine->Stats().generated_tokens < 3) harness.engine->Step(0);
  const Job job = Seen({{1, 6, 2}});
  const auto seen = harness.engine->Submit(job.prompt, job.pictures, job.options);
  int64_t tokens = harness.engine->Stats().generated_tokens;
  // A layer of the tower at each look, and between two looks a step.
  int64_t grew = 0;
  harness.vision->on_advance = [&] {
    const int64_t now = harness.engine->Stats().generated_tokens;
    grew += now > tokens;
    tokens = now;
  };
  while (harness.vision->pictures == 0) ASSERT_TRUE(harness.engine->Step(0));
  harness.vision->on_advance = nullptr;
  EXPECT_GE(grew, 20) << "after nearly each of " << kFakeTileLayers * 6 << " layers";
  harness.Drain({text, seen});
}

TEST(Pictures, AStepOfNoTimeIsALayer) {
  Harness harness;
  const Job job = Seen({{1, 2, 0}});
  const auto request = harness.engine->Submit(job.prompt, job.pictures, job.options);
  for (int64_t layer = 1; layer <= kFakeTileLayers * 2; ++layer) {
    EXPECT_TRUE(harness.engine->Step(0));
    EXPECT_EQ(harness.vision->advances, layer);
    EXPECT_EQ(harness.control->steps, 0) << "its first token is a patch";
  }
  harness.Drain({request});
}

TEST(Pictures, CancelledAtAnyLayerThatRequestEndsAndNoOther) {
  const std::vector<Job> jobs = {Seen({{1, 2, 3}}), Seen({{2, 3, 3}}), Seen({{1, 2, 8}})};
  const std::vector<Answer> alone = Alone(jobs);
  int aborts = 0;
  for (int when = 0; when < 60; ++when) {
    for (size_t which = 0; which < 3; ++which) {
      Harness harness;
      harness.vision->tiles_at_once = when % 2 == 0 ? 1 : 4;
      std::vector<std::shared_ptr<Request>> requests;
      for (const Job& job : jobs) requests.push_back(harness.engine->Submit(job.prompt, job.pictures, job.options));
      for (int i = 0; i < when; ++i) harness.engine->Step(0);
      const bool over = requests[which]->finished();
      requests[which]->Cancel();
      const std::vector<Answer> answers = harness.Drain(requests);
      for (size_t i = 0; i < 3; ++i) {
        if (i != which) {
          EXPECT_TRUE(answers[i].SameAs(alone[i])) << when << ", " << i;
        }
      }
      if (!over) {
        EXPECT_EQ(answers[which].last.stop, StopReason::kCancelled);
      }
      harness.ExpectNoPagesHeld();
      aborts += static_cast<int>(harness.vision->aborts);
    }
  }
  EXPECT_GT(aborts, 5) << "some were in the tower";
}

TEST(Pictures, AnEncodingThatFailsEndsItsRequestAlone) {
  const std::vector<Job> jobs = {Seen({{1, 2, 3}}), Seen({{2, 3, 3}}), Greedy(Tokens(5, 40, 90), 9)};
  const std::vector<Answer> alone = Alone(jobs);
  Harness harness;
  harness.vision->fail = [&] { return harness.vision->pictures == 1 ? std::string("the tower fell") : std::string(); };
  const std::vector<Answer> answers = harness.RunAll(jobs);
  EXPECT_EQ(answers[0].last.stop, StopReason::kError);
  EXPECT_EQ(answers[0].last.status, static_cast<int>(ErrorCode::kDevice));
  EXPECT_EQ(answers[0].last.message, "the tower fell");
  EXPECT_TRUE(answers[1].SameAs(alone[1]));
  EXPECT_TRUE(answers[2].SameAs(alone[2]));
  harness.ExpectNoPagesHeld();
}

TEST(Pictures, AStepThatFailsIsRepeatedWithThem) {
  const std::vector<Job> jobs = Jobs();
  const std::vector<Answer> alone = Alone(jobs);
  Harness harness;
  int steps = 0;
  harness.control->fail = [&](const StepPlan& plan) {
    return plan.sequences() > 1 && ++steps % 2 == 0 ? std::string("a step broke") : std::string();
  };
  const std::vector<Answer> answers = harness.RunAll(jobs);
  for (size_t i = 0; i < jobs.size(); ++i) EXPECT_TRUE(answers[i].SameAs(alone[i])) << i;
  EXPECT_GT(steps, 3);
}

TEST(Pictures, RequestsThatGiveUpTheirPagesAnswerTheSame) {
  const std::vector<Job> jobs = Jobs();
  std::vector<Job> longer = jobs;
  for (Job& job : longer) job.options.max_tokens = 40;
  const std::vector<Answer> alone = Alone(longer);
  FakeOptions fake;
  fake.global_pages = 28;  // the longest needs 26
  fake.local_pages = 14;
  EngineOptions options;
  options.step_rows = 16;
  options.decode_step_rows = 12;
  options.picture_cache_bytes = 0;
  Harness harness(fake, options);
  const std::vector<Answer> answers = harness.RunAll(longer);
  for (size_t i = 0; i < jobs.size(); ++i) EXPECT_TRUE(answers[i].SameAs(alone[i])) << i;
  EXPECT_GT(harness.engine->Stats().preemptions, 0);
  harness.ExpectNoPagesHeld();
}

TEST(Pictures, ScoresSeeThemToo) {
  const Job job = Seen({{1, 2, 3}});
  const auto score = [&](int32_t rows, bool pictures) {
    EngineOptions options;
    options.step_rows = options.decode_step_rows = rows;
    Harness harness({}, options);
    const auto request = harness.engine->SubmitScore(job.prompt, pictures ? job.pictures : std::vector<engine::Picture>{}, {});
    std::vector<float> logprobs;
    for (int rounds = 0; rounds < 1000; ++rounds) {
      harness.engine->Step(0);
      engine::ScoreBlock block;
      const Next next = harness.engine->NextBlock(*request, 0, block);
      if (next == Next::kDone) break;
      if (next == Next::kEvent) logprobs.insert(logprobs.end(), block.logprobs.begin(), block.logprobs.end());
    }
    EXPECT_EQ(logprobs.size(), job.prompt.size());
    if (!logprobs.empty()) logprobs[0] = 0;  // a NaN
    return logprobs;
  };
  const std::vector<float> whole = score(64, true);
  EXPECT_EQ(score(1, true), whole);
  EXPECT_EQ(score(5, true), whole);
  EXPECT_NE(score(64, false), whole);
}

TEST(Pictures, AreRefusedWhereTheyDoNotFitTheirPrompt) {
  Harness harness;
  const auto refusal = [&](const Job& job) {
    try {
      harness.engine->Submit(job.prompt, job.pictures, job.options);
    } catch (const Error& error) {
      return std::to_string(static_cast<int>(error.code())) + ": " + error.what();
    }
    return std::string("taken");
  };
  const auto starts = [](ErrorCode code) { return std::to_string(static_cast<int>(code)) + ": "; };
  const Job good = Seen({{1, 2, 3}, {2, 1, 3}});
  Job bad = good;
  bad.pictures[0].patches.pop_back();
  EXPECT_EQ(refusal(bad), starts(ErrorCode::kArgument) + "picture 0 has 4 patches in the prompt, its tiles become 8");
  bad = good;
  std::swap(bad.pictures[0], bad.pictures[1]);
  EXPECT_NE(refusal(bad).find("picture 1: 4 patches from token 3 on, must lie from token"), std::string::npos) << refusal(bad);
  bad = good;
  bad.pictures[1].patches[0].first = static_cast<int64_t>(bad.prompt.size()) - 3;
  EXPECT_NE(refusal(bad).find("patches from token"), std::string::npos);
  bad.pictures[1].patches[0].count = INT64_MAX;
  EXPECT_NE(refusal(bad).find("patches from token"), std::string::npos);
  bad = good;
  bad.pictures[0].tiles = std::make_shared<std::vector<uint8_t>>(13);
  EXPECT_EQ(refusal(bad), starts(ErrorCode::kArgument) + "picture 0 has 13 bytes of tiles, must be a multiple of 12");
  bad.pictures[0].tiles = nullptr;
  EXPECT_NE(refusal(bad).find("0 bytes of tiles"), std::string::npos);
  bad = good;
  bad.pictures.assign(10000, good.pictures[0]);
  EXPECT_EQ(refusal(bad), starts(ErrorCode::kLimit) + "10000 pictures in a prompt, at most 1024");
  EXPECT_EQ(refusal(good), "taken");
  harness.engine = engine::MakeEngine(MakeFakeRunner({}, harness.control), harness.text, {}, 42, harness.engine->options());
  EXPECT_EQ(refusal(good), starts(ErrorCode::kUnsupported) + "the model sees no pictures: it was loaded without a vision tower");
}

TEST(Pictures, AnEngineThatEndsInTheMiddleOfOneLeavesNothing) {
  const auto vision = std::make_shared<FakeVisionControl>();
  for (int when = 0; when < 10; ++when) {  // before the first token
    Harness harness;
    harness.vision = vision;
    harness.Make(harness.engine->options());
    const Job job = Seen({{1, 2, 0}});
    const auto request = harness.engine->Submit(job.prompt, job.pictures, job.options);
    for (int i = 0; i < when; ++i) harness.engine->Step(0);
    harness.engine->Close();
    EXPECT_EQ(vision->alive, 0);
    EXPECT_EQ(harness.engine->NextEvent(*request, 0, harness.event), Next::kEvent);
    EXPECT_EQ(harness.event.stop, StopReason::kCancelled);
  }
  EXPECT_GT(vision->aborts, 5);
}

}  // namespace
}  // namespace scout::test
