// cuBLASLt, where it is installed: opened when it is first wanted, for the life of the process, and never linked.
#include "cuda/cublas_lt.h"

#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <dlfcn.h>

#include "base/error.h"
#include "gpu/lt_library.h"
#include "gpu/runtime_driver.h"

namespace scout::gpu {

namespace {

struct CublasLt {
  using Status = cublasStatus_t;
  using Handle = cublasLtHandle_t;
  using Description = cublasLtMatmulDesc_t;
  using Layout = cublasLtMatrixLayout_t;
  using Preference = cublasLtMatmulPreference_t;
  using Found = cublasLtMatmulHeuristicResult_t;
  using Stream = cudaStream_t;
  struct Runtime {
    static constexpr auto kSuccess = cudaSuccess;
    static constexpr auto GetDevice = cudaGetDevice;
    static constexpr auto SetDevice = cudaSetDevice;
  };
  using Here = HereOn<Runtime>;
  static constexpr auto kSuccess = CUBLAS_STATUS_SUCCESS, kNoMemory = CUBLAS_STATUS_ALLOC_FAILED,
                        kNotSupported = CUBLAS_STATUS_NOT_SUPPORTED;
  static constexpr auto kF16 = CUDA_R_16F, kBf16 = CUDA_R_16BF, kF32 = CUDA_R_32F;
  static constexpr auto kCompute32 = CUBLAS_COMPUTE_32F;
  static constexpr auto kTransposeLeft = CUBLASLT_MATMUL_DESC_TRANSA;
  static constexpr int32_t kTransposed = CUBLAS_OP_T;
  static constexpr auto kMostWorkspace = CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                        kAlignmentLeft = CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
                        kAlignmentRight = CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                        kAlignmentAddend = CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
                        kAlignmentOut = CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES;
  struct Calls {
    LibraryCall<decltype(cublasLtCreate)> create{"cublasLtCreate"};
    LibraryCall<decltype(cublasLtDestroy)> destroy{"cublasLtDestroy"};
    LibraryCall<decltype(cublasLtGetStatusString)> text{"cublasLtGetStatusString"};
    LibraryCall<decltype(cublasLtMatmulDescCreate)> create_description{"cublasLtMatmulDescCreate"};
    LibraryCall<decltype(cublasLtMatmulDescSetAttribute)> set_description{"cublasLtMatmulDescSetAttribute"};
    LibraryCall<decltype(cublasLtMatmulDescDestroy)> destroy_description{"cublasLtMatmulDescDestroy"};
    LibraryCall<decltype(cublasLtMatrixLayoutCreate)> create_layout{"cublasLtMatrixLayoutCreate"};
    LibraryCall<decltype(cublasLtMatrixLayoutDestroy)> destroy_layout{"cublasLtMatrixLayoutDestroy"};
    LibraryCall<decltype(cublasLtMatmulPreferenceCreate)> create_preference{"cublasLtMatmulPreferenceCreate"};
    LibraryCall<decltype(cublasLtMatmulPreferenceSetAttribute)> set_preference{"cublasLtMatmulPreferenceSetAttribute"};
    LibraryCall<decltype(cublasLtMatmulPreferenceDestroy)> destroy_preference{"cublasLtMatmulPreferenceDestroy"};
    LibraryCall<decltype(cublasLtMatmulAlgoGetHeuristic)> find{"cublasLtMatmulAlgoGetHeuristic"};
    LibraryCall<decltype(cublasLtMatmul)> multiply{"cublasLtMatmul"};
  };
};

// The library's file of a version, and its functions.
struct OpenFile {
  CublasLt::Calls calls;
  std::string why, name;

  explicit OpenFile(int wanted) {
    const std::string file_name = StrCat("libcublasLt.so.", wanted);
    void* const file = dlopen(file_name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!file) {
      why = StrCat("there is no ", file_name);
      return;
    }
    const auto find = [&](auto& call) {
      call.function = reinterpret_cast<decltype(call.function)>(dlsym(file, call.name));
      if (!call.function && why.empty()) why = StrCat(file_name, " has no ", call.name);
    };
    find(calls.create);
    find(calls.destroy);
    find(calls.text);
    find(calls.create_description);
    find(calls.set_description);
    find(calls.destroy_description);
    find(calls.create_layout);
    find(calls.destroy_layout);
    find(calls.create_preference);
    find(calls.set_preference);
    find(calls.destroy_preference);
    find(calls.find);
    find(calls.multiply);
    LibraryCall<decltype(cublasLtGetVersion)> version{"cublasLtGetVersion"};
    find(version);
    if (!why.empty()) return;
    const size_t number = version.function();
    name = StrCat("cuBLASLt ", number / 10000, ".", number / 100 % 100, ".", number % 100);
  }
};

template <int version>
const OpenFile* File() {
  static const OpenFile kFile(version);
  return &kFile;
}

}  // namespace

OpenedLibrary OpenCublasLt(int index) {
  OpenedLibrary opened;
  // The newest may want a newer driver than there is.
  for (const auto& open : {File<13>, File<12>}) {
    const OpenFile* const file = open();
    std::string why = file->why;
    if (why.empty()) {
      LibraryStatus status;
      opened.library = LtLibrary<CublasLt>::Open(index, file->calls, status);
      if (opened.library) {
        opened.name = file->name;
        opened.why.clear();
        break;
      }
      why = StrCat(file->name, ": ", status.call, ": ", status.status.text, " (", status.status.code, ")");
    }
    opened.why += StrCat(opened.why.empty() ? "" : ", and ", why);
  }
  return opened;
}

}  // namespace scout::gpu
