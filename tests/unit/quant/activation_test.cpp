#include "quant/activation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "quant/rounding.h"

namespace scout::quant {
namespace {

TEST(RoundToEven, EqualsTheDefinition) {
  std::mt19937 random(1);
  for (int i = -300; i <= 300; ++i) {
    const float half = static_cast<float>(i) / 2;
    EXPECT_EQ(RoundToEven(half), static_cast<int>(std::nearbyint(half))) << half;
    EXPECT_EQ(RoundToEven(std::nextafter(half, 1e9f)), static_cast<int>(std::nearbyint(std::nextafter(half, 1e9f))));
    EXPECT_EQ(RoundToEven(std::nextafter(half, -1e9f)), static_cast<int>(std::nearbyint(std::nextafter(half, -1e9f))));
    EXPECT_EQ(RoundAway(half), static_cast<int>(std::round(half))) << half;
  }
  std::uniform_real_distribution<float> uniform(-130, 130);
  for (int i = 0; i < 100000; ++i) {
    const float x = uniform(random);
    ASSERT_EQ(RoundToEven(x), static_cast<int>(std::nearbyint(x))) << x;
  }
}

struct Codes {
  std::vector<int8_t> codes;
  std::vector<float> scales;
  std::vector<int16_t> sums;
};

Codes Quantize(const std::vector<float>& x, int group) {
  Codes out{std::vector<int8_t>(x.size()), std::vector<float>(x.size() / group),
            std::vector<int16_t>(x.size() / (group == 32 ? 32 : 16))};
  (group == 32 ? QuantizeActivation32 : QuantizeActivation256)(x.data(), x.size(), out.codes.data(), out.scales.data(),
                                                               out.sums.data());
  return out;
}

TEST(Activation, CodesAreTheNearestOnesAndSumsAreTheirs) {
  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  for (const int group : {32, 256}) {
    std::vector<float> x(1024);
    for (float& v : x) v = normal(random);
    const Codes q = Quantize(x, group);
    for (size_t g = 0; g < x.size() / group; ++g) {
      float max = 0;
      for (int i = 0; i < group; ++i) max = std::max(max, std::fabs(x[g * group + i]));
      EXPECT_EQ(q.scales[g], max / 127.0f);
      int extreme = 0;
      for (int i = 0; i < group; ++i) {
        const size_t at = g * group + i;
        EXPECT_EQ(q.codes[at], static_cast<int>(std::nearbyint(x[at] * (127.0f / max))));
        EXPECT_LE(std::fabs(q.scales[g] * q.codes[at] - x[at]), 0.5001f * q.scales[g]);
        extreme = std::max(extreme, std::abs(q.codes[at]));
      }
      EXPECT_EQ(extreme, 127);
    }
    const int per_sum = group == 32 ? 32 : 16;
    for (size_t s = 0; s < q.sums.size(); ++s) {
      int sum = 0;
      for (int i = 0; i < per_sum; ++i) sum += q.codes[s * per_sum + i];
      EXPECT_EQ(q.sums[s], sum);
    }
  }
}

TEST(Activation, AGroupDependsOnItselfAlone) {
  std::vector<float> x(512, 1.0f);
  const Codes before = Quantize(x, 256);
  x[300] = 1000.0f;
  const Codes after = Quantize(x, 256);
  EXPECT_EQ(std::vector<int8_t>(before.codes.begin(), before.codes.begin() + 256),
            std::vector<int8_t>(after.codes.begin(), after.codes.begin() + 256));
  EXPECT_EQ(before.scales[0], after.scales[0]);
}

TEST(Activation, ZerosTinyAndHugeValuesAreDefined) {
  for (const int group : {32, 256}) {
    std::vector<float> x(group, 0.0f);
    Codes q = Quantize(x, group);
    EXPECT_EQ(q.scales[0], 0.0f);
    for (float& v : x) v = 1e-40f;
    q = Quantize(x, group);
    EXPECT_EQ(q.scales[0], 0.0f);
    EXPECT_EQ(q.codes[5], 0);
    for (float& v : x) v = -kSmallestActivation;
    q = Quantize(x, group);
    EXPECT_EQ(q.codes[5], -127);
    EXPECT_EQ(q.sums[0], -127 * (group == 32 ? 32 : 16));
    for (float& v : x) v = std::numeric_limits<float>::max();
    q = Quantize(x, group);
    EXPECT_EQ(q.codes[0], 127);
    EXPECT_TRUE(std::isfinite(q.scales[0]));
  }
}

TEST(Activation, NanAndInfinityPoisonTheirGroupOnly) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}) {
    std::vector<float> x(64, 1.0f);
    x[40] = bad;
    const Codes q = Quantize(x, 32);
    EXPECT_EQ(q.scales[0], 1.0f / 127.0f);
    EXPECT_TRUE(std::isnan(q.scales[1]));
    EXPECT_EQ(q.codes[32], 0);
    EXPECT_EQ(q.sums[1], 0);
  }
}

TEST(Activation, TheGroupFollowsTheWeightFormat) {
  EXPECT_EQ(ActivationGroup(DType::kQ4_0), 32);
  EXPECT_EQ(ActivationGroup(DType::kQ8_0), 32);
  EXPECT_EQ(ActivationGroup(DType::kQ2_K), 256);
  EXPECT_EQ(ActivationGroup(DType::kQ6_K), 256);
  EXPECT_EQ(ActivationGroup(DType::kBF16), 0);
  EXPECT_EQ(ActivationGroup(DType::kF32), 0);
}

}  // namespace
}  // namespace scout::quant
