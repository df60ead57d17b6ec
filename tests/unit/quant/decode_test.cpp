#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "quant/f16.h"
#include "quant/formats.h"

namespace scout::quant {
namespace {

constexpr DType kDecodable[] = {DType::kF32,  DType::kF16,  DType::kBF16, DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1,
                                DType::kQ8_0, DType::kQ2_K, DType::kQ3_K, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K};

std::string FixtureName(DType dtype, const std::string& suffix) {
  std::string name(InfoOf(dtype).name);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return std::string(SCOUT_SOURCE_DIR) + "/tests/fixtures/quant/" + name + suffix;
}

std::vector<char> Slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path << " is missing";
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class DecodeEqualsTheGgufPackage : public testing::TestWithParam<DType> {};

// Random blocks, every bit: NaN where the package has NaN, the same bits everywhere else.
TEST_P(DecodeEqualsTheGgufPackage, OnRandomBlocks) {
  const DType dtype = GetParam();
  const std::vector<char> blocks = Slurp(FixtureName(dtype, ".blocks"));
  const std::vector<char> expected_bytes = Slurp(FixtureName(dtype, ".f32"));
  ASSERT_FALSE(blocks.empty());
  std::vector<float> expected(expected_bytes.size() / 4), actual(expected.size());
  std::memcpy(expected.data(), expected_bytes.data(), expected_bytes.size());
  ASSERT_EQ(RowBytes(dtype, expected.size()), blocks.size());
  DecodeRow(dtype, reinterpret_cast<const std::byte*>(blocks.data()), actual.data(), actual.size());
  size_t finite = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    if (std::isnan(expected[i])) {
      ASSERT_TRUE(std::isnan(actual[i])) << i;
      continue;
    }
    ++finite;
    ASSERT_EQ(std::bit_cast<uint32_t>(actual[i]), std::bit_cast<uint32_t>(expected[i])) << "value " << i;
  }
  EXPECT_GT(finite, expected.size() / 2);
}

TEST_P(DecodeEqualsTheGgufPackage, AtAnyAlignment) {
  const DType dtype = GetParam();
  std::vector<char> blocks = Slurp(FixtureName(dtype, ".blocks"));
  const size_t values = InfoOf(dtype).values_per_block * 4;
  const size_t bytes = RowBytes(dtype, values);
  ASSERT_GE(blocks.size(), bytes);
  std::vector<float> straight(values), shifted(values);
  DecodeRow(dtype, reinterpret_cast<const std::byte*>(blocks.data()), straight.data(), values);
  std::vector<char> moved(bytes + 1);
  std::memcpy(moved.data() + 1, blocks.data(), bytes);
  DecodeRow(dtype, reinterpret_cast<const std::byte*>(moved.data() + 1), shifted.data(), values);
  EXPECT_EQ(std::memcmp(straight.data(), shifted.data(), values * 4), 0);
}

INSTANTIATE_TEST_SUITE_P(Formats, DecodeEqualsTheGgufPackage, testing::ValuesIn(kDecodable),
                         [](const auto& info) { return std::string(InfoOf(info.param).name); });

TEST(Formats, TheTableHoldsExactlyTheDecodableFormats) {
  for (int i = 0; i < static_cast<int>(DType::kCount); ++i) {
    const auto dtype = static_cast<DType>(i);
    const bool expected = std::find(std::begin(kDecodable), std::end(kDecodable), dtype) != std::end(kDecodable);
    EXPECT_EQ(CanDecode(dtype), expected) << InfoOf(dtype).name;
    EXPECT_EQ(FormatOf(dtype).first_non_finite != nullptr, expected);
  }
}

TEST(Formats, WhatCannotBeDecodedIsRefusedByName) {
  std::byte bytes[8] = {};
  float out[8];
  try {
    DecodeRow(DType::kI64, bytes, out, 1);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
    EXPECT_STREQ(error.what(), "there is no decoder for the format I64");
  }
  EXPECT_THROW(DecodeRow(DType::kQ8_0, bytes, out, 8), Error);
}

TEST(Formats, ABlockWithANonFiniteScaleIsFound) {
  struct Case {
    DType dtype;
    std::vector<size_t> scales;  // offsets of the 16-bit scales and minima in a block
  };
  const Case cases[] = {{DType::kQ4_0, {0}},    {DType::kQ4_1, {0, 2}},   {DType::kQ5_0, {0}},   {DType::kQ5_1, {0, 2}},
                        {DType::kQ8_0, {0}},    {DType::kQ2_K, {80, 82}}, {DType::kQ3_K, {108}}, {DType::kQ4_K, {0, 2}},
                        {DType::kQ5_K, {0, 2}}, {DType::kQ6_K, {208}},    {DType::kF16, {0}}};
  for (const Case& c : cases) {
    const size_t size = InfoOf(c.dtype).bytes_per_block, values = 5 * InfoOf(c.dtype).values_per_block;
    for (const size_t scale : c.scales)
      for (const uint16_t bad : {0x7c00, 0xfc00, 0x7e00, 0x7c01}) {
        std::vector<std::byte> blocks(5 * size);
        EXPECT_EQ(FirstNonFiniteBlock(c.dtype, blocks.data(), values), std::nullopt);
        std::memcpy(blocks.data() + 3 * size + scale, &bad, 2);
        EXPECT_EQ(FirstNonFiniteBlock(c.dtype, blocks.data(), values), 3u) << InfoOf(c.dtype).name;
      }
  }
  std::vector<float> row(10, 1.0f);
  row[7] = NAN;
  EXPECT_EQ(FirstNonFiniteBlock(DType::kF32, reinterpret_cast<const std::byte*>(row.data()), 10), 7u);
  const uint16_t brain[3] = {0x3f80, 0x7f80, 0};
  EXPECT_EQ(FirstNonFiniteBlock(DType::kBF16, reinterpret_cast<const std::byte*>(brain), 3), 1u);
}

}  // namespace
}  // namespace scout::quant
