#include <cmath>

#include "backend/check_backend.h"
#include "op_test.h"

namespace scout {
namespace {

struct Moe {
  int64_t experts = 5, d = 256, f = 256;
  DType gate_up_format = DType::kQ4_K, down_format = DType::kQ6_K;
  bool shared = true;
  WeightDesc gate_up() const {
    return RandomWeight(WeightRole::kExperts, experts, {{gate_up_format, f}, {gate_up_format, f}}, d, 1);
  }
  WeightDesc down() const { return RandomWeight(WeightRole::kExperts, experts, {{down_format, d}}, f, 2); }
  WeightDesc shared_gate_up() const {
    return RandomWeight(WeightRole::kLinear, 1, {{gate_up_format, f}, {gate_up_format, f}}, d, 3);
  }
  WeightDesc shared_down() const { return RandomWeight(WeightRole::kLinear, 1, {{down_format, d}}, f, 4); }
};

std::vector<float> RunExperts(Backend& backend, const Moe& moe, const std::vector<float>& x, const std::vector<int32_t>& ids,
                              const std::vector<float>& gates, int64_t rows, const std::vector<float>& residual, int32_t first = 0,
                              int32_t last = -1) {
  const auto gate_up = backend.PrepareWeight(moe.gate_up()), down = backend.PrepareWeight(moe.down()),
             shared_gate_up = backend.PrepareWeight(moe.shared_gate_up()), shared_down = backend.PrepareWeight(moe.shared_down());
  const auto top_k = static_cast<int64_t>(ids.size()) / rows;
  std::vector<float> id_bits(ids.size());
  std::memcpy(id_bits.data(), ids.data(), ids.size() * 4);
  const Rows in(backend, rows, moe.d, x), id_rows(backend, rows, top_k, id_bits), gate_rows(backend, rows, top_k, gates),
      out(backend, rows, moe.d, residual);
  RunStep(backend, PlainPlan(rows), [&] {
    backend.Experts({in.act(), id_rows.act(), gate_rows.act(), gate_up.get(), down.get(),
                     moe.shared ? shared_gate_up.get() : nullptr, moe.shared ? shared_down.get() : nullptr, first,
                     last < 0 ? static_cast<int32_t>(moe.experts) : last, out.act()});
  });
  EXPECT_TRUE(out.GuardsIntact());
  EXPECT_TRUE(SameBits(x, in.Read()));
  return out.Read();
}

// Expert ids such that some experts get no row, one gets many.
std::vector<int32_t> Ids(int64_t rows, int64_t top_k, int64_t experts, uint64_t seed) {
  Random random(seed);
  std::vector<int32_t> ids;
  for (int64_t n = 0; n < rows; ++n) {
    const auto first = static_cast<int32_t>(random.Below(3) == 0 ? random.Below(experts - 1) : 1);
    for (int64_t j = 0; j < top_k; ++j) ids.push_back(static_cast<int32_t>((first + j) % (experts - 1)));  // the last is never used
  }
  return ids;
}
std::vector<float> Gates(int64_t count, uint64_t seed) {
  Random random(seed);
  std::vector<float> gates;
  for (int64_t i = 0; i < count; ++i) gates.push_back(random.Uniform(0.1f, 1));
  return gates;
}

TEST(Experts, IsSharedPlusExpertsOfTheGatedInputAddedToTheResidual) {
  // In float32, one row at a time, from Linear: down(swiglu(x)) with weights taken apart by hand.
  Moe moe;
  moe.gate_up_format = moe.down_format = DType::kF32;
  const int64_t rows = 6;
  const auto x = Random(1).Values(rows * moe.d), residual = Random(2).Values(rows * moe.d);
  const auto ids = Ids(rows, 2, moe.experts, 3);
  const auto gates = Gates(rows * 2, 4);
  const auto ref = MakeRef(Numerics::kFloat32);
  const auto got = RunExperts(*ref, moe, x, ids, gates, rows, residual);

  const auto read = [](const WeightDesc& desc, int64_t e) {
    std::vector<std::vector<double>> out;
    for (const WeightPart& part : desc.parts) {
      for (int64_t r = 0; r < part.rows; ++r) {
        std::vector<float> row(static_cast<size_t>(part.cols));
        part.sources[0]->Read(static_cast<uint64_t>(e) * part.expert_bytes + static_cast<uint64_t>(r * part.cols) * 4,
                              std::as_writable_bytes(std::span(row)));
        out.emplace_back(row.begin(), row.end());
      }
    }
    return out;
  };
  const auto dot = [](const std::vector<double>& w, const std::vector<double>& v) {
    double sum = 0;
    for (size_t i = 0; i < w.size(); ++i) sum += w[i] * v[i];
    return sum;
  };
  const auto feed = [&](const WeightDesc& gate_up, const WeightDesc& down, int64_t e, const std::vector<double>& v) {
    const auto wide = read(gate_up, e), narrow = read(down, e);
    std::vector<double> hidden, out;
    for (int64_t j = 0; j < moe.f; ++j) {
      const double gate = dot(wide[j], v), up = dot(wide[moe.f + j], v);
      hidden.push_back(gate / (1 + std::exp(-gate)) * up);
    }
    for (int64_t i = 0; i < moe.d; ++i) out.push_back(dot(narrow[i], hidden));
    return out;
  };
  for (int64_t n = 0; n < rows; ++n) {
    const std::vector<double> row(x.begin() + n * moe.d, x.begin() + (n + 1) * moe.d);
    auto want = feed(moe.shared_gate_up(), moe.shared_down(), 0, row);
    for (int64_t j = 0; j < 2; ++j) {
      std::vector<double> scaled = row;
      for (double& v : scaled) v *= gates[n * 2 + j];
      const auto y = feed(moe.gate_up(), moe.down(), ids[n * 2 + j], scaled);
      for (int64_t i = 0; i < moe.d; ++i) want[i] += y[i];
    }
    double rms = 0;
    for (const double w : want) rms += w * w;
    rms = std::sqrt(rms / static_cast<double>(moe.d));
    for (int64_t i = 0; i < moe.d; ++i) EXPECT_NEAR(got[n * moe.d + i], residual[n * moe.d + i] + want[i], 2e-6 * rms * 4);
  }
}

TEST(Experts, CpuRepeatsTheDefinedArithmeticBitForBit) {
  const struct {
    DType gate_up, down;
    int64_t d, f;
  } cases[] = {{DType::kQ4_K, DType::kQ6_K, 512, 256},
               {DType::kQ8_0, DType::kQ8_0, 96, 72 + 24},
               {DType::kF32, DType::kF16, 40, 23},
               {DType::kBF16, DType::kQ5_1, 64, 32}};
  for (const auto& c : cases) {
    for (const int shared : Sweep<int>({1, 0}, {1})) {
      Moe moe;
      moe.gate_up_format = c.gate_up;
      moe.down_format = c.down;
      moe.d = c.d;
      moe.f = c.f;
      moe.shared = shared != 0;
      for (const int64_t top_k : Sweep<int64_t>({1, 2}, {2})) {
        for (const int64_t rows : Sweep<int64_t>({1, 9, 70}, {1, 70})) {
          const auto x = Random(1).Values(rows * moe.d), residual = Random(2).Values(rows * moe.d);
          const auto ids = Ids(rows, top_k, moe.experts, 3);
          const auto gates = Gates(rows * top_k, 4);
          const auto want = RunExperts(*MakeRef(Numerics::kInvariant), moe, x, ids, gates, rows, residual);
          for (const std::string& isa : Isas())
            for (const int threads : Sweep<int>({1, 3}, {3}))
              EXPECT_TRUE(SameBits(want, RunExperts(*MakeCpu(isa, threads), moe, x, ids, gates, rows, residual)))
                  << isa << ", " << threads << " threads, " << rows << " rows, " << InfoOf(c.gate_up).name;
        }
      }
    }
  }
}

// So many that a device takes its larger tiles; one expert has them all.
TEST(Experts, HundredsOfRowsForOneExpert) {
  Moe moe;
  moe.experts = 2;
  moe.gate_up_format = DType::kQ8_0;
  moe.down_format = DType::kQ5_1;
  moe.d = 64;
  moe.f = 32;
  moe.shared = false;
  const int64_t rows = 530;
  const auto x = Random(1).Values(rows * moe.d), residual = Random(2).Values(rows * moe.d);
  const auto ids = Ids(rows, 1, moe.experts, 3);
  const auto gates = Gates(rows, 4);
  const auto want = RunExperts(*MakeRef(Numerics::kInvariant), moe, x, ids, gates, rows, residual);
  for (const std::string& isa : Isas())
    EXPECT_TRUE(SameBits(want, RunExperts(*MakeCpu(isa, 1), moe, x, ids, gates, rows, residual))) << isa;
}

TEST(Experts, ARowDoesNotDependOnTheOthers) {
  const Moe moe;
  const int64_t rows = 40;
  const auto x = Random(1).Values(rows * moe.d), residual = Random(2).Values(rows * moe.d);
  const auto ids = Ids(rows, 1, moe.experts, 3);
  const auto gates = Gates(rows, 4);
  for (const int threads : Sweep<int>({1, 2, 3}, {1})) {
    const auto cpu = MakeCpu("", threads);
    const auto all = RunExperts(*cpu, moe, x, ids, gates, rows, residual);
    for (const int64_t n : {0, 7, 39}) {
      const auto cut = [&](const std::vector<float>& v) {
        return std::vector<float>(v.begin() + n * moe.d, v.begin() + (n + 1) * moe.d);
      };
      EXPECT_TRUE(SameBits(cut(all), RunExperts(*cpu, moe, cut(x), {ids[n]}, {gates[n]}, 1, cut(residual)))) << n;
    }
  }
}

TEST(Experts, ARangeOfExpertsLeavesTheOthersOut) {
  Moe moe;
  moe.shared = false;
  const int64_t rows = 12;
  const auto x = Random(1).Values(rows * moe.d), residual = Random(2).Values(rows * moe.d);
  const auto ids = Ids(rows, 1, moe.experts, 3);
  const auto gates = Gates(rows, 4);
  for (const char* device : {"ref", "cpu"}) {
    const auto backend = MakeBackend(device, {});
    const auto all = RunExperts(*backend, moe, x, ids, gates, rows, residual);
    const auto some = RunExperts(*backend, moe, x, ids, gates, rows, residual, 1, 3);
    for (int64_t n = 0; n < rows; ++n) {
      const bool inside = ids[n] >= 1 && ids[n] < 3;
      const auto& want = inside ? all : residual;
      for (int64_t i = 0; i < moe.d; ++i) EXPECT_EQ(some[n * moe.d + i], want[n * moe.d + i]);
    }
  }
}

// What an op over the whole gives, from parts that were computed apart: each expert's choices in a buffer of their own, the shared
// expert by two products, the sum by CombineExperts.
std::vector<float> RunApart(Backend& backend, const Moe& moe, const std::vector<float>& x, const std::vector<int32_t>& ids,
                            const std::vector<float>& gates, int64_t rows, const std::vector<float>& residual, int32_t cut) {
  const auto gate_up = backend.PrepareWeight(moe.gate_up()), down = backend.PrepareWeight(moe.down()),
             shared_gate_up = backend.PrepareWeight(moe.shared_gate_up()), shared_down = backend.PrepareWeight(moe.shared_down());
  const auto top_k = static_cast<int64_t>(ids.size()) / rows;
  const auto experts = static_cast<int32_t>(moe.experts);
  const auto bits_of = [](const std::vector<int32_t>& values) {
    std::vector<float> bits(values.size());
    std::memcpy(bits.data(), values.data(), values.size() * 4);
    return bits;
  };
  // Where there is a cut, the choices behind it are another's, and have no number here.
  std::vector<int32_t> low = ids, high = ids;
  for (int32_t& id : low) id = id < cut ? id : -1;
  for (int32_t& id : high) id = id < cut ? -1 : id;
  const std::vector<float> unwritten(static_cast<size_t>(rows * top_k * moe.d), -7.0f);
  const Rows in(backend, rows, moe.d, x), all_ids(backend, rows, top_k, bits_of(ids)), low_ids(backend, rows, top_k, bits_of(low)),
      high_ids(backend, rows, top_k, bits_of(high)), gate_rows(backend, rows, top_k, gates), hidden(backend, rows, moe.f),
      shared(backend, rows, moe.d), addends(backend, rows * top_k, moe.d, unwritten), out(backend, rows, moe.d, residual);
  RunStep(backend, PlainPlan(rows), [&] {
    if (moe.shared) {
      backend.Linear({in.act(), shared_gate_up.get(), Epilogue::kSwiGlu, hidden.act()});
      backend.Linear({hidden.act(), shared_down.get(), Epilogue::kStore, shared.act()});
    }
    for (const Rows* of : {&high_ids, &low_ids})
      backend.Experts(
          {in.act(), of->act(), gate_rows.act(), gate_up.get(), down.get(), nullptr, nullptr, 0, experts, {}, addends.act()});
    backend.CombineExperts({all_ids.act(), 0, experts, moe.shared ? shared.act() : Act{}, addends.act(), out.act()});
  });
  for (const Rows* touched : {&hidden, &shared, &addends, &out}) EXPECT_TRUE(touched->GuardsIntact());
  return out.Read();
}

TEST(Experts, ComputedApartAndCombinedAreTheSameBits) {
  for (const auto& [gate_up, down] :
       Sweep<std::pair<DType, DType>>({{DType::kQ4_K, DType::kQ6_K}, {DType::kQ8_0, DType::kQ5_1}, {DType::kBF16, DType::kF16}},
                                      {{DType::kQ8_0, DType::kF16}})) {
    for (const bool shared : {true, false}) {
      Moe moe;
      moe.gate_up_format = gate_up;
      moe.down_format = down;
      moe.shared = shared;
      for (const int64_t rows : Sweep<int64_t>({1, 5, 70}, {5})) {
        const auto x = Random(1).Values(rows * moe.d), residual = Random(2).Values(rows * moe.d);
        const auto ids = Ids(rows, 2, moe.experts, 3);
        const auto gates = Gates(rows * 2, 4);
        const auto want = RunExperts(*MakeRef(Numerics::kInvariant), moe, x, ids, gates, rows, residual);
        EXPECT_TRUE(SameBits(want, RunApart(*MakeRef(Numerics::kInvariant), moe, x, ids, gates, rows, residual, 2))) << "ref";
        for (const std::string& isa : Isas())
          EXPECT_TRUE(SameBits(want, RunApart(*MakeCpu(isa, 2), moe, x, ids, gates, rows, residual, 2)))
              << isa << ", " << rows << " rows, " << InfoOf(gate_up).name;
        EXPECT_TRUE(
            SameBits(want, RunApart(*MakeCheckBackend(MakeRef(Numerics::kInvariant)), moe, x, ids, gates, rows, residual, 2)))
            << "checked";
      }
    }
  }
}

TEST(Experts, CombineLeavesChoicesOutsideTheRangeOut) {
  const int64_t rows = 3, d = 16;
  const auto addends = Random(1).Values(rows * 2 * d), residual = Random(2).Values(rows * d);
  const std::vector<int32_t> ids = {0, 3, 2, 1, 3, 4};
  std::vector<float> bits(ids.size());
  std::memcpy(bits.data(), ids.data(), ids.size() * 4);
  std::vector<float> want = residual;
  for (int64_t i = 0; i < d; ++i) want[d + i] += addends[2 * d + i] + addends[3 * d + i];  // of row 1: experts 2 and 1
  const auto run = [&](Backend& backend) {
    const Rows id_rows(backend, rows, 2, bits), parts(backend, rows * 2, d, addends), out(backend, rows, d, residual);
    RunStep(backend, PlainPlan(rows), [&] { backend.CombineExperts({id_rows.act(), 1, 3, {}, parts.act(), out.act()}); });
    EXPECT_TRUE(out.GuardsIntact());
    return out.Read();
  };
  EXPECT_TRUE(SameBits(want, run(*MakeRef(Numerics::kInvariant))));
  for (const std::string& isa : Isas()) EXPECT_TRUE(SameBits(want, run(*MakeCpu(isa, 1)))) << isa;
}

TEST(Experts, EachMayComeFromASourceOfItsOwn) {
  Moe moe;
  moe.shared = false;
  WeightDesc together = moe.gate_up(), apart = together;
  for (WeightPart& part : apart.parts) {
    const auto all = part.sources[0];
    part.sources.clear();
    for (int64_t e = 0; e < moe.experts; ++e) {
      std::vector<std::byte> bytes(part.expert_bytes);
      all->Read(static_cast<uint64_t>(e) * part.expert_bytes, bytes);
      part.sources.push_back(std::make_shared<MemorySource>(bytes, false));
    }
  }
  const auto cpu = MakeCpu("", 1);
  const auto x = Random(1).Values(moe.d);
  const auto down = cpu->PrepareWeight(moe.down());
  std::vector<std::vector<float>> results;
  for (const WeightDesc& desc : {together, apart}) {
    const auto gate_up = cpu->PrepareWeight(desc);
    const float id = std::bit_cast<float>(int32_t{3});
    const Rows in(*cpu, 1, moe.d, x), ids(*cpu, 1, 1, {id}), gates(*cpu, 1, 1, {0.5f}),
        out(*cpu, 1, moe.d, std::vector<float>(static_cast<size_t>(moe.d)));
    RunStep(*cpu, PlainPlan(1), [&] {
      cpu->Experts({in.act(), ids.act(), gates.act(), gate_up.get(), down.get(), nullptr, nullptr, 0, 5, out.act()});
    });
    results.push_back(out.Read());
  }
  EXPECT_TRUE(SameBits(results[0], results[1]));
}

}  // namespace
}  // namespace scout
