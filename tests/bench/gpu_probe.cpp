// gpu_probe DEVICE FOLDER [COPY_MB [ROUNDS]]: what the device of the plug-in in FOLDER can do at all, and its own kernels against
// the vendor's library, as JSON. Exits 1 with a sentence on stderr where there is no device, or nothing can be said of it. What
// fails of the comparison is told in the JSON, beside what was measured before.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "backend/device_plugin.h"

namespace {

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : scout::Escape(text, 400)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

}  // namespace

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
    scout::PluginRace races[16];
    const int32_t count = table.race(races, 16, &status);
    std::printf("{\"copy_bytes_per_s\": %.6g, \"matrix_ops_per_s\": %.6g, \"races\": [", probe.copy_bytes_per_s,
                probe.matrix_ops_per_s);
    for (int32_t i = 0; i < count; ++i) {
      const scout::PluginRace& race = races[i];
      std::printf(
          "%s{\"format\": %s, \"library\": %s, \"outputs\": %lld, \"k\": %lld, \"rows\": %lld, \"own_s\": %.6g, \"library_s\": "
          "%.6g, \"library_serves\": %s, \"failure\": %s}",
          i > 0 ? ", " : "", Quoted(race.format).c_str(), Quoted(race.library).c_str(), static_cast<long long>(race.outputs),
          static_cast<long long>(race.k), static_cast<long long>(race.rows), race.own_s, race.library_s,
          race.library_serves != 0 ? "true" : "false", Quoted(race.failure).c_str());
    }
    std::printf("], \"no_library\": %s, \"races_failure\": %s}\n", Quoted(status.code == 0 ? status.text : "").c_str(),
                Quoted(status.code == 0 ? "" : status.text).c_str());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gpu_probe: %s\n", error.what());
    return 1;
  }
}
