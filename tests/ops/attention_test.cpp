#include <cmath>

#include "paged.h"

namespace scout {
namespace {

std::vector<Cut> Whole(int sequence, int64_t length) { return {{sequence, 0, length}}; }

// A prompt of `length` cut into pieces of `piece`.
std::vector<std::vector<Cut>> Pieces(int sequence, int64_t length, int64_t piece) {
  std::vector<std::vector<Cut>> steps;
  for (int64_t at = 0; at < length; at += piece) steps.push_back({{sequence, at, std::min(piece, length - at)}});
  return steps;
}

// Plain softmax in float64 over the values as they were given (F32 pages hold them exactly).
std::vector<double> Expected(const PageSetup& setup, int sequence, int64_t position, int64_t head) {
  const int64_t d = setup.head_dim, group = setup.heads / setup.kv_heads;
  const int64_t first = setup.chunk > 0 ? position / setup.chunk * setup.chunk : 0;
  const auto q = QkvOf(setup, sequence, position);
  std::vector<double> weights, out(static_cast<size_t>(d), 0.0);
  double sum = 0;
  for (int64_t t = first; t <= position; ++t) {
    const auto kv = QkvOf(setup, sequence, t);
    double score = 0;
    for (int64_t i = 0; i < d; ++i) score += static_cast<double>(q[head * d + i]) * kv[(setup.heads + head / group) * d + i];
    weights.push_back(std::exp(score / std::sqrt(static_cast<double>(d))));
    sum += weights.back();
  }
  for (int64_t t = first; t <= position; ++t) {
    const auto kv = QkvOf(setup, sequence, t);
    for (int64_t i = 0; i < d; ++i) out[i] += weights[t - first] / sum * kv[(setup.heads + setup.kv_heads + head / group) * d + i];
  }
  return out;
}

TEST(Attention, IsTheSoftmaxOverTheKeysThatTheMaskAllows) {
  for (const int64_t chunk : {0, 10, 8}) {
    PageSetup setup;
    setup.chunk = chunk;
    setup.heads = 6;
    for (const Numerics numerics : {Numerics::kFloat32, Numerics::kInvariant}) {
      const auto run = RunAttention(*MakeRef(numerics), setup, {Whole(0, 37)});
      for (int64_t p = 0; p < 37; ++p) {
        for (int64_t h = 0; h < setup.heads; ++h) {
          const auto want = Expected(setup, 0, p, h);
          // Float32 rounding of scores up to ~30 moves a weight by 30 * 2^-24 of itself; values go to ~30.
          for (int64_t i = 0; i < setup.head_dim; ++i)
            EXPECT_NEAR(run.out[0][p][h * setup.head_dim + i], want[i], 2e-4) << chunk << " " << p;
        }
      }
    }
  }
}

// Pages that divide nothing evenly: a chunk that is no multiple of the page, a head size that is no multiple of the vector.
std::vector<PageSetup> Setups() {
  std::vector<PageSetup> setups;
  for (const DType format : PageFormats()) {
    const bool blocks = format == DType::kQ8_0;  // of 32
    PageSetup setup;
    setup.k_format = setup.v_format = format;
    if (blocks) setup.head_dim = 32;
    setups.push_back(setup);
    setup.chunk = 10;
    setups.push_back(setup);
    setup.chunk = 100;
    setup.page_size = 16;
    setup.head_dim = blocks ? 96 : 24;
    setup.heads = 10;
    setups.push_back(setup);
  }
  PageSetup model;  // the model's own shape
  model.head_dim = 128;
  model.kv_heads = 1;
  model.heads = 5;
  model.page_size = 64;
  model.k_format = DType::kF16;
  model.v_format = DType::kBF16;
  setups.push_back(model);
  model.k_format = DType::kQ8_0;
  setups.push_back(model);
  return setups;
}

TEST(Attention, CpuRepeatsTheDefinedArithmeticBitForBit) {
  for (const PageSetup& setup : Setups()) {
    const std::vector<std::vector<Cut>> steps = {
        {{0, 0, 70}, {1, 0, 1}, {2, 0, 33}}, {{0, 70, 1}, {1, 1, 1}, {2, 33, 40}}, {{2, 73, 1}, {0, 71, 5}}};
    const auto want = RunAttention(*MakeRef(Numerics::kInvariant), setup, steps);
    for (const std::string& isa : Isas())
      for (const int threads : Sweep<int>({1, 2, 3}, {1, 3}))
        EXPECT_TRUE(SameRuns(want, RunAttention(*MakeCpu(isa, threads), setup, steps)))
            << isa << ", " << threads << " threads, chunk " << setup.chunk;
  }
}

TEST(Attention, DoesNotDependOnHowThePromptWasCut) {
  for (const PageSetup& setup : Setups()) {
    std::vector<std::unique_ptr<Backend>> backends;
    backends.push_back(MakeRef(Numerics::kInvariant));
    backends.push_back(MakeRef(Numerics::kFloat32));
    for (const std::string& isa : Isas()) backends.push_back(MakeCpu(isa, 3));
    backends.push_back(MakeCpu("", 1));
    for (const auto& backend : backends) {
      const auto want = RunAttention(*backend, setup, {Whole(0, 150)});
      for (const int64_t piece : Sweep<int64_t>({1, 7, 64}, {7}))
        EXPECT_TRUE(SameRuns(want, RunAttention(*backend, setup, Pieces(0, 150, piece))))
            << backend->Info().description << ", pieces of " << piece;
    }
  }
}

TEST(Attention, DoesNotDependOnOtherSequences) {
  PageSetup setup;
  setup.chunk = 10;
  for (const int threads : {1, 2, 3}) {
    const auto cpu = MakeCpu("", threads);
    const auto alone = RunAttention(*cpu, setup, {Whole(0, 45)});
    const auto together = RunAttention(*cpu, setup, {{{1, 0, 9}, {0, 0, 45}, {2, 0, 30}}});
    for (size_t p = 0; p < 45; ++p) EXPECT_TRUE(SameBits(alone.out[0][p], together.out[0][p])) << p;
  }
}

// Past 2,048 keys a row has several spans; with few rows the threads share them.
TEST(Attention, SpansAreWorkedOnApartAndMergedInOrder) {
  PageSetup setup;
  setup.page_size = 64;
  setup.page_count = 80;
  setup.kv_heads = 1;
  setup.heads = 2;
  setup.head_dim = 16;
  setup.k_format = setup.v_format = DType::kF16;
  const int64_t length = 4500;
  // A tile of rows on both sides of the border between two spans, one row, and three, at depth.
  const std::vector<std::vector<Cut>> steps = {
      {{0, 0, 4090}}, {{0, 4090, 12}}, {{0, 0, length}}, {{0, length, 1}}, {{0, length + 1, 3}}};
  const auto run = [&](Backend& backend) {
    AttentionRun all = RunAttention(backend, setup, {steps[0], steps[1]}, {}, 1);
    const AttentionRun late = RunAttention(backend, setup, {steps[2], steps[3], steps[4]}, {}, 1);
    all.out[0].insert(all.out[0].end(), late.out[0].begin(), late.out[0].end());
    all.lse[0].insert(all.lse[0].end(), late.lse[0].begin(), late.lse[0].end());
    return all;
  };
  const auto want = run(*MakeRef(Numerics::kInvariant));
  for (const std::string& isa : Isas())
    for (const int threads : {1, 3}) EXPECT_TRUE(SameRuns(want, run(*MakeCpu(isa, threads)))) << isa << ", " << threads;
  const auto exact = run(*MakeRef(Numerics::kFloat32));
  ASSERT_EQ(want.out[0].size(), 16u);
  for (size_t p = 0; p < want.out[0].size(); ++p)
    for (size_t i = 0; i < want.out[0][p].size(); ++i) EXPECT_NEAR(want.out[0][p][i], exact.out[0][p][i], 2e-4) << p;
}

// `ref` in its defined arithmetic, then what is compared with it.
std::vector<std::unique_ptr<Backend>> RefAndAll() {
  std::vector<std::unique_ptr<Backend>> backends;
  backends.push_back(MakeRef(Numerics::kInvariant));
  for (const std::string& isa : Isas()) backends.push_back(MakeCpu(isa, 2));
  return backends;
}

TEST(Attention, APaddingRowGetsZeros) {
  PageSetup setup;
  int64_t next_free = 3;
  std::vector<SequencePages> sequences(1, SequencePages(setup, &next_free));
  StepPlan plan = PlanOf(setup, sequences, {{0, 0, 3}});
  plan.pages[kGlobalPages].slot[2] = -1;
  for (const auto& backend : RefAndAll()) {
    const auto pages = backend->AllocPages(setup.spec());
    const Rows qkv(*backend, 3, 128, Random(1).Values(3 * 128)), q(*backend, 3, 64), out(*backend, 3, 64);
    RunStep(*backend, plan, [&] {
      backend->RopeNormStore({qkv.act(), q.act(), pages.get(), kGlobalPages, 0, 4, false, {}, false, 0, 0, 0});
      backend->Attention({q.act(), pages.get(), kGlobalPages, 0, 4, 0.25f, AttentionMask::kCausal, out.act(), {}});
    });
    const auto o = out.Read();
    EXPECT_NE(o[0], 0.0f);
    for (size_t i = 128; i < 192; ++i) EXPECT_EQ(o[i], 0.0f);
  }
}

TEST(Attention, AMissingPageIsAnErrorOfTheStep) {
  PageSetup setup;
  int64_t next_free = 3;
  std::vector<SequencePages> sequences(1, SequencePages(setup, &next_free));
  StepPlan plan = PlanOf(setup, sequences, {{0, 0, 6}});
  plan.pages[kGlobalPages].page.pop_back();
  plan.pages[kGlobalPages].begin[1] = 1;
  for (const auto& backend : RefAndAll()) {
    const auto pages = backend->AllocPages(setup.spec());
    const Rows q(*backend, 6, 64, Random(1).Values(6 * 64)), out(*backend, 6, 64);
    const AttentionOp op{q.act(), pages.get(), kGlobalPages, 0, 4, 0.25f, AttentionMask::kCausal, out.act(), {}};
    backend->BeginStep(plan);
    backend->Attention(op);
    backend->Attention(op);  // does nothing any more
    const auto error = backend->EndStep();
    ASSERT_TRUE(error.has_value());
    EXPECT_EQ(error->code(), ErrorCode::kInternal);
    backend->BeginStep(plan);
    EXPECT_FALSE(backend->EndStep().has_value()) << "an error ends with its step";
  }
}

// ---- merging

TEST(MergeAttention, GivesTheAttentionOverAllKeys) {
  // Softmax statistics of two disjoint sets by hand, against the union.
  const int64_t d = 16, heads = 3, rows = 5;
  Random random(3);
  const auto values_a = random.Values(rows * heads * d), values_b = random.Values(rows * heads * d);
  std::vector<float> lse_a, lse_b;
  for (int64_t i = 0; i < rows * heads; ++i) {
    lse_a.push_back(random.Uniform(-20, 20));
    lse_b.push_back(i % 4 == 0 ? -std::numeric_limits<float>::infinity() : random.Uniform(-20, 20));
  }
  std::vector<float> reference;
  for (const auto& backend : RefAndAll()) {
    const Rows a(*backend, rows, heads * d, values_a), b(*backend, rows, heads * d, values_b), la(*backend, rows, heads, lse_a),
        lb(*backend, rows, heads, lse_b), out(*backend, rows, heads * d), lse(*backend, rows, heads);
    const std::vector<Act> partial = {a.act(), b.act()}, lses = {la.act(), lb.act()};
    RunStep(*backend, PlainPlan(rows), [&] { backend->MergeAttention({partial, lses, heads, out.act(), lse.act()}); });
    const auto o = out.Read();
    const auto l = lse.Read();
    for (int64_t i = 0; i < rows * heads; ++i) {
      const double ea = std::exp(static_cast<double>(lse_a[i])), eb = std::exp(static_cast<double>(lse_b[i]));
      EXPECT_NEAR(l[i], std::log(ea + eb), 1e-5 * std::max(1.0, std::fabs(std::log(ea + eb))));
      for (int64_t j = 0; j < d; ++j)
        EXPECT_NEAR(o[i * d + j], (ea * values_a[i * d + j] + eb * values_b[i * d + j]) / (ea + eb), 1e-5 * 40);
    }
    if (reference.empty()) reference = o;
    EXPECT_TRUE(SameBits(reference, o)) << backend->Info().description;
    EXPECT_TRUE(out.GuardsIntact());
  }
}

// More parts than any fixed list would have; some rows have keys in one part only, and some in none.
TEST(MergeAttention, FoldsAnyNumberOfParts) {
  const int64_t d = 24, heads = 2, rows = 4;
  const float none = -std::numeric_limits<float>::infinity();
  Random random(4);
  std::vector<std::vector<float>> values, lses;
  for (size_t part = 0; part < 37; ++part) {
    values.push_back(random.Values(rows * heads * d));
    lses.emplace_back();
    for (int64_t i = 0; i < rows * heads; ++i)
      lses.back().push_back(i == 2 || (i == 5 && part != 20) ? none : random.Uniform(-20, 20));
    for (int64_t j = 0; j < d; ++j) {  // what attention gives for no key
      if (lses.back()[2] == none) values.back()[static_cast<size_t>(2 * d + j)] = 0;
      if (lses.back()[5] == none) values.back()[static_cast<size_t>(5 * d + j)] = 0;
    }
  }
  std::vector<float> reference, reference_lse;
  for (const auto& backend : RefAndAll()) {
    std::vector<std::unique_ptr<Rows>> held;
    std::vector<Act> partial, lse;
    for (size_t part = 0; part < values.size(); ++part) {
      held.push_back(std::make_unique<Rows>(*backend, rows, heads * d, values[part]));
      partial.push_back(held.back()->act());
      held.push_back(std::make_unique<Rows>(*backend, rows, heads, lses[part]));
      lse.push_back(held.back()->act());
    }
    const Rows out(*backend, rows, heads * d), out_lse(*backend, rows, heads);
    RunStep(*backend, PlainPlan(rows), [&] { backend->MergeAttention({partial, lse, heads, out.act(), out_lse.act()}); });
    const auto o = out.Read(), l = out_lse.Read();
    if (reference.empty()) {
      reference = o;
      reference_lse = l;
    }
    EXPECT_TRUE(SameBits(reference, o)) << backend->Info().description;
    EXPECT_TRUE(SameBits(reference_lse, l)) << backend->Info().description;
    for (int64_t j = 0; j < d; ++j) {
      EXPECT_EQ(o[static_cast<size_t>(2 * d + j)], 0.0f);
      EXPECT_EQ(o[static_cast<size_t>(5 * d + j)], values[20][static_cast<size_t>(5 * d + j)]);
    }
    EXPECT_EQ(l[2], none);
    EXPECT_EQ(l[5], lses[20][5]);
    EXPECT_TRUE(out.GuardsIntact());
    EXPECT_TRUE(out_lse.GuardsIntact());
  }
}

}  // namespace
}  // namespace scout
