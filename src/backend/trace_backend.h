// A backend that writes down which operations ran, in order, and passes each on.
#pragma once

#include <functional>

#include "backend/backend.h"

namespace scout {

// `record` gets one line per operation ("Linear [3, 5120] x [8192, 5120] swiglu") from inside the step.
std::unique_ptr<Backend> MakeTraceBackend(std::unique_ptr<Backend> inner, std::function<void(const std::string&)> record);

}  // namespace scout
