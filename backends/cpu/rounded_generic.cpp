// A block is taken apart once and meets every row of activations. Codes stay unsigned: a format whose values are scale * (code -
// offset) subtracts offset * (sum of activation codes), exact in int32, in the place where a format with minima adds them.
#include "cpu/rounded_generic.h"

#include <cstring>

#include "base/math.h"
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

namespace scout::cpu::generic {
namespace {

using quant::F16ToF32;

// Values of a 256-block are grouped by 16, of a 32-block by 32; each group has one scale and one factor of the codes' sum.
template <int Values, int Group>
struct Codes {
  static constexpr int kValues = Values, kGroup = Group, kGroups = Values / Group;
  uint8_t q[Values];
  int16_t scale[kGroups];
  int16_t offset[kGroups];   // isum -= offset * sum of activation codes
  int16_t minimum[kGroups];  // msum += minimum * sum of activation codes
  float d, m;
};
template <bool HasMinimum>
struct Codes32 : Codes<32, 32> {
  static constexpr bool kHasMinimum = HasMinimum;
};
template <bool HasMinimum>
struct Codes256 : Codes<256, 16> {
  static constexpr bool kHasMinimum = HasMinimum;
};

template <typename Block>
void SplitNibbles(const Block& block, uint8_t* q) {
  for (int j = 0; j < 16; ++j) {
    q[j] = block.qs[j] & 15;
    q[16 + j] = block.qs[j] >> 4;
  }
  if constexpr (requires { block.qh; })
    for (int n = 0; n < 32; ++n) q[n] = static_cast<uint8_t>(q[n] | (block.qh >> n & 1) << 4);
}

template <typename Block, int Offset>
Codes32<false> UnpackAround(const Block& block) {
  Codes32<false> codes;
  SplitNibbles(block, codes.q);
  codes.scale[0] = 1;
  codes.offset[0] = Offset;
  codes.d = F16ToF32(block.d);
  return codes;
}

template <typename Block>
Codes32<true> UnpackAbove(const Block& block) {
  Codes32<true> codes;
  SplitNibbles(block, codes.q);
  codes.scale[0] = 1;
  codes.minimum[0] = 1;
  codes.d = F16ToF32(block.d);
  codes.m = F16ToF32(block.m);
  return codes;
}

Codes32<false> Unpack(const quant::BlockQ4_0& block) { return UnpackAround<quant::BlockQ4_0, 8>(block); }
Codes32<false> Unpack(const quant::BlockQ5_0& block) { return UnpackAround<quant::BlockQ5_0, 16>(block); }
Codes32<true> Unpack(const quant::BlockQ4_1& block) { return UnpackAbove(block); }
Codes32<true> Unpack(const quant::BlockQ5_1& block) { return UnpackAbove(block); }

Codes32<false> Unpack(const quant::BlockQ8_0& block) {
  Codes32<false> codes;
  for (int n = 0; n < 32; ++n) codes.q[n] = static_cast<uint8_t>(block.qs[n] ^ 0x80);  // + 128
  codes.scale[0] = 1;
  codes.offset[0] = 128;
  codes.d = F16ToF32(block.d);
  return codes;
}

Codes256<true> Unpack(const quant::BlockQ2_K& block) {
  Codes256<true> codes;
  for (int h = 0; h < 2; ++h)
    for (int s = 0; s < 4; ++s)
      for (int l = 0; l < 32; ++l) codes.q[128 * h + 32 * s + l] = block.qs[32 * h + l] >> 2 * s & 3;
  for (int j = 0; j < 16; ++j) {
    codes.scale[j] = block.scales[j] & 15;
    codes.minimum[j] = block.scales[j] >> 4;
  }
  codes.d = F16ToF32(block.d);
  codes.m = -F16ToF32(block.dmin);
  return codes;
}

Codes256<false> Unpack(const quant::BlockQ3_K& block) {
  Codes256<false> codes;
  for (int h = 0; h < 2; ++h)
    for (int s = 0; s < 4; ++s)
      for (int l = 0; l < 32; ++l)
        codes.q[128 * h + 32 * s + l] =
            static_cast<uint8_t>((block.qs[32 * h + l] >> 2 * s & 3) | (block.hmask[l] >> (4 * h + s) & 1) << 2);
  for (int j = 0; j < 16; ++j) {
    codes.scale[j] = static_cast<int16_t>(quant::ScaleOf(block, j));
    codes.offset[j] = static_cast<int16_t>(4 * codes.scale[j]);
  }
  codes.d = F16ToF32(block.d);
  return codes;
}

template <typename Block>
Codes256<true> Unpack45(const Block& block) {
  Codes256<true> codes;
  for (int k = 0; k < 8; ++k) {
    for (int l = 0; l < 32; ++l) {
      int code = block.qs[32 * (k / 2) + l] >> 4 * (k & 1) & 15;
      if constexpr (requires { block.qh; }) code |= (block.qh[l] >> k & 1) << 4;
      codes.q[32 * k + l] = static_cast<uint8_t>(code);
    }
    int scale = 0, minimum = 0;
    quant::ScaleAndMin(block.scales, k, scale, minimum);
    codes.scale[2 * k] = codes.scale[2 * k + 1] = static_cast<int16_t>(scale);
    codes.minimum[2 * k] = codes.minimum[2 * k + 1] = static_cast<int16_t>(minimum);
  }
  codes.d = F16ToF32(block.d);
  codes.m = -F16ToF32(block.dmin);
  return codes;
}
Codes256<true> Unpack(const quant::BlockQ4_K& block) { return Unpack45(block); }
Codes256<true> Unpack(const quant::BlockQ5_K& block) { return Unpack45(block); }

Codes256<false> Unpack(const quant::BlockQ6_K& block) {
  Codes256<false> codes;
  for (int h = 0; h < 2; ++h) {
    for (int s = 0; s < 4; ++s) {
      for (int l = 0; l < 32; ++l) {
        const int low = block.ql[64 * h + 32 * (s & 1) + l] >> 4 * (s >> 1) & 15;
        codes.q[128 * h + 32 * s + l] = static_cast<uint8_t>(low | (block.qh[32 * h + l] >> 2 * s & 3) << 4);
      }
    }
  }
  for (int j = 0; j < 16; ++j) {
    codes.scale[j] = block.scales[j];
    codes.offset[j] = static_cast<int16_t>(32 * block.scales[j]);
  }
  codes.d = F16ToF32(block.d);
  return codes;
}

template <typename Codes>
float Term(const Codes& codes, const int8_t* a, const int16_t* sums) {
  int32_t isum = 0, msum = 0;
  for (int j = 0; j < Codes::kGroups; ++j) {
    int32_t dot = 0;
    for (int i = 0; i < Codes::kGroup; ++i) dot += codes.q[Codes::kGroup * j + i] * a[Codes::kGroup * j + i];
    isum += codes.scale[j] * dot;
    if constexpr (Codes::kHasMinimum)
      msum += codes.minimum[j] * sums[j];
    else
      isum -= codes.offset[j] * sums[j];
  }
  if constexpr (Codes::kHasMinimum)
    return Fma(static_cast<float>(isum), codes.d, static_cast<float>(msum) * codes.m);
  else
    return static_cast<float>(isum) * codes.d;
}

template <typename Block>
void PanelOf(const Panel& panel, const RoundedRows& x, int64_t count, float* y) {
  using Codes = decltype(Unpack(Block{}));
  const int64_t blocks = panel.k / Codes::kValues;
  for (int r = 0; r < panel.rows; ++r) {
    const unsigned char* const row = panel.first + static_cast<size_t>(r) * panel.row_bytes;
    for (int64_t n = 0; n < count; ++n) y[n * kPanelRows + r] = 0;
    for (int64_t b = 0; b < blocks; ++b) {
      Block block;
      std::memcpy(&block, row + static_cast<size_t>(b) * sizeof block, sizeof block);
      const Codes codes = Unpack(block);
      for (int64_t n = 0; n < count; ++n) {
        const float term = Term(codes, x.codes + n * panel.k + b * Codes::kValues, x.sums + (n * blocks + b) * Codes::kGroups);
        float& sum = y[n * kPanelRows + r];
        sum = Fma(term, x.scales[n * blocks + b], sum);
      }
    }
  }
}

}  // namespace

#define SCOUT_GENERIC_PANEL(name) \
  void name(const Panel& panel, const RoundedRows& x, int64_t count, float* y) { PanelOf<quant::Block##name>(panel, x, count, y); }
SCOUT_GENERIC_PANEL(Q4_0)
SCOUT_GENERIC_PANEL(Q4_1)
SCOUT_GENERIC_PANEL(Q5_0)
SCOUT_GENERIC_PANEL(Q5_1)
SCOUT_GENERIC_PANEL(Q8_0)
SCOUT_GENERIC_PANEL(Q2_K)
SCOUT_GENERIC_PANEL(Q3_K)
SCOUT_GENERIC_PANEL(Q4_K)
SCOUT_GENERIC_PANEL(Q5_K)
SCOUT_GENERIC_PANEL(Q6_K)
#undef SCOUT_GENERIC_PANEL

}  // namespace scout::cpu::generic
