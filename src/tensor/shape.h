// A tensor's shape, row-major: the last dimension is the fastest. GGUF writes them the other way round and is turned
// when read.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace scout {

constexpr int kMaxRank = 4;

struct Shape {
  std::array<uint64_t, kMaxRank> dims{};  // dims[0] is the slowest; entries past rank are 0
  int rank = 0;

  uint64_t operator[](int i) const { return dims[static_cast<size_t>(i)]; }
  uint64_t last() const { return rank > 0 ? dims[static_cast<size_t>(rank - 1)] : 1; }
  friend bool operator==(const Shape&, const Shape&) = default;
};

// "[16, 8192, 5120]"
std::string ToString(const Shape& shape);

// Number of elements; throws kLimit when it does not fit 64 bits.
uint64_t ElementCount(const Shape& shape);

// Rows (product of all but the last dimension).
uint64_t RowCount(const Shape& shape);

}  // namespace scout
