// The kernels for CUDA.
#include "gpu/kernel_table.inl"

namespace scout::gpu {

const KernelTable& CudaKernels() { return cuda::Kernels(); }

}  // namespace scout::gpu
