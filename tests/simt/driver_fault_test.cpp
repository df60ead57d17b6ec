// The gpu backend over a driver that fails at its n-th call, for every n: an error comes out, with the call's name in it, and no
// memory of the device stays behind. And what a kernel does wrong becomes the step's error. Whole models: fault_model_test.cpp.
#include <thread>

#include "../ops/op_test.h"
#include "fault_driver.h"
#include "gpu/gpu_backend.h"

namespace scout {
namespace {

using simt::DriverFault;
using simt::FaultDriver;

// A weight, a step of products and experts, and its samples; the first error, if any.
std::optional<Error> RunOnce(const std::shared_ptr<gpu::Driver>& driver) {
  try {
    const auto backend = gpu::MakeGpuBackend(std::make_shared<gpu::Device>(driver), {});
    const auto weight = backend->PrepareWeight(RandomWeight(WeightRole::kLinear, 1, {{DType::kQ8_0, 40}}, 64, 1));
    const auto in = backend->Alloc(MemoryKind::kWorkspace, 2 * 64 * 4), out = backend->Alloc(MemoryKind::kWorkspace, 2 * 40 * 4);
    const std::vector<float> x = Random(1).Values(2 * 64);
    backend->Upload(*in, 0, std::as_bytes(std::span(x)));
    const StepPlan plan = PlainPlan(2);
    backend->BeginStep(plan);
    backend->Linear({{in.get(), 0, 2, 64}, weight.get(), Epilogue::kStore, {out.get(), 0, 2, 40}});
    std::vector<SampleRow> rows(1);
    rows[0].candidates = 3;
    std::vector<SampleResult> results(1);
    backend->Sample({{out.get(), 0, 2, 40}, rows}, results);
    if (auto error = backend->EndStep()) return error;
    EXPECT_EQ(results[0].candidate_id.size(), 3u);
    return std::nullopt;
  } catch (const Error& error) {
    return error;
  }
}

TEST(GpuDriver, AFailureOfAnyCallIsAnErrorAndLeavesNothing) {
  for (const DriverFault fault : {DriverFault::kFailure, DriverFault::kNoMemory, DriverFault::kEaten, DriverFault::kLost}) {
    const auto device = std::make_shared<simt::SimtDriver>(32, simt::Schedule{}, size_t{1} << 24);
    int calls = 0;
    for (bool fired = true; fired; ++calls) {
      ASSERT_LT(calls, 500);
      const auto driver = std::make_shared<FaultDriver>(device, simt::FaultPlan{fault, calls});
      const std::optional<Error> error = RunOnce(driver);
      fired = driver->fired();
      SCOPED_TRACE("fault " + std::to_string(static_cast<int>(fault)) + " at call " + std::to_string(calls));
      // Memory that was eaten behind the last allocation is not missed.
      if (fault != DriverFault::kEaten) {
        ASSERT_EQ(error.has_value(), fired) << (error ? error->what() : "no error");
      }
      EXPECT_EQ(device->used_bytes(), 0u);
      if (!error) continue;
      const std::string text = error->what();
      EXPECT_EQ(error->code(),
                fault == DriverFault::kNoMemory || fault == DriverFault::kEaten ? ErrorCode::kNoMemory : ErrorCode::kDevice)
          << text;
      const char* const words = fault == DriverFault::kFailure ? "planted (999)"
                                : fault == DriverFault::kLost  ? "fallen off the bus (46)"
                                : fault == DriverFault::kEaten ? ": 0 of 16777216 bytes of an emulated device"
                                                               : "";
      EXPECT_NE(text.find(words), std::string::npos) << text;
    }
    EXPECT_GT(calls, 20);
  }
}

TEST(GpuDriver, ADeviceThatIsTooSmallIsToldWithNumbers) {
  const auto device = simt::SimtDevice(64, {}, 5000);
  const auto backend = gpu::MakeGpuBackend(device, {});
  try {
    const auto buffer = backend->Alloc(MemoryKind::kKv, 100000);
    FAIL() << "not refused";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNoMemory);
    const std::string text = error.what();
    EXPECT_TRUE(text.find("no 100000 bytes for keys and values: ") != std::string::npos &&
                text.find(" of 5000 bytes of an emulated device") != std::string::npos)
        << text;
  }
}

TEST(GpuDriver, ALostDeviceTellsWhatLostItAndIsNotGivenOutAgain) {
  static std::shared_ptr<FaultDriver> driver;
  const auto open = []() -> std::shared_ptr<gpu::Driver> {
    return driver = std::make_shared<FaultDriver>(std::make_shared<simt::SimtDriver>(32, simt::Schedule{}, size_t{1} << 20),
                                                  simt::FaultPlan{DriverFault::kLost, 18});
  };
  gpu::SharedDevice shared;
  const auto device = shared.Get(open);
  EXPECT_EQ(shared.Get(open), device);
  std::string first;
  for (int i = 0; i < 10; ++i) {
    try {
      gpu::DeviceBlock block(device, 100, false, "a test");
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kDevice);
      if (first.empty()) first = error.what();
      EXPECT_EQ(first, error.what());
    }
  }
  EXPECT_EQ(
      first,
      "simt32: the device is lost since a test: the device has fallen off the bus (46); free what is on it and load again, or "
      "start the process again");
  EXPECT_TRUE(device->lost());
  EXPECT_NE(shared.Get(open), device);
  driver.reset();
}

