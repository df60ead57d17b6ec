// What must hold between steps, checked as a whole. Costs a pass over all pages: for tests.
#pragma once

namespace scout::engine {

class Scheduler;

// Throws kInternal naming what does not hold.
void CheckInvariants(const Scheduler& scheduler);

}  // namespace scout::engine
