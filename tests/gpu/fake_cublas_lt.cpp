// Built as libcublasLt.so.13 and as libcublasLt.so.12: a library of that version whose handle a test may refuse. It multiplies
// nothing.
#include <cublasLt.h>

extern "C" {

int planted_create = CUBLAS_STATUS_SUCCESS;  // what cublasLtCreate says
int planted_handles = 0;                     // that live

cublasStatus_t cublasLtCreate(cublasLtHandle_t* out) {
  static cublasLtContext* const kHandle = reinterpret_cast<cublasLtContext*>(&planted_handles);
  if (planted_create != CUBLAS_STATUS_SUCCESS) return static_cast<cublasStatus_t>(planted_create);
  *out = kHandle;
  ++planted_handles;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t) {
  --planted_handles;
  return CUBLAS_STATUS_SUCCESS;
}
const char* cublasLtGetStatusString(cublasStatus_t) { return "planted"; }
size_t cublasLtGetVersion() { return SCOUT_PLANTED_VERSION * 10000 + 102; }
cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t*, cublasComputeType_t, cudaDataType_t) {
  return CUBLAS_STATUS_INTERNAL_ERROR;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t, cublasLtMatmulDescAttributes_t, const void*, size_t) {
  return CUBLAS_STATUS_INTERNAL_ERROR;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t) { return CUBLAS_STATUS_INTERNAL_ERROR; }
cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t*, cudaDataType, uint64_t, uint64_t, int64_t) {
  return CUBLAS_STATUS_INTERNAL_ERROR;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t) { return CUBLAS_STATUS_INTERNAL_ERROR; }
cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t*) { return CUBLAS_STATUS_INTERNAL_ERROR; }
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t, cublasLtMatmulPreferenceAttributes_t, const void*,
                                                    size_t) {
  return CUBLAS_STATUS_INTERNAL_ERROR;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t) { return CUBLAS_STATUS_INTERNAL_ERROR; }
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t, cublasLtMatrixLayout_t,
                                              cublasLtMatrixLayout_t, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                              cublasLtMatmulPreference_t, int, cublasLtMatmulHeuristicResult_t*, int*) {
  return CUBLAS_STATUS_INTERNAL_ERROR;
}
cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t, const void*, const void*, cublasLtMatrixLayout_t, const void*,
                              cublasLtMatrixLayout_t, const void*, const void*, cublasLtMatrixLayout_t, void*,
                              cublasLtMatrixLayout_t, const cublasLtMatmulAlgo_t*, void*, size_t, cudaStream_t) {
  return CUBLAS_STATUS_INTERNAL_ERROR;
}

}  // extern "C"
