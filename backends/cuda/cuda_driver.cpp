// The driver table over the CUDA runtime, which is linked in and finds the driver itself.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdio>

#include "gpu/plugin_device.h"

namespace scout::gpu {

const KernelTable& CudaKernels();

namespace {

// Those of which CUDA's documentation says that every later call of the process fails as well.
constexpr cudaError_t kLosses[] = {cudaErrorECCUncorrectable,    cudaErrorNvlinkUncorrectable, cudaErrorIllegalAddress,
                                   cudaErrorLaunchTimeout,       cudaErrorContextIsDestroyed,  cudaErrorAssert,
                                   cudaErrorHardwareStackError,  cudaErrorIllegalInstruction,  cudaErrorMisalignedAddress,
                                   cudaErrorInvalidAddressSpace, cudaErrorInvalidPc,           cudaErrorLaunchFailure};

DriverStatus StatusOf(cudaError_t error) {
  if (error == cudaSuccess) return {};
  const bool lost = std::find(std::begin(kLosses), std::end(kLosses), error) != std::end(kLosses);
  return {static_cast<int>(error), cudaGetErrorString(error), error == cudaErrorMemoryAllocation, lost};
}

class CudaDriver final : public Driver {
 public:
  const KernelTable& Kernels() const override { return CudaKernels(); }
  DriverStatus Facts(DeviceFacts& out) override {
    cudaDeviceProp properties = {};
    if (const cudaError_t error = cudaGetDeviceProperties(&properties, 0)) return StatusOf(error);
    size_t free_bytes = 0, total_bytes = 0;
    if (const cudaError_t error = cudaMemGetInfo(&free_bytes, &total_bytes)) return StatusOf(error);
    char text[400];
    std::snprintf(text, sizeof text, "%s, architecture %d.%d", properties.name, properties.major, properties.minor);
    out = {"cuda", text, total_bytes, free_bytes};
    return {};
  }

  DriverStatus Allocate(size_t bytes, void** out) override { return Cleared(cudaMalloc(out, bytes)); }
  void Free(void* block) override { static_cast<void>(cudaFree(block)); }
  DriverStatus AllocateStaging(size_t bytes, void** out) override { return Cleared(cudaMallocHost(out, bytes)); }
  void FreeStaging(void* block) override { static_cast<void>(cudaFreeHost(block)); }

  DriverStatus MakeStream(Stream* out) override {
    cudaStream_t stream = nullptr;
    const cudaError_t error = cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    *out = stream;
    return StatusOf(error);
  }
  void FreeStream(Stream stream) override { static_cast<void>(cudaStreamDestroy(static_cast<cudaStream_t>(stream))); }
  DriverStatus CopyIn(Stream stream, void* to, const void* from, size_t bytes) override {
    return StatusOf(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, static_cast<cudaStream_t>(stream)));
  }
  DriverStatus CopyOut(Stream stream, void* to, const void* from, size_t bytes) override {
    return StatusOf(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, static_cast<cudaStream_t>(stream)));
  }
  DriverStatus CopyWithin(Stream stream, void* to, const void* from, size_t bytes) override {
    return StatusOf(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, static_cast<cudaStream_t>(stream)));
  }
  DriverStatus Launch(Stream stream, const void* kernel, Grid grid, unsigned threads, size_t shared_bytes, const void* arguments,
                      size_t) override {
    constexpr size_t kPlainShared = 48 * 1024;  // more is asked for kernel by kernel
    if (shared_bytes > kPlainShared) {
      const cudaError_t error =
          cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes));
      if (error != cudaSuccess) return Cleared(error);
    }
    void* pointers[] = {const_cast<void*>(arguments)};
    return Cleared(cudaLaunchKernel(kernel, dim3(grid.x, grid.y, 1), dim3(threads, 1, 1), pointers, shared_bytes,
                                    static_cast<cudaStream_t>(stream)));
  }
  DriverStatus Synchronize(Stream stream) override { return StatusOf(cudaStreamSynchronize(static_cast<cudaStream_t>(stream))); }

 private:
  // A refusal that has been told is not to be found again by the next call.
  static DriverStatus Cleared(cudaError_t error) {
    if (error != cudaSuccess) static_cast<void>(cudaGetLastError());
    return StatusOf(error);
  }
};

}  // namespace

const char* const kPluginDevice = "cuda";

std::shared_ptr<Driver> OpenDriver() {
  int driver = 0, runtime = 0, count = 0;
  static_cast<void>(cudaRuntimeGetVersion(&runtime));
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0)
    Fail(ErrorCode::kDevice, "device cuda: there is no NVIDIA driver here");
  if (driver / 1000 < runtime / 1000)
    Fail(ErrorCode::kDevice, "device cuda: the driver serves CUDA ", driver / 1000, ".", driver % 1000 / 10, ", at least ",
         runtime / 1000, ".0 is needed");
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaErrorNoDevice || (error == cudaSuccess && count == 0))
    Fail(ErrorCode::kDevice, "device cuda: the driver finds no device");
  Check(StatusOf(error), "device cuda", "counting devices");
  // A kernel without code for the device's architecture is what this build lacks.
  cudaFuncAttributes attributes = {};
  const cudaError_t code = cudaFuncGetAttributes(&attributes, CudaKernels().rms_norm);
  if (code == cudaErrorNoKernelImageForDevice || code == cudaErrorInvalidDeviceFunction) {
    cudaDeviceProp properties = {};
    Check(StatusOf(cudaGetDeviceProperties(&properties, 0)), "device cuda", "asking for the architecture");
    Fail(ErrorCode::kUnsupported, "device cuda: ", properties.name, " has architecture ", properties.major, ".", properties.minor,
         ", the plug-in is built for ", SCOUT_GPU_ARCHITECTURES);
  }
  Check(StatusOf(code), "device cuda", "loading kernels");
  return std::make_shared<CudaDriver>();
}

}  // namespace scout::gpu
