#include "base/math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace scout {
namespace {

uint32_t Bits(float x) { return std::bit_cast<uint32_t>(x); }
float FromBits(uint32_t bits) { return std::bit_cast<float>(bits); }

// |got - want| in units of the last place of float32 at `want`.
double Ulps(float got, double want) {
  const double unit = std::ldexp(1.0, std::max(std::ilogb(want), -126) - 23);
  return std::fabs(static_cast<double>(got) - want) / unit;
}

TEST(Fma, EqualsTheLibrarysOnRandomBits) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000000; ++i) {
    const uint64_t r = random(), s = random();
    const float a = FromBits(static_cast<uint32_t>(r)), b = FromBits(static_cast<uint32_t>(r >> 32));
    float c = FromBits(static_cast<uint32_t>(s));
    if (i % 2 == 0 && std::isfinite(a * b)) {
      // Cancellation: c close to -a * b, a few units away.
      c = FromBits(Bits(-a * b) + static_cast<uint32_t>(s % 5) - 2);
    }
    const float want = std::fma(a, b, c), got = Fma(a, b, c);
    if (std::isnan(want))
      EXPECT_TRUE(std::isnan(got));
    else
      ASSERT_EQ(Bits(got), Bits(want)) << a << " * " << b << " + " << c;
  }
}

TEST(Fma, EqualsTheLibrarysWhereRoundingTwiceWouldNot) {
  // (1 + k u)(1 - k u) = 1 - k^2 u^2 beside an even whole number in [2^24, 2^25), whose neighbours are 2 apart: the float64 sum
  // rounds to the middle of two float32 values, the true sum lies beside it.
  std::mt19937_64 random(2);
  int differed = 0;
  for (int i = 0; i < 100000; ++i) {
    const uint64_t r = random();
    const float k = static_cast<float>(r % 256) * 0x1p-23f;
    const float a = 1.0f + k, b = (r >> 8 & 1) ? 1.0f - k : k - 1.0f;
    const float c = (16777216.0f + static_cast<float>(r >> 16 & 0xffffff)) * ((r >> 9 & 1) ? 1.0f : -1.0f);
    ASSERT_EQ(Bits(Fma(a, b, c)), Bits(std::fma(a, b, c))) << a << " * " << b << " + " << c;
    const float twice = static_cast<float>(static_cast<double>(a) * static_cast<double>(b) + static_cast<double>(c));
    differed += Bits(twice) != Bits(std::fma(a, b, c));
  }
  EXPECT_GE(differed, 1) << "the cases do not reach what they are for";
}

TEST(Fma, RoundsSubnormalResultsOnce) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 1000000; ++i) {
    const uint64_t r = random();
    const float a = std::ldexp(FromBits(0x3f800000 | (r & 0x7fffff)), -70),
                b = std::ldexp(FromBits(0x3f800000 | (r >> 23 & 0x7fffff)), -60);
    const float c = FromBits(static_cast<uint32_t>(random() & 0x807fffff));
    ASSERT_EQ(Bits(Fma(a, b, c)), Bits(std::fma(a, b, c)));
  }
}

TEST(Exp, IsWithinOneUlp) {
  double worst = 0;
  for (uint32_t bits = 0; bits < 0x42b20000; bits += 97) {  // 0 .. 89
    for (const float x : {FromBits(bits), -FromBits(bits)}) {
      const double want = std::exp(static_cast<double>(x));
      const float got = Exp(x);
      if (want > 3.4028235e38)
        EXPECT_EQ(got, std::numeric_limits<float>::infinity());
      else if (x < -87.33654f)
        EXPECT_EQ(got, 0.0f);
      else
        worst = std::max(worst, Ulps(got, want));
    }
  }
  EXPECT_LE(worst, 1.0);
  RecordProperty("worst_ulps_in_thousandths", static_cast<int>(worst * 1000));
}

TEST(Exp, KnowsTheEnds) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(Exp(0.0f), 1.0f);
  EXPECT_EQ(Exp(-infinity), 0.0f);
  EXPECT_EQ(Exp(infinity), infinity);
  EXPECT_EQ(Exp(88.8f), infinity);
  EXPECT_TRUE(std::isfinite(Exp(88.72283f)));
  EXPECT_EQ(Exp(-87.4f), 0.0f);
  EXPECT_GE(Exp(-87.33654f), 1.17549435e-38f);
  EXPECT_TRUE(std::isnan(Exp(std::numeric_limits<float>::quiet_NaN())));
  EXPECT_TRUE(std::isnan(Silu(std::numeric_limits<float>::quiet_NaN())));
}

