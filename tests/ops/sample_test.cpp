#include <algorithm>
#include <cmath>

#include "op_test.h"

namespace scout {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<std::unique_ptr<Backend>> AllBackends() {
  std::vector<std::unique_ptr<Backend>> backends;
  backends.push_back(MakeRef(Numerics::kInvariant));
  for (const std::string& isa : Isas()) {
    backends.push_back(MakeCpu(isa, 1));
    backends.push_back(MakeCpu(isa, 3));
  }
  return backends;
}

std::vector<SampleResult> RunSample(Backend& backend, const std::vector<float>& logits, int64_t rows,
                                    std::span<const SampleRow> wanted) {
  const Rows in(backend, rows, static_cast<int64_t>(logits.size()) / rows, logits);
  std::vector<SampleResult> results(wanted.size());
  RunStep(backend, PlainPlan(rows), [&] { backend.Sample({in.act(), wanted}, results); });
  EXPECT_TRUE(in.GuardsIntact());
  EXPECT_TRUE(SameBits(logits, in.Read()));
  return results;
}

double LogSumExp(const std::vector<double>& values) {
  const double max = *std::max_element(values.begin(), values.end());
  double sum = 0;
  for (const double v : values) sum += std::exp(v - max);
  return max + std::log(sum);
}

TEST(Sample, GivesTheBestAndTheLogSumExps) {
  for (const int64_t vocabulary : {1, 30, 4096, 10007}) {
    const int64_t rows = 3;
    auto logits = Random(1).Values(rows * vocabulary);
    for (float& l : logits) l = std::round(l * 8) / 4;  // many ties
    const auto v = static_cast<size_t>(vocabulary);
    std::vector<LogitEdit> edits;
    for (int32_t id = 0; id < vocabulary; id += 5) edits.push_back({id, 1.3f, id % 2 ? -1.0f : (id % 4 ? 0.5f : -kInfinity)});
    std::vector<uint64_t> allowed((v + 63) / 64);
    Random random(2);
    for (uint64_t& word : allowed) word = random.Bits() | 2;
    allowed[0] |= 2;
    std::vector<SampleRow> wanted = {{2, 5, 7, static_cast<int32_t>(vocabulary - 1), 0.7f, edits, allowed},
                                     {0, 20, 3000, -1, 1.0f, {}, {}},
                                     {1, 0, 20, 0, 2.0f, edits, {}}};
    std::vector<SampleResult> reference;
    for (const auto& backend : AllBackends()) {
      const auto got = RunSample(*backend, logits, rows, wanted);
      if (reference.empty()) reference = got;
      for (size_t i = 0; i < wanted.size(); ++i) {
        const SampleRow& row = wanted[i];
        const float* const l = logits.data() + static_cast<size_t>(row.row) * v;
        std::vector<float> edited(l, l + v);
        for (const LogitEdit& edit : row.edits) {
          float& logit = edited[static_cast<size_t>(edit.id)];
          logit = (logit > 0 ? logit / edit.repetition : logit * edit.repetition) + edit.add;
        }
        for (size_t id = 0; id < v && !row.allowed.empty(); ++id)
          if (!(row.allowed[id / 64] >> (id % 64) & 1)) edited[id] = -kInfinity;
        const auto best = [&](const float* values, int32_t count) {
          std::vector<int32_t> ids;
          for (size_t id = 0; id < v; ++id)
            if (values[id] > -kInfinity) ids.push_back(static_cast<int32_t>(id));
          std::stable_sort(ids.begin(), ids.end(), [&](int32_t a, int32_t b) { return values[a] > values[b]; });
          ids.resize(std::min(ids.size(), static_cast<size_t>(count)));
          return ids;
        };
        EXPECT_TRUE(got[i].finite);
        EXPECT_EQ(got[i].top_id, best(l, row.top)) << backend->Info().description << ", " << vocabulary;
        EXPECT_EQ(got[i].candidate_id, best(edited.data(), row.candidates)) << backend->Info().description << ", " << vocabulary;
        for (size_t j = 0; j < got[i].top_id.size(); ++j) EXPECT_EQ(got[i].top_logit[j], l[got[i].top_id[j]]);
        for (size_t j = 0; j < got[i].candidate_id.size(); ++j)
          EXPECT_EQ(got[i].candidate_logit[j], edited[got[i].candidate_id[j]]);
        if (row.target >= 0) {
          EXPECT_EQ(got[i].target_logit, l[row.target]);
        }
        EXPECT_NEAR(got[i].lse, LogSumExp({l, l + v}), 1e-5);
        std::vector<double> scaled;
        for (const float e : edited) scaled.push_back(static_cast<double>(e) / row.temperature);
        const double edited_lse = LogSumExp(scaled);
        if (std::isfinite(edited_lse)) {
          EXPECT_NEAR(got[i].edited_lse, edited_lse, 2e-5);
        }
        EXPECT_TRUE(SameBits({&reference[i].lse, 1}, {&got[i].lse, 1}));
        EXPECT_TRUE(SameBits({&reference[i].edited_lse, 1}, {&got[i].edited_lse, 1}));
      }
    }
  }
}

TEST(Sample, ANonFiniteLogitIsSeenWhereverItIs) {
  const int64_t vocabulary = 9001;
  const auto clean = Random(3).Values(vocabulary);
  const std::vector<SampleRow> wanted = {{0, 1, 1, -1, 1.0f, {}, {}}};
  for (const auto& backend : AllBackends()) {
    EXPECT_TRUE(RunSample(*backend, clean, 1, wanted)[0].finite);
    for (const int64_t at : {0, 15, 4095, 4096, 8999, 9000}) {
      for (const float bad : {std::numeric_limits<float>::quiet_NaN(), kInfinity}) {
        auto logits = clean;
        logits[static_cast<size_t>(at)] = bad;
        EXPECT_FALSE(RunSample(*backend, logits, 1, wanted)[0].finite) << at;
      }
      auto logits = clean;
      logits[static_cast<size_t>(at)] = -kInfinity;
      EXPECT_TRUE(RunSample(*backend, logits, 1, wanted)[0].finite) << "-infinity is a logit like any other";
    }
    std::vector<float> only(vocabulary, -kInfinity);
    only[5000] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_FALSE(RunSample(*backend, only, 1, wanted)[0].finite) << "a NaN among -infinity";
  }
}

TEST(Sample, NothingAllowedGivesNoCandidates) {
  const std::vector<uint64_t> none(2, 0);
  const std::vector<SampleRow> wanted = {{0, 2, 5, -1, 0.5f, {}, none}};
  for (const auto& backend : AllBackends()) {
    const auto got = RunSample(*backend, Random(4).Values(100), 1, wanted);
    EXPECT_EQ(got[0].top_id.size(), 2u);
    EXPECT_TRUE(got[0].candidate_id.empty());
    EXPECT_EQ(got[0].edited_lse, -kInfinity);
  }
}

TEST(Sample, LargeLogitsDoNotOverflow) {
  std::vector<float> logits(5000, -1e30f);
  logits[77] = 1e30f;
  logits[4999] = 1e30f;
  const std::vector<SampleRow> wanted = {{0, 2, 0, -1, 1.0f, {}, {}}};
  for (const auto& backend : AllBackends()) {
    const auto got = RunSample(*backend, logits, 1, wanted);
    EXPECT_TRUE(got[0].finite);
    EXPECT_EQ(got[0].top_id, (std::vector<int32_t>{77, 4999}));
    EXPECT_EQ(got[0].lse, 1e30f);
  }
}

}  // namespace
}  // namespace scout
