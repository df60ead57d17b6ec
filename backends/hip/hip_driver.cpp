// The driver table over the HIP runtime.
#include <hip/hip_runtime_api.h>

#include <algorithm>
#include <cstdio>

#include "gpu/plugin_device.h"

namespace scout::gpu {

const KernelTable& HipKernels();

namespace {

// Those after which every later call of the process fails as well.
constexpr hipError_t kLosses[] = {hipErrorECCNotCorrectable,  hipErrorIllegalAddress, hipErrorLaunchTimeOut,
                                  hipErrorContextIsDestroyed, hipErrorAssert,         hipErrorLaunchFailure};

DriverStatus StatusOf(hipError_t error) {
  if (error == hipSuccess) return {};
  const bool lost = std::find(std::begin(kLosses), std::end(kLosses), error) != std::end(kLosses);
  return {static_cast<int>(error), hipGetErrorString(error), error == hipErrorOutOfMemory, lost};
}

class HipDriver final : public Driver {
 public:
  const KernelTable& Kernels() const override { return HipKernels(); }
  DriverStatus Facts(DeviceFacts& out) override {
    hipDeviceProp_t properties = {};
    if (const hipError_t error = hipGetDeviceProperties(&properties, 0)) return StatusOf(error);
    size_t free_bytes = 0, total_bytes = 0;
    if (const hipError_t error = hipMemGetInfo(&free_bytes, &total_bytes)) return StatusOf(error);
    char text[600];
    std::snprintf(text, sizeof text, "%s, architecture %s", properties.name, properties.gcnArchName);
    out = {"hip", text, total_bytes, free_bytes};
    return {};
  }

  DriverStatus Allocate(size_t bytes, void** out) override { return Cleared(hipMalloc(out, bytes)); }
  void Free(void* block) override { static_cast<void>(hipFree(block)); }
  DriverStatus AllocateStaging(size_t bytes, void** out) override { return Cleared(hipHostMalloc(out, bytes, 0)); }
  void FreeStaging(void* block) override { static_cast<void>(hipHostFree(block)); }

  DriverStatus MakeStream(Stream* out) override {
    hipStream_t stream = nullptr;
    const hipError_t error = hipStreamCreateWithFlags(&stream, hipStreamNonBlocking);
    *out = stream;
    return StatusOf(error);
  }
  void FreeStream(Stream stream) override { static_cast<void>(hipStreamDestroy(static_cast<hipStream_t>(stream))); }
  DriverStatus CopyIn(Stream stream, void* to, const void* from, size_t bytes) override {
    return StatusOf(hipMemcpyAsync(to, from, bytes, hipMemcpyHostToDevice, static_cast<hipStream_t>(stream)));
  }
  DriverStatus CopyOut(Stream stream, void* to, const void* from, size_t bytes) override {
    return StatusOf(hipMemcpyAsync(to, from, bytes, hipMemcpyDeviceToHost, static_cast<hipStream_t>(stream)));
  }
  DriverStatus CopyWithin(Stream stream, void* to, const void* from, size_t bytes) override {
    return StatusOf(hipMemcpyAsync(to, from, bytes, hipMemcpyDeviceToDevice, static_cast<hipStream_t>(stream)));
  }
  DriverStatus Launch(Stream stream, const void* kernel, Grid grid, unsigned threads, size_t shared_bytes, const void* arguments,
                      size_t) override {
    void* pointers[] = {const_cast<void*>(arguments)};
    return Cleared(hipLaunchKernel(kernel, dim3(grid.x, grid.y, 1), dim3(threads, 1, 1), pointers, shared_bytes,
                                   static_cast<hipStream_t>(stream)));
  }
  DriverStatus Synchronize(Stream stream) override { return StatusOf(hipStreamSynchronize(static_cast<hipStream_t>(stream))); }

 private:
  // A refusal that has been told is not to be found again by the next call.
  static DriverStatus Cleared(hipError_t error) {
    if (error != hipSuccess) static_cast<void>(hipGetLastError());
    return StatusOf(error);
  }
};

}  // namespace

const char* const kPluginDevice = "hip";

std::shared_ptr<Driver> OpenDriver() {
  int count = 0;
  const hipError_t error = hipGetDeviceCount(&count);
  if (error == hipErrorInsufficientDriver)
    Fail(ErrorCode::kDevice, "device hip: the driver is too old for the HIP runtime, or there is none");
  if (error == hipErrorNoDevice || (error == hipSuccess && count == 0))
    Fail(ErrorCode::kDevice, "device hip: there is no AMD driver with a device here");
  Check(StatusOf(error), "device hip", "counting devices");
  hipDeviceProp_t properties = {};
  Check(StatusOf(hipGetDeviceProperties(&properties, 0)), "device hip", "asking for the architecture");
  // One file holds kernels for one width of a warp.
  if (properties.warpSize != HipKernels().warp)
    Fail(ErrorCode::kUnsupported, "device hip: ", properties.gcnArchName, " has warps of ", properties.warpSize,
         ", the plug-in is built for warps of ", HipKernels().warp, " (", SCOUT_GPU_ARCHITECTURES, ")");
  // A kernel without code for the device's architecture is what this build lacks.
  hipFuncAttributes attributes = {};
  const hipError_t code = hipFuncGetAttributes(&attributes, HipKernels().rms_norm);
  if (code == hipErrorNoBinaryForGpu || code == hipErrorInvalidDeviceFunction) {
    Fail(ErrorCode::kUnsupported, "device hip: ", properties.name, " has architecture ", properties.gcnArchName,
         ", the plug-in is built for ", SCOUT_GPU_ARCHITECTURES);
  }
  Check(StatusOf(code), "device hip", "loading kernels");
  return std::make_shared<HipDriver>();
}

}  // namespace scout::gpu
