#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "quant/bf16.h"
#include "quant/f16.h"

namespace scout::quant {
namespace {

// The definition, by ldexp.
double F16Value(uint16_t h) {
  const double sign = h & 0x8000 ? -1 : 1;
  const int exponent = h >> 10 & 31, mantissa = h & 1023;
  return sign * (exponent ? std::ldexp(1024 + mantissa, exponent - 25) : std::ldexp(mantissa, -24));
}

TEST(F16, EveryFinitePatternWidensExactlyAndComesBack) {
  for (uint32_t h = 0; h < 65536; ++h) {
    const auto bits = static_cast<uint16_t>(h);
    if ((h >> 10 & 31) == 31) continue;
    const float wide = F16ToF32(bits);
    ASSERT_EQ(static_cast<double>(wide), F16Value(bits)) << h;
    ASSERT_EQ(std::signbit(wide), (h & 0x8000) != 0) << h;
    ASSERT_EQ(F32ToF16(wide), bits) << h;
  }
}

TEST(F16, InfinityAndNanSurvive) {
  EXPECT_EQ(F16ToF32(0x7c00), std::numeric_limits<float>::infinity());
  EXPECT_EQ(F16ToF32(0xfc00), -std::numeric_limits<float>::infinity());
  for (uint32_t h = 0x7c01; h < 0x8000; ++h) {
    ASSERT_TRUE(std::isnan(F16ToF32(static_cast<uint16_t>(h))));
    ASSERT_TRUE(std::isnan(F16ToF32(F32ToF16(F16ToF32(static_cast<uint16_t>(h))))));
  }
  EXPECT_EQ(F32ToF16(std::numeric_limits<float>::infinity()), 0x7c00);
  EXPECT_EQ(F32ToF16(std::numeric_limits<float>::max()), 0x7c00);
}

TEST(F16, NarrowingTakesTheNearestAndTheEvenOneOfTwo) {
  // Between each pair of neighbours: just below the middle, the middle, just above.
  for (uint32_t h = 0; h < 0x7bff; ++h) {
    const float a = F16ToF32(static_cast<uint16_t>(h)), b = F16ToF32(static_cast<uint16_t>(h + 1));
    const float middle = a + (b - a) / 2;  // exact in binary32
    ASSERT_EQ(F32ToF16(std::nextafter(middle, a)), h);
    ASSERT_EQ(F32ToF16(std::nextafter(middle, b)), h + 1);
    ASSERT_EQ(F32ToF16(middle), h & 1 ? h + 1 : h);
    ASSERT_EQ(F32ToF16(-middle), 0x8000 | (h & 1 ? h + 1 : h));
  }
  EXPECT_EQ(F32ToF16(65519.996f), 0x7bff);
  EXPECT_EQ(F32ToF16(65520.0f), 0x7c00);
}

TEST(Bf16, EveryPatternWidensAndComesBack) {
  for (uint32_t h = 0; h < 65536; ++h) {
    const float wide = Bf16ToF32(static_cast<uint16_t>(h));
    if (std::isnan(wide))
      ASSERT_TRUE(std::isnan(Bf16ToF32(F32ToBf16(wide))));
    else
      ASSERT_EQ(F32ToBf16(wide), h);
  }
}

TEST(Bf16, NarrowingTakesTheNearestAndTheEvenOneOfTwo) {
  for (uint32_t h = 0; h < 0x7f7f; ++h) {
    const uint32_t middle = h << 16 | 0x8000;
    ASSERT_EQ(F32ToBf16(std::bit_cast<float>(middle - 1)), h);
    ASSERT_EQ(F32ToBf16(std::bit_cast<float>(middle)), h & 1 ? h + 1 : h);
    ASSERT_EQ(F32ToBf16(std::bit_cast<float>(middle + 1)), h + 1);
  }
  EXPECT_EQ(F32ToBf16(std::numeric_limits<float>::max()), 0x7f80);
}

}  // namespace
}  // namespace scout::quant
