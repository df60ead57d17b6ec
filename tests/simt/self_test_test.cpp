// The self-tests of a device pass on the emulator, and fail with the right sentence for every fault that is planted: a word of the
// device that does something else, and a kernel taken for another.
#include <gtest/gtest.h>

#include <functional>

#include "backend/self_test.h"
#include "fault_driver.h"
#include "gpu/arguments.h"
#include "gpu/gpu_backend.h"

namespace scout {
namespace gpu {
const void* FaultyCheck1();
const void* FaultyCheck2();
const void* FaultyCheck3();
const void* FaultyCheck4();
const void* FaultyCheck5();
const void* FaultyCheck6();
const void* FaultyCheck7();
const void* FaultyCheck8();
const void* FaultyProduct1();
const void* FaultyProduct4();
const void* FaultyProduct6();
const void* FaultyProduct8();
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
      {gpu::FaultyCheck6(), "leaves the kernel without waiting for its copies"},
      {gpu::FaultyCheck7(), "the product of tiles in F16 gives "},
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

TEST(SelfTest, PassesOnADeviceWithoutMatrixInstructions) {
  constexpr int kQ4_K = 7;
  const auto device = DeviceWith(32, [&](KernelTable& table) {
    table.check = gpu::FaultyCheck8();
    table.blocks[kQ4_K].many[0] = gpu::FaultyProduct8();
  });
  gpu::CheckInstructions(device);
  EXPECT_NO_THROW(RequireSelfTest(*gpu::MakeGpuBackend(device, {})));
}

// A product whose tiles are multiplied while the next are copied.
TEST(SelfTest, FindsAProductThatMultipliesWhatIsNotThereYet) {
  const struct {
    const void* kernel;
    const char* sentence;
  } planted[] = {
      {gpu::FaultyProduct1(), "values differ from ref"},
      {gpu::FaultyProduct4(), "leaves the kernel without waiting for its copies"},
      {gpu::FaultyProduct6(), "has read since the last barrier"},  // copies that land under somebody's eyes
  };
  for (const auto& fault : planted) {
    SCOPED_TRACE(fault.sentence);
    constexpr int kQ4_K = 7;
    const auto backend =
        gpu::MakeGpuBackend(DeviceWith(32, [&](KernelTable& table) { table.blocks[kQ4_K].many[0] = fault.kernel; }), {});
    try {
      RequireSelfTest(*backend);
      ADD_FAILURE() << "passed";
    } catch (const Error& error) {
      const std::string text = error.what();
      EXPECT_NE(text.find("a product of many rows, Q4_K: "), std::string::npos) << text;
      EXPECT_NE(text.find(fault.sentence), std::string::npos) << text;
    }
  }
}

TEST(SelfTest, FindsAKernelOfEachFamilyThatIsNotTheRightOne) {
  // Places in the table. A kernel taken for another must stay inside what it is given, or the process ends as a device would be
  // lost: it reads smaller blocks, and words no wider than the blocks' alignment (Q3_K's two bytes, where Q4_K's sixteen would
  // not lie right); one that does nothing needs no arguments; lists stay lists, since products take addresses from them.
  constexpr int kF16 = 1, kBF16 = 2, kQ8_0 = 4, kQ3_K = 6, kQ4_K = 7, kQ6_K = 9;
  void (*const do_nothing)(const void*) = [](const void*) {};
  const void* const nothing = reinterpret_cast<const void*>(do_nothing);
  void (*const list_nobody)(const void*) = [](const void* arguments) {
    const auto& group = *static_cast<const gpu::GroupArgs*>(arguments);
    for (int32_t t = 0; t < group.max_tiles; ++t) group.tiles[t] = {0, 0, 0};
    for (int32_t slot = 0; slot < group.slots; ++slot) group.order[slot] = 0;
  };
  const struct {
    const char* what;
    std::function<void(KernelTable&)> change;
    const char* test;  // the first that fails
  } planted[] = {
      {"embedding", [&](KernelTable& t) { t.blocks[kQ4_K].embed = t.blocks[kQ3_K].embed; }, "embedding and norm"},
      {"norm", [&](KernelTable& t) { t.rms_norm = nothing; }, "embedding and norm"},
      {"few rows",
       [&](KernelTable& t) {
         t.few_tasks = {nothing, nothing};
       },
       "a product of few rows, F16"},
      {"floats", [&](KernelTable& t) { t.floats[kF16].product = t.floats[kBF16].product; }, "a product of many rows, F16"},
      {"some rows", [&](KernelTable& t) { t.blocks[kQ8_0].few = nothing; }, "experts of some rows, Q8_0"},
      {"many rows", [&](KernelTable& t) { t.blocks[kQ6_K].many = t.blocks[kQ3_K].many; }, "a product of many rows, Q6_K"},
      {"rounding to bytes", [&](KernelTable& t) { t.quantize32 = nothing; }, "a product of few rows, Q8_0"},
      {"swiglu", [&](KernelTable& t) { t.swiglu = nothing; }, "a product of many rows, Q4_K"},
      {"rope and store", [&](KernelTable& t) { t.rope_norm_store = nothing; }, "attention over everything, F16 pages"},
      {"attention", [&](KernelTable& t) { t.attend = nothing; }, "attention over everything, F16 pages"},
      {"route", [&](KernelTable& t) { t.route = nothing; }, "experts of some rows, Q8_0"},
      {"listing experts", [&](KernelTable& t) { t.list_slots = reinterpret_cast<const void*>(list_nobody); },
       "experts of some rows, Q8_0"},
      {"adding experts", [&](KernelTable& t) { t.combine = nothing; }, "experts of some rows, Q8_0"},
      {"sampling", [&](KernelTable& t) { t.sample_blocks = nothing; }, "sampling"},
  };
  for (const auto& fault : planted) {
    SCOPED_TRACE(fault.what);
    const auto backend = gpu::MakeGpuBackend(DeviceWith(32, fault.change), {});
    try {
      RequireSelfTest(*backend);
      ADD_FAILURE() << "passed";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kDevice);
      const std::string text = error.what();
      EXPECT_EQ(text.rfind("device simt32 fails its self-test: " + std::string(fault.test) + ": ", 0), 0u) << text;
    }
  }
}

}  // namespace
}  // namespace scout
