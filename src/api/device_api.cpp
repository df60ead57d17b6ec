#include <scout/device.h>

#include <array>
#include <mutex>
#include <string_view>
#include <vector>

#include "api/arguments.h"
#include "api/boundary.h"
#include "api/handles.h"
#include "api/options.h"
#include "backend/backend.h"
#include "backend/device_plugin.h"
#include "base/memory_info.h"

namespace scout::api {
namespace {

constexpr size_t kMostDevices = 16;

// What a description's texts point at: made once per device, never destroyed.
struct Descriptions {
  std::mutex mutex;
  std::array<const std::string*, kMostDevices> text{}, name{};
};

constinit Descriptions g_descriptions;

// A device that cannot be counted is one that says why.
int CountOrOne(std::string_view device) {
  try {
    return CountPluginDevices(device);
  } catch (const Error&) {
    return 1;
  }
}

// Behind the built-in devices come those whose plug-ins are installed, in the order of their names, usable or not: what keeps one
// from use is its description. The first of a kind goes by the kind's name, the others have their number behind it.
std::vector<std::string> InstalledPlugins() {
  std::vector<std::string> names;
  for (const std::string_view device : PluginDevices()) {
    if (!IsPluginInstalled(device)) continue;
    names.emplace_back(device);
    for (int i = 1; i < CountOrOne(device); ++i) names.push_back(StrCat(device, ":", i));
  }
  return names;
}

size_t BuiltinCount() { return std::min(BuiltinBackends().size(), kMostDevices); }
size_t Count() { return std::min(BuiltinCount() + InstalledPlugins().size(), kMostDevices); }

// What a plug-in's device says of itself; or why it cannot be used.
DeviceInfo PluginInfo(const std::string& device) {
  try {
    return MakeBackend(device, {})->Info();
  } catch (const Error& error) {
    DeviceInfo info;
    info.description = StrCat("cannot be used: ", error.what());
    return info;
  }
}

// The registry lists in order of preference last to first; here the default is index 0.
const BackendFactory& FactoryAt(uint64_t index) { return *BuiltinBackends()[BuiltinCount() - 1 - index]; }

std::string BuiltinDescription(uint64_t index) { return FactoryAt(index).make({})->Info().description; }

template <typename Ask>
const char* TextOf(std::array<const std::string*, kMostDevices>& texts, uint64_t index, const Ask& ask) {
  CheckNotForked();  // asking a backend may start threads
  const std::lock_guard lock(g_descriptions.mutex);
  const std::string*& text = texts[index];
  if (text == nullptr) text = new std::string(ask());
  return text->c_str();
}

}  // namespace
}  // namespace scout::api

using namespace scout::api;

scout_status scout_device_count(uint64_t* count) {
  return Boundary([&] {
    NeedOut(count, "count");
    CheckNotForked();
    *count = Count();
    return SCOUT_OK;
  });
}

scout_status scout_device_get(uint64_t index, scout_device_info* info) {
  return Boundary([&] {
    NeedOut(info, "info");
    if (index >= Count()) scout::Fail(scout::ErrorCode::kArgument, "device ", index, " is not there: there are ", Count());
    scout_device_info value = {};
    if (index >= BuiltinCount()) {
      const std::string name = InstalledPlugins()[index - BuiltinCount()];
      const scout::DeviceInfo device = PluginInfo(name);
      value.name = TextOf(g_descriptions.name, index, [&] { return name; });
      value.description = TextOf(g_descriptions.text, index, [&] { return device.description; });
      value.memory_total_bytes = device.memory_total_bytes;
      value.memory_free_bytes = device.memory_free_bytes;
      WriteInfo(info, value, "scout_device_info");
      return SCOUT_OK;
    }
    const scout::MemoryInfo memory = scout::ReadMemoryInfo();  // of the host: a built-in device is the host itself
    value.name = FactoryAt(index).name;
    value.description = TextOf(g_descriptions.text, index, [&] { return BuiltinDescription(index); });
    value.memory_total_bytes = memory.total_bytes;
    value.memory_free_bytes = memory.left_bytes;
    WriteInfo(info, value, "scout_device_info");
    return SCOUT_OK;
  });
}
