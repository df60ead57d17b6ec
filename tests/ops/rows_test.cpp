// Embed, RmsNorm, GatherRows and Route.
#include <cmath>

#include "op_test.h"
#include "quant/formats.h"

namespace scout {
namespace {

std::vector<std::unique_ptr<Backend>> AllBackends() {
  std::vector<std::unique_ptr<Backend>> backends;
  backends.push_back(MakeRef(Numerics::kInvariant));
  for (const std::string& isa : Isas()) {
    backends.push_back(MakeCpu(isa, 1));
    backends.push_back(MakeCpu(isa, 3));
  }
  return backends;
}

TEST(Embed, DecodesTheRowsOfTheTokens) {
  for (const DType format : kWeightFormats) {
    const WeightDesc desc = RandomWeight(WeightRole::kEmbedding, 1, {{format, 50}}, 256, 1);
    StepPlan plan = PlainPlan(30);
    for (size_t n = 0; n < 30; ++n) plan.token[n] = static_cast<int32_t>(n * 7 % 50);
    const size_t row_bytes = RowBytes(format, 256);
    for (const auto& backend : AllBackends()) {
      const auto table = backend->PrepareWeight(desc);
      const Rows out(*backend, 30, 256);
      RunStep(*backend, plan, [&] { backend->Embed({table.get(), out.act()}); });
      EXPECT_TRUE(out.GuardsIntact());
      const auto got = out.Read();
      for (size_t n = 0; n < 30; ++n) {
        std::vector<std::byte> bytes(row_bytes);
        desc.parts[0].sources[0]->Read(static_cast<uint64_t>(plan.token[n]) * row_bytes, bytes);
        std::vector<float> want(256);
        quant::DecodeRow(format, bytes.data(), want.data(), 256);
        EXPECT_TRUE(SameBits(want, std::span(got).subspan(n * 256, 256)));
      }
    }
  }
}

TEST(Embed, ATokenOutsideTheTableIsAnErrorOfTheStep) {
  StepPlan plan = PlainPlan(1);
  for (const int32_t token : {-1, 50}) {
    plan.token[0] = token;
    for (const auto& backend : AllBackends()) {
      const auto table = backend->PrepareWeight(RandomWeight(WeightRole::kEmbedding, 1, {{DType::kF32, 50}}, 16, 1));
      const Rows out(*backend, 1, 16);
      backend->BeginStep(plan);
      backend->Embed({table.get(), out.act()});
      EXPECT_TRUE(backend->EndStep().has_value());
    }
  }
}

TEST(RmsNorm, DividesByTheRootOfTheMeanSquare) {
  for (const int64_t d : {1, 7, 16, 100, 5120}) {
    const WeightDesc desc = RandomWeight(WeightRole::kVector, 1, {{DType::kBF16, 1}}, d, 1);
    std::vector<std::byte> bytes(static_cast<size_t>(d) * 2);
    desc.parts[0].sources[0]->Read(0, bytes);
    std::vector<float> w(static_cast<size_t>(d));
    quant::DecodeRow(DType::kBF16, bytes.data(), w.data(), w.size());
    const int64_t rows = 11;
    const auto x = Random(2).Values(rows * d);
    std::vector<float> reference;
    for (const auto& backend : AllBackends()) {
      const auto weight = backend->PrepareWeight(desc);
      const Rows in(*backend, rows, d, x), out(*backend, rows, d);
      RunStep(*backend, PlainPlan(rows), [&] { backend->RmsNorm({in.act(), weight.get(), 1e-5f, out.act()}); });
      EXPECT_TRUE(out.GuardsIntact());
      const auto got = out.Read();
      if (reference.empty()) reference = got;
      EXPECT_TRUE(SameBits(reference, got)) << backend->Info().description << " " << d;
      for (int64_t n = 0; n < rows; ++n) {
        double squares = 0;
        for (int64_t i = 0; i < d; ++i) squares += static_cast<double>(x[n * d + i]) * x[n * d + i];
        const double scale = 1 / std::sqrt(squares / static_cast<double>(d) + static_cast<double>(1e-5f));
        // The sum rounds d / 16 + 4 times in float32 at most; four more roundings follow.
        for (int64_t i = 0; i < d; ++i)
          EXPECT_NEAR(got[n * d + i], x[n * d + i] * scale * w[i],
                      std::fabs(x[n * d + i] * scale * w[i]) * (static_cast<double>(d) / 32 + 8) * 0x1p-24);
      }
    }
  }
}

TEST(RmsNorm, MayWorkInPlace) {
  for (const auto& backend : AllBackends()) {
    const auto weight = backend->PrepareWeight(RandomWeight(WeightRole::kVector, 1, {{DType::kF32, 1}}, 40, 1));
    const auto x = Random(2).Values(3 * 40);
    const Rows apart(*backend, 3, 40, x), out(*backend, 3, 40), same(*backend, 3, 40, x);
    RunStep(*backend, PlainPlan(3), [&] {
      backend->RmsNorm({apart.act(), weight.get(), 1e-5f, out.act()});
      backend->RmsNorm({same.act(), weight.get(), 1e-5f, same.act()});
    });
    EXPECT_TRUE(SameBits(out.Read(), same.Read()));
  }
}

TEST(GatherRows, CopiesTheRowsInOrder) {
  const auto x = Random(3).Values(9 * 13);
  const std::vector<int32_t> rows = {0, 4, 4, 8};
  for (const auto& backend : AllBackends()) {
    const Rows in(*backend, 9, 13, x), out(*backend, 4, 13);
    RunStep(*backend, PlainPlan(9), [&] { backend->GatherRows({in.act(), rows, out.act()}); });
    const auto got = out.Read();
    for (size_t i = 0; i < 4; ++i)
      for (size_t j = 0; j < 13; ++j) EXPECT_EQ(got[i * 13 + j], x[static_cast<size_t>(rows[i]) * 13 + j]);
    EXPECT_TRUE(out.GuardsIntact());
  }
}

struct Routed {
  std::vector<int32_t> ids;
  std::vector<float> gates;
};
Routed RunRoute(Backend& backend, const WeightDesc& desc, const std::vector<float>& x, int64_t rows, int32_t top_k) {
  const auto router = backend.PrepareWeight(desc);
  const Rows in(backend, rows, router->cols(), x), ids(backend, rows, top_k), gates(backend, rows, top_k);
  RunStep(backend, PlainPlan(rows), [&] { backend.Route({in.act(), router.get(), top_k, ids.act(), gates.act()}); });
  EXPECT_TRUE(ids.GuardsIntact());
  EXPECT_TRUE(gates.GuardsIntact());
  return {ids.Read<int32_t>(), gates.Read()};
}

WeightDesc RouterOf(const std::vector<float>& values, int64_t experts, int64_t d) {
  std::vector<std::byte> bytes(values.size() * 4);
  std::memcpy(bytes.data(), values.data(), bytes.size());
  WeightDesc desc;
  desc.role = WeightRole::kRouter;
  desc.parts.push_back({DType::kF32, experts, d, false, d, 0, {std::make_shared<MemorySource>(bytes, false)}, 0});
  return desc;
}

TEST(Route, ChoosesTheLargestLogitsAndGatesBySigmoid) {
  const int64_t experts = 21, d = 50, rows = 30;
  const auto w = Random(4).Values(experts * d);
  auto x = Random(5).Values(rows * d);
  for (float& v : x) v *= 0.05f;
  Routed reference;
  for (const auto& backend : AllBackends()) {
    const Routed got = RunRoute(*backend, RouterOf(w, experts, d), x, rows, 3);
    if (reference.ids.empty()) reference = got;
    EXPECT_EQ(reference.ids, got.ids);
    EXPECT_TRUE(SameBits(reference.gates, got.gates));
    for (int64_t n = 0; n < rows; ++n) {
      std::vector<std::pair<double, int32_t>> logits;
      for (int64_t e = 0; e < experts; ++e) {
        double sum = 0;
        for (int64_t i = 0; i < d; ++i) sum += static_cast<double>(w[e * d + i]) * x[n * d + i];
        logits.emplace_back(-sum, static_cast<int32_t>(e));
      }
      std::sort(logits.begin(), logits.end());
      for (int64_t j = 0; j < 3; ++j) {
        EXPECT_EQ(got.ids[n * 3 + j], logits[j].second);
        EXPECT_NEAR(got.gates[n * 3 + j], 1 / (1 + std::exp(logits[j].first)), 1e-5);
      }
    }
  }
}

TEST(Route, TiesGoToTheLowestIndexAndNaNComesLast) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> w = {nan, 2, 1, 2, nan, 2};  // logits, with x = 1
  for (const auto& backend : AllBackends()) {
    const Routed got = RunRoute(*backend, RouterOf(w, 6, 1), {1.0f}, 1, 6);
    EXPECT_EQ(got.ids, (std::vector<int32_t>{1, 3, 5, 2, 0, 4}));
    EXPECT_TRUE(std::isnan(got.gates[4]));
    const Routed all_nan = RunRoute(*backend, RouterOf(w, 6, 1), {nan}, 1, 2);
    EXPECT_EQ(all_nan.ids, (std::vector<int32_t>{0, 1})) << "ids stay valid whatever comes in";
  }
}

// A quantised router (which no converter writes) still meets unrounded activations.
TEST(Route, NeverRoundsActivations) {
  const WeightDesc desc = RandomWeight(WeightRole::kRouter, 1, {{DType::kQ8_0, 16}}, 64, 6);
  const auto x = Random(7).Values(64);
  const Routed exact = RunRoute(*MakeRef(Numerics::kFloat32), desc, x, 1, 16);
  for (const auto& backend : AllBackends()) {
    const Routed got = RunRoute(*backend, desc, x, 1, 16);
    EXPECT_EQ(exact.ids, got.ids);
    for (size_t i = 0; i < 16; ++i) EXPECT_NEAR(exact.gates[i], got.gates[i], 1e-6);
  }
}

}  // namespace
}  // namespace scout
