// The driver table over the CUDA runtime, which is linked in and finds the driver itself.
#include <cuda_runtime_api.h>

#include "cuda/cublas_lt.h"
#include "gpu/runtime_driver.h"

namespace scout::gpu {

const KernelTable& CudaKernels();

namespace {

struct Cuda {
  using Error = cudaError_t;
  using Stream = cudaStream_t;
  using Graph = cudaGraph_t;
  using MadeGraph = cudaGraphExec_t;
  using Node = cudaGraphNode_t;
  using NodeParameters = cudaKernelNodeParams;
  static constexpr Error kSuccess = cudaSuccess, kOutOfMemory = cudaErrorMemoryAllocation;
  // Those of which CUDA's documentation says that every later call of the process fails as well.
  static constexpr Error kLosses[] = {cudaErrorECCUncorrectable,    cudaErrorNvlinkUncorrectable, cudaErrorIllegalAddress,
                                      cudaErrorLaunchTimeout,       cudaErrorContextIsDestroyed,  cudaErrorAssert,
                                      cudaErrorHardwareStackError,  cudaErrorIllegalInstruction,  cudaErrorMisalignedAddress,
                                      cudaErrorInvalidAddressSpace, cudaErrorInvalidPc,           cudaErrorLaunchFailure};
  static constexpr auto GetDevice = cudaGetDevice;
  static constexpr auto SetDevice = cudaSetDevice;
  static constexpr auto LastError = cudaGetLastError;
  static constexpr auto ErrorText = cudaGetErrorString;
  static constexpr auto MemoryInfo = cudaMemGetInfo;
  static constexpr auto Malloc = cudaMalloc;
  static constexpr auto Free = cudaFree;
  static constexpr auto MallocHost = cudaMallocHost;
  static constexpr auto FreeHost = cudaFreeHost;
  static constexpr auto FreeStream = cudaStreamDestroy;
  static constexpr auto Synchronize = cudaStreamSynchronize;
  static constexpr auto CreateGraph = cudaGraphCreate;
  static constexpr auto AddNode = cudaGraphAddKernelNode;
  static constexpr auto Instantiate = cudaGraphInstantiateWithFlags;
  static constexpr auto FreeGraph = cudaGraphDestroy;
  static constexpr auto FreeMadeGraph = cudaGraphExecDestroy;
  static constexpr auto UpdateNode = cudaGraphExecKernelNodeSetParams;
  static constexpr auto LaunchGraph = cudaGraphLaunch;
  static constexpr auto Kernels = CudaKernels;
  static constexpr auto OpenLibrary = OpenCublasLt;

  static Error MakeStream(Stream* out) { return cudaStreamCreateWithFlags(out, cudaStreamNonBlocking); }
  static Error CopyIn(void* to, const void* from, size_t bytes, Stream stream) {
    return cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream);
  }
  static Error CopyOut(void* to, const void* from, size_t bytes, Stream stream) {
    return cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream);
  }
  static Error CopyWithin(void* to, const void* from, size_t bytes, Stream stream) {
    return cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream);
  }
  static Error Describe(int index, std::string& out) {
    cudaDeviceProp properties = {};
    if (const Error error = cudaGetDeviceProperties(&properties, index)) return error;
    out = StrCat(properties.name, ", architecture ", properties.major, ".", properties.minor);
    return kSuccess;
  }
  static Error AllowShared(const void* kernel, size_t bytes) {
    constexpr size_t kPlainShared = 48 * 1024;  // more is asked for kernel by kernel
    if (bytes <= kPlainShared) return kSuccess;
    return cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes));
  }
  static Error Launch(Stream stream, const KernelLaunch& launch, void** pointers, bool early) {
    cudaLaunchAttribute attribute = {};
    attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attribute.val.programmaticStreamSerializationAllowed = 1;
    cudaLaunchConfig_t config = {};
    config.gridDim = dim3(launch.grid.x, launch.grid.y, 1);
    config.blockDim = dim3(launch.threads, 1, 1);
    config.dynamicSmemBytes = launch.shared_bytes;
    config.stream = stream;
    config.attrs = &attribute;
    config.numAttrs = early ? 1 : 0;
    return cudaLaunchKernelExC(&config, launch.kernel, pointers);
  }
  static Error AddEdge(Graph graph, Node from, Node to, bool early) {
#if CUDART_VERSION >= 12030
    cudaGraphEdgeData edge = {};
    if (early) {
      edge.from_port = cudaGraphKernelNodePortProgrammatic;
      edge.type = cudaGraphDependencyTypeProgrammatic;
    }
#if CUDART_VERSION >= 13000
    return cudaGraphAddDependencies(graph, &from, &to, &edge, 1);
#else
    return cudaGraphAddDependencies_v2(graph, &from, &to, &edge, 1);
#endif
#else
    static_cast<void>(early);
    return cudaGraphAddDependencies(graph, &from, &to, 1);
#endif
  }
};

DriverStatus Status(cudaError_t error) { return StatusOf<Cuda>(error); }

}  // namespace

const char* const kPluginDevice = "cuda";

int CountDevices() {
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
  Check(Status(error), "device cuda", "counting devices");
  return count;
}

std::shared_ptr<Driver> OpenDriver(int index) {
  CheckIndex(index, CountDevices());
  const HereOn<Cuda> here(index);
  // A kernel without code for the device's architecture is what this build lacks.
  cudaFuncAttributes attributes = {};
  const cudaError_t code = cudaFuncGetAttributes(&attributes, CudaKernels().rms_norm);
  if (code == cudaErrorNoKernelImageForDevice || code == cudaErrorInvalidDeviceFunction) {
    std::string description;
    Check(Status(Cuda::Describe(index, description)), "device cuda", "asking for the architecture");
    Fail(ErrorCode::kUnsupported, "device cuda: ", description, ": the plug-in is built for ", SCOUT_GPU_ARCHITECTURES);
  }
  Check(Status(code), "device cuda", "loading kernels");
  int major = 0;
  Check(Status(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, index)), "device cuda",
        "asking for the architecture");
  return std::make_shared<RuntimeDriver<Cuda>>(index, major >= 9);
}

}  // namespace scout::gpu
