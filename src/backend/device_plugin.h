// Backends in plug-ins: libscout-cuda.so, libscout-hip.so. The contract between them and libscout is the headers of this room
// (their hash, and the compiler, whose C++ ABI both sides must share): a plug-in of another build is refused before anything of it
// is called.
//
// A backend's calls may throw Error as the contract says; both sides are built by one compiler against one C++ library. Making one
// does not throw: what is refused comes as a code and a sentence.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "backend/backend.h"

namespace scout {

struct DevicePluginFailure {
  int32_t code = 0;  // ErrorCode
  char text[512] = {};
};

struct DevicePluginTable {
  // The caller owns the backend. Null, and `failure` filled, where the device refuses.
  Backend* (*make)(const BackendOptions& options, DevicePluginFailure& failure) noexcept;
};

// The devices that plug-ins may bring, installed or not: "cuda", "hip".
std::span<const std::string_view> PluginDevices();
// Whether the file of one is installed.
bool IsPluginInstalled(std::string_view device);
// Throws Error with a sentence: no plug-in, one of another build, or what the device says.
std::unique_ptr<Backend> MakePluginBackend(std::string_view device, const BackendOptions& options);

}  // namespace scout
