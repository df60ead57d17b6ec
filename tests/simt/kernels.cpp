// The kernels for the emulator, once per warp width: SCOUT_SIMT_TABLE is Simt32Kernels or Simt64Kernels.
#include "gpu/kernel_table.inl"

namespace scout::gpu {

const KernelTable& SCOUT_SIMT_TABLE();
const KernelTable& SCOUT_SIMT_TABLE() { return SCOUT_GPU::Kernels(); }

}  // namespace scout::gpu
