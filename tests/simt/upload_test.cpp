// Uploads that are larger than a pinned block go through a ring of them: every byte arrives, whatever the size and the pieces, and
// a call that fails is an error that leaves nothing behind and harms no later upload.
#include <gtest/gtest.h>

#include <numeric>

#include "base/error.h"
#include "fault_driver.h"

namespace scout {
namespace {

using simt::DriverFault;
using simt::FaultDriver;

constexpr size_t kSlot = 512;

std::vector<uint8_t> Bytes(size_t count, uint32_t seed) {
  std::vector<uint8_t> bytes(count);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>((seed = seed * 1664525 + 1013904223) >> 24);
  return bytes;
}

TEST(UploadRing, BringsEveryByteOfEveryPiece) {
  const auto driver = std::make_shared<simt::SimtDriver>(32, simt::Schedule{}, size_t{1} << 20);
  const auto device = std::make_shared<gpu::Device>(driver, kSlot);
  for (const size_t bytes : {size_t{1}, kSlot, kSlot + 1, 4 * kSlot, 4 * kSlot + 1, 11 * kSlot - 1}) {
    for (const size_t count : {size_t{1}, size_t{3}, size_t{9}}) {
      SCOPED_TRACE(std::to_string(count) + " pieces of " + std::to_string(bytes));
      const gpu::DeviceBlock block(device, count * bytes, false, "a test");
      const std::vector<uint8_t> want = Bytes(count * bytes, static_cast<uint32_t>(bytes + count));
      std::vector<gpu::Device::Piece> pieces;
      for (size_t i = 0; i < count; ++i) pieces.push_back({block.data() + i * bytes, want.data() + i * bytes, bytes});
      device->Upload(pieces);
      std::vector<uint8_t> got(want.size());
      device->Download(got.data(), block.data(), got.size());
      EXPECT_TRUE(got == want);
    }
  }
}

TEST(Copies, OfSeveralPiecesAreWaitedForTogether) {
  const auto driver =
      std::make_shared<FaultDriver>(std::make_shared<simt::SimtDriver>(32, simt::Schedule{}, size_t{1} << 20), simt::FaultPlan{});
  const auto device = std::make_shared<gpu::Device>(driver, kSlot);
  const gpu::DeviceBlock block(device, 90, false, "a test");
  const std::vector<uint8_t> want = Bytes(90, 3);
  std::vector<uint8_t> got(90);
  std::vector<gpu::Device::Piece> up, down;
  for (size_t at = 0; at < 90; at += 30) {
    up.push_back({block.data() + at, want.data() + at, 30});
    down.push_back({got.data() + at, block.data() + at, 30});
  }
  int64_t calls = driver->calls();
  device->Upload(up);
  EXPECT_EQ(driver->calls() - calls, 3 + 1);
  calls = driver->calls();
  device->Download(down);
  EXPECT_EQ(driver->calls() - calls, 3 + 1);
  EXPECT_TRUE(got == want);
}

TEST(UploadRing, AnyCallMayFail) {
  for (const DriverFault fault : {DriverFault::kFailure, DriverFault::kNoMemory, DriverFault::kEaten, DriverFault::kLost}) {
    int64_t errors = 0, without = 0;
    bool fired = true;
    for (int64_t call = 2; fired; ++call) {  // after those of opening the device
      SCOPED_TRACE("fault " + std::to_string(static_cast<int>(fault)) + " at call " + std::to_string(call));
      ASSERT_LT(call, 200);
      const auto simt = std::make_shared<simt::SimtDriver>(32, simt::Schedule{}, size_t{1} << 20);
      const auto driver = std::make_shared<FaultDriver>(simt, simt::FaultPlan{fault, call});
      {
        const auto device = std::make_shared<gpu::Device>(driver, kSlot);
        const std::vector<uint8_t> want = Bytes(9 * kSlot + 7, static_cast<uint32_t>(call));
        const auto run = [&] {
          try {
            const gpu::DeviceBlock block(device, want.size(), false, "a test");
            device->Upload(block.data(), want.data(), want.size());
            std::vector<uint8_t> got(want.size());
            device->Download(got.data(), block.data(), got.size());
            EXPECT_TRUE(got == want);
            return true;
          } catch (const Error&) {
            return false;
          }
        };
        const bool good = run();
        fired = driver->fired();
        EXPECT_TRUE(good || fired);
        errors += !good;
        without += good && fired;  // no pinned memory: copied without
        driver->Heal();
        EXPECT_EQ(run(), !(fault == DriverFault::kLost && fired));
      }
      EXPECT_EQ(simt->used_bytes(), 0u);
    }
    EXPECT_GT(errors, 0);
    if (fault == DriverFault::kNoMemory) {
      EXPECT_EQ(without, gpu::UploadRing::kSlots);
    }
    if (fault == DriverFault::kFailure || fault == DriverFault::kLost) {
      EXPECT_EQ(without, 0);
      EXPECT_GT(errors, 25);
    }
  }
}

}  // namespace
}  // namespace scout
