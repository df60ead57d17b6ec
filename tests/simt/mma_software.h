// Matrix instructions in software, exact in which lane holds what. The layout of a fragment is written here from the vendors'
// manuals, independently of the kernels' own (backends/cuda/mma.h, backends/hip/mma.h), so that a wrong index there gives a wrong
// product here.
#pragma once

#include <cstdint>

#include "machine.h"
#include "quant/bf16.h"
#include "quant/f16.h"

namespace scout::SCOUT_GPU {

inline int ByteOf(const uint32_t* words, int i) { return static_cast<int8_t>(words[i / 4] >> 8 * (i % 4)); }

// c[16, 8] += a[16, kK] b[kK, 8], signed bytes, by 32 lanes: PTX mma.m16n8k16 and mma.m16n8k32. Lane 4 g + t holds of a the rows g
// and g + 8 at columns 4 t .. 4 t + 3 (and the same 16 further), of b column g at those rows, of c columns 2 t, 2 t + 1.
template <int kK>
struct MmaRecord {
  int32_t* c;         // [4]
  const uint32_t* a;  // [kK / 8]
  const uint32_t* b;  // [kK / 16]
};
template <int kK, typename Mask>
inline void MmaS8(Mask mask, int32_t (&c)[4], const uint32_t (&a)[kK / 8], const uint32_t (&b)[kK / 16]) {
  MmaRecord<kK> record{c, a, b};
  simt::Machine::Current().Collect("mma", mask, &record, [](void* const* records, simt::LaneMask present) {
    if (present != 0xffffffff) simt::Machine::Current().Raise("a matrix instruction without all 32 lanes");
    int full_a[16][kK], full_b[kK][8];
    for (int lane = 0; lane < 32; ++lane) {
      const auto* const r = static_cast<const MmaRecord<kK>*>(records[lane]);
      const int g = lane / 4, t = lane % 4;
      for (int i = 0; i < kK / 2; ++i) {  // byte i of the lane's part of a
        const int row = i / 4 % 2 == 0 ? g : g + 8, column = 4 * t + i % 4 + (i / 8) * 16;
        full_a[row][column] = ByteOf(r->a, i);
      }
      for (int i = 0; i < kK / 4; ++i) full_b[4 * t + i % 4 + (i / 4) * 16][g] = ByteOf(r->b, i);
    }
    for (int lane = 0; lane < 32; ++lane) {
      auto* const r = static_cast<MmaRecord<kK>*>(records[lane]);
      for (int i = 0; i < 4; ++i) {
        const int row = lane / 4 + 8 * (i / 2), column = 2 * (lane % 4) + i % 2;
        for (int k = 0; k < kK; ++k) r->c[i] += full_a[row][k] * full_b[k][column];
      }
    }
  });
}

// c[16, 16] += a[16, 16] b[16, 16], signed bytes, by 64 lanes: V_MFMA_I32_16X16X16_I8. Lane 16 g + i holds of a row i, of b column
// i, both at 4 g .. 4 g + 3, and of c column i at rows 4 g .. 4 g + 3.
struct MfmaRecord {
  int32_t* c;  // [4]
  uint32_t a, b;
};
template <typename Mask>
inline void MfmaS8(Mask mask, int32_t (&c)[4], uint32_t a, uint32_t b) {
  MfmaRecord record{c, a, b};
  simt::Machine::Current().Collect("mfma", mask, &record, [](void* const* records, simt::LaneMask present) {
    if (present != ~simt::LaneMask{0}) simt::Machine::Current().Raise("a matrix instruction without all 64 lanes");
    int full_a[16][16], full_b[16][16];
    for (int lane = 0; lane < 64; ++lane) {
      const auto* const r = static_cast<const MfmaRecord*>(records[lane]);
      for (int i = 0; i < 4; ++i) {
        full_a[lane % 16][4 * (lane / 16) + i] = ByteOf(&r->a, i);
        full_b[4 * (lane / 16) + i][lane % 16] = ByteOf(&r->b, i);
      }
    }
    for (int lane = 0; lane < 64; ++lane) {
      auto* const r = static_cast<MfmaRecord*>(records[lane]);
      for (int i = 0; i < 4; ++i)
        for (int k = 0; k < 16; ++k) r->c[i] += full_a[4 * (lane / 16) + i][k] * full_b[k][lane % 16];
    }
  });
}

// Two halves of a word.
template <bool kBf16>
inline float HalfOf(const uint32_t* words, int i) {
  const auto bits = static_cast<uint16_t>(words[i / 2] >> 16 * (i % 2));
  return kBf16 ? quant::Bf16ToF32(bits) : quant::F16ToF32(bits);
}

// c[16, 8] += a[16, 16] b[16, 8], f16 or bf16 with float32 sums, by 32 lanes: PTX mma.m16n8k16. Lane 4 g + t holds of a the rows g
// and g + 8 at columns 2 t, 2 t + 1, then both again 8 further, of b column g at those rows, of c columns 2 t, 2 t + 1. Sums are
// taken from the last value to the first, which is not the kernels' own order.
struct MmaF32Record {
  float* c;           // [4]
  const uint32_t* a;  // [4]
  const uint32_t* b;  // [2]
};
template <bool kBf16, typename Mask>
inline void MmaF32(Mask mask, float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  MmaF32Record record{c, a, b};
  simt::Machine::Current().Collect("mma of halves", mask, &record, [](void* const* records, simt::LaneMask present) {
    if (present != 0xffffffff) simt::Machine::Current().Raise("a matrix instruction without all 32 lanes");
    float full_a[16][16], full_b[16][8];
    for (int lane = 0; lane < 32; ++lane) {
      const auto* const r = static_cast<const MmaF32Record*>(records[lane]);
      const int g = lane / 4, t = lane % 4;
      for (int i = 0; i < 8; ++i) full_a[g + i / 2 % 2 * 8][2 * t + i % 2 + i / 4 * 8] = HalfOf<kBf16>(r->a, i);
      for (int i = 0; i < 4; ++i) full_b[2 * t + i % 2 + i / 2 * 8][g] = HalfOf<kBf16>(r->b, i);
    }
    for (int lane = 0; lane < 32; ++lane) {
      auto* const r = static_cast<MmaF32Record*>(records[lane]);
      for (int i = 0; i < 4; ++i)
        for (int k = 15; k >= 0; --k) r->c[i] += full_a[lane / 4 + 8 * (i / 2)][k] * full_b[k][2 * (lane % 4) + i % 2];
    }
  });
}

// c[16, 16] += a[16, 16] b[16, 16], f16 or bf16 with float32 sums, by 64 lanes: V_MFMA_F32_16X16X16_F16 and _BF16_1K. Lane 16 g + i
// holds of a row i, of b column i, both at 4 g .. 4 g + 3, and of c column i at rows 4 g .. 4 g + 3.
struct MfmaF32Record {
  float* c;           // [4]
  const uint32_t* a;  // [2]
  const uint32_t* b;  // [2]
};
template <bool kBf16, typename Mask>
inline void MfmaF32(Mask mask, float (&c)[4], const uint32_t (&a)[2], const uint32_t (&b)[2]) {
  MfmaF32Record record{c, a, b};
  simt::Machine::Current().Collect("mfma of halves", mask, &record, [](void* const* records, simt::LaneMask present) {
    if (present != ~simt::LaneMask{0}) simt::Machine::Current().Raise("a matrix instruction without all 64 lanes");
    float full_a[16][16], full_b[16][16];
    for (int lane = 0; lane < 64; ++lane) {
      const auto* const r = static_cast<const MfmaF32Record*>(records[lane]);
      for (int i = 0; i < 4; ++i) {
        full_a[lane % 16][4 * (lane / 16) + i] = HalfOf<kBf16>(r->a, i);
        full_b[4 * (lane / 16) + i][lane % 16] = HalfOf<kBf16>(r->b, i);
      }
    }
    for (int lane = 0; lane < 64; ++lane) {
      auto* const r = static_cast<MfmaF32Record*>(records[lane]);
      for (int i = 0; i < 4; ++i)
        for (int k = 15; k >= 0; --k) r->c[i] += full_a[4 * (lane / 16) + i][k] * full_b[k][lane % 16];
    }
  });
}

}  // namespace scout::SCOUT_GPU
