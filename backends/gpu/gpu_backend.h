// A backend over any driver.
#pragma once

#include <memory>

#include "backend/backend.h"
#include "gpu/device.h"

namespace scout::gpu {

// Instances that share a device share its weights. Throws Error where the device refuses, kUnsupported for Numerics::kFloat32.
std::unique_ptr<Backend> MakeGpuBackend(std::shared_ptr<Device> device, const BackendOptions& options);

}  // namespace scout::gpu
