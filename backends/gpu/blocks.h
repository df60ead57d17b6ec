// Weights' values on a device, 32 at a time, from the file's own blocks (src/quant tells each layout).
//
// A block format gives for the values 32 s .. 32 s + 31 of a block:
//   Codes(block, s, w)         the 32 codes as signed bytes, offsets applied, in eight words
//   Code(block, s, i)          word i of them
//   Scales(block, s, S, M)     factors of the codes' first and second sixteen (equal where a sub-block has 32)
//   D(block), Minimum(block)   value = D * S * code + Minimum * M, the second term where kMinimum
// A float format gives Value(row, i), and kPairs where activations are rounded to it and meet it in pairs. FloatRow and BlockRow
// widen values of either. Blocks lie at multiples of 2 bytes, some formats' at multiples of 4 (their words are read whole).
#pragma once

#include "gpu/gpu.h"

namespace scout::SCOUT_GPU {

GPU_FUNCTION uint32_t Half(const uint8_t* p) { return *reinterpret_cast<const uint16_t*>(p); }
GPU_FUNCTION uint32_t Word(const uint8_t* p) { return *reinterpret_cast<const uint32_t*>(p); }  // p: a multiple of 4
GPU_FUNCTION uint32_t Word2(const uint8_t* p) { return Half(p) | Half(p + 2) << 16; }           // p: a multiple of 2
GPU_FUNCTION float F16At(const uint8_t* p) { return F16ToF32(static_cast<uint16_t>(Half(p))); }
// Each of four bytes below 128, less k.
GPU_FUNCTION uint32_t LessEach(uint32_t bytes, uint32_t k) { return ((bytes | 0x80808080) - k * 0x01010101) ^ 0x80808080; }
// Bit 8 i .. of the result: bit i of `bits`, i < 4.
GPU_FUNCTION uint32_t SpreadBits(uint32_t bits) { return (bits & 1) | (bits & 2) << 7 | (bits & 4) << 14 | (bits & 8) << 21; }

struct F32Values {
  static constexpr int kBytes = 4;
  static constexpr bool kPairs = false;
  GPU_FUNCTION static float Value(const uint8_t* row, int i) { return FloatOf(Word(row + 4 * static_cast<int64_t>(i))); }
};
struct F16Values {
  static constexpr int kBytes = 2;
  static constexpr bool kPairs = false;
  GPU_FUNCTION static float Value(const uint8_t* row, int i) { return F16At(row + 2 * static_cast<int64_t>(i)); }
};
struct BF16Values {
  static constexpr int kBytes = 2;
  static constexpr bool kPairs = true;
  GPU_FUNCTION static float Value(const uint8_t* row, int i) { return FloatOf(Half(row + 2 * static_cast<int64_t>(i)) << 16); }
};

// Blocks of 32 with one scale: S = M = 1.
struct Plain32 {
  static constexpr int kValues = 32, kSub = 32;
  GPU_FUNCTION static void Scales(const uint8_t*, int, int (&S)[2], int (&M)[2]) { S[0] = S[1] = M[0] = M[1] = 1; }
  GPU_FUNCTION static float D(const uint8_t* block) { return F16At(block); }
};

// Sixteen bytes at `q`: values 0..15 in the low halves, 16..31 in the high ones; and a fifth bit of each in `high`.
template <bool kWide>
GPU_FUNCTION void Nibbles(const uint8_t* q, uint32_t high, uint32_t offset, uint32_t (&w)[8]) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const uint32_t word = kWide ? Word(q + 4 * i) : Word2(q + 4 * i);
    w[i] = LessEach((word & 0x0f0f0f0f) | SpreadBits(high >> 4 * i) << 4, offset);
    w[i + 4] = LessEach((word >> 4 & 0x0f0f0f0f) | SpreadBits(high >> (4 * i + 16)) << 4, offset);
  }
}
template <bool kWide>
GPU_FUNCTION uint32_t Nibble(const uint8_t* q, uint32_t high, uint32_t offset, int i) {
  const uint8_t* const at = q + 4 * (i % 4);
  const uint32_t word = kWide ? Word(at) : Word2(at);
  return LessEach((word >> 4 * (i / 4) & 0x0f0f0f0f) | SpreadBits(high >> 4 * i) << 4, offset);
}
struct Q4_0 : Plain32 {
  static constexpr int kBytes = 18;
  static constexpr bool kMinimum = false;
  GPU_FUNCTION static void Codes(const uint8_t* block, int, uint32_t (&w)[8]) { Nibbles<false>(block + 2, 0, 8, w); }
  GPU_FUNCTION static uint32_t Code(const uint8_t* block, int, int i) { return Nibble<false>(block + 2, 0, 8, i); }
  GPU_FUNCTION static float Minimum(const uint8_t*) { return 0; }
};
struct Q4_1 : Plain32 {
  static constexpr int kBytes = 20;
  static constexpr bool kMinimum = true;
  GPU_FUNCTION static void Codes(const uint8_t* block, int, uint32_t (&w)[8]) { Nibbles<true>(block + 4, 0, 0, w); }
  GPU_FUNCTION static uint32_t Code(const uint8_t* block, int, int i) { return Nibble<true>(block + 4, 0, 0, i); }
  GPU_FUNCTION static float Minimum(const uint8_t* block) { return F16At(block + 2); }
};
struct Q5_0 : Plain32 {
  static constexpr int kBytes = 22;
  static constexpr bool kMinimum = false;
  GPU_FUNCTION static void Codes(const uint8_t* block, int, uint32_t (&w)[8]) {
    Nibbles<false>(block + 6, Word2(block + 2), 16, w);
  }
  GPU_FUNCTION static uint32_t Code(const uint8_t* block, int, int i) { return Nibble<false>(block + 6, Word2(block + 2), 16, i); }
  GPU_FUNCTION static float Minimum(const uint8_t*) { return 0; }
};
struct Q5_1 : Plain32 {
  static constexpr int kBytes = 24;
  static constexpr bool kMinimum = true;
  GPU_FUNCTION static void Codes(const uint8_t* block, int, uint32_t (&w)[8]) { Nibbles<true>(block + 8, Word(block + 4), 0, w); }
  GPU_FUNCTION static uint32_t Code(const uint8_t* block, int, int i) { return Nibble<true>(block + 8, Word(block + 4), 0, i); }
  GPU_FUNCTION static float Minimum(const uint8_t* block) { return F16At(block + 2); }
};
struct Q8_0 : Plain32 {
  static constexpr int kBytes = 34;
  static constexpr bool kMinimum = false;
  GPU_FUNCTION static void Codes(const uint8_t* block, int, uint32_t (&w)[8]) {
#pragma unroll
    for (int i = 0; i < 8; ++i) w[i] = Word2(block + 2 + 4 * i);
  }
  GPU_FUNCTION static uint32_t Code(const uint8_t* block, int, int i) { return Word2(block + 2 + 4 * i); }
  GPU_FUNCTION static float Minimum(const uint8_t*) { return 0; }
};

