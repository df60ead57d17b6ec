#include "cpu/packed.h"

#include <cstring>

#include "base/error.h"
#include "quant/formats.h"
#include "quant/q2_k.h"
#include "quant/q3_k.h"
#include "quant/q4_0.h"
#include "quant/q4_1.h"
#include "quant/q4_k.h"
#include "quant/q5_0.h"
#include "quant/q5_1.h"
#include "quant/q5_k.h"
#include "quant/q6_k.h"
#include "quant/q8_0.h"

namespace scout::cpu {
namespace {

#include "cpu/packed_places.inl"

constexpr int kRows = 16;
constexpr uint32_t kOnes = 0x01010101;  // a mask of bits, in each of four bytes

uint32_t Word(const void* bytes, int index) {
  uint32_t word;
  std::memcpy(&word, static_cast<const char*>(bytes) + 4 * index, 4);
  return word;
}

// What one format adds: the lines of a block, and how a block becomes unsigned codes, four to a word in the order of K.
template <typename Block>
struct Layout;

template <typename Block, int Bits, int ScaleLines, bool TwoFloats>
struct Fields {
  static constexpr int kBits = Bits, kGroups = Block::kValues / 4, kCodeLines = kGroups * Bits / 8;
  static constexpr int kScaleLines = ScaleLines, kLines = kCodeLines + ScaleLines, kFloatBytes = TwoFloats ? 4 : 2;
};

// `count` bits of `from` beginning at `at`, of each of four bytes, moved to bit `to`.
uint32_t Move(uint32_t from, int at, int count, int to) { return (from >> at & ((1u << count) - 1) * kOnes) << to; }

// The lines of a few groups of codes of W bits.
template <int W>
void Fill(const uint32_t* g, uint32_t* line);
template <>
void Fill<8>(const uint32_t* g, uint32_t* line) {
  line[0] = g[0];
}
template <>
void Fill<4>(const uint32_t* g, uint32_t* line) {
  line[0] = g[0] | Move(g[1], 0, 4, 4);
}
template <>
void Fill<2>(const uint32_t* g, uint32_t* line) {
  for (int j = 0; j < 4; ++j) line[j] = g[j] | Move(g[4 + j], 0, 2, 2) | Move(g[8 + j], 0, 2, 4) | Move(g[12 + j], 0, 2, 6);
}
template <>
void Fill<6>(const uint32_t* g, uint32_t* line) {
  for (int t = 0; t < 3; ++t) line[t] = g[t] | Move(g[3], 2 * t, 2, 6);
}
template <>
void Fill<5>(const uint32_t* g, uint32_t* line) {
  for (int t = 0; t < 3; ++t) line[t] = g[t] | Move(g[5 + t], 0, 3, 5);
  for (int t = 3; t < 5; ++t) line[t] = g[t] | Move(g[2 + t], 3, 2, 5) | Move(g[7], t, 1, 7);
}
template <>
void Fill<3>(const uint32_t* g, uint32_t* line) {
  for (int t = 0; t < 3; ++t) line[t] = g[t] | Move(g[3 + t], 0, 3, 3);
  for (int t = 0; t < 2; ++t) {
    line[t] |= Move(g[6 + t], 0, 2, 6);
    line[2] |= Move(g[6 + t], 2, 1, 6 + t);
  }
}
// Groups that share lines.
constexpr int GroupsTogether(int bits) { return bits == 8 ? 1 : bits == 4 ? 2 : bits == 6 ? 4 : bits == 2 ? 16 : 8; }

void SplitNibbles(const uint8_t* qs, uint32_t* group) {  // 16 bytes: values 0..15 low, 16..31 high
  for (int i = 0; i < 4; ++i) {
    group[i] = Word(qs, i) & 15 * kOnes;
    group[4 + i] = Word(qs, i) >> 4 & 15 * kOnes;
  }
}
uint32_t SpreadBits(uint32_t bits) {  // bits 0..3 to bit 0 of bytes 0..3
  return (bits & 1) | (bits & 2) << 7 | (bits & 4) << 14 | (bits & 8) << 21;
}
template <typename Block>
void AddFifthBits32(const Block& block, uint32_t* group) {
  for (int g = 0; g < 8; ++g) group[g] |= SpreadBits(block.qh >> 4 * g & 15) << 4;
}
void NibblePairs(const uint8_t* qs, uint32_t* group) {  // 32 bytes hold 32 low and then 32 high nibbles, four times
  for (int pair = 0; pair < 4; ++pair) {
    for (int i = 0; i < 8; ++i) {
      const uint32_t word = Word(qs + 32 * pair, i);
      group[16 * pair + i] = word & 15 * kOnes;
      group[16 * pair + 8 + i] = word >> 4 & 15 * kOnes;
    }
  }
}
void TwoBits(const uint8_t* qs, uint32_t* group) {  // 32 bytes hold four times 32 values, twice
  for (int half = 0; half < 2; ++half)
    for (int s = 0; s < 4; ++s)
      for (int i = 0; i < 8; ++i) group[32 * half + 8 * s + i] = Word(qs + 32 * half, i) >> 2 * s & 3 * kOnes;
}
void AddHighBits(const uint8_t* high, int bit, uint32_t* group) {  // bit s of 32 bytes belongs to values 32 s ..
  for (int s = 0; s < 8; ++s)
    for (int i = 0; i < 8; ++i) group[8 * s + i] |= (Word(high, i) >> s & kOnes) << bit;
}

using quant::BlockQ2_K, quant::BlockQ3_K, quant::BlockQ4_0, quant::BlockQ4_1, quant::BlockQ4_K, quant::BlockQ5_0, quant::BlockQ5_1,
    quant::BlockQ5_K, quant::BlockQ6_K, quant::BlockQ8_0;

//                                            bits, lines of scales, two floats
template <>
struct Layout<BlockQ4_K> : Fields<BlockQ4_K, 4, 3, true> {
  static void Codes(const BlockQ4_K& block, uint32_t* group) { NibblePairs(block.qs, group); }
};
template <>
struct Layout<BlockQ5_K> : Fields<BlockQ5_K, 5, 3, true> {
  static void Codes(const BlockQ5_K& block, uint32_t* group) {
    NibblePairs(block.qs, group);
    AddHighBits(block.qh, 4, group);
  }
};
template <>
struct Layout<BlockQ6_K> : Fields<BlockQ6_K, 6, 4, false> {
  static void Codes(const BlockQ6_K& block, uint32_t* group) {
    for (int half = 0; half < 2; ++half) {
      for (int s = 0; s < 4; ++s) {
        for (int i = 0; i < 8; ++i) {
          const uint32_t low = Word(block.ql + 64 * half + 32 * (s & 1), i) >> 4 * (s >> 1) & 15 * kOnes;
          group[32 * half + 8 * s + i] = low | (Word(block.qh + 32 * half, i) >> 2 * s & 3 * kOnes) << 4;
        }
      }
    }
  }
};
template <>
struct Layout<BlockQ3_K> : Fields<BlockQ3_K, 3, 3, false> {
  static void Codes(const BlockQ3_K& block, uint32_t* group) {
    TwoBits(block.qs, group);
    AddHighBits(block.hmask, 2, group);
  }
};
template <>
struct Layout<BlockQ2_K> : Fields<BlockQ2_K, 2, 4, true> {
  static void Codes(const BlockQ2_K& block, uint32_t* group) { TwoBits(block.qs, group); }
};
template <>
struct Layout<BlockQ4_0> : Fields<BlockQ4_0, 4, 0, false> {
  static void Codes(const BlockQ4_0& block, uint32_t* group) { SplitNibbles(block.qs, group); }
};
template <>
struct Layout<BlockQ4_1> : Fields<BlockQ4_1, 4, 0, true> {
  static void Codes(const BlockQ4_1& block, uint32_t* group) { SplitNibbles(block.qs, group); }
};
template <>
struct Layout<BlockQ5_0> : Fields<BlockQ5_0, 5, 0, false> {
  static void Codes(const BlockQ5_0& block, uint32_t* group) {
    SplitNibbles(block.qs, group);
    AddFifthBits32(block, group);
  }
};
template <>
struct Layout<BlockQ5_1> : Fields<BlockQ5_1, 5, 0, true> {
  static void Codes(const BlockQ5_1& block, uint32_t* group) {
    SplitNibbles(block.qs, group);
    AddFifthBits32(block, group);
  }
};
template <>
struct Layout<BlockQ8_0> : Fields<BlockQ8_0, 8, 0, false> {
  static void Codes(const BlockQ8_0& block, uint32_t* group) {
    for (int g = 0; g < 8; ++g) group[g] = Word(block.qs, g) ^ 0x80 * kOnes;  // + 128
  }
};

// The floats of a block as the file has them, d first.
template <typename Block>
uint32_t Floats(const Block& block) {
  if constexpr (requires { block.dmin; })
    return block.d | static_cast<uint32_t>(block.dmin) << 16;
  else if constexpr (requires { block.m; })
    return block.d | static_cast<uint32_t>(block.m) << 16;
  else
    return block.d;
}

template <typename Block>
void PackOf(const std::byte* rows, int64_t k, std::byte* panel) {
  using L = Layout<Block>;
  const int64_t blocks = k / Block::kValues;
  constexpr bool kTwoFloats = L::kFloatBytes == 4;
  for (int64_t b = 0; b < blocks; ++b) {
    uint32_t lines[L::kLines][kRows];
    for (int r = 0; r < kRows; ++r) {
      Block block;
      std::memcpy(&block, rows + (r * blocks + b) * static_cast<int64_t>(sizeof block), sizeof block);
      uint32_t group[L::kGroups];
      L::Codes(block, group);
      int line = 0;
      if constexpr (L::kScaleLines > 0)
        for (int i = 0; i < L::kScaleLines; ++i) lines[line++][r] = Word(block.scales, i);
      constexpr int kTogether = GroupsTogether(L::kBits), kLinesTogether = kTogether * L::kBits / 8;
      for (int g = 0; g < L::kGroups; g += kTogether) {
        uint32_t words[kLinesTogether];
        Fill<L::kBits>(group + g, words);
        for (const uint32_t word : words) lines[line++][r] = word;
      }
      const uint32_t both = Floats(block);
      std::memcpy(panel + FloatsAt<L::kLines, kTwoFloats>(b) + r * L::kFloatBytes, &both, L::kFloatBytes);
    }
    std::memcpy(panel + BlockAt<L::kLines, kTwoFloats>(b), lines, sizeof lines);
  }
}

// call.operator()<Block>() for the format's block; false where it is not packed.
template <typename Call>
bool WithBlock(DType format, const Call& call) {
  switch (format) {
    case DType::kQ4_0:
      return call.template operator()<BlockQ4_0>(), true;
    case DType::kQ4_1:
      return call.template operator()<BlockQ4_1>(), true;
    case DType::kQ5_0:
      return call.template operator()<BlockQ5_0>(), true;
    case DType::kQ5_1:
      return call.template operator()<BlockQ5_1>(), true;
    case DType::kQ8_0:
      return call.template operator()<BlockQ8_0>(), true;
    case DType::kQ2_K:
      return call.template operator()<BlockQ2_K>(), true;
    case DType::kQ3_K:
      return call.template operator()<BlockQ3_K>(), true;
    case DType::kQ4_K:
      return call.template operator()<BlockQ4_K>(), true;
    case DType::kQ5_K:
      return call.template operator()<BlockQ5_K>(), true;
    case DType::kQ6_K:
      return call.template operator()<BlockQ6_K>(), true;
    default:
      return false;
  }
}

}  // namespace

size_t PackedPanelBytes(DType format, int64_t k) {
  size_t bytes = 0;
  WithBlock(format, [&]<typename Block>() {
    const auto blocks = static_cast<size_t>(k / Block::kValues);
    const size_t floats = blocks * kRows * Layout<Block>::kFloatBytes;
    bytes = blocks * Layout<Block>::kLines * 64 + (floats + 63) / 64 * 64;
  });
  return bytes;
}

void PackPanel(DType format, const std::byte* rows, int64_t k, std::byte* panel) {
  const bool packed = WithBlock(format, [&]<typename Block>() { PackOf<Block>(rows, k, panel); });
  SCOUT_CHECK(packed, InfoOf(format).name, " is not packed");
}

}  // namespace scout::cpu
