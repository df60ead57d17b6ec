// The two tables of AVX-512 kernels, of which a machine takes the one that suits its maker: products of any number of rows are the
// same bits. (That those of the machine's own table are the defined arithmetic is shown in linear_test.cpp.)
#include <cstring>
#include <new>

#include "base/cpu_features.h"
#include "cpu/kernels.h"
#include "cpu/packed.h"
#include "op_test.h"

namespace scout::cpu {
namespace {

constexpr int64_t kColumns = 768, kMostRows = 46;

struct Case {
  const char* name;
  DType format;
  PackedProduct Kernels::*product;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

// Two panels of random codes and scales.
class Panels {
 public:
  explicit Panels(DType format)
      : bytes_(PackedPanelBytes(format, kColumns)), memory_(new (std::align_val_t{64}) std::byte[2 * bytes_ + kBeyond]) {
    const WeightDesc desc = RandomWeight(WeightRole::kLinear, 1, {{format, 2 * kPanelRows}}, kColumns, 29);
    std::vector<std::byte> rows(desc.parts[0].expert_bytes);
    desc.parts[0].sources[0]->Read(0, rows);
    for (size_t p = 0; p < 2; ++p) PackPanel(format, rows.data() + p * rows.size() / 2, kColumns, memory_ + p * bytes_);
  }
  ~Panels() { ::operator delete[](memory_, std::align_val_t{64}); }
  Panels(const Panels&) = delete;
  Panels& operator=(const Panels&) = delete;

  PackedPanels Of(int panels, bool amd) const {
    const auto* const first = reinterpret_cast<const unsigned char*>(memory_);
    return {{first, panels == 2 ? first + bytes_ : nullptr}, panels, kColumns, amd};
  }

 private:
  static constexpr size_t kBeyond = 64;
  size_t bytes_;
  std::byte* memory_;
};

// Rows as one table rounds them.
class Rounded {
 public:
  Rounded(const Kernels& kernels, const std::vector<float>& values, int64_t rows)
      : codes_(static_cast<size_t>(rows * kColumns)),
        sums_(static_cast<size_t>(rows * kColumns / 256)),
        winograd_(kernels.amd ? sums_.size() : 0),
        rows_(rows) {
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t b = 0; b < kColumns / 256; ++b)
        kernels.round_block(values.data() + row * kColumns + b * 256, codes_.data() + (b * rows + row) * 256,
                            &sums_[static_cast<size_t>(b * rows + row)],
                            kernels.amd ? &winograd_[static_cast<size_t>(b * rows + row)] : nullptr);
  }
  RoundedRows From(int64_t row) const {
    return {codes_.data() + row * 256,
            nullptr,
            nullptr,
            rows_,
            nullptr,
            sums_.data() + row,
            winograd_.empty() ? nullptr : winograd_.data() + row};
  }

