// The promise of the default numerics: a request's tokens and logits are the same bytes whatever shares its batch, however its
// prompt is cut, whatever the threads and whether its prefix was cached. Through the public header, on ref and cpu.
#include <gtest/gtest.h>

#include <cstring>
#include <map>

#include "support/goldens.h"
#include "support/sanitized.h"
#include "support/user.h"

namespace {

constexpr int kRequests = 16;
constexpr int64_t kGenerated = 12;

struct Case {
  std::vector<int32_t> prompt;
  scout_request_options options;
};

// Sixteen requests of different lengths and samplers; some begin alike, so that prefixes are shared.
std::vector<Case> Cases(int64_t vocabulary) {
  std::vector<Case> cases;
  uint64_t state = 7;
  auto next = [&] { return static_cast<int32_t>((state = state * 6364136223846793005u + 1442695040888963407u) >> 33); };
  std::vector<int32_t> common(40);
  for (int32_t& id : common) id = static_cast<int32_t>(next() % vocabulary);
  for (int i = 0; i < kRequests; ++i) {
    Case c;
    if (i % 3 == 0) c.prompt.assign(common.begin(), common.begin() + 20 + i);
    const int length = 1 + next() % 60;
    for (int j = 0; j < length; ++j) c.prompt.push_back(static_cast<int32_t>(next() % vocabulary));
    c.options = user::RequestOptions();
    c.options.max_tokens = kGenerated;
    c.options.ignore_end = 1;
    c.options.logprobs = 1;
    c.options.top_logprobs = 20;
    c.options.seed = static_cast<uint64_t>(100 + i);
    switch (i % 5) {
      case 1:
        c.options.temperature = 0.8f;
        break;
      case 2:
        c.options.temperature = 1.2f, c.options.top_k = 7;
        break;
      case 3:
        c.options.temperature = 1.0f, c.options.top_p = 0.7f, c.options.frequency_penalty = 0.5f;
        break;
      case 4:
        c.options.temperature = 0.7f, c.options.min_p = 0.05f, c.options.repetition_penalty = 1.3f,
        c.options.presence_penalty = 0.2f;
        break;
      default:
        break;
    }
    cases.push_back(c);
  }
  return cases;
}

void ExpectSame(const user::Answer& got, const user::Answer& want, const std::string& what) {
  EXPECT_EQ(got.ids, want.ids) << what;
  EXPECT_EQ(got.top_ids, want.top_ids) << what;
  ASSERT_EQ(got.logprobs.size(), want.logprobs.size()) << what;
  EXPECT_EQ(std::memcmp(got.logprobs.data(), want.logprobs.data(), want.logprobs.size() * sizeof(float)), 0) << what;
  ASSERT_EQ(got.top_logprobs.size(), want.top_logprobs.size()) << what;
  EXPECT_EQ(std::memcmp(got.top_logprobs.data(), want.top_logprobs.data(), want.top_logprobs.size() * sizeof(float)), 0) << what;
}

void RunDevice(const char* device, const std::string& path, int32_t kv_format, const std::vector<int>& step_rows) {
  std::vector<user::Answer> alone;
  std::vector<std::vector<float>> logits;
  for (const int threads : {1, 2}) {
    const user::Model model = user::Load(path, device, threads, kv_format);
    ASSERT_NE(model, nullptr);
    scout_model_info info = {};
    info.struct_size = sizeof info;
    ASSERT_EQ(scout_model_get_info(model.get(), &info), SCOUT_OK);
    const std::vector<Case> cases = Cases(info.vocabulary);
    if (alone.empty()) {  // the truth: each alone, its prompt in one piece
      scout_engine_options options = user::EngineOptions();
      options.no_prefix_cache = 1;
      const user::Engine engine = user::NewEngine(model, options);
      for (const Case& c : cases) {
        alone.push_back(user::Read(user::Submit(engine, c.prompt, c.options).get()));
        ASSERT_EQ(alone.back().ids.size(), static_cast<size_t>(kGenerated));
        logits.push_back(user::Logits(engine, c.prompt));
      }
    }
    for (const int rows : step_rows) {
      scout_engine_options options = user::EngineOptions();
      options.step_rows = rows;
      options.decode_step_rows = rows;
      const user::Engine engine = user::NewEngine(model, options);
      for (const bool again : {false, true}) {  // the second time the prefix cache is warm
        std::vector<user::Request> requests;
        for (const Case& c : cases) requests.push_back(user::Submit(engine, c.prompt, c.options));
        for (size_t i = 0; i < requests.size(); ++i)
          ExpectSame(user::Read(requests[i].get()), alone[i],
                     std::string(device) + ", request " + std::to_string(i) + ", " + std::to_string(rows) + " rows, " +
                         std::to_string(threads) + " threads" + (again ? ", cached" : ""));
      }
      for (size_t i = 0; i < cases.size(); i += 5) {
        const std::vector<float> got = user::Logits(engine, cases[i].prompt);
        ASSERT_EQ(got.size(), logits[i].size());
        EXPECT_EQ(std::memcmp(got.data(), logits[i].data(), got.size() * sizeof(float)), 0)
            << device << " logits of request " << i << ", " << rows;
      }
    }
  }
}

// Every golden directory has its own mixture of layers; GGUF where there is one.
std::map<std::string, std::string> Models() {
  std::map<std::string, std::string> models;
  for (const goldens::Golden& golden : goldens::All(SCOUT_SOURCE_DIR "/tests/fixtures/goldens"))
    models[golden.directory] = golden.container;
  return models;
}

// `ref` is slow, and under sanitizers slower still: there one model, whose requests meet in the same steps or do not.
TEST(BitEquality, SixteenRequestsTogetherAreEachAloneOnRef) {
  int count = 0;
  for (const auto& [name, path] : Models()) {
    SCOPED_TRACE(name);
    RunDevice("ref", path, SCOUT_KV_F16, scout::test::kSanitized ? std::vector{7, 512} : std::vector{1, 7, 64, 512});
    if (++count == (scout::test::kSanitized ? 1 : 3)) break;
  }
}

TEST(BitEquality, SixteenRequestsTogetherAreEachAloneOnCpu) {
  for (const auto& [name, path] : Models()) {
    SCOPED_TRACE(name);
    RunDevice("cpu", path, SCOUT_KV_F16, {1, 7, 64, 512});
  }
}

}  // namespace
