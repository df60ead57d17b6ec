// gpu_probe DEVICE FOLDER [COPY_MB [ROUNDS]]: what the device of the plug-in in FOLDER can do at all, as JSON. Exits 1 with a
// sentence on stderr where there is none.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "backend/device_plugin.h"

int main(int argc, char** argv) {
  if (argc < 3 || argc > 5) {
    std::fprintf(stderr, "usage: gpu_probe cuda|hip FOLDER [COPY_MB [ROUNDS]]\n");
    return 2;
  }
  const auto copy_mb = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 1024;
  const auto rounds = static_cast<int32_t>(argc > 4 ? std::strtol(argv[4], nullptr, 10) : 20000);
  try {
    const scout::DevicePluginTable& table = scout::PluginTable(argv[1], argv[2]);
    scout::PluginProbe probe;
    scout::PluginStatus status;
    table.probe(copy_mb << 20, rounds, &probe, &status);
    scout::ThrowStatus(status);
    std::printf("{\"copy_bytes_per_s\": %.6g, \"matrix_ops_per_s\": %.6g}\n", probe.copy_bytes_per_s, probe.matrix_ops_per_s);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gpu_probe: %s\n", error.what());
    return 1;
  }
}