 private:
  std::vector<int8_t> codes_;
  std::vector<CodeSums> sums_;
  std::vector<WinogradCodes> winograd_;
  int64_t rows_;
};

class Tiles : public testing::TestWithParam<Case> {};

// Rows whose runs of 32 fit in 16 bits, those of which only shorter ones do, and some of each; and rows of which few values are
// nearly the largest (winograd_avx512.inl), but for three blocks where all are.
TEST_P(Tiles, AreTheSameBitsForBothMakers) {
  if (DetectIsa() < Isa::kAvx512) GTEST_SKIP() << "this processor has no AVX-512 with VNNI";
  const Case c = GetParam();
  const Panels panels(c.format);
  Random random(31);
  std::vector<float> plain = random.Values(kMostRows * kColumns), large = plain, halves = plain, mixed = plain, peaked = plain;
  for (size_t i = 0; i < plain.size(); ++i) {
    large[i] = 0.9f + 0.1f * std::abs(plain[i]) / 8;
    halves[i] = i % 256 == 0 ? 1.0f : 0.45f + 0.05f * plain[i] / 8;
    const size_t row = i / kColumns;
    if (row % 5 == 0) mixed[i] = row % 2 == 0 ? large[i] : halves[i];
    peaked[i] = plain[i] * std::abs(plain[i]);
    if (i / 256 == 3 * 20) peaked[i] = large[i];
    if (i / 256 == 3 * 21 + 1) peaked[i] = -large[i];
    if (i / 256 == 3 * 22 + 2) peaked[i] = i % 3 == 0 ? 1.0f : -0.95f;
  }
  for (const auto* const values : {&plain, &large, &halves, &mixed, &peaked})
    for (int64_t rows = 1; rows <= kMostRows; rows += rows < 20 ? 1 : 5) {
      for (const int count : {1, 2}) {
        std::vector<float> y[2];
        for (const bool amd : {false, true}) {
          const Kernels& kernels = *Avx512Kernels(amd, false);
          const int64_t first = kMostRows - rows;  // of a block with rows before
          const Rounded x(kernels, *values, kMostRows);
          y[amd].assign(static_cast<size_t>(count * rows * kPanelRows), -1.0f);
          (kernels.*c.product)(panels.Of(count, amd), x.From(first), rows, y[amd].data());
        }
        ASSERT_EQ(std::memcmp(y[0].data(), y[1].data(), y[0].size() * sizeof(float)), 0) << rows << " rows, " << count << " panels";
      }
    }
}
INSTANTIATE_TEST_SUITE_P(Formats, Tiles,
                         testing::Values(Case{"Q2_K", DType::kQ2_K, &Kernels::packed_q2_k},
                                         Case{"Q3_K", DType::kQ3_K, &Kernels::packed_q3_k},
                                         Case{"Q4_K", DType::kQ4_K, &Kernels::packed_q4_k},
                                         Case{"Q5_K", DType::kQ5_K, &Kernels::packed_q5_k},
                                         Case{"Q6_K", DType::kQ6_K, &Kernels::packed_q6_k}),
                         [](const auto& info) { return info.param.name; });

// y of `count` rows of x against a panel of BF16, by the tables without and with the instruction that multiplies BF16.
struct Both {
  std::vector<float> widened, multiplied;
};
Both MultiplyBf16(const std::vector<uint16_t>& w, int rows, int64_t k, const std::vector<float>& x, int64_t count) {
  Both both;
  for (const bool bf16 : {false, true}) {
    const Kernels& kernels = *Avx512Kernels(false, bf16);
    const int64_t stride = (k + 31) / 32 * 32 * kernels.bf16_bytes;
    std::vector<std::byte> rounded(static_cast<size_t>(count * stride), std::byte{0xff});
    for (int64_t n = 0; n < count; ++n) kernels.round_bf16(x.data() + n * k, k, rounded.data() + n * stride);
    std::vector<float>& y = bf16 ? both.multiplied : both.widened;
    y.assign(static_cast<size_t>(count * kPanelRows), -1.0f);
    const Panel panel = {reinterpret_cast<const unsigned char*>(w.data()), static_cast<size_t>(k) * 2, rows, k};
    kernels.bf16(panel, rounded.data(), count, y.data());
  }
  return both;
}

TEST(Bf16, TheInstructionGivesTheBitsOfTheDefinedArithmetic) {
  if (DetectIsa() < Isa::kAvx512 || !ProcessorMultipliesBf16()) GTEST_SKIP() << "this processor has no AVX-512 BF16";
  for (const int64_t k : {1, 2, 15, 31, 32, 33, 63, 100, 1031, 5120})
    for (const int rows : {1, 3, 4, 15, 16})
      for (const int64_t count : {1, 2, 4, 5, 6, 13}) {
        Random random(static_cast<uint64_t>(k * 100 + rows * 10 + count));
        std::vector<uint16_t> w;
        for (const float value : random.Values(rows * k)) w.push_back(quant::F32ToBf16(value));
        const Both y = MultiplyBf16(w, rows, k, random.Values(count * k), count);
        ASSERT_EQ(std::memcmp(y.widened.data(), y.multiplied.data(), y.widened.size() * sizeof(float)), 0)
            << rows << " x " << k << ", " << count << " rows";
      }
}

// The instruction takes what is below the smallest normal number for 0, as a factor and as a sum.
TEST(Bf16, NumbersTooSmallToBeNormalMayCountAsZero) {
  if (DetectIsa() < Isa::kAvx512 || !ProcessorMultipliesBf16()) GTEST_SKIP() << "this processor has no AVX-512 BF16";
  constexpr int64_t kDepth = 64;
  const std::vector<uint16_t> w(kDepth, quant::F32ToBf16(0x1p-127f));
  const Both y = MultiplyBf16(w, 1, kDepth, std::vector<float>(kDepth, 0.5f), 1);
  EXPECT_EQ(y.widened[0], kDepth * 0x1p-128f);
  EXPECT_EQ(y.multiplied[0], 0.0f);
}

}  // namespace
}  // namespace scout::cpu
