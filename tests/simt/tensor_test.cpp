// Tensor memory on the emulator: a right kernel computes what it should under every schedule, and each planted mistake is told, or
// gives another result.
#include <gpu_vendor.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "planted.h"
#include "tensor_software.h"

namespace scout::SCOUT_GPU {
namespace {

constexpr simt::LaneMask kAll = 0xffffffff;
const simt::Schedule kSchedules[] = {{false, 0}, {true, 1}, {true, 2}, {true, 3}, {true, 4}, {true, 5}};

// c[128, 64] = a[128, 128] b[128, 64] of BF16, in two rounds of 64 values that go through one stage. Four warps store the first
// factor; a fifth brings the second and begins the products.
enum class Mistake {
  kNone,
  kNoFence,         // before products
  kNoFenceToStore,  // again
  kNoFenceToLoad,
  kNoDone,        // after stores
  kNoDoneAtEnd,   // after loads
  kNoSyncWarp,    // before a warp's arrival
  kNoFreeWait,    // before the first factor is stored again
  kOneWaits,      // for its whole warp
  kRefilled,      // the second factor, before its products are over
  kNoFullWait,    // before products
  kNoWaitToLoad,  // for the last products
  kNoCommit,      // of the last
  kWrittenByThreads,
  kWrongQuarter,   // of the lanes
  kTooFewColumns,  // reserved
  kNoPowerOf2,
  kTooManyColumns,
  kNotFreed,
  kFreedByAnother,  // warp
  kFreedTooEarly,
  kLoadedBeforeStored,
  kAddsToNothing,
  kNoVersion,  // of the descriptor
  kWrongRows,  // of the instruction
  kMixedFormats,
  // Told by the result alone.
  kWrongFormat,
  kWrongLayout,  // of the second factor
  kWrongHalf,    // of a warp's lanes
  kWrongColumn,  // of the result
  kNeverAdds,
};
struct Product {
  const uint16_t* a;  // [128, 128]
  const uint16_t* b;  // [2][8][64][8]
  float* c;           // [128, 64]
  Mistake mistake;
};
GPU_KERNEL TensorKernel(Product p) {
  constexpr int kPieces = 8 * 64;
  const auto is = [&](Mistake mistake) { return p.mistake == mistake; };
  SharedCursor cursor;
  auto tile = cursor.Take<Int4>(kPieces);
  auto full = cursor.Take<Arrivals>(1), free = cursor.Take<Arrivals>(1);
  auto where = cursor.Take<uint32_t>(1);
  const int warp = Thread() / kWarp, lane = Thread() % kWarp;
  if (Thread() == 0) {
    InitArrivals(full[0], 5);
    InitArrivals(free[0], 1);
  }
  if (warp == 4) {
    if (is(Mistake::kTooFewColumns))
      TensorReserve<64>(where[0]);
    else if (is(Mistake::kNoPowerOf2))
      TensorReserve<96>(where[0]);
    else
      TensorReserve<128>(where[0]);
    if (is(Mistake::kTooManyColumns)) TensorReserve<512>(where[0]);
  }
  SyncBlock();
  const uint32_t sums = where[0], factor = sums + 64;
  if (warp == 4 && lane == 0) {
    for (int round = 0; round < 2; ++round) {
      if (!is(Mistake::kRefilled)) WaitArrivals(free[0], round ^ 1);
      if (is(Mistake::kWrittenByThreads)) {
        for (int i = 0; i < kPieces; ++i) tile[i] = *reinterpret_cast<const Int4*>(p.b + 8 * (round * kPieces + i));
        Arrive(full[0]);
      } else {
        ArriveExpecting(full[0], 16 * kPieces);
        BulkCopy(tile[0], p.b + 8 * round * kPieces, 16 * kPieces, full[0]);
      }
      if (!is(Mistake::kNoFullWait)) WaitArrivals(full[0], round);
      if (!is(Mistake::kNoFence)) TensorFence();
      // Float32 sums, factors of BF16, 64 columns, 128 rows.
      uint32_t instruction = 1 << 4 | 1 << 7 | 1 << 10 | 8 << 17 | 8 << 24;
      if (is(Mistake::kWrongRows)) instruction ^= 4 << 24 | 8 << 24;
      if (is(Mistake::kMixedFormats)) instruction ^= 1 << 10;
      if (is(Mistake::kWrongFormat)) instruction ^= 1 << 7 | 1 << 10;
      // In pieces: the next eight values of K lie 64 further, the next eight columns 8.
      uint64_t tiles = uint64_t{64} << 16 | uint64_t{8} << 32 | uint64_t{1} << 46;
      if (is(Mistake::kNoVersion)) tiles ^= uint64_t{1} << 46;
      if (is(Mistake::kWrongLayout)) tiles ^= uint64_t{64} << 16 | uint64_t{32} << 16;
      for (uint32_t step = 0; step < 4; ++step) {
        const bool add = is(Mistake::kAddsToNothing) || (!is(Mistake::kNeverAdds) && static_cast<uint32_t>(round) + step > 0);
        TensorMultiplyAdd(sums, factor + 8 * step, tiles + SharedAddress(tile[0]) / 16 + step * 128, instruction, add);
      }
      if (!is(Mistake::kNoCommit) || round == 0) TensorCommit(free[0]);
    }
  } else if (warp < 4) {
    const auto lanes = [&](int half) {
      return static_cast<uint32_t>((is(Mistake::kWrongQuarter) ? warp ^ 1 : warp) * 32 + 16 * half) << 16;
    };
    for (int round = 0; round < 2; ++round) {
      if (!is(Mistake::kNoFreeWait) && (!is(Mistake::kOneWaits) || lane == 0)) WaitArrivals(free[0], round ^ 1);
      if (!is(Mistake::kNoFenceToStore)) TensorFence();
      for (int half = 0; half < 2; ++half) {
        uint32_t a[4][4];
        const int row = 32 * warp + 16 * (is(Mistake::kWrongHalf) ? half ^ 1 : half) + lane / 4;
        for (int step = 0; step < 4; ++step)
          for (int i = 0; i < 4; ++i)
            std::memcpy(&a[step][i], p.a + 128 * (row + 8 * (i % 2)) + 64 * round + 16 * step + 2 * (lane % 4) + 8 * (i / 2), 4);
        TensorStore(factor + lanes(half), a);
      }
      if (!is(Mistake::kNoDone)) TensorDone();
      if (!is(Mistake::kNoSyncWarp)) SyncWarp(kAll);
      if (lane == 0) Arrive(full[0]);
    }
    if (is(Mistake::kLoadedBeforeStored)) {
      float c[16];
      TensorLoad(factor + 32 + lanes(0), c);
    }
    if (!is(Mistake::kNoWaitToLoad)) WaitArrivals(free[0], 1);
    if (!is(Mistake::kNoFenceToLoad)) TensorFence();
    for (int half = 0; half < 2; ++half)
      for (int column = 0; column < 64; column += 32) {
        float c[16];
        TensorLoad(sums + lanes(half) + static_cast<uint32_t>(column), c);
        for (int i = 0; i < 16; ++i) {
          const int row = 32 * warp + 16 * half + lane / 4 + 8 * (i / 2 % 2), n = column + 8 * (i / 4) + 2 * (lane % 4) + i % 2;
          p.c[64 * row + (is(Mistake::kWrongColumn) ? n ^ 1 : n)] = c[i];
        }
      }
    if (!is(Mistake::kNoDoneAtEnd)) TensorDone();
  }
  if (!is(Mistake::kFreedTooEarly)) SyncBlock();
  if (warp == (is(Mistake::kFreedByAnother) ? 3 : 4) && !is(Mistake::kNotFreed)) {
    if (is(Mistake::kTooFewColumns))
      TensorFree<64>(sums);
    else
      TensorFree<128>(sums);
  }
}

class SimtTensor : public testing::Test {
 protected:
  SimtTensor() {
    for (int i = 0; i < 128 * 128; ++i) a_[i] = quant::F32ToBf16(A(i / 128, i % 128));
    for (int k = 0; k < 128; ++k)
      for (int n = 0; n < 64; ++n) b_[(k / 8 * 64 + n) * 8 + k % 8] = quant::F32ToBf16(B(n, k));
  }
  static float A(int row, int k) { return static_cast<float>((row * 37 + k * 23) % 201 - 100); }
  static float B(int n, int k) { return static_cast<float>((n * 53 + k * 29) % 181 - 90); }
  void Run(Mistake mistake, const simt::Schedule& schedule) {
    std::fill(std::begin(c_), std::end(c_), 0.0f);
    const Product product{a_, b_, c_, mistake};
    RunKernel<&TensorKernel>(product, 160, 16 * 8 * 64 + 48, schedule);
  }
  bool Right() const {
    for (int row = 0; row < 128; ++row)
      for (int n = 0; n < 64; ++n) {
        float want = 0;
        for (int k = 0; k < 128; ++k) want += A(row, k) * B(n, k);
        if (c_[64 * row + n] != want) return false;
      }
    return true;
  }
  // That every schedule tells one of the sentences.
  void Expect(Mistake mistake, const std::vector<std::string>& sentences) {
    ExpectFault(kSchedules, sentences, [&](const simt::Schedule& schedule) { Run(mistake, schedule); });
  }
  uint16_t a_[128 * 128];
  alignas(16) uint16_t b_[128 * 64];
  float c_[128 * 64] = {};
};

TEST_F(SimtTensor, MultipliesWhatLanesAndColumnsHold) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    Run(Mistake::kNone, {seed > 0, seed});
    EXPECT_TRUE(Right()) << seed;
  }
}
TEST_F(SimtTensor, AWrongPlaceGivesAWrongProduct) {
  for (const Mistake mistake :
       {Mistake::kWrongFormat, Mistake::kWrongLayout, Mistake::kWrongHalf, Mistake::kWrongColumn, Mistake::kNeverAdds}) {
    Run(mistake, {});
    EXPECT_FALSE(Right()) << static_cast<int>(mistake);
  }
}
TEST_F(SimtTensor, AMissingFenceIsTold) {
  Expect(Mistake::kNoFence, {"without a fence between them"});
  Expect(Mistake::kNoFenceToStore, {"without a fence between them"});
  Expect(Mistake::kNoFenceToLoad, {"without a fence between them"});
  Expect(Mistake::kNoDone, {"has stored without telling"});
  Expect(Mistake::kNoDoneAtEnd, {"may still use"});
  Expect(Mistake::kNoSyncWarp, {"has stored without telling"});
}
TEST_F(SimtTensor, AMissingWaitOrCommitIsTold) {
  Expect(Mistake::kNoFullWait, {"multiplies what nobody has stored", "has stored without telling", "is on its way"});
  Expect(Mistake::kNoWaitToLoad,
         {"to which a product is on its way", "what is not there", "has not waited for", "has used since the last barrier"});
  Expect(Mistake::kNoCommit, {"no thread can go on"});
}
TEST_F(SimtTensor, AStageThatIsUsedAgainTooEarlyIsTold) {
  Expect(Mistake::kNoFreeWait,
         {"which a product on its way reads", "which a product uses that thread", "has used since the last barrier",
          "has stored without telling", "where all have arrived", "what is not there"});
  Expect(Mistake::kOneWaits, {"which a product uses that thread"});
  Expect(Mistake::kRefilled, {"of shared memory, which a product"});
}
TEST_F(SimtTensor, WrongUsesOfItsSpaceAreTold) {
  Expect(Mistake::kTooFewColumns, {"which is not reserved"});
  Expect(Mistake::kNoPowerOf2, {"which is no power of two"});
  Expect(Mistake::kTooManyColumns, {"where 384 are left"});
  Expect(Mistake::kNotFreed, {"ends without freeing its tensor memory"});
  Expect(Mistake::kFreedByAnother, {"that this warp has not reserved so"});
  Expect(Mistake::kFreedTooEarly, {"frees tensor memory"});
  Expect(Mistake::kWrongQuarter, {"does not reach lane"});
  Expect(Mistake::kLoadedBeforeStored, {"what is not there"});
}
TEST_F(SimtTensor, WrongProductsAreTold) {
  Expect(Mistake::kWrittenByThreads, {"which no copy has brought"});
  Expect(Mistake::kAddsToNothing, {"adds to what no product has brought"});
  Expect(Mistake::kNoVersion, {"without its version"});
  Expect(Mistake::kWrongRows, {"a descriptor of an instruction"});
  Expect(Mistake::kMixedFormats, {"a descriptor of an instruction"});
}

}  // namespace
}  // namespace scout::SCOUT_GPU
