#include "backend/backend.h"
#include "backend/device_plugin.h"

namespace scout {

std::unique_ptr<Backend> MakeBackend(const std::string& device, const BackendOptions& options) {
  const std::string wanted = device.empty() ? "cpu" : device;
  std::string names;
  for (const BackendFactory* factory : BuiltinBackends()) {
    if (wanted == factory->name) return factory->make(options);
    names += names.empty() ? "" : ", ";
    names += factory->name;
  }
  for (const std::string_view plugin : PluginDevices()) {
    if (wanted == plugin) return MakePluginBackend(plugin, options);
    names += StrCat(", ", plugin);
  }
  Fail(ErrorCode::kArgument, "device \"", Escape(wanted), "\" is not known here; there are: ", names);
}

}  // namespace scout
