// The host's sampler: golden vectors, exactness against a sampler over the whole sorted row, and the distributions it draws from.
#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "base/math.h"
#include "engine/philox.h"

namespace scout::engine {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// A device: what Describe asks for, of one row.
SampleResult Bring(const SampleRow& row, const std::vector<float>& logits) {
  SampleResult result;
  const auto lse = [](const std::vector<float>& l, double temperature) {
    const double best = *std::max_element(l.begin(), l.end());
    double sum = 0;
    for (const float x : l) sum += std::exp((x - best) / temperature);
    return static_cast<float>(best / temperature + std::log(sum));
  };
  const auto best = [](const std::vector<float>& l, int32_t count, std::vector<int32_t>& ids, std::vector<float>& values) {
    std::vector<int32_t> order(l.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return l[a] > l[b]; });
    for (int32_t i = 0; i < count && i < static_cast<int32_t>(l.size()); ++i) {
      ids.push_back(order[i]);
      values.push_back(l[order[i]]);
    }
  };
  result.lse = lse(logits, 1);
  best(logits, row.top, result.top_id, result.top_logit);
  std::vector<float> edited = logits;
  for (const LogitEdit& e : row.edits) {
    float& l = edited[e.id];
    l = (l > 0 ? l / e.repetition : l * e.repetition) + e.add;
  }
  result.edited_lse = lse(edited, row.temperature);
  best(edited, row.candidates, result.candidate_id, result.candidate_logit);
  return result;
}

struct Drawn {
  int32_t token;
  int rows_read;
};

Drawn Draw(const Sampling& sampling, const std::vector<float>& logits, int64_t position, std::vector<int32_t> prompt = {},
           std::vector<int32_t> answer = {}) {
  Sampler sampler(sampling, prompt, static_cast<int64_t>(logits.size()));
  for (const int32_t token : answer) sampler.Accept(token);
  SampleRow row;
  sampler.Describe(row);
  const SampleResult result = Bring(row, logits);
  SamplerScratch scratch;
  int rows_read = 0;
  const int32_t token = sampler.Pick(
      result, position,
      [&](std::span<float> out) {
        ++rows_read;
        std::copy(logits.begin(), logits.end(), out.begin());
      },
      scratch);
  return {token, rows_read};
}

// The definition, over the whole row: the kept tokens, best first, and their mass in float64.
std::vector<std::pair<int32_t, double>> Kept(const Sampling& s, const std::vector<float>& logits) {
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
  std::vector<std::pair<int32_t, double>> kept;
  double total = 0;
  for (size_t i = 0; i < order.size() && (s.top_k == 0 || i < static_cast<size_t>(s.top_k)); ++i) {
    const double w = std::exp((static_cast<double>(logits[order[i]]) - logits[order[0]]) / s.temperature);
    kept.push_back({order[i], w});
    total += w;
  }
  double before = 0;
  size_t n = 0;
  while (n < kept.size() && before <= static_cast<double>(s.top_p) * total && kept[n].second >= s.min_p) before += kept[n++].second;
  if (s.top_p < 1 || s.min_p > 0) kept.resize(n);
  double mass = 0;
  for (const auto& [id, w] : kept) mass += w;
  for (auto& [id, w] : kept) w /= mass;
  return kept;
}

std::vector<float> Logits(uint64_t seed, int n, float spread) {
  std::vector<float> logits;
  for (int i = 0; i < n; ++i) logits.push_back(static_cast<float>(UniformAt(seed, 77, static_cast<uint64_t>(i))) * spread);
  return logits;
}

