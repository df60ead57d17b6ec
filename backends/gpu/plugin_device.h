// What a plug-in brings to the gpu backend: its name, and its driver when there is a device.
#pragma once

#include <memory>

#include "gpu/device.h"

namespace scout::gpu {

extern const char* const kPluginDevice;

// Throws Error with a sentence: no driver, one that is too old, no device, an architecture that was not built.
std::shared_ptr<Driver> OpenDriver();

}  // namespace scout::gpu
