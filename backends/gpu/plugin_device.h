// What a plug-in brings to the gpu backend: its name, and its driver when there is a device.
#pragma once

#include <memory>
#include <string>

#include "gpu/device.h"

namespace scout::gpu {

extern const char* const kPluginDevice;

// How many devices the driver finds. Throws Error with a sentence: no driver, one that is too old, no device.
int CountDevices();
// The driver of device `index`. Throws Error with a sentence: as above, no such device, an architecture that was not built.
std::shared_ptr<Driver> OpenDriver(int index);
// What messages call it: "cuda", "cuda:1".
inline std::string NameOfDevice(int index) {
  return index == 0 ? std::string(kPluginDevice) : std::string(kPluginDevice) + ":" + std::to_string(index);
}

// Throws kDevice where there are not so many.
inline void CheckIndex(int index, int count) {
  if (index >= count)
    Fail(ErrorCode::kDevice, "device ", NameOfDevice(index), ": the driver finds ", count, count == 1 ? " device" : " devices",
         ", numbered from 0");
}

}  // namespace scout::gpu