TEST(Philox, AgreesWithThePublishedVectors) {
  using Words = std::array<uint32_t, 4>;
  EXPECT_EQ(Philox({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, TheUniformNumberOfAPositionIsFixedForEver) {
  // From the first vector above: (0x6627e8d5 >> 5) * 2^26 + (0xe169c58d >> 6), over 2^53.
  EXPECT_EQ(UniformAt(0, 0, 0), (static_cast<double>(0x6627e8d5u >> 5) * 67108864.0 + (0xe169c58du >> 6)) / 9007199254740992.0);
  // Every part of the key counts.
  EXPECT_NE(UniformAt(0, 0, 0), UniformAt(1, 0, 0));
  EXPECT_NE(UniformAt(0, 0, 0), UniformAt(1ull << 32, 0, 0));
  EXPECT_NE(UniformAt(0, 0, 0), UniformAt(0, 1, 0));
  EXPECT_NE(UniformAt(0, 0, 0), UniformAt(0, 0, 1));
  EXPECT_NE(UniformAt(0, 0, 0), UniformAt(0, 0, 1ull << 32));
}

TEST(Philox, UniformNumbersFillTheirIntervalEvenly) {
  std::vector<int> bins(64, 0);
  const int n = 64000;
  for (int i = 0; i < n; ++i) {
    const double u = UniformAt(12345, 0, static_cast<uint64_t>(i));
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    ++bins[static_cast<size_t>(u * 64)];
  }
  double chi2 = 0;
  for (const int count : bins) chi2 += (count - 1000.0) * (count - 1000.0) / 1000.0;
  EXPECT_LT(chi2, 63 + 4 * std::sqrt(2 * 63.0)) << "63 degrees of freedom, four standard deviations";
}

TEST(Sampler, GreedyTakesTheBestAndTheLowerIdOfEquals) {
  EXPECT_EQ(Draw({}, {1, 5, 3, 5, 2}, 0).token, 1);
  Sampling cold;
  cold.temperature = 1e-5f;
  EXPECT_EQ(Draw(cold, {1, 5, 3, 5, 2}, 0).token, 1);
}

TEST(Sampler, BiasAndPenaltiesActBeforeTheChoice) {
  Sampling s;
  s.logit_bias = {{0, 10.0f}};
  EXPECT_EQ(Draw(s, {1, 5, 3}, 0).token, 0);
  s.logit_bias = {{1, -kInfinity}};
  EXPECT_EQ(Draw(s, {1, 5, 3}, 0).token, 2);
  s.logit_bias = {{1, -1.5f}, {1, -1.5f}};
  EXPECT_EQ(Draw(s, {1, 5, 3}, 0).token, 2) << "entries of one id add up";
  s = {};
  s.repetition_penalty = 2;
  EXPECT_EQ(Draw(s, {1, 5, 3}, 0, {1}).token, 2) << "5 / 2 < 3";
  EXPECT_EQ(Draw(s, {-1, -5, -1.5f}, 0, {0}).token, 2) << "-1 * 2 < -1.5";
  s = {};
  s.frequency_penalty = 0.75f;
  EXPECT_EQ(Draw(s, {1, 5, 3}, 0, {1, 1, 1, 1}).token, 1) << "the prompt does not count";
  EXPECT_EQ(Draw(s, {1, 5, 3}, 0, {}, {1, 1}).token, 1);
  EXPECT_EQ(Draw(s, {1, 5, 3}, 0, {}, {1, 1, 1}).token, 2) << "5 - 3 * 0.75 < 3";
  s = {};
  s.presence_penalty = 2.5f;
  EXPECT_EQ(Draw(s, {1, 5, 3}, 0, {}, {1, 1, 1}).token, 2);
  EXPECT_EQ(Draw(s, {1, 5, 2}, 0, {}, {1, 1, 1}).token, 1) << "once, however often it came";
}

TEST(Sampler, NoTokenIsLeftWhenAllAreForbidden) {
  Sampling s;
  for (int32_t id = 0; id < 4; ++id) s.logit_bias.push_back({id, -kInfinity});
  EXPECT_EQ(Draw(s, {1, 2, 3, 4}, 0).token, -1);
  s.temperature = 1;
  EXPECT_EQ(Draw(s, {1, 2, 3, 4}, 0).token, -1);
}

TEST(Sampler, ForbiddenTokensAreNeverDrawn) {
  Sampling s;
  s.temperature = 5;
  for (int32_t id = 0; id < 300; ++id) {
    if (id != 7 && id != 250) s.logit_bias.push_back({id, -kInfinity});
  }
  const std::vector<float> logits = Logits(3, 300, 4);
  std::map<int32_t, int> seen;
  for (int64_t position = 0; position < 200; ++position) ++seen[Draw(s, logits, position).token];
  EXPECT_EQ(seen.size(), 2u);
  EXPECT_TRUE(seen.count(7) == 1 && seen.count(250) == 1);
}

TEST(Sampler, GoldenTokens) {
  // Changes here change every seeded answer that anyone has kept.
  const std::vector<float> logits = Logits(1, 1000, 8);
  const auto run = [&](Sampling s) {
    s.seed = 99;
    std::vector<int32_t> tokens;
    for (int64_t position = 0; position < 8; ++position) tokens.push_back(Draw(s, logits, position).token);
    return tokens;
  };
  Sampling plain, top_k, top_p, min_p;
  plain.temperature = 1;
  top_k.temperature = 0.7f;
  top_k.top_k = 20;
  top_p.temperature = 0.6f;
  top_p.top_p = 0.9f;
  min_p.temperature = 1.5f;
  min_p.min_p = 0.3f;
  EXPECT_EQ(run(plain), (std::vector<int32_t>{589, 331, 395, 531, 901, 350, 8, 705}));
  EXPECT_EQ(run(top_k), (std::vector<int32_t>{752, 912, 175, 912, 224, 336, 447, 110}));
  EXPECT_EQ(run(top_p), (std::vector<int32_t>{196, 753, 211, 333, 383, 659, 135, 912}));
  EXPECT_EQ(run(min_p), (std::vector<int32_t>{470, 811, 215, 982, 901, 165, 27, 886}));
}

TEST(Sampler, TheNucleusDropsTokensWhosePrecedingMassExceedsP) {
  // Masses 0.5, 0.25, 0.125, 0.125.
  const std::vector<float> logits = {std::log(4.0f), std::log(2.0f), 0, 0};
  const auto drawn = [&](float top_p) {
    Sampling s;
    s.temperature = 1;
    s.top_p = top_p;
    std::map<int32_t, int> seen;
    for (int64_t position = 0; position < 400; ++position) ++seen[Draw(s, logits, position).token];
    return seen.size();
  };
  EXPECT_EQ(drawn(0), 1u) << "the best one always stays";
  EXPECT_EQ(drawn(0.45f), 1u);
  EXPECT_EQ(drawn(0.55f), 2u);
  EXPECT_EQ(drawn(0.7f), 2u);
  EXPECT_EQ(drawn(0.8f), 3u);
  EXPECT_EQ(drawn(0.9f), 4u);
}

// Draws many tokens and compares how often each came with what the definition says.
void ExpectDistribution(const Sampling& base, const std::vector<float>& logits, int draws, bool reads_rows) {
  const auto kept = Kept(base, logits);
  std::map<int32_t, int> seen;
  int rows_read = 0;
  SamplerScratch scratch;
  const ReadRow read = [&](std::span<float> out) {
    ++rows_read;
    std::copy(logits.begin(), logits.end(), out.begin());
  };
  for (uint64_t seed = 0; seed < 4; ++seed) {
    Sampling s = base;
    s.seed = seed;
    const Sampler sampler(s, {}, static_cast<int64_t>(logits.size()));
    SampleRow row;
    sampler.Describe(row);
    const SampleResult result = Bring(row, logits);
    for (int i = 0; i < draws / 4; ++i) ++seen[sampler.Pick(result, i, read, scratch)];
  }
  EXPECT_EQ(rows_read > 0, reads_rows);
  // Tokens with fewer than five expected draws share a bin, as the chi-square approximation wants.
  double chi2 = 0, rest_expected = 0;
  int bins = 0, rest_seen = 0;
  for (const auto& [id, p] : kept) {
    const double expected = p * draws;
    const int count = seen.count(id) ? seen[id] : 0;
    seen.erase(id);
    if (expected < 5) {
      rest_expected += expected;
      rest_seen += count;
      continue;
    }
    chi2 += (count - expected) * (count - expected) / expected;
    ++bins;
  }
  EXPECT_TRUE(seen.empty()) << "a token was drawn that should have been dropped: " << seen.begin()->first;
  if (rest_expected >= 5) {
    chi2 += (rest_seen - rest_expected) * (rest_seen - rest_expected) / rest_expected;
    ++bins;
  }
  ASSERT_GT(bins, 1);
  EXPECT_LT(chi2, bins - 1 + 4 * std::sqrt(2.0 * (bins - 1))) << bins << " bins, four standard deviations";
}

TEST(Sampler, DrawsFromTheDefinedDistributions) {
  const std::vector<float> sharp = Logits(4, 500, 14), flat = Logits(5, 500, 2), few = Logits(6, 50, 3);
  Sampling s;
  s.temperature = 1;
  ExpectDistribution(s, few, 20000, false);
  ExpectDistribution(s, flat, 6000, true);  // the mass of 128 candidates is not enough
  s.temperature = 0.3f;
  ExpectDistribution(s, sharp, 12000, false);
  s.temperature = 1.2f;
  s.top_k = 30;
  ExpectDistribution(s, flat, 20000, false);
  s.top_k = 300;
  ExpectDistribution(s, flat, 6000, true);
  s.top_p = 0.7f;
  ExpectDistribution(s, flat, 6000, true);
  s = {};
  s.temperature = 0.8f;
  s.top_p = 0.9f;
  ExpectDistribution(s, sharp, 12000, false);
  ExpectDistribution(s, flat, 6000, true);
  s = {};
  s.temperature = 1;
  s.min_p = 0.5f;
  ExpectDistribution(s, flat, 6000, true);
  ExpectDistribution(s, few, 20000, false);
  s.top_k = 12;
  s.top_p = 0.8f;
  ExpectDistribution(s, few, 20000, false);
}

TEST(Sampler, HowManyCandidatesTheDeviceBringsChangesNoToken) {
  // Flat enough that the total comes from the log-sum-exp in both cases: what is left beyond 2,000 candidates still matters.
  int rows_read = 0;
  for (uint64_t seed = 0; seed < 24; ++seed) {
    const std::vector<float> logits = Logits(seed, 5000, 2 + static_cast<float>(seed % 6));
    Sampling s;
    s.temperature = 0.6f + 0.1f * static_cast<float>(seed % 8);
    s.seed = seed;
    if (seed % 3 == 1) s.top_p = 0.85f;
    if (seed % 3 == 2) s.min_p = 0.02f;
    if (seed % 4 == 3) s.top_k = 60 + static_cast<int32_t>(seed) * 10;
    const Sampler sampler(s, {}, 5000);
    SampleRow row;
    sampler.Describe(row);
    const SampleResult few = Bring(row, logits);
    row.candidates = 2000;
    const SampleResult many = Bring(row, logits);
    SamplerScratch scratch;
    const ReadRow read = [&](std::span<float> out) {
      ++rows_read;
      std::copy(logits.begin(), logits.end(), out.begin());
    };
    for (int64_t position = 0; position < 40; ++position)
      EXPECT_EQ(sampler.Pick(few, position, read, scratch), sampler.Pick(many, position, read, scratch)) << seed << " " << position;
  }
  EXPECT_GT(rows_read, 100);
}

TEST(Sampler, KnowsWhichLogitsAreTheModelsOwn) {
  Sampling s;
  s.temperature = 1;
  s.logprobs = true;
  s.top_logprobs = 1;
  s.logit_bias = {{0, 9.0f}, {1, 1.0f}};
  Sampler sampler(s, {}, 4);
  SampleRow row;
  sampler.Describe(row);
  const SampleResult result = Bring(row, {1, 7, 3, 2});
  float logit = 0;
  EXPECT_TRUE(sampler.OwnLogit(result, 1, logit)) << "edited, but among the top";
  EXPECT_EQ(logit, 7);
  EXPECT_TRUE(sampler.OwnLogit(result, 2, logit)) << "a candidate without an edit";
  EXPECT_EQ(logit, 3);
  EXPECT_FALSE(sampler.OwnLogit(result, 0, logit)) << "edited, and not among the top";
}

TEST(Sampler, RefusesOptionsOutOfRange) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto refused = [](auto change) {
    Sampling s;
    change(s);
    try {
      CheckSampling(s, 100);
    } catch (const Error& error) {
      return error.code() == ErrorCode::kArgument;
    }
    return false;
  };
  EXPECT_FALSE(refused([](Sampling&) {}));
  for (const float bad : {nan, -1.0f, kInfinity}) {
    EXPECT_TRUE(refused([&](Sampling& s) { s.temperature = bad; }));
    EXPECT_TRUE(refused([&](Sampling& s) { s.top_p = bad; }));
    EXPECT_TRUE(refused([&](Sampling& s) { s.min_p = bad; }));
    EXPECT_TRUE(refused([&](Sampling& s) { s.repetition_penalty = bad; }));
  }
  EXPECT_TRUE(refused([](Sampling& s) { s.top_p = 2; }));
  EXPECT_TRUE(refused([](Sampling& s) { s.top_k = -1; }));
  EXPECT_TRUE(refused([](Sampling& s) { s.repetition_penalty = 0; }));
  EXPECT_TRUE(refused([&](Sampling& s) { s.frequency_penalty = nan; }));
  EXPECT_TRUE(refused([](Sampling& s) { s.presence_penalty = kInfinity; }));
  EXPECT_TRUE(refused([](Sampling& s) { s.top_logprobs = 21; }));
  EXPECT_TRUE(refused([](Sampling& s) { s.top_logprobs = -1; }));
  EXPECT_TRUE(refused([](Sampling& s) { s.logit_bias = {{100, 1.0f}}; }));
  EXPECT_TRUE(refused([](Sampling& s) { s.logit_bias = {{-1, 1.0f}}; }));
  EXPECT_TRUE(refused([&](Sampling& s) { s.logit_bias = {{1, nan}}; }));
  EXPECT_TRUE(refused([](Sampling& s) { s.logit_bias = {{1, kInfinity}}; }));
  EXPECT_FALSE(refused([](Sampling& s) { s.logit_bias = {{1, -kInfinity}}; }));
  EXPECT_FALSE(refused([](Sampling& s) { s.seed = ~0ull; }));
}

}  // namespace
}  // namespace scout::engine
