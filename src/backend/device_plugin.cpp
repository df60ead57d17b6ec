#include "backend/device_plugin.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/plugin.h"

namespace scout {
namespace {

constexpr std::string_view kDevices[] = {"cuda", "hip"};

}  // namespace

std::span<const std::string_view> PluginDevices() { return kDevices; }

bool IsPluginInstalled(std::string_view device) {
  struct stat info = {};
  return stat(PluginPath(device, "").c_str(), &info) == 0;
}

std::unique_ptr<Backend> MakePluginBackend(std::string_view device, const BackendOptions& options) {
  const std::string purpose = StrCat("device ", device);
  const PluginEntry& entry = OpenPlugin({.name = device, .contract = SCOUT_BACKEND_CONTRACT, .folder = "", .purpose = purpose});
  const auto* const table = static_cast<const DevicePluginTable*>(entry.table);
  DevicePluginFailure failure;
  std::unique_ptr<Backend> backend(table->make(options, failure));
  if (!backend) throw Error(static_cast<ErrorCode>(failure.code), failure.text);
  return backend;
}

}  // namespace scout
