#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "quant/formats.h"

namespace scout::quant {
namespace {

std::vector<float> Normal(size_t n, unsigned seed, float scale) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> out(n);
  for (float& x : out) x = normal(random);
  return out;
}

// Root mean square error of a round trip over that of the values.
double RoundTripError(DType dtype, const std::vector<float>& x) {
  std::vector<std::byte> blocks(RowBytes(dtype, x.size()));
  std::vector<float> y(x.size());
  EncodeRow(dtype, x.data(), blocks.data(), x.size());
  DecodeRow(dtype, blocks.data(), y.data(), x.size());
  double error = 0, power = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    error += (double(y[i]) - x[i]) * (double(y[i]) - x[i]);
    power += double(x[i]) * x[i];
  }
  return std::sqrt(error / power);
}

// For normal values the step of a b-bit code over a group of n is about 2 E[max of n] / 2^b, and a rounding error is
// step / sqrt(12): Q8_0 (2.07*2/254/3.46 = 0.0047 with E[max of 32 magnitudes] = 2.39: 0.0054), Q6_K over 16 about 0.019,
// Q4_0 over 32 about 0.09, Q4_K about 0.075 (its range is not symmetric). The bounds leave a tenth.
TEST(Encode, RoundTripErrorsAreThoseOfTheBitWidth) {
  const std::vector<float> x = Normal(256 * 64, 3, 0.02f);
  EXPECT_LT(RoundTripError(DType::kF16, x), 3e-4);
  EXPECT_LT(RoundTripError(DType::kBF16, x), 2.5e-3);
  EXPECT_LT(RoundTripError(DType::kQ8_0, x), 0.006);
  EXPECT_LT(RoundTripError(DType::kQ6_K, x), 0.021);
  EXPECT_LT(RoundTripError(DType::kQ4_0, x), 0.1);
  EXPECT_LT(RoundTripError(DType::kQ4_K, x), 0.082);
  EXPECT_LT(RoundTripError(DType::kQ4_1, x), 0.09);
  EXPECT_LT(RoundTripError(DType::kQ5_0, x), 0.05);
  EXPECT_LT(RoundTripError(DType::kQ5_1, x), 0.045);
  EXPECT_EQ(RoundTripError(DType::kF32, x), 0);
}

// The squared error of a block may not exceed what its own coarsest step allows: no value may land on a wrong code.
TEST(Encode, ValuesThatLieOnTheGridComeBack) {
  std::mt19937 random(5);
  for (const DType dtype : {DType::kQ8_0, DType::kQ4_0, DType::kQ4_K, DType::kQ6_K}) {
    std::vector<float> x(256);
    for (float& v : x) v = static_cast<float>(static_cast<int>(random() % 16) - 8) * 0.25f;
    x[0] = -2.0f;
    for (size_t i = 0; i < 256; i += 16) x[i] = -2.0f, x[i + 1] = 1.75f;
    EXPECT_LT(RoundTripError(dtype, x), dtype == DType::kQ4_0 || dtype == DType::kQ8_0 ? 4e-3 : 1.2e-2) << InfoOf(dtype).name;
  }
}

std::vector<char> Slurp(const std::string& name) {
  std::ifstream file(std::string(SCOUT_SOURCE_DIR) + "/tests/fixtures/quant/" + name, std::ios::binary);
  EXPECT_TRUE(file) << name << " is missing";
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// For these formats the package has encoders too; ours make the same blocks.
TEST(Encode, EqualsTheGgufPackageWhereItHasAnEncoder) {
  for (const auto& [name, dtype] :
       {std::pair("q8_0", DType::kQ8_0), std::pair("q4_0", DType::kQ4_0), std::pair("q4_1", DType::kQ4_1),
        std::pair("q5_0", DType::kQ5_0), std::pair("q5_1", DType::kQ5_1)}) {
    const std::vector<char> in = Slurp(std::string(name) + ".in"), expected = Slurp(std::string(name) + ".enc");
    std::vector<float> x(in.size() / 4);
    std::memcpy(x.data(), in.data(), in.size());
    std::vector<std::byte> blocks(RowBytes(dtype, x.size()));
    ASSERT_EQ(blocks.size(), expected.size());
    ASSERT_GT(blocks.size(), 1000u);
    EncodeRow(dtype, x.data(), blocks.data(), x.size());
    EXPECT_EQ(std::memcmp(blocks.data(), expected.data(), blocks.size()), 0) << name;
  }
}

TEST(Encode, ZerosAndTinyValuesStayZero) {
  for (const DType dtype : {DType::kQ8_0, DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ4_K, DType::kQ6_K,
                            DType::kF16, DType::kBF16}) {
    std::vector<float> x(256, 0.0f), y(256);
    std::vector<std::byte> blocks(RowBytes(dtype, 256));
    EncodeRow(dtype, x.data(), blocks.data(), 256);
    DecodeRow(dtype, blocks.data(), y.data(), 256);
    for (const float v : y) EXPECT_EQ(v, 0) << InfoOf(dtype).name;
    for (float& v : x) v = 1e-42f;
    EncodeRow(dtype, x.data(), blocks.data(), 256);
    DecodeRow(dtype, blocks.data(), y.data(), 256);
    for (const float v : y) EXPECT_LT(std::fabs(v), 1e-30f) << InfoOf(dtype).name;
  }
}

TEST(Encode, FormatsWithoutAnEncoderSaySo) {
  float x[256] = {};
  std::byte blocks[256];
  EXPECT_THROW(EncodeRow(DType::kQ2_K, x, blocks, 256), Error);
}

}  // namespace
}  // namespace scout::quant
