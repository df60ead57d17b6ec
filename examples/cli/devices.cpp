#include <cstdio>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "common.h"

namespace cli {

void AddDevices(CLI::App& app) {
  Command command(app, "devices", "list what a model can run on");
  auto json = std::make_shared<bool>(false);
  command.Flag("--json", *json, "as JSON");
  command.OnRun([json] {
    auto list = nlohmann::ordered_json::array();
    uint64_t count = 0;
    Check(scout_device_count(&count));
    for (uint64_t i = 0; i < count; ++i) {
      scout_device_info info = {};
      info.struct_size = sizeof info;
      Check(scout_device_get(i, &info));
      list.push_back({{"name", info.name},
                      {"description", info.description},
                      {"memory_total_bytes", info.memory_total_bytes},
                      {"memory_free_bytes", info.memory_free_bytes}});
      if (!*json)
        std::printf("%-6s %s, %s of %s free%s\n", info.name, info.description, Bytes(info.memory_free_bytes).c_str(),
                    Bytes(info.memory_total_bytes).c_str(), i == 0 ? " (default)" : "");
    }
    if (*json) std::printf("%s\n", list.dump(2).c_str());
  });
}

}  // namespace cli
