// Products of four warps in software: PTX wgmma.mma_async.sync.aligned.m64nNk16 with the first factor in registers, exact in which
// thread holds what and in how a descriptor tells where the second factor lies. Written from PTX's manual, independently of
// backends/cuda/mma.h.
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "machine.h"
#include "mma_software.h"

namespace scout::SCOUT_GPU {

// The pieces of sixteen bytes, eight values of K of one column each, that a descriptor names: of column n its values 0 .. 7, then
// 8 .. 15. Matrices of eight columns by sixteen bytes lie together. Bits 0 to 13 are where the first lies, 16 to 29 how far the
// next along K is, 32 to 45 how far the next eight columns are, all in pieces; the rest is for layouts that are not used here.
inline std::vector<const std::byte*> WidePieces(uint64_t descriptor, int columns) {
  simt::Machine& machine = simt::Machine::Current();
  if (descriptor >> 46 != 0 || (descriptor >> 14 & 3) != 0 || (descriptor >> 30 & 3) != 0)
    machine.Raise("a descriptor of a layout that the emulator does not know");
  const size_t start = descriptor & 0x3fff, along_k = descriptor >> 16 & 0x3fff, next_columns = descriptor >> 32 & 0x3fff;
  std::vector<const std::byte*> pieces;
  pieces.reserve(static_cast<size_t>(columns) * 2);
  for (int n = 0; n < columns; ++n) {
    for (size_t k = 0; k < 2; ++k) {
      const size_t at = 16 * (start + k * along_k + static_cast<size_t>(n / 8) * next_columns + static_cast<size_t>(n % 8));
      if (at + 16 > machine.shared_bytes()) machine.Raise("a descriptor of what lies past the end of shared memory");
      pieces.push_back(machine.shared() + at);
    }
  }
  return pieces;
}

template <size_t kValues>
inline void WideFence(float (&)[kValues]) {
  simt::Machine::Current().WideFence();
}

// c[64, kColumns] += a[64, 16] b[16, kColumns]. Thread 32 w + 4 g + t of 128 holds of a the rows 16 w + g and 16 w + g + 8 at
// columns 2 t, 2 t + 1, then both again 8 further, and of c both rows at columns 2 t, 2 t + 1 of each eight. Sums are taken from
// the last value to the first.
template <bool kBf16, int kColumns>
inline void WideMultiplyAdd(float (&c)[kColumns / 2], const uint32_t (&a)[4], uint64_t b) {
  simt::Machine::Current().WideMultiply(
      c, kColumns / 2, a, b, [](uint64_t descriptor) { return WidePieces(descriptor, kColumns); }, kBf16 ? "bf16" : "f16",
      [](simt::Machine::WideProduct& product) {
        float full_a[64][16], full_b[kColumns][16];
        for (int thread = 0; thread < 128; ++thread) {
          const int w = thread / 32, g = thread % 32 / 4, t = thread % 4;
          for (int i = 0; i < 8; ++i) {  // half i of the thread's words
            const int row = 16 * w + g + (i / 2 % 2 == 1 ? 8 : 0), column = 2 * t + i % 2 + (i >= 4 ? 8 : 0);
            full_a[row][column] = HalfOf<kBf16>(product.a_words[thread], i);
          }
        }
        for (int n = 0; n < kColumns; ++n) {
          uint32_t words[8];
          std::memcpy(words, product.b_bytes.data() + 32 * n, 32);
          for (int k = 0; k < 16; ++k) full_b[n][k] = HalfOf<kBf16>(words, k);
        }
        for (int thread = 0; thread < 128; ++thread) {
          const int w = thread / 32, g = thread % 32 / 4, t = thread % 4;
          for (int v = 0; v < kColumns / 2; ++v) {
            const float* const row = full_a[16 * w + g + 8 * (v % 4 / 2)];
            const float* const column = full_b[8 * (v / 4) + 2 * t + v % 2];
            float sum = product.SumsOf(thread)[v];
            for (int k = 15; k >= 0; --k) sum += row[k] * column[k];
            product.SumsOf(thread)[v] = sum;
          }
        }
      });
}
inline void WideCommit() { simt::Machine::Current().WideCommit(); }
template <int kGroupsLeft, size_t kValues, size_t kSteps>
inline void WideWait(float (&)[kValues], uint32_t (&)[kSteps][4]) {
  simt::Machine::Current().WideWait(kGroupsLeft);
}

}  // namespace scout::SCOUT_GPU
