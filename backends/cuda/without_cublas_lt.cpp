// Where the plug-in is built without cuBLASLt's header.
#include "cuda/cublas_lt.h"

namespace scout::gpu {

OpenedLibrary OpenCublasLt(int) {
  OpenedLibrary opened;
  opened.why = "this plug-in was built without cuBLASLt's header";
  return opened;
}

}  // namespace scout::gpu
