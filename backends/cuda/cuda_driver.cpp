// The driver table over the CUDA runtime, which is linked in and finds the driver itself.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdio>
#include <memory>

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

struct Cuda {
  using Graph = cudaGraph_t;
  using MadeGraph = cudaGraphExec_t;
  using Node = cudaGraphNode_t;
  static void Free(Graph graph) { static_cast<void>(cudaGraphDestroy(graph)); }
  static void Free(MadeGraph graph) { static_cast<void>(cudaGraphExecDestroy(graph)); }
  static int Device() {
    int index = -1;
    return cudaGetDevice(&index) == cudaSuccess ? index : -1;
  }
  static void SetDevice(int index) { static_cast<void>(cudaSetDevice(index)); }
};
using Here = HereOn<Cuda>;
using CudaGraph = OwnedGraph<Cuda>;

class CudaDriver final : public Driver {
 public:
  CudaDriver(int index, bool starts_early) : index_(index), starts_early_(starts_early) {}
  const KernelTable& Kernels() const override { return CudaKernels(); }
  DriverStatus Facts(DeviceFacts& out) override {
    const Here here(index_);
    cudaDeviceProp properties = {};
    if (const cudaError_t error = cudaGetDeviceProperties(&properties, index_)) return StatusOf(error);
    size_t free_bytes = 0, total_bytes = 0;
    if (const cudaError_t error = cudaMemGetInfo(&free_bytes, &total_bytes)) return StatusOf(error);
    char text[400];
    std::snprintf(text, sizeof text, "%s, architecture %d.%d", properties.name, properties.major, properties.minor);
    out = {NameOfDevice(index_), text, total_bytes, free_bytes};
    return {};
  }

  DriverStatus Allocate(size_t bytes, void** out) override {
    const Here here(index_);
    return Cleared(cudaMalloc(out, bytes));
  }
  void Free(void* block) override {
    const Here here(index_);
    static_cast<void>(cudaFree(block));
  }
  DriverStatus AllocateStaging(size_t bytes, void** out) override {
    const Here here(index_);
    return Cleared(cudaMallocHost(out, bytes));
  }
  void FreeStaging(void* block) override {
    const Here here(index_);
    static_cast<void>(cudaFreeHost(block));
  }

