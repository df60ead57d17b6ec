// Products with sums in tensor memory in software: PTX tcgen05 with cta_group::1 and kind::f16, exact in which thread holds what,
// in which lane and column it lies, and in how the two descriptors are read. Written from PTX's manual, independently of
// backends/cuda/mma.h.
#pragma once

#include <cstdint>
#include <vector>

#include "machine.h"
#include "mma_software.h"
#include "wide_software.h"

namespace scout::SCOUT_GPU {

// tcgen05.alloc and tcgen05.dealloc.
struct TensorReserveRecord {
  std::byte* to;
  uint32_t at;
  int columns;
};
template <int kColumns>
inline void TensorReserve(SharedRef<uint32_t> to) {
  TensorReserveRecord record{to.at(), 0, kColumns};
  simt::Machine::Current().Collect("TensorReserve", 0xffffffff, &record, [](void* const* records, simt::LaneMask) {
    const auto* const first = static_cast<const TensorReserveRecord*>(records[0]);
    simt::Machine::Current().TensorReserve(first->to, first->columns);
  });
}
template <int kColumns>
inline void TensorFree(uint32_t at) {
  TensorReserveRecord record{nullptr, at, kColumns};
  simt::Machine::Current().Collect("TensorFree", 0xffffffff, &record, [](void* const* records, simt::LaneMask) {
    const auto* const first = static_cast<const TensorReserveRecord*>(records[0]);
    simt::Machine::Current().TensorFree(first->at, first->columns);
  });
}

inline void RequireSameAddress(uint32_t at, uint32_t other) {
  if (at != other) simt::Machine::Current().Raise("an address of tensor memory that differs between lanes");
}
// tcgen05.st.16x128b: register r of lane l is in row l / 4 + 8 (r mod 2), column l mod 4 + 4 (r / 2).
struct TensorStoreRecord {
  uint32_t at;
  const uint32_t* words;
};
template <size_t kSteps>
inline void TensorStore(uint32_t at, const uint32_t (&a)[kSteps][4]) {
  TensorStoreRecord record{at, a[0]};
  simt::Machine::Current().Collect("TensorStore", 0xffffffff, &record, [](void* const* records, simt::LaneMask) {
    std::vector<simt::TensorWord> words;
    const uint32_t to = static_cast<const TensorStoreRecord*>(records[0])->at;
    for (int l = 0; l < 32; ++l) {
      const auto* const r = static_cast<const TensorStoreRecord*>(records[l]);
      RequireSameAddress(to, r->at);
      for (int i = 0; i < 4 * static_cast<int>(kSteps); ++i)
        words.push_back({l, l / 4 + 8 * (i % 2), l % 4 + i / 2 * 4, r->words[i]});
    }
    simt::Machine::Current().TensorStore(to, 8 * static_cast<int>(kSteps), words);
  });
}
// tcgen05.ld.16x256b: register r of lane l is in row l / 4 + 8 (r / 2 mod 2), column 2 (l mod 4) + r mod 2 + 8 (r / 4).
struct TensorLoadRecord {
  uint32_t at;
  float* values;
};
template <size_t kValues>
inline void TensorLoad(uint32_t at, float (&c)[kValues]) {
  TensorLoadRecord record{at, c};
  simt::Machine::Current().Collect("TensorLoad", 0xffffffff, &record, [](void* const* records, simt::LaneMask) {
    simt::Machine& machine = simt::Machine::Current();
    const uint32_t from = static_cast<const TensorLoadRecord*>(records[0])->at;
    machine.TensorLoad(from, static_cast<int>(kValues) * 2);
    for (int l = 0; l < 32; ++l) {
      const auto* const r = static_cast<const TensorLoadRecord*>(records[l]);
      RequireSameAddress(from, r->at);
      for (int i = 0; i < static_cast<int>(kValues); ++i)
        r->values[i] = FloatOf(machine.TensorAt(from, l / 4 + 8 * (i / 2 % 2), 2 * (l % 4) + i % 2 + i / 4 * 8));
    }
  });
}
inline void TensorDone() { simt::Machine::Current().TensorDone(); }
inline void TensorFence() { simt::Machine::Current().TensorFence(); }

// Sums are taken from the last value to the first.
template <bool kBf16>
inline void TensorSums(const uint32_t* a, const uint32_t* b, int columns, float* sums) {
  float right[256][16];
  for (int n = 0; n < columns; ++n)
    for (int k = 0; k < 16; ++k) right[n][k] = HalfOf<kBf16>(b + 8 * n, k);
  for (int row = 0; row < 128; ++row) {
    float left[16];
    for (int k = 0; k < 16; ++k) left[k] = HalfOf<kBf16>(a + 8 * row, k);
    for (int n = 0; n < columns; ++n) {
      float sum = sums[row * columns + n];
      for (int k = 15; k >= 0; --k) sum += left[k] * right[n][k];
      sums[row * columns + n] = sum;
    }
  }
}
// tcgen05.mma with the first factor in tensor memory. The descriptor of the second is that of wgmma with a one in bit 46. The
// instruction's: bits 4 and 5 the sums' format, 1 for float32; 7 to 9 and 10 to 12 the factors', 0 for F16 and 1 for BF16; 17 to 22
// an eighth of the columns; 24 to 28 a sixteenth of the rows. The rest is for what is not used here.
inline void TensorMultiplyAdd(uint32_t c, uint32_t a, uint64_t b, uint32_t instruction, bool add) {
  simt::Machine& machine = simt::Machine::Current();
  const uint32_t sums = instruction >> 4 & 3, left = instruction >> 7 & 7, right = instruction >> 10 & 7,
                 columns = (instruction >> 17 & 63) * 8, rows = (instruction >> 24 & 31) * 16;
  const uint32_t known = sums << 4 | left << 7 | right << 10 | columns / 8 << 17 | rows / 16 << 24;
  if (known != instruction || sums != 1 || left > 1 || left != right || rows != 128 || columns < 16 || columns % 16 != 0 ||
      columns > 256)
    machine.Raise("a descriptor of an instruction that the emulator does not know");
  if ((b >> 46 & 7) != 1) machine.Raise("a descriptor of shared memory without its version");
  machine.TensorMultiplyAdd(c, a, WidePieces(b & ~(uint64_t{7} << 46), static_cast<int>(columns)), static_cast<int>(columns), add,
                            left == 1 ? &TensorSums<true> : &TensorSums<false>);
}
inline void TensorCommit(SharedRef<Arrivals> at) { simt::Machine::Current().TensorCommit(at.at()); }

}  // namespace scout::SCOUT_GPU
