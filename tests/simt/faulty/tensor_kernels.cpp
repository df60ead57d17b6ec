// The check of products in tensor memory over a faulty word, and such a product: tiles of 64 rows of Q4_K.
#include "gpu/check.h"
#include "gpu/product_tensor.h"

namespace scout::gpu {

#define SCOUT_CHECK_OF(number) FaultyCheckTensor##number
#define SCOUT_CHECK(number) SCOUT_CHECK_OF(number)
const void* SCOUT_CHECK(SCOUT_PLANTED)();
const void* SCOUT_CHECK(SCOUT_PLANTED)() { return SCOUT_GPU::Handle<&SCOUT_GPU::CheckTensor, CheckFastArgs>(); }
#define SCOUT_TENSOR_OF(number) FaultyTensor##number
#define SCOUT_TENSOR(number) SCOUT_TENSOR_OF(number)
const void* SCOUT_TENSOR(SCOUT_PLANTED)();
const void* SCOUT_TENSOR(SCOUT_PLANTED)() {
  return SCOUT_GPU::Handle<&SCOUT_GPU::ProductTensor<SCOUT_GPU::WideBlocks<SCOUT_GPU::Q4_K>, 64>, ProductArgs>();
}

}  // namespace scout::gpu
