// What libscout-cuda.so and libscout-hip.so give away.
#include <array>
#include <span>

#include "backend/device_plugin.h"
#include "base/fixed_text.h"
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

int32_t RaceDevice(PluginRace* out, int32_t most, PluginStatus* status) noexcept {
  int32_t count = 0;
  WriteStatus(*status, [&] {
    const std::shared_ptr<Device> device = DeviceAt(0);
    for (const DType format : {DType::kF16, DType::kBF16}) {
      const LibraryRace& race = device->library_race(format == DType::kBF16);
      for (const LibraryRace::Result& result : race.results) {
        if (result.rows == 0 || count == most) continue;
        PluginRace& to = out[count++];
        CopyText(InfoOf(format).name, to.format);
        CopyText(race.library, to.library);
        to.outputs = race.outputs;
        to.k = race.k;
        to.rows = result.rows;
        to.own_s = result.own_s;
        to.library_s = result.library_s;
        to.library_serves = result.library_wins();
        CopyText(result.failure, to.failure);
      }
    }
    for (PluginRace& to : std::span(out, static_cast<size_t>(count))) to.library_serves &= device->has_library();
    if (const std::optional<Error> failure = device->library_failure()) CopyText(failure->what(), status->text);
  });
  return count;
}

DevicePluginTable MakeTable() {
  DevicePluginTable table = MakeDevicePluginTable(Make);
  table.probe = ProbeDevice;
  table.race = RaceDevice;
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
