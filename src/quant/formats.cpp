#include "quant/formats.h"

#include <array>
#include <cstring>

#include "quant/bf16.h"
#include "quant/f16.h"
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

namespace scout::quant {
namespace {

// Blocks of one value each, as structs, so that the templates below serve them too.
struct BlockF32 {
  static constexpr int kValues = 1;
  uint32_t bits;
};
struct BlockF16 {
  static constexpr int kValues = 1;
  uint16_t bits;
};
struct BlockBf16 {
  static constexpr int kValues = 1;
  uint16_t bits;
};
void Decode(const BlockF32& block, float* out) { std::memcpy(out, &block.bits, 4); }
void Decode(const BlockF16& block, float* out) { *out = F16ToF32(block.bits); }
void Decode(const BlockBf16& block, float* out) { *out = Bf16ToF32(block.bits); }
void Encode(const float* in, BlockF32& block) { std::memcpy(&block.bits, in, 4); }
void Encode(const float* in, BlockF16& block) { block.bits = F32ToF16(*in); }
void Encode(const float* in, BlockBf16& block) { block.bits = F32ToBf16(*in); }

bool Finite16(uint16_t bits) { return (bits & 0x7c00) != 0x7c00; }
bool Finite(const BlockF32& b) { return (b.bits & 0x7f800000) != 0x7f800000; }
bool Finite(const BlockF16& b) { return Finite16(b.bits); }
bool Finite(const BlockBf16& b) { return (b.bits & 0x7f80) != 0x7f80; }
template <typename Block>
bool Finite(const Block& b) {
  if constexpr (requires { b.m; })
    return Finite16(b.d) && Finite16(b.m);
  else if constexpr (requires { b.dmin; })
    return Finite16(b.d) && Finite16(b.dmin);
  else
    return Finite16(b.d);
}

template <typename Block>
void DecodeRowOf(const std::byte* blocks, float* out, size_t values) {
  Block block;
  for (size_t i = 0; i < values; i += Block::kValues, blocks += sizeof block) {
    std::memcpy(&block, blocks, sizeof block);
    Decode(block, out + i);
  }
}

template <typename Block>
void EncodeRowOf(const float* in, std::byte* blocks, size_t values) {
  Block block;
  for (size_t i = 0; i < values; i += Block::kValues, blocks += sizeof block) {
    Encode(in + i, block);
    std::memcpy(blocks, &block, sizeof block);
  }
}

template <typename Block>
size_t FirstNonFiniteOf(const std::byte* blocks, size_t values) {
  Block block;
  const size_t count = values / Block::kValues;
  for (size_t i = 0; i < count; ++i, blocks += sizeof block) {
    std::memcpy(&block, blocks, sizeof block);
    if (!Finite(block)) return i;
  }
  return count;
}

template <typename Block>
constexpr Format Full(DType dtype) {
  return {dtype, DecodeRowOf<Block>, EncodeRowOf<Block>, FirstNonFiniteOf<Block>};
}
template <typename Block>
constexpr Format ReadOnly(DType dtype) {
  return {dtype, DecodeRowOf<Block>, nullptr, FirstNonFiniteOf<Block>};
}

constexpr Format kFormats[] = {
    Full<BlockF32>(DType::kF32),       Full<BlockF16>(DType::kF16),   Full<BlockBf16>(DType::kBF16),
    Full<BlockQ4_0>(DType::kQ4_0),     Full<BlockQ4_1>(DType::kQ4_1), Full<BlockQ5_0>(DType::kQ5_0),
    Full<BlockQ5_1>(DType::kQ5_1),     Full<BlockQ8_0>(DType::kQ8_0), ReadOnly<BlockQ2_K>(DType::kQ2_K),
    ReadOnly<BlockQ3_K>(DType::kQ3_K), Full<BlockQ4_K>(DType::kQ4_K), ReadOnly<BlockQ5_K>(DType::kQ5_K),
    Full<BlockQ6_K>(DType::kQ6_K),
};

// The same rows by format, for a look-up without a search.
constexpr auto kByDType = [] {
  std::array<Format, static_cast<size_t>(DType::kCount)> table{};
  for (const Format& format : kFormats) table[static_cast<size_t>(format.dtype)] = format;
  return table;
}();

void CheckWholeBlocks(DType dtype, size_t values) { static_cast<void>(RowBytes(dtype, values)); }

}  // namespace

const Format& FormatOf(DType dtype) { return kByDType[static_cast<size_t>(dtype)]; }

void DecodeRow(DType dtype, const std::byte* blocks, float* out, size_t values) {
  const Format& format = FormatOf(dtype);
  if (!format.decode_row) Fail(ErrorCode::kUnsupported, "there is no decoder for the format ", InfoOf(dtype).name);
  CheckWholeBlocks(dtype, values);
  format.decode_row(blocks, out, values);
}

void EncodeRow(DType dtype, const float* in, std::byte* blocks, size_t values) {
  const Format& format = FormatOf(dtype);
  if (!format.encode_row) Fail(ErrorCode::kUnsupported, "there is no encoder for the format ", InfoOf(dtype).name);
  CheckWholeBlocks(dtype, values);
  format.encode_row(in, blocks, values);
}

std::optional<size_t> FirstNonFiniteBlock(DType dtype, const std::byte* blocks, size_t values) {
  const Format& format = FormatOf(dtype);
  if (!format.first_non_finite) Fail(ErrorCode::kUnsupported, "there is no decoder for the format ", InfoOf(dtype).name);
  CheckWholeBlocks(dtype, values);
  const size_t at = format.first_non_finite(blocks, values);
  if (at == values / InfoOf(dtype).values_per_block) return std::nullopt;
  return at;
}

}  // namespace scout::quant
