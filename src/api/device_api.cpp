#include <scout/device.h>

#include <array>
#include <mutex>

#include "api/arguments.h"
#include "api/boundary.h"
#include "api/handles.h"
#include "api/options.h"
#include "backend/backend.h"
#include "base/memory_info.h"

namespace scout::api {
namespace {

constexpr size_t kMostDevices = 16;

// What a description's texts point at: made once per device, never destroyed.
struct Descriptions {
  std::mutex mutex;
  std::array<const std::string*, kMostDevices> text{};
};

constinit Descriptions g_descriptions;

size_t Count() { return std::min(BuiltinBackends().size(), kMostDevices); }

// The registry lists in order of preference last to first; here the default is index 0.
const BackendFactory& FactoryAt(uint64_t index) {
  if (index >= Count()) Fail(ErrorCode::kArgument, "device ", index, " is not there: there are ", Count());
  return *BuiltinBackends()[Count() - 1 - index];
}

const char* DescriptionOf(uint64_t index) {
  CheckNotForked();  // asking a backend may start threads
  const std::lock_guard lock(g_descriptions.mutex);
  const std::string*& text = g_descriptions.text[index];
  if (text == nullptr) text = new std::string(FactoryAt(index).make({})->Info().description);
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
    const scout::BackendFactory& factory = FactoryAt(index);
    const scout::MemoryInfo memory = scout::ReadMemoryInfo();  // of the host: every device here is one
    scout_device_info value = {};
    value.name = factory.name;
    value.description = DescriptionOf(index);
    value.memory_total_bytes = memory.total_bytes;
    value.memory_free_bytes = memory.left_bytes;
    WriteInfo(info, value, "scout_device_info");
    return SCOUT_OK;
  });
}
