#include "ref/integer_block.h"

#include <cstring>

#include "base/error.h"
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

namespace scout::ref {
namespace {

using quant::F16ToF32;

template <typename Block>
Block Load(const std::byte* bytes) {
  Block block;
  std::memcpy(&block, bytes, sizeof block);
  return block;
}

void Shape(IntegerBlock& out, int values, int sub_values, bool has_minimum) {
  out.values = values;
  out.sub_values = sub_values;
  out.has_minimum = has_minimum;
  for (int j = 0; j < 16; ++j) out.S[j] = out.M[j] = 1;
}

int Nibble(const uint8_t* qs, int n) { return n < 16 ? qs[n] & 15 : qs[n - 16] >> 4; }

void Unpack4(const uint8_t* qs, int offset, IntegerBlock& out) {
  for (int n = 0; n < 32; ++n) out.code[n] = static_cast<int8_t>(Nibble(qs, n) - offset);
}

void Unpack5(const uint8_t* qs, const uint8_t* high_bits, int offset, IntegerBlock& out) {
  uint32_t high = 0;
  std::memcpy(&high, high_bits, 4);
  for (int n = 0; n < 32; ++n) out.code[n] = static_cast<int8_t>((Nibble(qs, n) | static_cast<int>(high >> n & 1) << 4) - offset);
}

void UnpackQ2_K(const quant::BlockQ2_K& block, IntegerBlock& out) {
  Shape(out, 256, 16, true);
  out.d = F16ToF32(block.d);
  out.m = -F16ToF32(block.dmin);
  for (int n = 0; n < 256; ++n) out.code[n] = static_cast<int8_t>(block.qs[32 * (n / 128) + n % 32] >> 2 * (n / 32 % 4) & 3);
  for (int j = 0; j < 16; ++j) {
    out.S[j] = block.scales[j] & 15;
    out.M[j] = block.scales[j] >> 4;
  }
}

void UnpackQ3_K(const quant::BlockQ3_K& block, IntegerBlock& out) {
  Shape(out, 256, 16, false);
  out.d = F16ToF32(block.d);
  for (int n = 0; n < 256; ++n) {
    const int low = block.qs[32 * (n / 128) + n % 32] >> 2 * (n / 32 % 4) & 3;
    const int third = block.hmask[n % 32] >> (n / 32) & 1;
    out.code[n] = static_cast<int8_t>(low - (third ? 0 : 4));
  }
  for (int j = 0; j < 16; ++j) out.S[j] = quant::ScaleOf(block, j);
}

template <typename Block>
void UnpackQ45_K(const Block& block, IntegerBlock& out) {
  Shape(out, 256, 32, true);
  out.d = F16ToF32(block.d);
  out.m = -F16ToF32(block.dmin);
  for (int n = 0; n < 256; ++n) {
    const int k = n / 32;
    int code = block.qs[32 * (k / 2) + n % 32] >> 4 * (k & 1) & 15;
    if constexpr (requires { block.qh; }) code |= (block.qh[n % 32] >> k & 1) << 4;
    out.code[n] = static_cast<int8_t>(code);
  }
  for (int j = 0; j < 8; ++j) quant::ScaleAndMin(block.scales, j, out.S[j], out.M[j]);
}

void UnpackQ6_K(const quant::BlockQ6_K& block, IntegerBlock& out) {
  Shape(out, 256, 16, false);
  out.d = F16ToF32(block.d);
  for (int n = 0; n < 256; ++n) {
    const int half = n / 128, quarter = n / 32 % 4, l = n % 32;
    const int low = block.ql[64 * half + 32 * (quarter & 1) + l] >> 4 * (quarter >> 1) & 15;
    const int high = block.qh[32 * half + l] >> 2 * quarter & 3;
    out.code[n] = static_cast<int8_t>((low | high << 4) - 32);
  }
  for (int j = 0; j < 16; ++j) out.S[j] = block.scales[j];
}

}  // namespace

void Unpack(DType format, const std::byte* bytes, IntegerBlock& out) {
  switch (format) {
    case DType::kQ4_0: {
      const auto block = Load<quant::BlockQ4_0>(bytes);
      Shape(out, 32, 32, false);
      out.d = F16ToF32(block.d);
      return Unpack4(block.qs, 8, out);
    }
    case DType::kQ4_1: {
      const auto block = Load<quant::BlockQ4_1>(bytes);
      Shape(out, 32, 32, true);
      out.d = F16ToF32(block.d);
      out.m = F16ToF32(block.m);
      return Unpack4(block.qs, 0, out);
    }
    case DType::kQ5_0: {
      const auto block = Load<quant::BlockQ5_0>(bytes);
      Shape(out, 32, 32, false);
      out.d = F16ToF32(block.d);
      return Unpack5(block.qs, reinterpret_cast<const uint8_t*>(&block.qh), 16, out);
    }
    case DType::kQ5_1: {
      const auto block = Load<quant::BlockQ5_1>(bytes);
      Shape(out, 32, 32, true);
      out.d = F16ToF32(block.d);
      out.m = F16ToF32(block.m);
      return Unpack5(block.qs, reinterpret_cast<const uint8_t*>(&block.qh), 0, out);
    }
    case DType::kQ8_0: {
      const auto block = Load<quant::BlockQ8_0>(bytes);
      Shape(out, 32, 32, false);
      out.d = F16ToF32(block.d);
      std::memcpy(out.code, block.qs, 32);
      return;
    }
    case DType::kQ2_K:
      return UnpackQ2_K(Load<quant::BlockQ2_K>(bytes), out);
    case DType::kQ3_K:
      return UnpackQ3_K(Load<quant::BlockQ3_K>(bytes), out);
    case DType::kQ4_K:
      return UnpackQ45_K(Load<quant::BlockQ4_K>(bytes), out);
    case DType::kQ5_K:
      return UnpackQ45_K(Load<quant::BlockQ5_K>(bytes), out);
    case DType::kQ6_K:
      return UnpackQ6_K(Load<quant::BlockQ6_K>(bytes), out);
    default:
      Fail(ErrorCode::kInternal, "internal error: ", InfoOf(format).name, " has no integer blocks");
  }
}

}  // namespace scout::ref
