// One step allocates nothing after warm-up. Counted: every call of operator new in the process, between two points on the one
// thread that there is (stepped mode), around Step and around reading the events into one Event that is used again. The fake runner
// allocates nothing itself, so what is counted is the engine's.
#include <atomic>
#include <cstdlib>
#include <new>

#include "harness.h"

namespace {
std::atomic<int64_t> allocations{0};

void* Counted(size_t size) {
  ++allocations;
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
}  // namespace

void* operator new(size_t size) { return Counted(size); }
void* operator new[](size_t size) { return Counted(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }

namespace scout::test {
namespace {

// Runs `jobs` for `warm_up` steps, then counts over `steps` more.
int64_t Count(const std::vector<Job>& jobs, int warm_up, int steps, const EngineOptions& base = {}) {
  FakeOptions fake;
  fake.global_pages = 4000;
  EngineOptions options = base;
  Harness harness(fake);
  options.mode = Mode::kStepped;
  harness.Make(options);
  std::vector<std::shared_ptr<Request>> requests;
  for (const Job& job : jobs) requests.push_back(harness.engine->Submit(job.prompt, job.options));
  const auto run = [&](int count) {
    const int64_t until = harness.control->steps + count;
    while (harness.control->steps < until && harness.engine->Step(0)) {
      while (harness.engine->NextEvent(0, harness.event, nullptr) == Next::kEvent) EXPECT_EQ(harness.event.stop, StopReason::kNone);
    }
  };
  run(warm_up);
  const EngineStats before = harness.engine->Stats();
  const int64_t counted_before = allocations;
  run(steps);
  const int64_t counted = allocations - counted_before;
  EXPECT_EQ(harness.engine->Stats().steps - before.steps, steps) << "all of them ran";
  return counted;
}

TEST(Allocation, TheCounterCounts) {
  const int64_t before = allocations;
  delete new int(3);
  EXPECT_EQ(allocations, before + 1);
}

TEST(Allocation, SteadyDecodingAllocatesNothing) {
  std::vector<Job> jobs;
  for (uint64_t i = 0; i < 8; ++i) jobs.push_back(Greedy(Tokens(i, 10 + static_cast<int64_t>(i)), 2000));
  // Two hundred steps: dozens of pages fill, are named, pass their chunk and are used again.
  EXPECT_EQ(Count(jobs, 300, 200), 0);
}

TEST(Allocation, EverySamplerDecodesWithoutAllocating) {
  std::vector<Job> jobs;
  for (uint64_t i = 0; i < 8; ++i) {
    Job job = Greedy(Tokens(i, 10 + static_cast<int64_t>(i)), 2000);
    engine::Sampling& s = job.options.sampling;
    s.temperature = 1;
    s.seed = i;
    if (i % 2 == 1) s.top_p = 0.9f;
    if (i % 4 == 2) s.top_k = 20;
    if (i % 4 == 3) s.repetition_penalty = 1.2f, s.frequency_penalty = 0.1f;
    s.logprobs = i % 3 == 0;
    s.top_logprobs = i % 3 == 0 ? 5 : 0;
    job.options.stop = {"never said", "w1 nor this"};
    jobs.push_back(job);
  }
  // The warm-up lets every token of the small vocabulary come once: a new one makes the penalties' list longer.
  EXPECT_EQ(Count(jobs, 900, 200), 0);
}

TEST(Allocation, PromptsInPiecesAllocateNothing) {
  EngineOptions options;
  options.decode_step_rows = 8;
  std::vector<Job> jobs;
  jobs.push_back(Greedy(Tokens(1, 10), 3000));
  jobs.push_back(Greedy(Tokens(2, 3000), 5));
  EXPECT_EQ(Count(jobs, 100, 200, options), 0);
}

}  // namespace
}  // namespace scout::test
