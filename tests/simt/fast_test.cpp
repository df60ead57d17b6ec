// What Numerics::kFast gives up and what it keeps: F16 and BF16 weights meet many rows as halves on matrix instructions.
#include "fast_bounds.h"
#include "fault_driver.h"
#include "gpu/arguments.h"
#include "gpu/gpu_backend.h"
#include "simt_driver.h"

namespace scout {
namespace {

// Devices of the emulator: warps of 32 lanes have products in tensor memory and of four warps, unless their self-test says that
// they have not; so it may say that there are no matrix instructions over halves.
enum class Kind { kTensorMemory, kFourWarps, kWarp32, kWarp64, kNoHalves };

std::shared_ptr<gpu::Device> MakeDevice(Kind kind, bool random) {
  const int warp = kind == Kind::kWarp64 ? 64 : 32;
  if (kind == Kind::kTensorMemory || kind == Kind::kWarp64) {
    auto device = simt::SimtDevice(warp, {random, 5});
    EXPECT_TRUE(device->fast_instructions().halves);
    EXPECT_EQ(device->fast_instructions().tensor, kind == Kind::kTensorMemory);
    EXPECT_EQ(device->fast_instructions().wide, kind == Kind::kTensorMemory);
    return device;
  }
  const auto driver = std::make_shared<simt::FaultDriver>(
      std::make_shared<simt::SimtDriver>(warp, simt::Schedule{random, 5}, size_t{1} << 30), simt::FaultPlan{});
  void (*const no_wide)(const void*) = [](const void* arguments) { static_cast<const gpu::CheckFastArgs*>(arguments)->has[0] = 1; };
  void (*const nothing)(const void*) = [](const void*) {};
  driver->Change([&](gpu::KernelTable& table) {
    table.check_tensor = reinterpret_cast<const void*>(no_wide);
    if (kind != Kind::kFourWarps) table.check_fast = reinterpret_cast<const void*>(kind == Kind::kWarp32 ? no_wide : nothing);
  });
  auto device = std::make_shared<gpu::Device>(driver);
  EXPECT_FALSE(device->fast_instructions().tensor);
  EXPECT_EQ(device->fast_instructions().wide, kind == Kind::kFourWarps);
  return device;
}

std::unique_ptr<Backend> MakeFast(Kind kind, bool random) {
  BackendOptions options;
  options.numerics = Numerics::kFast;
  return gpu::MakeGpuBackend(MakeDevice(kind, random), options);
}

std::vector<float> RunLinear(Backend& backend, const WeightDesc& desc, const std::vector<float>& x, int64_t rows,
                             Epilogue epilogue = Epilogue::kStore) {
  const auto weight = backend.PrepareWeight(desc);
  const Rows in(backend, rows, weight->cols(), x);
  const Rows out(backend, rows, epilogue == Epilogue::kSwiGlu ? weight->rows() / 2 : weight->rows());
  RunStep(backend, PlainPlan(rows), [&] { backend.Linear({in.act(), weight.get(), epilogue, out.act()}); });
  EXPECT_TRUE(out.GuardsIntact());
  return out.Read();
}

class Fast : public testing::TestWithParam<std::tuple<Kind, DType>> {};
class FastOfEveryFormat : public Fast {};
std::string NameOfCase(const testing::TestParamInfo<std::tuple<Kind, DType>>& info) {
  const char* const names[] = {"TensorMemory", "FourWarps", "Warp32", "Warp64"};
  return names[static_cast<int>(std::get<0>(info.param))] + std::string(InfoOf(std::get<1>(info.param)).name);
}

TEST_P(FastOfEveryFormat, RoundsActivationsToTheWeightsFormatAndSumsInFloat32) {
  const auto [kind, format] = GetParam();
  const int64_t outputs = 70, block = static_cast<int64_t>(InfoOf(format).values_per_block);
  for (const WeightRole role : {WeightRole::kLinear, WeightRole::kManyRows}) {
    for (const bool random : {false, true}) {
      const auto backend = MakeFast(kind, random);
      for (const auto& [some, rows] : {std::pair<int64_t, int64_t>{200, 17}, {64, 66}, {136, 90}, {1800, 18}}) {
        if (random && rows > 17) continue;
        if (block > 1 && rows == 66) continue;
        const int64_t k = (some + block - 1) / block * block * (block == 256 && rows == 17 ? 2 : 1);
        const WeightDesc desc = RandomWeight(role, 1, {{format, outputs}}, k, 21);
        std::vector<float> x = Random(22).Values(rows * k);
        for (int64_t i = 0; i < k; ++i) {
          x[static_cast<size_t>(2 * k + i)] *= 1e6f;  // beyond what F16 has
          x[static_cast<size_t>(3 * k + i)] *= 1e-9f;
        }
        const std::vector<float> got = RunLinear(*backend, desc, x, rows);
        ASSERT_EQ(OutOfBounds(desc.parts[0], x, rows, got, outputs), "");
      }
    }
  }
}

TEST_P(Fast, KeepsFewRowsAndLengthsThatFillNoPieceAsTheyAre) {
  const auto [kind, format] = GetParam();
  const auto ref = MakeRef(Numerics::kInvariant);
  const auto backend = MakeFast(kind, false);
  const auto block = static_cast<int64_t>(InfoOf(format).values_per_block);
  for (const auto& [some, rows, same] : {std::tuple<int64_t, int64_t, bool>{64, 16, true}, {60, 20, true}, {64, 20, false}}) {
    if (block > 1 && some % 8 != 0) continue;  // no such rows
    const int64_t k = (some + block - 1) / block * block;
    const WeightDesc desc = RandomWeight(WeightRole::kLinear, 1, {{format, 33}}, k, 23);
    const std::vector<float> x = Random(24).Values(rows * k);
    EXPECT_EQ(SameBits(RunLinear(*ref, desc, x, rows), RunLinear(*backend, desc, x, rows)), same) << k << ", " << rows;
  }
}

TEST_P(Fast, WhatIsNotFiniteStaysInItsRow) {
  const auto [kind, format] = GetParam();
  const int64_t k = IsBlocks(format) ? 256 : 72, rows = 18, outputs = 9;
  const auto backend = MakeFast(kind, false);
  const WeightDesc desc = RandomWeight(WeightRole::kLinear, 1, {{format, outputs}}, k, 25);
  std::vector<float> x = Random(26).Values(rows * k);
  std::fill_n(x.begin() + 3 * k, k, 0.0f);
  const std::vector<float> clean = RunLinear(*backend, desc, x, rows);
  x[static_cast<size_t>(5 * k + 7)] = std::numeric_limits<float>::infinity();
  x[static_cast<size_t>(9 * k + 70)] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> got = RunLinear(*backend, desc, x, rows);
  for (int64_t n = 0; n < rows; ++n)
    for (int64_t o = 0; o < outputs; ++o) {
      const float y = got[static_cast<size_t>(n * outputs + o)];
      if (n == 5 || n == 9) {
        EXPECT_FALSE(std::isfinite(y)) << n;
      } else {
        EXPECT_EQ(y, clean[static_cast<size_t>(n * outputs + o)]) << n;
      }
      if (n == 3) {
        EXPECT_EQ(y, 0.0f);
      }
    }
}

// Experts in groups of rows give what their rows give one after the other. 60 rows make tiles of 64, 192 of one expert tiles of
// 128, whose rows are long enough for every stage of the rings to be filled again.
TEST_P(Fast, ExpertsAreTheirRowsProducts) {
  const auto [kind, format] = GetParam();
  const auto backend = MakeFast(kind, false);
  const int64_t f = InfoOf(format).values_per_block == 256 ? 256 : 32;
  for (const auto& [experts, rows, d] : {std::tuple<int64_t, int64_t, int64_t>{3, 60, f == 256 ? f : 64}, {1, 192, 512}}) {
    const WeightDesc gate_up = RandomWeight(WeightRole::kExperts, experts, {{format, 2 * f}}, d, 27);
    const WeightDesc down = RandomWeight(WeightRole::kExperts, experts, {{format, d}}, f, 28);
    const std::vector<float> x = Random(29).Values(rows * d), residual = Random(30).Values(rows * d);
    std::vector<int32_t> ids(static_cast<size_t>(rows));
    for (size_t n = 0; n < ids.size(); ++n) ids[n] = static_cast<int32_t>(n * n % static_cast<size_t>(experts));
    std::vector<float> id_bits(ids.size());
    std::memcpy(id_bits.data(), ids.data(), ids.size() * 4);

    const auto gate_up_weight = backend->PrepareWeight(gate_up), down_weight = backend->PrepareWeight(down);
    const Rows in(*backend, rows, d, x), id_rows(*backend, rows, 1, id_bits),
        gates(*backend, rows, 1, std::vector<float>(ids.size(), 1.0f)), out(*backend, rows, d, residual);
    RunStep(*backend, PlainPlan(rows), [&] {
      backend->Experts({in.act(), id_rows.act(), gates.act(), gate_up_weight.get(), down_weight.get(), nullptr, nullptr, 0,
                        static_cast<int32_t>(experts), out.act()});
    });
    const std::vector<float> got = out.Read();

    for (int64_t e = 0; e < experts; ++e) {
      const auto alone = [&](const WeightDesc& all) {
        WeightDesc one = all;
        one.role = WeightRole::kLinear;
        one.experts = 1;
        std::vector<std::byte> bytes(all.parts[0].expert_bytes);
        all.parts[0].sources[0]->Read(static_cast<uint64_t>(e) * bytes.size(), bytes);
        one.parts[0].sources = {std::make_shared<MemorySource>(bytes, false)};
        return one;
      };
      const std::vector<float> hidden = RunLinear(*backend, alone(gate_up), x, rows, Epilogue::kSwiGlu);
      const std::vector<float> y = RunLinear(*backend, alone(down), hidden, rows);
      for (int64_t n = 0; n < rows; ++n) {
        if (ids[static_cast<size_t>(n)] != e) continue;
        for (int64_t i = 0; i < d; ++i) {
          const auto at = static_cast<size_t>(n * d + i);
          ASSERT_EQ(got[at], residual[at] + y[at]) << experts << " experts, row " << n << ", " << i;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, FastOfEveryFormat,
                         testing::Combine(testing::Values(Kind::kTensorMemory, Kind::kFourWarps, Kind::kWarp32, Kind::kWarp64),
                                          testing::Values(DType::kF16, DType::kBF16, DType::kQ4_0, DType::kQ4_1, DType::kQ5_0,
                                                          DType::kQ5_1, DType::kQ8_0, DType::kQ2_K, DType::kQ3_K, DType::kQ4_K,
                                                          DType::kQ5_K, DType::kQ6_K)),
                         NameOfCase);
INSTANTIATE_TEST_SUITE_P(Formats, Fast,
                         testing::Combine(testing::Values(Kind::kTensorMemory, Kind::kFourWarps, Kind::kWarp32, Kind::kWarp64),
                                          testing::Values(DType::kF16, DType::kBF16, DType::kQ5_1, DType::kQ4_K)),
                         NameOfCase);

// The one format that the mode changes nothing of.
TEST(FastNumerics, F32WeightsKeepTheirBits) {
  const auto ref = MakeRef(Numerics::kInvariant);
  for (const Kind kind : {Kind::kTensorMemory, Kind::kFourWarps, Kind::kWarp32, Kind::kWarp64}) {
    const auto backend = MakeFast(kind, false);
    const WeightDesc desc = RandomWeight(WeightRole::kLinear, 1, {{DType::kF32, 40}}, 64, 31);
    const std::vector<float> x = Random(32).Values(20 * 64);
    EXPECT_TRUE(SameBits(RunLinear(*ref, desc, x, 20), RunLinear(*backend, desc, x, 20)));
  }
}

// Without instructions for halves a product of integers is the quicker one.
TEST(FastNumerics, BlocksKeepTheirBitsWhereThereAreNoInstructionsForHalves) {
  const auto ref = MakeRef(Numerics::kInvariant);
  for (const Kind kind : {Kind::kNoHalves, Kind::kWarp32}) {
    const auto backend = MakeFast(kind, false);
    const WeightDesc desc = RandomWeight(WeightRole::kLinear, 1, {{DType::kQ8_0, 40}}, 64, 33);
    const std::vector<float> x = Random(34).Values(20 * 64);
    EXPECT_EQ(SameBits(RunLinear(*ref, desc, x, 20), RunLinear(*backend, desc, x, 20)), kind == Kind::kNoHalves);
  }
}

// Tiles of 128 rows, for which there must be many outputs, give what tiles of 64 do: rows are sums of their own.
TEST(FastNumerics, LargerTilesGiveTheSameRows) {
  for (const auto& [kind, block_outputs] : {std::pair<Kind, int64_t>{Kind::kFourWarps, 128}, {Kind::kTensorMemory, 256}}) {
    const int64_t k = 64, outputs = 127 * block_outputs + 70, rows = 128;
    const auto backend = MakeFast(kind, false);
    const WeightDesc desc = RandomWeight(WeightRole::kLinear, 1, {{DType::kQ5_0, outputs}}, k, 35);
    const std::vector<float> x = Random(36).Values(rows * k);
    const std::vector<float> got = RunLinear(*backend, desc, x, rows);
    for (const int64_t first : {0, 100}) {
      const std::vector<float> some(x.begin() + first * k, x.begin() + (first + 20) * k);
      const std::vector<float> alone = RunLinear(*backend, desc, some, 20);
      EXPECT_TRUE(std::equal(alone.begin(), alone.end(), got.begin() + first * outputs)) << first;
    }
  }
}

}  // namespace
}  // namespace scout
