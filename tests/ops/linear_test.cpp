#include <cmath>

#include "op_test.h"
#include "quant/activation.h"
#include "quant/formats.h"

namespace scout {
namespace {

std::vector<float> RunLinear(Backend& backend, const WeightDesc& desc, const std::vector<float>& x, int64_t rows, Epilogue epilogue,
                             const std::vector<float>& before) {
  const auto weight = backend.PrepareWeight(desc);
  const Rows in(backend, rows, weight->cols(), x);
  const int64_t outputs = epilogue == Epilogue::kSwiGlu ? weight->rows() / 2 : weight->rows();
  const Rows out(backend, rows, outputs, before);
  RunStep(backend, PlainPlan(rows), [&] { backend.Linear({in.act(), weight.get(), epilogue, out.act()}); });
  EXPECT_TRUE(out.GuardsIntact());
  EXPECT_TRUE(in.GuardsIntact());
  EXPECT_TRUE(SameBits(x, in.Read()));
  return out.Read();
}

class LinearFormats : public testing::TestWithParam<DType> {};

// Every format, instruction set and number of threads; outputs that fill no panel, one, pairs of them and an odd number for a
// task; one row, as many as a tile takes, and several tiles with every remainder.
TEST_P(LinearFormats, CpuRepeatsTheDefinedArithmeticBitForBit) {
  const DType format = GetParam();
  const auto ref = MakeRef(Numerics::kInvariant);
  for (const int64_t k : Sweep<int64_t>({256, 1280}, {1280})) {
    for (const int64_t outputs : Sweep<int64_t>({1, 16, 37, 32, 96}, {1, 70})) {
      const WeightDesc desc = RandomWeight(WeightRole::kLinear, 1, {{format, outputs}}, k, 7);
      for (const int64_t rows : Sweep<int64_t>({1, 2, 3, 4, 5, 7, 14, 135}, {1, 14, 90})) {
        Random random(static_cast<uint64_t>(rows));
        const auto x = random.Values(rows * k);
        const auto want = RunLinear(*ref, desc, x, rows, Epilogue::kStore, {});
        for (const std::string& isa : Isas()) {
          for (const int threads : Sweep<int>({1, 3}, {3})) {
            const auto cpu = MakeCpu(isa, threads);
            EXPECT_TRUE(SameBits(want, RunLinear(*cpu, desc, x, rows, Epilogue::kStore, {})))
                << isa << ", " << threads << " threads, " << rows << " rows, " << outputs << " x " << k;
          }
        }
      }
    }
  }
}

// A weight whose codes are all made of one byte and whose sub-blocks' scales of another; its float fields are sane.
WeightDesc WeightOfBytes(DType format, int64_t outputs, int64_t k, int byte, int scale_byte) {
  WeightDesc desc = RandomWeight(WeightRole::kLinear, 1, {{format, outputs}}, k, 18);
  std::vector<std::byte> blocks(desc.parts[0].expert_bytes), sane(blocks.size());
  desc.parts[0].sources[0]->Read(0, sane);
  const size_t block_bytes = InfoOf(format).bytes_per_block;
  const bool at_start = block_bytes < 40 || format == DType::kQ4_K || format == DType::kQ5_K;
  const bool two = format == DType::kQ4_1 || format == DType::kQ5_1 || format == DType::kQ2_K || format == DType::kQ4_K ||
                   format == DType::kQ5_K;
  const size_t float_bytes = two ? 4 : 2, float_at = at_start ? 0 : block_bytes - float_bytes;
  for (size_t i = 0; i < blocks.size(); ++i) {
    const size_t in_block = i % block_bytes;
    const bool is_float = in_block >= float_at && in_block < float_at + float_bytes;
    const bool is_scale = (format == DType::kQ6_K && in_block >= 192) || (format == DType::kQ3_K && in_block >= 96) ||
                          (format == DType::kQ2_K && in_block < 16) ||
                          ((format == DType::kQ4_K || format == DType::kQ5_K) && in_block < 16);
    blocks[i] = is_float ? sane[i] : static_cast<std::byte>(is_scale ? scale_byte : byte);
  }
  desc.parts[0].sources[0] = std::make_shared<MemorySource>(blocks, false);
  return desc;
}

// Codes and scales at their ends against activations at theirs: where a sum of 16 bits would overflow first.
TEST_P(LinearFormats, TheLargestCodesDoNotOverflow) {
  const DType format = GetParam();
  const int64_t k = 512, outputs = 32;
  if (!IsBlocks(format)) GTEST_SKIP() << "no integers in this format";
  const auto ref = MakeRef(Numerics::kInvariant);
  for (const int byte : {0x00, 0x7f, 0x80, 0xff}) {
    const WeightDesc desc = WeightOfBytes(format, outputs, k, byte, byte);
    // Three kinds of rows, and once more: few rows and many have kernels of their own.
    constexpr int64_t kRows = 6;
    std::vector<float> x(static_cast<size_t>(kRows * k), 1.0f);
    for (int64_t n = 0; n < kRows; ++n)
      for (int64_t i = 0; i < k; ++i) x[static_cast<size_t>(n * k + i)] = n % 3 == 1 || (n % 3 == 2 && i % 2) ? -1.0f : 1.0f;
    const auto want = RunLinear(*ref, desc, x, kRows, Epilogue::kStore, {});
    const auto exact = RunLinear(*MakeRef(Numerics::kFloat32), desc, x, kRows, Epilogue::kStore, {});
    // Activations of one magnitude are rounded without error, so only float32 sums separate the two.
    for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(want[i], exact[i], 1e-4 * std::max(1.0f, std::fabs(exact[i]))) << byte;
    const std::vector<float> few_x(x.begin(), x.begin() + 3 * k), few_want(want.begin(), want.begin() + 3 * outputs);
    for (const std::string& isa : Isas()) {
      EXPECT_TRUE(SameBits(want, RunLinear(*MakeCpu(isa, 1), desc, x, kRows, Epilogue::kStore, {})))
          << isa << ", bytes of " << byte;
      EXPECT_TRUE(SameBits(few_want, RunLinear(*MakeCpu(isa, 1), desc, few_x, 3, Epilogue::kStore, {})))
          << isa << ", bytes of " << byte << ", few rows";
    }
  }
}

// Kernels add up a longer run of values in 16 bits where the activations allow it. Here the magnitudes of each 16 (or the positive
// codes of each 32) add up to a number around each limit, of one sign and of both, against codes at their ends.
TEST_P(LinearFormats, SumsAroundTheLimitsOfSixteenBits) {
  const DType format = GetParam();
  const int64_t k = 512, outputs = 32, most_rows = 13;
  if (!IsBlocks(format)) GTEST_SKIP() << "no integers in this format";
  const auto ref = MakeRef(Numerics::kInvariant);
  std::vector<std::vector<float>> inputs;
  for (const int64_t run : {16, 32}) {
    for (const int64_t total :
         Sweep<int64_t>({520, 521, 1023, 1024, 1025, 1057, 1058, 1090, 2032, 2184, 2185, 2300, 4064}, {521, 4064})) {
      if (total > run * 127) continue;
      for (const int kind : {0, 1, 2}) {  // all positive, all negative, halves of either sign in turn
        std::vector<float> x(static_cast<size_t>(most_rows * k));
        for (int64_t i = 0; i < most_rows * k; ++i) {
          // 127 first, so that codes are what they are here, and the rest in equal shares.
          const int64_t place = i % run, left = total - 127;
          const int64_t code = place == 0 ? 127 : left / (run - 1) + (place <= left % (run - 1) ? 1 : 0);
          const bool negative = kind == 1 || (kind == 2 && i / run % 2);
          x[static_cast<size_t>(i)] = static_cast<float>(code) / 127.0f * (negative ? -1.0f : 1.0f);
        }
        inputs.push_back(x);
      }
    }
  }
  for (const int byte : {0x00, 0xff}) {
    for (const int scale_byte : Sweep<int>({0x7f, 0x80, 0xff}, {0x80})) {
      const WeightDesc desc = WeightOfBytes(format, outputs, k, byte, scale_byte);
      for (const auto& all : inputs) {
        for (const int64_t rows : Sweep<int64_t>({13, 7}, {13})) {  // seven and six of a tile; four and three of a stream
          const std::vector<float> x(all.begin(), all.begin() + rows * k);
          const auto want = RunLinear(*ref, desc, x, rows, Epilogue::kStore, {});
          for (const std::string& isa : Isas())
            EXPECT_TRUE(SameBits(want, RunLinear(*MakeCpu(isa, 1), desc, x, rows, Epilogue::kStore, {})))
                << isa << ", " << rows << " rows, codes of " << byte << ", scales of " << scale_byte;
        }
      }
    }
  }
}

// 32-blocks may come in any number, odd ones too; float rows in any length.
TEST_P(LinearFormats, RowsOfAnyNumberOfBlocks) {
  const DType format = GetParam();
  const auto block = static_cast<int64_t>(InfoOf(format).values_per_block);
  const auto ref = MakeRef(Numerics::kInvariant);
  for (const int64_t blocks : Sweep<int64_t>({1, 3, 7, 17}, {1, 7})) {
    const int64_t k = block == 1 ? 11 * blocks + 2 : block * blocks;
    for (const int64_t outputs : Sweep<int64_t>({21, 32}, {21})) {
      for (const int64_t rows : Sweep<int64_t>({3, 6}, {3, 18})) {
        const WeightDesc desc = RandomWeight(WeightRole::kLinear, 1, {{format, outputs}}, k, 8);
        const auto x = Random(1).Values(rows * k);
        const auto want = RunLinear(*ref, desc, x, rows, Epilogue::kStore, {});
        for (const std::string& isa : Isas())
          EXPECT_TRUE(SameBits(want, RunLinear(*MakeCpu(isa, 2), desc, x, rows, Epilogue::kStore, {})))
              << isa << ", " << outputs << " x " << k << ", " << rows << " rows";
      }
    }
  }
}

// So long that a device comes back to the first of its buffers; rows of blocks that begin at other places than the first.
TEST_P(LinearFormats, LongRows) {
  const DType format = GetParam();
  const int64_t k = InfoOf(format).values_per_block == 256 ? 4352 : 4384, outputs = 9, rows = 2;
  const WeightDesc desc = RandomWeight(WeightRole::kLinear, 1, {{format, outputs}}, k, 19);
  const auto x = Random(20).Values(rows * k);
  const auto want = RunLinear(*MakeRef(Numerics::kInvariant), desc, x, rows, Epilogue::kStore, {});
  for (const std::string& isa : Isas())
    for (const int threads : {1, 2})
      EXPECT_TRUE(SameBits(want, RunLinear(*MakeCpu(isa, threads), desc, x, rows, Epilogue::kStore, {}))) << isa << ", " << threads;
}

// The float32 oracle and the defined arithmetic differ by what rounding activations to bytes costs (a group's largest / 254 at
// most, per value) or to BF16, and by float32 sums. With W the decoded weights, both follow from |W| and |x|.
TEST_P(LinearFormats, TheDefinedArithmeticIsAsCloseToFloat32AsItsRoundingAllows) {
  const DType format = GetParam();
  const int64_t k = 1024, outputs = 19, rows = 3;
  const WeightDesc desc = RandomWeight(WeightRole::kLinear, 1, {{format, outputs}}, k, 9);
  const auto x = Random(2).Values(rows * k);
  const auto exact = RunLinear(*MakeRef(Numerics::kFloat32), desc, x, rows, Epilogue::kStore, {});
  const auto defined = RunLinear(*MakeRef(Numerics::kInvariant), desc, x, rows, Epilogue::kStore, {});
  const size_t row_bytes = RowBytes(format, static_cast<uint64_t>(k));
  const int group = quant::ActivationGroup(format);
  for (int64_t o = 0; o < outputs; ++o) {
    std::vector<std::byte> bytes(row_bytes);
    desc.parts[0].sources[0]->Read(static_cast<uint64_t>(o) * row_bytes, bytes);
    std::vector<float> w(static_cast<size_t>(k));
    quant::DecodeRow(format, bytes.data(), w.data(), w.size());
    for (int64_t n = 0; n < rows; ++n) {
      double bound = 0, sum = 0;
      for (int64_t i = 0; i < k; ++i) {
        // A value rounded to BF16 alone is off by 2^-9 of the power of two above it, at most 2^-8 of itself: 254 / 256.
        double step = quant::MeetsBf16(format) ? std::fabs(static_cast<double>(x[n * k + i])) : 0;
        if (group > 0) {
          for (int64_t j = i / group * group; j < (i / group + 1) * group; ++j)
            step = std::max(step, std::fabs(static_cast<double>(x[n * k + j])));
        }
        bound += std::fabs(static_cast<double>(w[i])) * step / 254 * 1.001;
        sum += std::fabs(static_cast<double>(w[i]) * x[n * k + i]);
      }
      // Float sums: at most k / 16 + 4 roundings a lane, or three a block, each 2^-24 of what has been added (minima, which cancel
      // against codes, may be several times larger than the values; 8 covers the formats here).
      bound += 8 * sum * static_cast<double>(k / 16 + 8) * 0x1p-24;
      EXPECT_NEAR(exact[n * outputs + o], defined[n * outputs + o], bound);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, LinearFormats, testing::ValuesIn(kWeightFormats),
                         [](const auto& info) { return std::string(InfoOf(info.param).name); });

TEST(Linear, EpiloguesAddAndGate) {
  const int64_t k = 512, rows = 4;
  const auto x = Random(3).Values(rows * k);
  for (const DType format : {DType::kF16, DType::kQ4_K}) {
    const WeightDesc desc = RandomWeight(WeightRole::kLinear, 1, {{format, 23}, {format, 23}}, k, 10);
    const auto before = Random(4).Values(rows * 46);
    const auto ref = MakeRef(Numerics::kInvariant);
    const auto y = RunLinear(*ref, desc, x, rows, Epilogue::kStore, {});
    const auto added = RunLinear(*ref, desc, x, rows, Epilogue::kAdd, before);
    const auto gated = RunLinear(*ref, desc, x, rows, Epilogue::kSwiGlu, {});
    for (size_t i = 0; i < y.size(); ++i) EXPECT_EQ(added[i], before[i] + y[i]);
    for (int64_t n = 0; n < rows; ++n) {
      for (int64_t j = 0; j < 23; ++j) {
        const double gate = y[n * 46 + j], up = y[n * 46 + 23 + j];
        EXPECT_NEAR(gated[n * 23 + j], gate / (1 + std::exp(-gate)) * up, 1e-6 * std::max(1.0, std::fabs(gate * up)));
      }
    }
    for (const std::string& isa : Isas()) {
      const auto cpu = MakeCpu(isa, 2);
      EXPECT_TRUE(SameBits(added, RunLinear(*cpu, desc, x, rows, Epilogue::kAdd, before))) << isa;
      EXPECT_TRUE(SameBits(gated, RunLinear(*cpu, desc, x, rows, Epilogue::kSwiGlu, {}))) << isa;
    }
  }
}

TEST(Linear, APartMayHaveAFormatOfItsOwn) {
  // q and k in Q4_K, v in Q6_K, a fourth in F16; the borders are not those of panels.
  const int64_t k = 512, rows = 3;
  const std::vector<PartShape> parts = {
      {DType::kQ4_K, 20}, {DType::kQ4_K, 7}, {DType::kQ6_K, 7}, {DType::kQ8_0, 3}, {DType::kF16, 5}};
  const WeightDesc desc = RandomWeight(WeightRole::kLinear, 1, parts, k, 11);
  const auto x = Random(5).Values(rows * k);
  const auto ref = MakeRef(Numerics::kInvariant);
  const auto want = RunLinear(*ref, desc, x, rows, Epilogue::kStore, {});
  int64_t at = 0;
  for (size_t p = 0; p < parts.size(); ++p) {  // each part alone gives the same outputs
    WeightDesc alone = desc;
    alone.parts = {desc.parts[p]};
    const auto y = RunLinear(*ref, alone, x, rows, Epilogue::kStore, {});
    for (int64_t n = 0; n < rows; ++n)
      for (int64_t r = 0; r < parts[p].rows; ++r) EXPECT_EQ(y[n * parts[p].rows + r], want[n * 42 + at + r]);
    at += parts[p].rows;
  }
  for (const std::string& isa : Isas())
    EXPECT_TRUE(SameBits(want, RunLinear(*MakeCpu(isa, 3), desc, x, rows, Epilogue::kStore, {}))) << isa;
}

TEST(Linear, ARowDoesNotDependOnTheOthers) {
  const int64_t k = 768, rows = 67, outputs = 33;
  const auto x = Random(6).Values(rows * k);
  for (const DType format : {DType::kF32, DType::kBF16, DType::kQ8_0, DType::kQ4_K, DType::kQ6_K}) {
    const WeightDesc desc = RandomWeight(WeightRole::kLinear, 1, {{format, outputs}}, k, 12);
    std::vector<std::unique_ptr<Backend>> backends;
    backends.push_back(MakeRef(Numerics::kInvariant));
    backends.push_back(MakeRef(Numerics::kFloat32));
    for (const std::string& isa : Isas()) backends.push_back(MakeCpu(isa, 2));
    for (const auto& backend : backends) {
      const auto all = RunLinear(*backend, desc, x, rows, Epilogue::kStore, {});
      for (const int64_t n : {0, 1, 2, 3, 31, 63, 64, 66}) {
        const std::vector<float> row(x.begin() + n * k, x.begin() + (n + 1) * k);
        const auto y = RunLinear(*backend, desc, row, 1, Epilogue::kStore, {});
        EXPECT_TRUE(SameBits(std::span(all).subspan(static_cast<size_t>(n * outputs), outputs), y))
            << backend->Info().description << ", " << InfoOf(format).name << ", row " << n;
      }
    }
  }
}

TEST(Linear, NonFiniteActivationsReachTheResultAndStayInTheirRow) {
  const int64_t k = 512, outputs = 17;
  auto x = Random(7).Values(3 * k);
  const auto clean = x;
  x[k + 300] = std::numeric_limits<float>::quiet_NaN();
  x[2 * k + 10] = std::numeric_limits<float>::infinity();
  for (const DType format : {DType::kF32, DType::kBF16, DType::kQ8_0, DType::kQ4_1, DType::kQ4_K, DType::kQ6_K}) {
    const WeightDesc desc = RandomWeight(WeightRole::kLinear, 1, {{format, outputs}}, k, 13);
    std::vector<std::unique_ptr<Backend>> backends;
    backends.push_back(MakeRef(Numerics::kInvariant));
    for (const std::string& isa : Isas()) backends.push_back(MakeCpu(isa, 2));
    for (const auto& backend : backends) {
      const auto want = RunLinear(*backend, desc, clean, 3, Epilogue::kStore, {});
      const auto got = RunLinear(*backend, desc, x, 3, Epilogue::kStore, {});
      for (int64_t o = 0; o < outputs; ++o) {
        EXPECT_EQ(got[o], want[o]);
        EXPECT_TRUE(std::isnan(got[outputs + o])) << backend->Info().description << InfoOf(format).name;
        EXPECT_FALSE(std::isfinite(got[2 * outputs + o])) << backend->Info().description << InfoOf(format).name;
      }
    }
  }
}

TEST(Linear, AMappedSourceIsUsedInPlaceAndGivesTheSame) {
  const int64_t k = 512, outputs = 33;
  const auto x = Random(8).Values(2 * k);
  for (const DType format : {DType::kF32, DType::kQ6_K}) {
    const auto cpu = MakeCpu("", 2);
    const auto read =
        RunLinear(*cpu, RandomWeight(WeightRole::kLinear, 1, {{format, outputs}}, k, 14, false), x, 2, Epilogue::kStore, {});
    const auto mapped =
        RunLinear(*cpu, RandomWeight(WeightRole::kLinear, 1, {{format, outputs}}, k, 14, true), x, 2, Epilogue::kStore, {});
    EXPECT_TRUE(SameBits(read, mapped));
  }
}

// Hugging Face's fused experts hold [K, gate and up] per expert.
TEST(Linear, TransposedPartsAreTurned) {
  const int64_t k = 70, gate = 37, up = 41, row_values = gate + up;
  for (const DType format : {DType::kF32, DType::kF16, DType::kBF16}) {
    for (const bool mapped : {false, true}) {
      Random random(15);
      const auto file = RandomBlocks(format, k * row_values, random);
      const size_t size = InfoOf(format).bytes_per_block;
      std::vector<std::byte> turned(file.size());
      for (int64_t i = 0; i < k; ++i)
        for (int64_t r = 0; r < row_values; ++r)
          std::memcpy(turned.data() + static_cast<size_t>(r * k + i) * size,
                      file.data() + static_cast<size_t>(i * row_values + r) * size, size);
      WeightDesc plain, fused;
      plain.parts.resize(1);
      plain.parts[0] = {format, row_values, k, false, k, 0, {std::make_shared<MemorySource>(turned, false)}, 0};
      const auto source = std::make_shared<MemorySource>(file, mapped);
      fused.parts.push_back({format, gate, k, true, row_values, 0, {source}, 0});
      fused.parts.push_back({format, up, k, true, row_values, gate, {source}, 0});
      const auto x = Random(16).Values(2 * k);
      const auto cpu = MakeCpu("", 1);
      EXPECT_TRUE(SameBits(RunLinear(*cpu, plain, x, 2, Epilogue::kStore, {}), RunLinear(*cpu, fused, x, 2, Epilogue::kStore, {})));
    }
  }
}

TEST(Linear, ATruncatedSourceIsRefusedWithTheNumbers) {
  WeightDesc desc = RandomWeight(WeightRole::kLinear, 1, {{DType::kQ8_0, 4}}, 64, 17);
  desc.parts[0].rows = 5;
  for (const char* device : {"ref", "cpu"}) {
    try {
      MakeBackend(device, {})->PrepareWeight(desc);
      FAIL() << "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kTruncated);
      EXPECT_NE(std::string(error.what()).find("340"), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace scout
