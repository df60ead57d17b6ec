// The kernels for HIP.
#include "gpu/kernel_table.inl"

namespace scout::gpu {

const KernelTable& HipKernels() { return hip::Kernels(); }

}  // namespace scout::gpu
