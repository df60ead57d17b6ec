// The kernel of the self-test over a faulty word.
#include "gpu/check.h"

namespace scout::gpu {

#define SCOUT_NAME_OF(number) FaultyCheck##number
#define SCOUT_NAME(number) SCOUT_NAME_OF(number)
const void* SCOUT_NAME(SCOUT_PLANTED)();
const void* SCOUT_NAME(SCOUT_PLANTED)() { return SCOUT_GPU::Handle<&SCOUT_GPU::CheckInstructions, CheckArgs>(); }

}  // namespace scout::gpu
