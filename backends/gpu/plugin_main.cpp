// What libscout-cuda.so and libscout-hip.so give away.
#include <algorithm>
#include <cstring>
#include <mutex>

#include "backend/device_plugin.h"
#include "base/plugin_entry.h"
#include "gpu/gpu_backend.h"
#include "gpu/plugin_device.h"

namespace scout::gpu {
namespace {

// All backends of the process share the device, and so its weights.
std::shared_ptr<Device> TheDevice() {
  static std::mutex mutex;
  static std::weak_ptr<Device> device;
  const std::lock_guard lock(mutex);
  std::shared_ptr<Device> known = device.lock();
  if (!known) device = known = std::make_shared<Device>(OpenDriver());
  return known;
}

void Write(DevicePluginFailure& failure, ErrorCode code, const char* text) noexcept {
  failure.code = static_cast<int32_t>(code);
  const size_t length = std::min(std::strlen(text), sizeof failure.text - 1);
  std::memcpy(failure.text, text, length);
  failure.text[length] = 0;
}

Backend* Make(const BackendOptions& options, DevicePluginFailure& failure) noexcept {
  try {
    return MakeGpuBackend(TheDevice(), options).release();
  } catch (const Error& error) {
    Write(failure, error.code(), error.what());
  } catch (const std::bad_alloc&) {
    Write(failure, ErrorCode::kNoMemory, "no memory for a device");
  } catch (const std::exception& error) {
    Write(failure, ErrorCode::kInternal, error.what());
  }
  return nullptr;
}

}  // namespace
}  // namespace scout::gpu

extern "C" __attribute__((visibility("default"))) const scout::PluginEntry* scout_plugin_entry() noexcept;

extern "C" const scout::PluginEntry* scout_plugin_entry() noexcept {
  static const scout::DevicePluginTable kTable = {scout::gpu::Make};
  static const scout::PluginEntry kEntry = {scout::kPluginMagic,   sizeof(scout::PluginEntry), scout::gpu::kPluginDevice,
                                            SCOUT_PLUGIN_CONTRACT, SCOUT_PLUGIN_VERSION,       &kTable};
  return &kEntry;
}
