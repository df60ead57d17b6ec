// cuBLASLt, where it is installed: opened when it is first wanted, for the life of the process, and never linked.
#include "cuda/cublas_lt.h"

#include <cublasLt.h>
#include <cuda_runtime_api.h>

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
    LibraryCall<decltype(cublasLtGetVersion)> version{"cublasLtGetVersion"};
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

    template <typename Each>
    void ForEach(const Each& each) {
      each(version), each(create), each(destroy), each(text);
      each(create_description), each(set_description), each(destroy_description);
      each(create_layout), each(destroy_layout);
      each(create_preference), each(set_preference), each(destroy_preference);
      each(find), each(multiply);
    }
  };
  static const char* Text(const Calls& calls, Status status) { return calls.text.function(status); }
  static LtVersion VersionOf(const Calls& calls, Handle) {
    const size_t number = calls.version.function();
    return {StrCat("cuBLASLt ", number / 10000, ".", number / 100 % 100, ".", number % 100), ""};
  }
};

template <int version>
const LtFile<CublasLt>& File() {
  static const LtFile<CublasLt> kFile(StrCat("libcublasLt.so.", version));
  return kFile;
}

}  // namespace

// The newest may want a newer driver than there is.
OpenedLibrary OpenCublasLt(int index) { return OpenLt<CublasLt>(index, {File<13>, File<12>}); }

}  // namespace scout::gpu
