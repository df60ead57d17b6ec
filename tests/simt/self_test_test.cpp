// The self-tests of a device pass on the emulator, and the one of its instructions fails with the right sentence for every word of
// the device that does something else. A kernel taken for another: plugin_test.py.
#include <gtest/gtest.h>

#include <functional>

#include "backend/self_test.h"
#include "fault_driver.h"
#include "gpu/gpu_backend.h"

namespace scout {
namespace gpu {
const void* FaultyCheck1();
const void* FaultyCheck2();
const void* FaultyCheck3();
const void* FaultyCheck4();
const void* FaultyCheck5();
}  // namespace gpu

namespace {

using gpu::KernelTable;

// The emulator with another table of kernels.
std::shared_ptr<gpu::Device> DeviceWith(int warp, const std::function<void(KernelTable&)>& change) {
  const auto driver = std::make_shared<simt::FaultDriver>(
      std::make_shared<simt::SimtDriver>(warp, simt::Schedule{}, size_t{1} << 26), simt::FaultPlan{});
  driver->Change(change);
  return std::make_shared<gpu::Device>(driver);
}

class SelfTestOf : public testing::TestWithParam<int> {};

TEST_P(SelfTestOf, PassesOnTheEmulator) {
  const auto device = DeviceWith(GetParam(), [](KernelTable&) {});
  gpu::CheckInstructions(device);
  const auto backend = gpu::MakeGpuBackend(device, {});
  const std::vector<SelfTestResult> results = SelfTest(*backend);
  EXPECT_GT(results.size(), 10u);
  for (const SelfTestResult& result : results) EXPECT_EQ(result.failure, "") << result.name;
  EXPECT_NO_THROW(RequireSelfTest(*backend));
}

INSTANTIATE_TEST_SUITE_P(Width, SelfTestOf, testing::Values(32, 64));

TEST(SelfTest, FindsAWordOfTheDeviceThatDoesSomethingElse) {
  const struct {
    const void* kernel;
    const char* sentence;
  } planted[] = {
      {gpu::FaultyCheck1(), "the product of tiles 16 deep gives "},
      {gpu::FaultyCheck2(), "a shuffle between neighbours gives "},
      {gpu::FaultyCheck3(), "a division gives "},
      {gpu::FaultyCheck4(), "leaves the kernel without waiting for its copies"},  // the emulator itself says so
      {gpu::FaultyCheck5(), "a vote gives "},
  };
  for (const auto& fault : planted) {
    SCOPED_TRACE(fault.sentence);
    try {
      gpu::CheckInstructions(DeviceWith(32, [&](KernelTable& table) { table.check = fault.kernel; }));
      ADD_FAILURE() << "passed";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kDevice);
      const std::string text = error.what();
      EXPECT_NE(text.find("self-test: "), std::string::npos) << text;
      EXPECT_NE(text.find(fault.sentence), std::string::npos) << text;
    }
  }
}

}  // namespace
}  // namespace scout