  DriverStatus MakeStream(Stream* out) override {
    const Here here(index_);
    cudaStream_t stream = nullptr;
    const cudaError_t error = cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    *out = stream;
    return StatusOf(error);
  }
  void FreeStream(Stream stream) override {
    const Here here(index_);
    static_cast<void>(cudaStreamDestroy(static_cast<cudaStream_t>(stream)));
  }
  DriverStatus CopyIn(Stream stream, void* to, const void* from, size_t bytes) override {
    const Here here(index_);
    return StatusOf(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, static_cast<cudaStream_t>(stream)));
  }
  DriverStatus CopyOut(Stream stream, void* to, const void* from, size_t bytes) override {
    const Here here(index_);
    return StatusOf(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, static_cast<cudaStream_t>(stream)));
  }
  DriverStatus CopyWithin(Stream stream, void* to, const void* from, size_t bytes) override {
    const Here here(index_);
    return StatusOf(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, static_cast<cudaStream_t>(stream)));
  }
  DriverStatus Launch(Stream stream, const KernelLaunch& launch) override {
    const Here here(index_);
    if (const cudaError_t error = AllowShared(launch.kernel, launch.shared_bytes)) return Cleared(error);
    void* pointers[] = {const_cast<void*>(launch.arguments)};
    cudaLaunchAttribute early = {};
    early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    early.val.programmaticStreamSerializationAllowed = 1;
    cudaLaunchConfig_t config = {};
    config.gridDim = dim3(launch.grid.x, launch.grid.y, 1);
    config.blockDim = dim3(launch.threads, 1, 1);
    config.dynamicSmemBytes = launch.shared_bytes;
    config.stream = static_cast<cudaStream_t>(stream);
    config.attrs = &early;
    config.numAttrs = launch.early && starts_early_ ? 1 : 0;
    return Cleared(cudaLaunchKernelExC(&config, launch.kernel, pointers));
  }
  DriverStatus Synchronize(Stream stream) override {
    const Here here(index_);
    return StatusOf(cudaStreamSynchronize(static_cast<cudaStream_t>(stream)));
  }

  DriverStatus MakeGraph(std::span<const KernelLaunch> launches, Graph* out) override {
    const Here here(index_);
    auto graph = std::make_unique<CudaGraph>();
    cudaError_t error = starts_early_ ? Make(launches, true, *graph) : cudaErrorNotSupported;
    if (error != cudaSuccess) {  // a driver that refuses early launches inside a graph may take it without
      graph = std::make_unique<CudaGraph>();
      static_cast<void>(cudaGetLastError());
      error = Make(launches, false, *graph);
    }
    if (error == cudaSuccess) *out = graph.release();
    return Cleared(error);
  }
  DriverStatus UpdateGraph(Graph graph, size_t at, const KernelLaunch& launch) override {
    const Here here(index_);
    auto* const known = static_cast<CudaGraph*>(graph);
    void* pointers[] = {const_cast<void*>(launch.arguments)};
    const cudaKernelNodeParams parameters = Parameters(launch, pointers);
    if (const cudaError_t error = AllowShared(launch.kernel, launch.shared_bytes)) return Cleared(error);
    return Cleared(cudaGraphExecKernelNodeSetParams(known->made, known->nodes[at], &parameters));
  }
  DriverStatus LaunchGraph(Stream stream, Graph graph) override {
    const Here here(index_);
    return Cleared(cudaGraphLaunch(static_cast<CudaGraph*>(graph)->made, static_cast<cudaStream_t>(stream)));
  }
  void FreeGraph(Graph graph) override {
    const Here here(index_);
    delete static_cast<CudaGraph*>(graph);
  }

 private:
  static cudaError_t AllowShared(const void* kernel, size_t bytes) {
    constexpr size_t kPlainShared = 48 * 1024;  // more is asked for kernel by kernel
    if (bytes <= kPlainShared) return cudaSuccess;
    return cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes));
  }
  static cudaKernelNodeParams Parameters(const KernelLaunch& launch, void** pointers) {
    cudaKernelNodeParams out = {};
    out.func = const_cast<void*>(launch.kernel);
    out.gridDim = dim3(launch.grid.x, launch.grid.y, 1);
    out.blockDim = dim3(launch.threads, 1, 1);
    out.sharedMemBytes = static_cast<unsigned>(launch.shared_bytes);
    out.kernelParams = pointers;
    return out;
  }
  static cudaError_t Make(std::span<const KernelLaunch> launches, bool early, CudaGraph& graph) {
    cudaError_t error = cudaGraphCreate(&graph.graph, 0);
    for (const KernelLaunch& launch : launches) {
      if (error == cudaSuccess) error = AllowShared(launch.kernel, launch.shared_bytes);
      if (error != cudaSuccess) break;
      cudaGraphNode_t node = nullptr;
      const bool first = graph.nodes.empty();
      void* pointers[] = {const_cast<void*>(launch.arguments)};
      const cudaKernelNodeParams parameters = Parameters(launch, pointers);
      error = cudaGraphAddKernelNode(&node, graph.graph, nullptr, 0, &parameters);
      if (error == cudaSuccess && !first) error = AddEdge(graph.graph, graph.nodes.back(), node, early && launch.early);
      graph.nodes.push_back(node);
    }
    if (error == cudaSuccess) error = cudaGraphInstantiateWithFlags(&graph.made, graph.graph, 0);
    return error;
  }
  static cudaError_t AddEdge(cudaGraph_t graph, cudaGraphNode_t from, cudaGraphNode_t to, bool early) {
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
  // A refusal that has been told is not to be found again by the next call.
  static DriverStatus Cleared(cudaError_t error) {
    if (error != cudaSuccess) static_cast<void>(cudaGetLastError());
    return StatusOf(error);
  }

  const int index_;
  const bool starts_early_;  // has launches that begin before the one before them has ended
};

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
  Check(StatusOf(error), "device cuda", "counting devices");
  return count;
}

std::shared_ptr<Driver> OpenDriver(int index) {
  CheckIndex(index, CountDevices());
  const Here here(index);
  // A kernel without code for the device's architecture is what this build lacks.
  cudaFuncAttributes attributes = {};
  const cudaError_t code = cudaFuncGetAttributes(&attributes, CudaKernels().rms_norm);
  if (code == cudaErrorNoKernelImageForDevice || code == cudaErrorInvalidDeviceFunction) {
    cudaDeviceProp properties = {};
    Check(StatusOf(cudaGetDeviceProperties(&properties, index)), "device cuda", "asking for the architecture");
    Fail(ErrorCode::kUnsupported, "device cuda: ", properties.name, " has architecture ", properties.major, ".", properties.minor,
         ", the plug-in is built for ", SCOUT_GPU_ARCHITECTURES);
  }
  Check(StatusOf(code), "device cuda", "loading kernels");
  int major = 0;
  Check(StatusOf(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, index)), "device cuda",
        "asking for the architecture");
  return std::make_shared<CudaDriver>(index, major >= 9);
}

}  // namespace scout::gpu