TEST(Silu, IsFiniteForEveryFiniteValue) {
  for (const float x : {-3e38f, -1000.0f, -90.0f, -1.0f, 0.0f, 1.0f, 90.0f, 3e38f}) EXPECT_TRUE(std::isfinite(Silu(x))) << x;
  EXPECT_EQ(Sigmoid(0.0f), 0.5f);
  EXPECT_NEAR(Silu(1.0f), 0.7310586f, 1e-7f);
}

// The library's in long double stands for the truth.
TEST(Erf, IsWithinTwoUlp) {
  double worst = 0;
  // Every 61st float32 of either sign up to 8; from 4 on the result is exactly 1.
  for (uint32_t bits = 0x00800000; bits < 0x41000000; bits += 61) {
    const float x = std::bit_cast<float>(bits);
    const long double truth = std::erf(static_cast<long double>(x));
    const auto rounded = static_cast<float>(truth);
    const long double ulp = static_cast<long double>(std::nextafter(rounded, 2.0f)) - static_cast<long double>(rounded);
    const float got = Erf(x);
    worst = std::max(worst, static_cast<double>(std::fabs(static_cast<long double>(got) - truth) / ulp));
    ASSERT_EQ(std::bit_cast<uint32_t>(Erf(-x)), std::bit_cast<uint32_t>(-got)) << x;
  }
  EXPECT_LE(worst, 2.0);
  EXPECT_GT(worst, 0.25) << "nothing was compared";
}

TEST(Erf, KnowsTheEnds) {
  EXPECT_EQ(Erf(0.0f), 0.0f);
  EXPECT_EQ(Erf(4.0f), 1.0f);
  EXPECT_EQ(Erf(std::numeric_limits<float>::infinity()), 1.0f);
  EXPECT_EQ(Erf(-std::numeric_limits<float>::infinity()), -1.0f);
  EXPECT_TRUE(std::isnan(Erf(std::numeric_limits<float>::quiet_NaN())));
}

// 1 + erf is off by 2 ulp of erf and one rounding, 3 * 2^-24 of 2 at most; x / 2 times it rounds twice more.
TEST(Gelu, IsWithinFourRoundingsOfItsArgument) {
  for (float x = -9; x < 9; x += 0x1p-9f) {
    const long double truth = 0.5L * x * (1 + std::erf(static_cast<long double>(x) * 0.70710678118654752440L));
    EXPECT_NEAR(static_cast<double>(Gelu(x)), static_cast<double>(truth), 4 * 0x1p-24 * std::fabs(x) + 1e-30) << x;
  }
  EXPECT_EQ(Gelu(-20.0f), 0.0f);
  EXPECT_EQ(Gelu(20.0f), 20.0f);
}

TEST(Log, AgreesWithTheLibrary) {
  std::mt19937_64 random(4);
  for (int i = 0; i < 300000; ++i) {
    const double x = std::ldexp(1.0 + static_cast<double>(random() >> 12) * 0x1p-52, static_cast<int>(random() % 200) - 100);
    const double want = std::log(x);
    EXPECT_NEAR(Log(x), want, std::max(std::fabs(want) * 0x1p-50, 0x1p-52)) << x;
  }
  EXPECT_EQ(Log(1.0), 0.0);
  EXPECT_EQ(Log(0.0), -std::numeric_limits<double>::infinity());
}

// The specification's rope test: every position up to ten million, the fastest and slower frequencies.
TEST(SinCos, IsWithinOneUlpForEveryPosition) {
  double worst = 0;
  std::mt19937_64 random(5);
  for (int i = 0; i < 400000; ++i) {
    const auto position = static_cast<float>(random() % 10485760);
    const float frequency = i % 3 == 0 ? 1.0f : std::exp(-static_cast<float>(random() % 1300) / 100.0f);
    const float angle = frequency * position;
    const SinCos got = SinCosOf(angle);
    const auto sine = static_cast<double>(std::sin(static_cast<long double>(angle)));
    const auto cosine = static_cast<double>(std::cos(static_cast<long double>(angle)));
    if (sine != 0) worst = std::max(worst, Ulps(got.sin, sine));
    worst = std::max(worst, Ulps(got.cos, cosine));
  }
  EXPECT_LE(worst, 0.51);
  EXPECT_EQ(SinCosOf(0.0f).sin, 0.0f);
  EXPECT_EQ(SinCosOf(0.0f).cos, 1.0f);
}

}  // namespace
}  // namespace scout