// A copy that was let through as the device went away must not land later, when what it copies to may be something else.
TEST(GpuDriver, ALossWhileAnotherThreadCopiesLeavesTheHostsMemoryAlone) {
  const std::vector<std::byte> mine(4096, std::byte{0x11});
  for (int64_t at = 20; at < 220; ++at) {
    const auto simt = std::make_shared<simt::SimtDriver>(32, simt::Schedule{}, size_t{1} << 20);
    const auto device = std::make_shared<gpu::Device>(std::make_shared<FaultDriver>(simt, simt::FaultPlan{DriverFault::kLost, at}));
    std::vector<std::byte> host(mine.size());
    {
      const gpu::DeviceBlock block(device, host.size(), false, "a test");
      const auto until_lost = [](const auto& call) { EXPECT_THROW(for (int i = 0; i < 100000; ++i) call(), Error); };
      std::thread other([&] { until_lost([&] { static_cast<void>(device->Facts()); }); });
      until_lost([&] { device->Download(host.data(), block.data(), host.size()); });
      host = mine;
      other.join();
    }
    EXPECT_TRUE(host == mine) << "a copy has landed after the device was lost at call " << at;
    EXPECT_EQ(simt->used_bytes(), 0u);
  }
}

// Every mix of formats can be had, unless values of four bytes would begin between their multiples, where a device cannot load
// them.
TEST(GpuPages, HaveEveryFormatWhereADeviceCanReadIt) {
  const auto backend = MakeCpu("simt32", 1);
  for (const DType k : PageFormats())
    for (const DType v : PageFormats())
      EXPECT_EQ(backend->PageBytes(*backend->AllocPages({2, 16, 0, 1, 32, k, v, 3, {}})),
                2 * 16 * (RowBytes(k, 32) + RowBytes(v, 32)));
  for (const auto& [k, v] : {std::pair{DType::kQ8_0, DType::kF32}, {DType::kF32, DType::kQ8_0}}) {
    try {
      backend->AllocPages({2, 1, 0, 1, 32, k, v, 3, {}});
      FAIL() << "34 bytes, then or before values of four";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
      EXPECT_NE(std::string(error.what()).find("expected multiples of 4"), std::string::npos) << error.what();
    }
  }
  try {
    backend->AllocPages({2, 16, 0, 1, 32, DType::kQ4_0, DType::kF16, 3, {}});
    FAIL() << "Q4_0 is no format of pages";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kArgument);
  }
}

TEST(GpuDriver, Float32NumericsAreRefused) {
  BackendOptions options;
  options.numerics = Numerics::kFloat32;
  EXPECT_THROW(gpu::MakeGpuBackend(simt::SimtDevice(32), options), Error);
}

}  // namespace
}  // namespace scout
