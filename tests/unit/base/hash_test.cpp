// The hash of bytes: every bit counts, and how the bytes are handed over does not.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "base/hash.h"

namespace scout {
namespace {

std::vector<std::byte> Some(size_t count) {
  std::vector<std::byte> bytes(count);
  uint32_t state = 1;
  for (std::byte& byte : bytes) byte = static_cast<std::byte>((state = state * 1664525 + 1013904223) >> 24);
  return bytes;
}

TEST(Hash, EveryBitAndTheLengthCount) {
  for (const size_t size : {1, 7, 16, 63, 64, 65, 200}) {
    std::vector<std::byte> bytes = Some(size);
    std::set<std::string> seen = {ToText(HashOf(bytes))};
    for (size_t bit = 0; bit < 8 * size; ++bit) {
      bytes[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
      EXPECT_TRUE(seen.insert(ToText(HashOf(bytes))).second) << size << " bytes, bit " << bit;
      bytes[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    }
    bytes.push_back(std::byte{0});
    EXPECT_TRUE(seen.insert(ToText(HashOf(bytes))).second) << size << " bytes and a zero";
  }
  EXPECT_NE(HashOf({}), Hash128());
  // What is in files must be what later versions find there. (The number is from a second implementation, in Python.)
  EXPECT_EQ(ToText(HashOf(Some(1000))), "6eb4999664da6f7d41f3f8040d8f3a77");
}

TEST(Hash, PiecesMayComeInAnyPortionsOfWholePieces) {
  const std::vector<std::byte> bytes = Some(3 * PieceHash::kBytes + 123);
  const std::span<const std::byte> all(bytes);
  PieceHash together, apart;
  together.Add(all);
  apart.Add(all.first(PieceHash::kBytes));
  apart.Add(all.subspan(PieceHash::kBytes, 2 * PieceHash::kBytes));
  apart.Add(all.last(123));
  EXPECT_EQ(together.Finish(), apart.Finish());
  PieceHash other;
  other.Add(all.first(bytes.size() - 1));
  EXPECT_NE(together.Finish(), other.Finish());
}

}  // namespace
}  // namespace scout
