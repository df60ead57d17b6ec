// The kernel of the self-test over a faulty word, and others over it.
#include "gpu/check.h"
#include "gpu/few.h"
#include "gpu/product_many.h"
#include "gpu/product_wide.h"

namespace scout::gpu {

#define SCOUT_NAME_OF(number) FaultyCheck##number
#define SCOUT_NAME(number) SCOUT_NAME_OF(number)
const void* SCOUT_NAME(SCOUT_PLANTED)();
const void* SCOUT_NAME(SCOUT_PLANTED)() { return SCOUT_GPU::Handle<&SCOUT_GPU::CheckInstructions, CheckArgs>(); }

// A product over it: tiles of 64 rows of Q4_K.
#define SCOUT_PRODUCT_OF(number) FaultyProduct##number
#define SCOUT_PRODUCT(number) SCOUT_PRODUCT_OF(number)
const void* SCOUT_PRODUCT(SCOUT_PLANTED)();
const void* SCOUT_PRODUCT(SCOUT_PLANTED)() {
  return SCOUT_GPU::Handle<&SCOUT_GPU::ProductMany<SCOUT_GPU::Q4_K, 64>, ProductArgs>();
}

// The check of what numerics fast uses, and a product of four warps over it: tiles of 64 rows of Q4_K.
#define SCOUT_CHECK_FAST_OF(number) FaultyCheckFast##number
#define SCOUT_CHECK_FAST(number) SCOUT_CHECK_FAST_OF(number)
const void* SCOUT_CHECK_FAST(SCOUT_PLANTED)();
const void* SCOUT_CHECK_FAST(SCOUT_PLANTED)() { return SCOUT_GPU::Handle<&SCOUT_GPU::CheckFast, CheckFastArgs>(); }
#define SCOUT_WIDE_OF(number) FaultyWide##number
#define SCOUT_WIDE(number) SCOUT_WIDE_OF(number)
const void* SCOUT_WIDE(SCOUT_PLANTED)();
const void* SCOUT_WIDE(SCOUT_PLANTED)() {
  return SCOUT_GPU::Handle<&SCOUT_GPU::ProductWide<SCOUT_GPU::WideBlocks<SCOUT_GPU::Q4_K>, 64>, ProductArgs>();
}

#if SCOUT_PLANTED == 16
// A norm that does its work before it waits.
}
namespace scout::SCOUT_GPU {
GPU_KERNEL HastyNorm(gpu::RmsNormArgs a) {
  RmsNorm(a);
  WaitAtTheEnd();
}
}  // namespace scout::SCOUT_GPU
namespace scout::gpu {
const void* FaultyNorm16();
const void* FaultyNorm16() { return SCOUT_GPU::Handle<&SCOUT_GPU::HastyNorm, RmsNormArgs>(); }
#elif SCOUT_PLANTED == 17
const void* FaultyTasks17();
const void* FaultyTasks17() { return SCOUT_GPU::Handle<&SCOUT_GPU::FewTasks<false>, FewArgs>(); }
#endif

}  // namespace scout::gpu
