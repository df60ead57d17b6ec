#include "support/bounded_call.h"

#include <gtest/gtest.h>
#include <time.h>

#include <cstring>
#include <filesystem>

#include "support/alloc_meter.h"

namespace scout::test {
namespace {

int64_t OpenDescriptors() {
  int64_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) count += !entry.path().empty();
  return count;
}

}  // namespace

double CpuNow() {
  timespec now = {};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

BoundedCall CallBounded(const std::function<void()>& call, size_t stack_bytes) {
  BoundedCall out;
  const int64_t descriptors = OpenDescriptors();
  OnSmallStack(
      [&] {
        const AllocCount before = Allocations();
        ResetPeak();
        const double start = CpuNow();
        try {
          call();
          out.returned = true;
        } catch (const Error& error) {
          out.code = error.code();
          std::strncpy(out.message, error.what(), sizeof out.message - 1);
        } catch (...) {
          out.foreign = true;
        }
        out.cpu_s = CpuNow() - start;
        const AllocCount after = Allocations();
        out.peak_bytes = after.peak_bytes - before.live_bytes;
        out.leaked_blocks = after.live_blocks - before.live_blocks;
        out.leaked_bytes = after.live_bytes - before.live_bytes;
      },
      stack_bytes);
  out.leaked_descriptors = OpenDescriptors() - descriptors;
  return out;
}

bool ExpectWithinBounds(const std::string& id, const BoundedCall& call, uint64_t input_bytes, const Bounds& bounds) {
  const int64_t peak = bounds.peak_bytes >= 0 ? bounds.peak_bytes : (4 << 20) + 2 * static_cast<int64_t>(input_bytes);
  const double cpu_s = bounds.cpu_s * kCpuFactor;
  EXPECT_FALSE(call.foreign) << id << ": an exception that is not scout::Error";
  EXPECT_EQ(call.leaked_blocks, 0) << id;
  EXPECT_EQ(call.leaked_bytes, 0) << id;
  EXPECT_EQ(call.leaked_descriptors, 0) << id;
  EXPECT_LE(call.cpu_s, cpu_s) << id << ": processor seconds for " << input_bytes << " bytes of input";
  EXPECT_LE(call.peak_bytes, peak) << id << ": bytes of memory for " << input_bytes << " bytes of input";
  return !call.foreign && call.leaked_blocks == 0 && call.leaked_bytes == 0 && call.leaked_descriptors == 0 &&
         call.cpu_s <= cpu_s && call.peak_bytes <= peak;
}

}  // namespace scout::test
