// Steps of few rows: fewer launches, each over all that depends on the same results (few.h has the kernel).
//
// A norm waits for the product that reads it, which says what its rows are to become, and a routing for the experts: both are put
// off until then. Anything else that comes first launches them as they are.
#pragma once

#include "gpu/operations.h"

namespace scout::gpu {

// Whether the operation has been put off.
bool PutOff(Step& step, const RmsNormOp& op);
bool PutOff(Step& step, const RouteOp& op);
void LaunchPutOff(Step& step);

// Whether the operation has been done; otherwise nothing has happened but the launches of what was put off.
bool LinearOfFewRows(Step& step, const LinearOp& op);
bool ExpertsOfFewRows(Step& step, const ExpertsOp& op);

}  // namespace scout::gpu
