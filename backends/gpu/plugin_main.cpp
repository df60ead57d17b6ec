// What libscout-cuda.so and libscout-hip.so give away.
#include <array>

#include "backend/device_plugin.h"
#include "base/plugin_entry.h"
#include "gpu/gpu_backend.h"
#include "gpu/plugin_device.h"

namespace scout::gpu {
namespace {

std::shared_ptr<Device> DeviceAt(int index) {
  static std::array<SharedDevice, kMaxDevicesOfAKind> devices;
  SCOUT_CHECK(index >= 0 && index < kMaxDevicesOfAKind, "device number ", index);
  return devices[static_cast<size_t>(index)].Get([index] { return OpenDriver(index); });
}

Backend* Make(const BackendOptions* options, PluginStatus* status) noexcept {
  Backend* made = nullptr;
  WriteStatus(*status, [&] { made = MakeGpuBackend(DeviceAt(options->device_index), *options).release(); });
  return made;
}

void ProbeDevice(uint64_t copy_bytes, int32_t matrix_rounds, PluginProbe* out, PluginStatus* status) noexcept {
  WriteStatus(*status, [&] {
    const ProbeFigures figures = Probe(DeviceAt(0), copy_bytes, matrix_rounds);
    *out = {figures.copy_bytes_per_s, figures.matrix_ops_per_s};
  });
}

DevicePluginTable MakeTable() {
  DevicePluginTable table = MakeDevicePluginTable(Make);
  table.probe = ProbeDevice;
  table.count = [](PluginStatus* status) noexcept {
    int32_t count = 0;
    WriteStatus(*status, [&] { count = CountDevices(); });
    return count;
  };
  return table;
}

}  // namespace
}  // namespace scout::gpu

extern "C" __attribute__((visibility("default"))) const scout::PluginEntry* scout_plugin_entry() noexcept;

extern "C" const scout::PluginEntry* scout_plugin_entry() noexcept {
  static const scout::DevicePluginTable kTable = scout::gpu::MakeTable();
  static const scout::PluginEntry kEntry = {scout::kPluginMagic,   sizeof(scout::PluginEntry), scout::gpu::kPluginDevice,
                                            SCOUT_PLUGIN_CONTRACT, SCOUT_PLUGIN_VERSION,       &kTable};
  return &kEntry;
}
