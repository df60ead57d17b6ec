// The gpu backend over a driver that fails at its n-th call, for every n: an error comes out, with the call's name in it, and no
// memory of the device stays behind. And what a kernel does wrong becomes the step's error.
#include "../ops/op_test.h"
#include "gpu/gpu_backend.h"
#include "simt_driver.h"

namespace scout {
namespace {

using gpu::DriverStatus;

class FailingDriver final : public gpu::Driver {
 public:
  FailingDriver(simt::SimtDriver& inner, int fail_at, bool no_memory) : inner_(inner), left_(fail_at), no_memory_(no_memory) {}
  bool failed() const { return left_ < 0; }

  const gpu::KernelTable& Kernels() const override { return inner_.Kernels(); }
  DriverStatus Facts(gpu::DeviceFacts& out) override { return inner_.Facts(out); }
  DriverStatus Allocate(size_t bytes, void** out) override { return Fails() ? Failure() : inner_.Allocate(bytes, out); }
  void Free(void* block) override { inner_.Free(block); }
  DriverStatus AllocateStaging(size_t bytes, void** out) override {
    return Fails() ? Failure() : inner_.AllocateStaging(bytes, out);
  }
  void FreeStaging(void* block) override { inner_.FreeStaging(block); }
  DriverStatus MakeStream(gpu::Stream* out) override { return Fails() ? Failure() : inner_.MakeStream(out); }
  void FreeStream(gpu::Stream stream) override { inner_.FreeStream(stream); }
  DriverStatus CopyIn(gpu::Stream stream, void* to, const void* from, size_t bytes) override {
    return Fails() ? Failure() : inner_.CopyIn(stream, to, from, bytes);
  }
  DriverStatus CopyOut(gpu::Stream stream, void* to, const void* from, size_t bytes) override {
    return Fails() ? Failure() : inner_.CopyOut(stream, to, from, bytes);
  }
  DriverStatus CopyWithin(gpu::Stream stream, void* to, const void* from, size_t bytes) override {
    return Fails() ? Failure() : inner_.CopyWithin(stream, to, from, bytes);
  }
  DriverStatus Launch(gpu::Stream stream, const void* kernel, gpu::Grid grid, unsigned threads, size_t shared_bytes,
                      const void* arguments, size_t argument_bytes) override {
    return Fails() ? Failure() : inner_.Launch(stream, kernel, grid, threads, shared_bytes, arguments, argument_bytes);
  }
  DriverStatus Synchronize(gpu::Stream stream) override {
    // The work is done all the same: a real device, too, may have finished what it then reports on.
    const DriverStatus status = inner_.Synchronize(stream);
    return Fails() ? Failure() : status;
  }

 private:
  bool Fails() { return left_-- == 0; }
  DriverStatus Failure() const { return {no_memory_ ? 2 : 999, no_memory_ ? "out of memory" : "planted", no_memory_}; }

  simt::SimtDriver& inner_;
  int left_;
  bool no_memory_;
};

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
  for (const bool no_memory : {false, true}) {
    simt::SimtDriver device(32, {}, size_t{1} << 24);
    int calls = 0;
    for (bool failed = true; failed; ++calls) {
      ASSERT_LT(calls, 500);
      const auto driver = std::make_shared<FailingDriver>(device, calls, no_memory);
      const std::optional<Error> error = RunOnce(driver);
      failed = driver->failed();
      ASSERT_EQ(error.has_value(), failed) << "call " << calls << (error ? error->what() : " has no error");
      if (error && !no_memory) {
        EXPECT_EQ(error->code(), ErrorCode::kDevice) << error->what();
        EXPECT_NE(std::string(error->what()).find("planted (999)"), std::string::npos) << error->what();
      }
      if (error && no_memory) {
        EXPECT_EQ(error->code(), ErrorCode::kNoMemory) << error->what();
      }
      EXPECT_EQ(device.used_bytes(), 0u) << "after call " << calls;
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
    EXPECT_TRUE(text.find("no 100000 bytes") != std::string::npos && text.find("of 5000 bytes") != std::string::npos) << text;
  }
}

TEST(GpuDriver, Float32NumericsAreRefused) {
  BackendOptions options;
  options.numerics = Numerics::kFloat32;
  EXPECT_THROW(gpu::MakeGpuBackend(simt::SimtDevice(32), options), Error);
}

}  // namespace
}  // namespace scout