struct Q2_K {
  static constexpr int kValues = 256, kSub = 16, kBytes = 84;
  static constexpr bool kMinimum = true;
  GPU_FUNCTION static void Codes(const uint8_t* block, int s, uint32_t (&w)[8]) {
#pragma unroll
    for (int i = 0; i < 8; ++i) w[i] = Code(block, s, i);
  }
  GPU_FUNCTION static uint32_t Code(const uint8_t* block, int s, int i) {
    return Word(block + 16 + 32 * (s / 4) + 4 * i) >> 2 * (s % 4) & 0x03030303;
  }
  GPU_FUNCTION static void Scales(const uint8_t* block, int s, int (&S)[2], int (&M)[2]) {
    for (int i = 0; i < 2; ++i) {
      S[i] = block[2 * s + i] & 15;
      M[i] = block[2 * s + i] >> 4;
    }
  }
  GPU_FUNCTION static float D(const uint8_t* block) { return F16At(block + 80); }
  GPU_FUNCTION static float Minimum(const uint8_t* block) { return -F16At(block + 82); }
};
struct Q3_K {
  static constexpr int kValues = 256, kSub = 16, kBytes = 110;
  static constexpr bool kMinimum = false;
  GPU_FUNCTION static void Codes(const uint8_t* block, int s, uint32_t (&w)[8]) {
#pragma unroll
    for (int i = 0; i < 8; ++i) w[i] = Code(block, s, i);
  }
  GPU_FUNCTION static uint32_t Code(const uint8_t* block, int s, int i) {
    const uint32_t low = Word2(block + 32 + 32 * (s / 4) + 4 * i) >> 2 * (s % 4) & 0x03030303;
    const uint32_t third = Word2(block + 4 * i) >> s & 0x01010101;
    return LessEach(low | third << 2, 4);
  }
  GPU_FUNCTION static void Scales(const uint8_t* block, int s, int (&S)[2], int (&M)[2]) {
    for (int i = 0; i < 2; ++i) {
      const int k = 2 * s + i;
      const int low = k < 8 ? block[96 + k] & 15 : block[96 + k - 8] >> 4;
      S[i] = (low | (block[104 + (k & 3)] >> 2 * (k >> 2) & 3) << 4) - 32;
      M[i] = 0;
    }
  }
  GPU_FUNCTION static float D(const uint8_t* block) { return F16At(block + 108); }
  GPU_FUNCTION static float Minimum(const uint8_t*) { return 0; }
};
// What Q4_K and Q5_K share.
struct Scales6 {
  static constexpr int kValues = 256, kSub = 32;
  static constexpr bool kMinimum = true;
  GPU_FUNCTION static void Scales(const uint8_t* block, int s, int (&S)[2], int (&M)[2]) {
    const uint8_t* const packed = block + 4;
    if (s < 4) {
      S[0] = packed[s] & 63;
      M[0] = packed[s + 4] & 63;
    } else {
      S[0] = (packed[s + 4] & 15) | (packed[s - 4] >> 6) << 4;
      M[0] = packed[s + 4] >> 4 | (packed[s] >> 6) << 4;
    }
    S[1] = S[0];
    M[1] = M[0];
  }
  GPU_FUNCTION static float D(const uint8_t* block) { return F16At(block); }
  GPU_FUNCTION static float Minimum(const uint8_t* block) { return -F16At(block + 2); }
};
struct Q4_K : Scales6 {
  static constexpr int kBytes = 144;
  GPU_FUNCTION static void Codes(const uint8_t* block, int s, uint32_t (&w)[8]) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const Int4 q = *reinterpret_cast<const Int4*>(block + 16 + 32 * (s / 2) + 16 * half);
#pragma unroll
      for (int i = 0; i < 4; ++i) w[4 * half + i] = static_cast<uint32_t>(q.x[i]) >> 4 * (s % 2) & 0x0f0f0f0f;
    }
  }
  GPU_FUNCTION static uint32_t Code(const uint8_t* block, int s, int i) {
    return Word(block + 16 + 32 * (s / 2) + 4 * i) >> 4 * (s % 2) & 0x0f0f0f0f;
  }
};
struct Q5_K : Scales6 {
  static constexpr int kBytes = 176;
  GPU_FUNCTION static void Codes(const uint8_t* block, int s, uint32_t (&w)[8]) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const Int4 q = *reinterpret_cast<const Int4*>(block + 48 + 32 * (s / 2) + 16 * half);
      const Int4 h = *reinterpret_cast<const Int4*>(block + 16 + 16 * half);
#pragma unroll
      for (int i = 0; i < 4; ++i)
        w[4 * half + i] =
            (static_cast<uint32_t>(q.x[i]) >> 4 * (s % 2) & 0x0f0f0f0f) | (static_cast<uint32_t>(h.x[i]) >> s & 0x01010101) << 4;
    }
  }
  GPU_FUNCTION static uint32_t Code(const uint8_t* block, int s, int i) {
    return (Word(block + 48 + 32 * (s / 2) + 4 * i) >> 4 * (s % 2) & 0x0f0f0f0f) | (Word(block + 16 + 4 * i) >> s & 0x01010101)
                                                                                       << 4;
  }
};
struct Q6_K {
  static constexpr int kValues = 256, kSub = 16, kBytes = 210;
  static constexpr bool kMinimum = false;
  GPU_FUNCTION static void Codes(const uint8_t* block, int s, uint32_t (&w)[8]) {
#pragma unroll
    for (int i = 0; i < 8; ++i) w[i] = Code(block, s, i);
  }
  GPU_FUNCTION static uint32_t Code(const uint8_t* block, int s, int i) {
    const int half = s / 4, quarter = s % 4;
    const uint32_t low = Word2(block + 64 * half + 32 * (quarter & 1) + 4 * i) >> 4 * (quarter >> 1) & 0x0f0f0f0f;
    const uint32_t high = Word2(block + 128 + 32 * half + 4 * i) >> 2 * quarter & 0x03030303;
    return LessEach(low | high << 4, 32);
  }
  GPU_FUNCTION static void Scales(const uint8_t* block, int s, int (&S)[2], int (&M)[2]) {
    for (int i = 0; i < 2; ++i) {
      S[i] = static_cast<int8_t>(block[192 + 2 * s + i]);
      M[i] = 0;
    }
  }
  GPU_FUNCTION static float D(const uint8_t* block) { return F16At(block + 208); }
  GPU_FUNCTION static float Minimum(const uint8_t*) { return 0; }
};

// Widen(row, at, count, to): values at .. at + count - 1 as float32, count <= 32; `at` is a multiple of 32, and so is a block
// format's count.
template <typename F>
struct FloatRow {
  GPU_FUNCTION static void Widen(const uint8_t* row, int at, int count, float (&to)[32]) {
    for (int i = 0; i < count; ++i) to[i] = F::Value(row, at + i);
  }
};
template <typename F>
struct BlockRow {
  GPU_FUNCTION static void Widen(const uint8_t* row, int at, int, float (&to)[32]) {
    const uint8_t* const block = row + static_cast<int64_t>(at / F::kValues) * F::kBytes;
    const int group = at % F::kValues / 32;
    uint32_t w[8];
    int S[2], M[2];
    F::Codes(block, group, w);
    F::Scales(block, group, S, M);
    const float d = F::D(block), m = F::Minimum(block);
    for (int i = 0; i < 32; ++i) {
      const float code = static_cast<float>(static_cast<int8_t>(w[i / 4] >> 8 * (i % 4)));
      to[i] = d * static_cast<float>(S[i / 16]) * code;
      if (F::kMinimum) to[i] = to[i] + m * static_cast<float>(M[i / 16]);
    }
  }
};

}  // namespace scout::SCOUT_GPU
