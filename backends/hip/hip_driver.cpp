// The driver table over the HIP runtime.
#include <dlfcn.h>
#include <hip/hip_runtime_api.h>
#include <hip/hip_version.h>

#include "gpu/runtime_driver.h"
#include "hip/hipblas_lt.h"

namespace scout::gpu {

const KernelTable& HipKernels();

namespace {

struct Hip {
  using Error = hipError_t;
  using Stream = hipStream_t;
  using Graph = hipGraph_t;
  using MadeGraph = hipGraphExec_t;
  using Node = hipGraphNode_t;
  using NodeParameters = hipKernelNodeParams;
  static constexpr int kMajor = HIP_VERSION_MAJOR;
  static constexpr Error kSuccess = hipSuccess, kOutOfMemory = hipErrorOutOfMemory;
  static constexpr Error kLosses[] = {hipErrorECCNotCorrectable,  hipErrorIllegalAddress, hipErrorLaunchTimeOut,
                                      hipErrorContextIsDestroyed, hipErrorAssert,         hipErrorLaunchFailure};
  static constexpr auto GetDevice = hipGetDevice;
  static constexpr auto SetDevice = hipSetDevice;
  static constexpr auto LastError = hipGetLastError;
  static constexpr auto ErrorText = hipGetErrorString;
  static constexpr auto MemoryInfo = hipMemGetInfo;
  static constexpr auto Free = hipFree;
  static constexpr auto FreeHost = hipHostFree;
  static constexpr auto FreeStream = hipStreamDestroy;
  static constexpr auto Synchronize = hipStreamSynchronize;
  static constexpr auto CreateGraph = hipGraphCreate;
  static constexpr auto AddNode = hipGraphAddKernelNode;
  static constexpr auto Instantiate = hipGraphInstantiateWithFlags;
  static constexpr auto FreeGraph = hipGraphDestroy;
  static constexpr auto FreeMadeGraph = hipGraphExecDestroy;
  static constexpr auto UpdateNode = hipGraphExecKernelNodeSetParams;
  static constexpr auto LaunchGraph = hipGraphLaunch;
  static constexpr auto Kernels = HipKernels;

  static Error Malloc(void** out, size_t bytes) { return hipMalloc(out, bytes); }
  static Error MallocHost(void** out, size_t bytes) { return hipHostMalloc(out, bytes, 0); }
  static Error MakeStream(Stream* out) { return hipStreamCreateWithFlags(out, hipStreamNonBlocking); }
  static Error CopyIn(void* to, const void* from, size_t bytes, Stream stream) {
    return hipMemcpyAsync(to, from, bytes, hipMemcpyHostToDevice, stream);
  }
  static Error CopyOut(void* to, const void* from, size_t bytes, Stream stream) {
    return hipMemcpyAsync(to, from, bytes, hipMemcpyDeviceToHost, stream);
  }
  static Error CopyWithin(void* to, const void* from, size_t bytes, Stream stream) {
    return hipMemcpyAsync(to, from, bytes, hipMemcpyDeviceToDevice, stream);
  }
  static Error Describe(int index, std::string& out) {
    hipDeviceProp_t properties = {};
    if (const Error error = hipGetDeviceProperties(&properties, index)) return error;
    out = StrCat(static_cast<const char*>(properties.name), ", architecture ", static_cast<const char*>(properties.gcnArchName));
    return kSuccess;
  }
  static Error AllowShared(const void*, size_t) { return kSuccess; }
  static Error Launch(Stream stream, const KernelLaunch& launch, void** pointers, bool) {
    return hipLaunchKernel(launch.kernel, dim3(launch.grid.x, launch.grid.y, 1), dim3(launch.threads, 1, 1), pointers,
                           launch.shared_bytes, stream);
  }
  static bool IsUnder(void* file) { return dlsym(file, "hipGetDevice") == reinterpret_cast<void*>(hipGetDevice); }
  static OpenedLibrary OpenLibrary(int index) { return OpenHipblasLt<Hip>(index); }
  static Error AddEdge(Graph graph, Node from, Node to, bool) { return hipGraphAddDependencies(graph, &from, &to, 1); }
};

DriverStatus Status(hipError_t error) { return StatusOf<Hip>(error); }

}  // namespace

const char* const kPluginDevice = "hip";

int CountDevices() {
  int count = 0;
  const hipError_t error = hipGetDeviceCount(&count);
  if (error == hipErrorInsufficientDriver)
    Fail(ErrorCode::kDevice, "device hip: the driver is too old for the HIP runtime, or there is none");
  if (error == hipErrorNoDevice || (error == hipSuccess && count == 0))
    Fail(ErrorCode::kDevice, "device hip: there is no AMD driver with a device here");
  Check(Status(error), "device hip", "counting devices");
  return count;
}

std::shared_ptr<Driver> OpenDriver(int index) {
  CheckIndex(index, CountDevices());
  const HereOn<Hip> here(index);
  std::string description;
  Check(Status(Hip::Describe(index, description)), "device hip", "asking for the architecture");
  // One file holds kernels for one width of a warp.
  int warp = 0;
  Check(Status(hipDeviceGetAttribute(&warp, hipDeviceAttributeWarpSize, index)), "device hip", "asking for the architecture");
  if (warp != HipKernels().warp)
    Fail(ErrorCode::kUnsupported, "device hip: ", description, " has warps of ", warp, ", the plug-in is built for warps of ",
         HipKernels().warp, " (", SCOUT_GPU_ARCHITECTURES, ")");
  // A kernel without code for the device's architecture is what this build lacks.
  hipFuncAttributes attributes = {};
  const hipError_t code = hipFuncGetAttributes(&attributes, HipKernels().rms_norm);
  if (code == hipErrorNoBinaryForGpu || code == hipErrorInvalidDeviceFunction)
    Fail(ErrorCode::kUnsupported, "device hip: ", description, ": the plug-in is built for ", SCOUT_GPU_ARCHITECTURES);
  Check(Status(code), "device hip", "loading kernels");
  return std::make_shared<RuntimeDriver<Hip>>(index, false);
}

}  // namespace scout::gpu
