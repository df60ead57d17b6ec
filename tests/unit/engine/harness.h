// An engine over the fake runner, and requests run to their ends.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/core.h"
#include "engine/engine.h"
#include "support/fake_runner.h"

namespace scout::test {

using engine::Engine;
using engine::EngineOptions;
using engine::EngineStats;
using engine::Event;
using engine::Mode;
using engine::Next;
using engine::Request;
using engine::RequestOptions;
using engine::StopReason;

struct Answer {
  std::vector<int32_t> ids;
  std::string text;
  std::vector<float> logprobs;
  std::vector<int32_t> top_ids;
  std::vector<float> top_logprobs;
  Event last;  // the event with the stop reason
  int events = 0;

  // All that must not depend on anything but the request.
  bool SameAs(const Answer& other) const {
    return ids == other.ids && text == other.text && logprobs == other.logprobs && top_ids == other.top_ids &&
           top_logprobs == other.top_logprobs && last.stop == other.last.stop && last.status == other.last.status &&
           last.message == other.last.message;
  }
};

struct Job {
  std::vector<int32_t> prompt;
  RequestOptions options;
  std::vector<engine::Picture> pictures;
};

inline void Add(Answer& answer, const Event& event) {
  EXPECT_EQ(answer.last.stop, StopReason::kNone) << "an event after the last one";
  ++answer.events;
  answer.text += event.text;
  answer.ids.insert(answer.ids.end(), event.ids.begin(), event.ids.end());
  answer.logprobs.insert(answer.logprobs.end(), event.logprobs.begin(), event.logprobs.end());
  answer.top_ids.insert(answer.top_ids.end(), event.top_ids.begin(), event.top_ids.end());
  answer.top_logprobs.insert(answer.top_logprobs.end(), event.top_logprobs.begin(), event.top_logprobs.end());
  if (event.stop != StopReason::kNone) answer.last = event;
}

class Harness {
 public:
  explicit Harness(const FakeOptions& fake = {}, EngineOptions options = {}) : fake_(fake) {
    options.mode = Mode::kStepped;
    options.check_invariants = true;
    text = std::make_shared<FakeText>(
        fake.vocabulary, [](int32_t id) { return " w" + std::to_string(id); }, static_cast<int32_t>(fake.vocabulary));
    Make(options);
  }
  void Make(const EngineOptions& options) {
    engine = engine::MakeEngine(MakeFakeRunner(fake_, control), text, stop_tokens, 42, options, MakeFakeVision(vision));
  }
  ~Harness() {
    EXPECT_EQ(control->complaints, std::vector<std::string>());
    EXPECT_EQ(vision->complaints, std::vector<std::string>());
  }

  // Runs everything to its end; answers in the order of submission.
  std::vector<Answer> RunAll(const std::vector<Job>& jobs) {
    std::vector<std::shared_ptr<Request>> requests;
    for (const Job& job : jobs) {
      requests.push_back(engine->Submit(job.prompt, job.pictures, job.options));
      EXPECT_NE(requests.back(), nullptr);
    }
    return Drain(requests);
  }
  std::vector<Answer> Drain(const std::vector<std::shared_ptr<Request>>& requests) {
    std::vector<Answer> answers(requests.size());
    for (int rounds = 0; rounds < 100000; ++rounds) {
      const bool more = engine->Step(0);
      bool done = true;
      for (size_t i = 0; i < requests.size(); ++i) {
        while (engine->NextEvent(*requests[i], 0, event) == Next::kEvent) Add(answers[i], event);
        done = done && answers[i].last.stop != StopReason::kNone;
      }
      if (done) return answers;
      if (!more && !engine->Step(0)) {
        if (++idle_ > 3) break;
      } else {
        idle_ = 0;
      }
    }
    ADD_FAILURE() << "the requests do not come to an end";
    return answers;
  }
  Answer Run(const Job& job) { return RunAll({job})[0]; }
  // Steps to the end without reading.
  void StepAll() {
    while (engine->Step(-1)) {
    }
  }
  void ExpectNoPagesHeld() {
    engine->Step(0);
    const EngineStats stats = engine->Stats();
    EXPECT_EQ(stats.pages_used[0], 0);
    EXPECT_EQ(stats.pages_used[1], 0);
    EXPECT_EQ(stats.waiting, 0);
    EXPECT_EQ(stats.running, 0);
  }

  std::shared_ptr<FakeControl> control = std::make_shared<FakeControl>();
  std::shared_ptr<FakeVisionControl> vision = std::make_shared<FakeVisionControl>();
  std::shared_ptr<const engine::TokenText> text;
  std::vector<int32_t> stop_tokens;
  std::shared_ptr<Engine> engine;
  Event event;

 private:
  FakeOptions fake_;
  int idle_ = 0;
};

// Seeded numbers without a standard library's choices in between.
class Numbers {
 public:
  explicit Numbers(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 1) {}
  uint64_t Next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_ * 0x2545f4914f6cdd1du;
  }
  int64_t Below(int64_t n) { return static_cast<int64_t>((Next() >> 11) % static_cast<uint64_t>(n)); }

 private:
  uint64_t state_;
};

inline std::vector<int32_t> Tokens(uint64_t seed, int64_t count, int64_t vocabulary = 97) {
  Numbers numbers(seed);
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < count; ++i) tokens.push_back(static_cast<int32_t>(numbers.Below(vocabulary)));
  return tokens;
}

inline Job Greedy(std::vector<int32_t> prompt, int64_t max_tokens) {
  Job job;
  job.prompt = std::move(prompt);
  job.options.max_tokens = max_tokens;
  return job;
}

}  // namespace scout::test
