// What the emulator does later than it is asked for, in warps of 32 lanes: right kernels compute what they should under every
// schedule, and each planted mistake is told.
#include <gpu_vendor.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "planted.h"
#include "wide_software.h"

namespace scout::SCOUT_GPU {
namespace {

constexpr simt::LaneMask kAll = 0xffffffff;
const simt::Schedule kSchedules[] = {{false, 0}, {true, 1}, {true, 2}, {true, 3}};

// A warp brings pieces through a ring of two stages, each of one piece for each of 64 threads; two others add them up.
enum class RingMistake {
  kNone,
  kNoWait,          // for what is brought
  kOneWaits,        // for its whole warp
  kNoFreeWait,      // before a stage is filled again
  kNoSyncWarp,      // before the warp's arrival
  kFreeTooEarly,    // before it has been read
  kTooFewArrivals,  // a lane that does not announce its bytes
  kUnaligned,
  kNotMade,   // arrivals that nobody has made
  kLeftOver,  // a copy more than is waited for
};
struct Ring {
  const int* in;  // [rounds][64][4]
  int* out;       // [64]
  int rounds;
  RingMistake mistake;
};
GPU_KERNEL RingKernel(Ring r) {
  constexpr int kPieces = 64;
  SharedCursor cursor;
  auto tile = cursor.Take<Int4>(2 * kPieces + 1);
  auto full = cursor.Take<Arrivals>(2), free = cursor.Take<Arrivals>(2);
  if (Thread() == 0 && r.mistake != RingMistake::kNotMade) {
    for (int i = 0; i < 2; ++i) {
      InitArrivals(full[i], kWarp);
      InitArrivals(free[i], 2);
    }
  }
  SyncBlock();
  const int lane = Thread() % kWarp;
  if (Thread() >= kPieces) {
    for (int round = 0; round < r.rounds + (r.mistake == RingMistake::kLeftOver ? 1 : 0); ++round) {
      const int stage = round % 2;
      if (r.mistake != RingMistake::kNoFreeWait) WaitArrivals(free[stage], round / 2 % 2 ^ 1);
      if (r.mistake == RingMistake::kTooFewArrivals && lane == 7)
        Arrive(full[stage]);
      else
        ArriveExpecting(full[stage], 32);
      const int from = round < r.rounds ? round : 0;
      if (r.mistake == RingMistake::kUnaligned)
        BulkCopy(tile[stage * kPieces + 2 * lane], r.in + 4 * (from * kPieces + 2 * lane) + 1, 32, full[stage]);
      else
        BulkCopy(tile[stage * kPieces + 2 * lane], r.in + 4 * (from * kPieces + 2 * lane), 32, full[stage]);
    }
    return;
  }
  int sum = 0;
  for (int round = 0; round < r.rounds; ++round) {
    const int stage = round % 2;
    if (r.mistake == RingMistake::kFreeTooEarly && lane == 0) Arrive(free[stage]);
    if (r.mistake != RingMistake::kNoWait && (r.mistake != RingMistake::kOneWaits || lane == 0))
      WaitArrivals(full[stage], round / 2 % 2);
    const Int4 piece = tile[stage * kPieces + kPieces - 1 - Thread()];
    for (const int value : piece.x) sum += value * (round + 1);
    if (r.mistake != RingMistake::kNoSyncWarp) SyncWarp(kAll);
    // The other half of the tile is the other warp's to read.
    if (r.mistake != RingMistake::kFreeTooEarly && lane == 0) Arrive(free[stage]);
  }
  r.out[Thread()] = sum;
}

class SimtRing : public testing::Test {
 protected:
  static constexpr int kRounds = 7;
  SimtRing() {
    for (int i = 0; i < kRounds * 256; ++i) in_[i] = i * i % 1009;
  }
  Ring Of(RingMistake mistake) { return {in_, out_, kRounds, mistake}; }
  void Expect(RingMistake mistake, const std::vector<std::string>& sentences) {
    ExpectFault(kSchedules, sentences,
                [&](const simt::Schedule& schedule) { RunKernel<&RingKernel>(Of(mistake), 96, kShared, schedule); });
  }
  static constexpr size_t kShared = 129 * 16 + 32;
  alignas(16) int in_[kRounds * 256];
  int out_[64] = {};
};

TEST_F(SimtRing, BringsEveryPieceOnce) {
  for (const simt::Schedule& schedule : kSchedules) {
    RunKernel<&RingKernel>(Of(RingMistake::kNone), 96, kShared, schedule);
    for (int t = 0; t < 64; ++t) {
      int want = 0;
      for (int round = 0; round < kRounds; ++round)
        for (int i = 0; i < 4; ++i) want += in_[round * 256 + 4 * (63 - t) + i] * (round + 1);
      ASSERT_EQ(out_[t], want) << t << ", schedule " << schedule.seed;
    }
  }
}
TEST_F(SimtRing, AMissingWaitIsTold) {
  // Who reads first may do so before the copy is asked for.
  Expect(RingMistake::kNoWait, {"to which a bulk copy is on its way", "has read since the last barrier", "no thread can go on",
                                "a bulk copy has brought that this thread has not waited for"});
}
TEST_F(SimtRing, OneLaneDoesNotWaitForTheOthers) {
  Expect(RingMistake::kOneWaits,
         {"to which a bulk copy is on its way", "a bulk copy has brought that this thread has not waited for",
          "has read since the last barrier"});
}
TEST_F(SimtRing, AStageThatIsFilledAgainTooEarlyIsTold) {
  Expect(RingMistake::kNoFreeWait, {"is on its way", "has read since the last barrier", "where all have arrived"});
  Expect(RingMistake::kNoSyncWarp, {"has read since the last barrier"});
  Expect(RingMistake::kFreeTooEarly, {"is on its way", "has read since the last barrier", "wait for arrivals"});
}
TEST_F(SimtRing, WrongUsesAreTold) {
  Expect(RingMistake::kTooFewArrivals, {"wait for arrivals", "to which a bulk copy is on its way"});
  Expect(RingMistake::kUnaligned, {"does not lie in pieces of sixteen"});
  Expect(RingMistake::kNotMade, {"which are not made yet"});
  Expect(RingMistake::kLeftOver, {"the kernel ends while bulk copies are on their way"});
}

// c[64, 64] = a[64, 32] b[32, 64] of BF16, by two products of four warps.
enum class WideMistake {
  kNone,
  kNoFence,
  kNoWait,  // before sums are used
  kNoWaitAtAll,
  kChangedFactor,  // before the wait
  kChangedSums,
  kRefilled,  // the second factor, before the wait
  kNoArrivalWait,
  kWrittenByThreads,
  kWrongColumn,  // of the result
  kWrongWord,    // two of the first factor exchanged
  kWrongLayout,  // of the second factor
};
struct Wide {
  const float* a;     // [64, 32]
  const uint16_t* b;  // [4][64][8]
  float* c;           // [64, 64]
  WideMistake mistake;
};
GPU_KERNEL WideKernel(Wide w) {
  SharedCursor cursor;
  auto tile = cursor.Take<Int4>(4 * 64);
  auto arrivals = cursor.Take<Arrivals>(2);
  if (Thread() == 0) {
    InitArrivals(arrivals[0], 1);
    InitArrivals(arrivals[1], 1);
    if (w.mistake == WideMistake::kWrittenByThreads) {
      Arrive(arrivals[0]);
      for (int i = 0; i < 4 * 64; ++i) tile[i] = *reinterpret_cast<const Int4*>(w.b + 8 * i);
    } else {
      ArriveExpecting(arrivals[0], 4 * 64 * 16);
      BulkCopy(tile[0], w.b, 4 * 64 * 16, arrivals[0]);
    }
  }
  SyncBlock();
  const int thread = Thread(), row = 16 * (thread / 32) + thread % 32 / 4, t = thread % 4;
  const auto pair = [&](int r, int k) { return Bf16Pair(w.a[32 * r + k], w.a[32 * r + k + 1]); };
  uint32_t a[2][4];
  for (int step = 0; step < 2; ++step) {
    const int k = 16 * step + 2 * t;
    a[step][0] = pair(row, k);
    a[step][1] = pair(row + 8, k);
    a[step][2] = pair(row, k + 8);
    a[step][3] = pair(row + 8, k + 8);
    if (w.mistake == WideMistake::kWrongWord) std::swap(a[step][1], a[step][2]);
  }
  float c[32] = {};
  if (w.mistake != WideMistake::kNoArrivalWait) WaitArrivals(arrivals[0], 0);
  if (w.mistake != WideMistake::kNoFence) WideFence(c);
  // In pieces: the next eight values of K lie 64 further, the next eight columns 8.
  const uint64_t layout = uint64_t{64} << 16 | uint64_t{8} << 32, step_pieces = w.mistake == WideMistake::kWrongLayout ? 64 : 128;
  for (uint64_t step = 0; step < 2; ++step)
    WideMultiplyAdd<true, 64>(c, a[step], layout + SharedAddress(tile[0]) / 16 + step * step_pieces);
  WideCommit();
  if (w.mistake == WideMistake::kChangedFactor && thread == 77) a[1][2] ^= 1;
  if (w.mistake == WideMistake::kChangedSums && thread == 78) c[3] = 1;
  if (w.mistake == WideMistake::kRefilled && thread == 0) {
    ArriveExpecting(arrivals[1], 16);
    BulkCopy(tile[17], w.b, 16, arrivals[1]);
  }
  if (w.mistake != WideMistake::kNoWait && w.mistake != WideMistake::kNoWaitAtAll) WideWait<0>(c, a);
  if (w.mistake == WideMistake::kRefilled && thread == 0) WaitArrivals(arrivals[1], 0);
  for (int i = 0; i < 32; ++i) {
    const int column = 8 * (i / 4) + 2 * t + i % 2;
    w.c[64 * (row + 8 * (i / 2 % 2)) + (w.mistake == WideMistake::kWrongColumn ? column ^ 1 : column)] = c[i];
  }
  if (w.mistake == WideMistake::kNoWait) WideWait<0>(c, a);
}

class SimtWide : public testing::Test {
 protected:
  SimtWide() {
    for (int i = 0; i < 64 * 32; ++i) a_[i] = static_cast<float>(i * 37 % 201 - 100);
    for (int n = 0; n < 64; ++n)
      for (int k = 0; k < 32; ++k) b_[(k / 8 * 64 + n) * 8 + k % 8] = quant::F32ToBf16(B(n, k));
  }
  static float B(int n, int k) { return static_cast<float>((n * 53 + k * 29) % 181 - 90); }
  Wide Of(WideMistake mistake) { return {a_, b_, c_, mistake}; }
  bool Right() const {
    for (int row = 0; row < 64; ++row)
      for (int n = 0; n < 64; ++n) {
        float want = 0;
        for (int k = 0; k < 32; ++k) want += a_[32 * row + k] * B(n, k);
        if (c_[64 * row + n] != want) return false;
      }
    return true;
  }
  void Expect(WideMistake mistake, const std::vector<std::string>& sentences) {
    ExpectFault(kSchedules, sentences,
                [&](const simt::Schedule& schedule) { RunKernel<&WideKernel>(Of(mistake), 128, kShared, schedule); });
  }
  static constexpr size_t kShared = 4 * 64 * 16 + 16;
  float a_[64 * 32];
  alignas(16) uint16_t b_[4 * 64 * 8];
  float c_[64 * 64] = {};
};

TEST_F(SimtWide, MultipliesWhatTheFragmentsHold) {
  for (const simt::Schedule& schedule : kSchedules) {
    RunKernel<&WideKernel>(Of(WideMistake::kNone), 128, kShared, schedule);
    EXPECT_TRUE(Right()) << schedule.seed;
  }
}
TEST_F(SimtWide, AWrongFragmentGivesAWrongProduct) {
  for (const WideMistake mistake :
       {WideMistake::kWrongColumn, WideMistake::kWrongWord, WideMistake::kWrongLayout, WideMistake::kNoWait}) {
    for (const simt::Schedule& schedule : kSchedules) {
      RunKernel<&WideKernel>(Of(mistake), 128, kShared, schedule);
      EXPECT_FALSE(Right()) << static_cast<int>(mistake) << ", " << schedule.seed;
    }
  }
}
TEST_F(SimtWide, WhatIsUnorderedIsTold) {
  Expect(WideMistake::kNoFence, {"without a fence before it"});
  Expect(WideMistake::kNoWaitAtAll, {"leaves the kernel without waiting for its products"});
  Expect(WideMistake::kChangedFactor, {"has changed the first factor"});
  Expect(WideMistake::kChangedSums, {"has changed the sums"});
  Expect(WideMistake::kNoArrivalWait, {"to which a bulk copy is on its way"});
  Expect(WideMistake::kWrittenByThreads, {"which no copy has brought"});
}
TEST_F(SimtWide, ASecondFactorThatIsOverwrittenTooEarlyIsTold) {
  Expect(WideMistake::kRefilled, {"in the second factor of a product of four warps, has changed before its wait"});
}

}  // namespace
}  // namespace scout::SCOUT_GPU
