// The driver table over the HIP runtime.
#include <hip/hip_runtime_api.h>

#include <algorithm>
#include <cstdio>
#include <memory>

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

struct Hip {
  using Graph = hipGraph_t;
  using MadeGraph = hipGraphExec_t;
  using Node = hipGraphNode_t;
  static void Free(Graph graph) { static_cast<void>(hipGraphDestroy(graph)); }
  static void Free(MadeGraph graph) { static_cast<void>(hipGraphExecDestroy(graph)); }
  static int Device() {
    int index = -1;
    return hipGetDevice(&index) == hipSuccess ? index : -1;
  }
  static void SetDevice(int index) { static_cast<void>(hipSetDevice(index)); }
};
using Here = HereOn<Hip>;
using HipGraph = OwnedGraph<Hip>;

class HipDriver final : public Driver {
 public:
  explicit HipDriver(int index) : index_(index) {}
  const KernelTable& Kernels() const override { return HipKernels(); }
  DriverStatus Facts(DeviceFacts& out) override {
    const Here here(index_);
    hipDeviceProp_t properties = {};
    if (const hipError_t error = hipGetDeviceProperties(&properties, index_)) return StatusOf(error);
    size_t free_bytes = 0, total_bytes = 0;
    if (const hipError_t error = hipMemGetInfo(&free_bytes, &total_bytes)) return StatusOf(error);
    char text[600];
    std::snprintf(text, sizeof text, "%s, architecture %s", properties.name, properties.gcnArchName);
    out = {NameOfDevice(index_), text, total_bytes, free_bytes};
    return {};
  }

  DriverStatus Allocate(size_t bytes, void** out) override {
    const Here here(index_);
    return Cleared(hipMalloc(out, bytes));
  }
  void Free(void* block) override {
    const Here here(index_);
    static_cast<void>(hipFree(block));
  }
  DriverStatus AllocateStaging(size_t bytes, void** out) override {
    const Here here(index_);
    return Cleared(hipHostMalloc(out, bytes, 0));
  }
  void FreeStaging(void* block) override {
    const Here here(index_);
    static_cast<void>(hipHostFree(block));
  }

  DriverStatus MakeStream(Stream* out) override {
    const Here here(index_);
    hipStream_t stream = nullptr;
    const hipError_t error = hipStreamCreateWithFlags(&stream, hipStreamNonBlocking);
    *out = stream;
    return StatusOf(error);
  }
  void FreeStream(Stream stream) override {
    const Here here(index_);
    static_cast<void>(hipStreamDestroy(static_cast<hipStream_t>(stream)));
  }
  DriverStatus CopyIn(Stream stream, void* to, const void* from, size_t bytes) override {
    const Here here(index_);
    return StatusOf(hipMemcpyAsync(to, from, bytes, hipMemcpyHostToDevice, static_cast<hipStream_t>(stream)));
  }
  DriverStatus CopyOut(Stream stream, void* to, const void* from, size_t bytes) override {
    const Here here(index_);
    return StatusOf(hipMemcpyAsync(to, from, bytes, hipMemcpyDeviceToHost, static_cast<hipStream_t>(stream)));
  }
  DriverStatus CopyWithin(Stream stream, void* to, const void* from, size_t bytes) override {
    const Here here(index_);
    return StatusOf(hipMemcpyAsync(to, from, bytes, hipMemcpyDeviceToDevice, static_cast<hipStream_t>(stream)));
  }
  DriverStatus Launch(Stream stream, const KernelLaunch& launch) override {
    const Here here(index_);
    void* pointers[] = {const_cast<void*>(launch.arguments)};
    return Cleared(hipLaunchKernel(launch.kernel, dim3(launch.grid.x, launch.grid.y, 1), dim3(launch.threads, 1, 1), pointers,
                                   launch.shared_bytes, static_cast<hipStream_t>(stream)));
  }
  DriverStatus Synchronize(Stream stream) override {
    const Here here(index_);
    return StatusOf(hipStreamSynchronize(static_cast<hipStream_t>(stream)));
  }

  DriverStatus MakeGraph(std::span<const KernelLaunch> launches, Graph* out) override {
    const Here here(index_);
    auto graph = std::make_unique<HipGraph>();
    hipError_t error = hipGraphCreate(&graph->graph, 0);
    for (const KernelLaunch& launch : launches) {
      if (error != hipSuccess) break;
      hipGraphNode_t node = nullptr;
      const bool first = graph->nodes.empty();
      void* pointers[] = {const_cast<void*>(launch.arguments)};
      const hipKernelNodeParams parameters = Parameters(launch, pointers);
      error = hipGraphAddKernelNode(&node, graph->graph, first ? nullptr : &graph->nodes.back(), first ? 0 : 1, &parameters);
      graph->nodes.push_back(node);
    }
    if (error == hipSuccess) error = hipGraphInstantiateWithFlags(&graph->made, graph->graph, 0);
    if (error == hipSuccess) *out = graph.release();
    return Cleared(error);
  }
  DriverStatus UpdateGraph(Graph graph, size_t at, const KernelLaunch& launch) override {
    const Here here(index_);
    auto* const known = static_cast<HipGraph*>(graph);
    void* pointers[] = {const_cast<void*>(launch.arguments)};
    const hipKernelNodeParams parameters = Parameters(launch, pointers);
    return Cleared(hipGraphExecKernelNodeSetParams(known->made, known->nodes[at], &parameters));
  }
  DriverStatus LaunchGraph(Stream stream, Graph graph) override {
    const Here here(index_);
    return Cleared(hipGraphLaunch(static_cast<HipGraph*>(graph)->made, static_cast<hipStream_t>(stream)));
  }
  void FreeGraph(Graph graph) override {
    const Here here(index_);
    delete static_cast<HipGraph*>(graph);
  }

 private:
  static hipKernelNodeParams Parameters(const KernelLaunch& launch, void** pointers) {
    hipKernelNodeParams out = {};
    out.func = const_cast<void*>(launch.kernel);
    out.gridDim = dim3(launch.grid.x, launch.grid.y, 1);
    out.blockDim = dim3(launch.threads, 1, 1);
    out.sharedMemBytes = static_cast<unsigned>(launch.shared_bytes);
    out.kernelParams = pointers;
    return out;
  }
  // A refusal that has been told is not to be found again by the next call.
  static DriverStatus Cleared(hipError_t error) {
    if (error != hipSuccess) static_cast<void>(hipGetLastError());
    return StatusOf(error);
  }

  const int index_;
};

}  // namespace

const char* const kPluginDevice = "hip";

int CountDevices() {
  int count = 0;
  const hipError_t error = hipGetDeviceCount(&count);
  if (error == hipErrorInsufficientDriver)
    Fail(ErrorCode::kDevice, "device hip: the driver is too old for the HIP runtime, or there is none");
  if (error == hipErrorNoDevice || (error == hipSuccess && count == 0))
    Fail(ErrorCode::kDevice, "device hip: there is no AMD driver with a device here");
  Check(StatusOf(error), "device hip", "counting devices");
  return count;
}

std::shared_ptr<Driver> OpenDriver(int index) {
  CheckIndex(index, CountDevices());
  const Here here(index);
  hipDeviceProp_t properties = {};
  Check(StatusOf(hipGetDeviceProperties(&properties, index)), "device hip", "asking for the architecture");
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
  return std::make_shared<HipDriver>(index);
}

}  // namespace scout::gpu
