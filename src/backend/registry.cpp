#include <charconv>

#include "backend/backend.h"
#include "backend/device_plugin.h"

namespace scout {

DeviceName ParseDeviceName(std::string_view device) {
  DeviceName name;
  const size_t colon = device.find(':');
  const std::string_view kind = device.empty() ? "cpu" : device.substr(0, colon);
  std::string names;
  for (const BackendFactory* factory : BuiltinBackends()) {
    if (kind == factory->name) name.kind = factory->name;
    names += StrCat(names.empty() ? "" : ", ", factory->name);
  }
  for (const std::string_view plugin : PluginDevices()) {
    if (kind == plugin && name.kind.empty()) {
      name.kind = plugin;
      name.plugin = true;
    }
    names += StrCat(", ", plugin);
  }
  if (name.kind.empty()) Fail(ErrorCode::kArgument, "device \"", Escape(device), "\" is not known here; there are: ", names);
  if (colon == std::string_view::npos) return name;
  if (!name.plugin)
    Fail(ErrorCode::kArgument, "device \"", Escape(device), "\": there is one device \"", name.kind, "\", without a number");
  const std::string_view number = device.substr(colon + 1);
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), name.index);
  if (number.empty() || error != std::errc() || end != number.data() + number.size() || name.index < 0 ||
      name.index >= kMaxDevicesOfAKind)
    Fail(ErrorCode::kArgument, "device \"", Escape(device), "\": \"", Escape(number), "\" is not a number of 0 .. ",
         kMaxDevicesOfAKind - 1);
  return name;
}

std::unique_ptr<Backend> MakeBackend(const std::string& device, const BackendOptions& options) {
  const DeviceName name = ParseDeviceName(device);
  if (name.plugin) {
    BackendOptions own = options;
    own.device_index = name.index;
    return MakePluginBackend(name.kind, own);
  }
  for (const BackendFactory* factory : BuiltinBackends())
    if (name.kind == factory->name) return factory->make(options);
  Fail(ErrorCode::kInternal, "internal error: a device that is known cannot be made");
}

}  // namespace scout
