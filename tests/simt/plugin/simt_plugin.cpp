// The emulated device as a plug-in that calls itself cuda: what libscout and the scout program do with a device, on a machine
// without one. For tests, built into a folder of their own. SCOUT_SIMT_WARP is 32 or 64, SCOUT_SIMT_MEMORY a device's bytes,
// SCOUT_SIMT_DEVICES how many there are (1);
// SCOUT_SIMT_LIBRARY=1 gives it a library of matrix products; SCOUT_SIMT_PLANT names what is wrong with it: "product" (a kernel
// taken for another), "library" (the library's call number SCOUT_SIMT_CALLS), "refusal" (it refuses products of 72 rows), "tie" (a
// clock by which it is as fast as own kernels), "no clock" or "lost" (after SCOUT_SIMT_CALLS calls).
#include <cstdlib>
#include <string_view>

#include "../fake_lt.h"
#include "../fault_driver.h"
#include "gpu/plugin_device.h"

namespace scout::gpu {
namespace {

int64_t NumberOf(const char* variable, int64_t otherwise) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoll(text, nullptr, 10);
}

}  // namespace

const char* const kPluginDevice = "cuda";

int CountDevices() {
  const char* const named = std::getenv("SCOUT_SIMT_PLANT");
  if (named != nullptr && std::string_view(named) == "none") Fail(ErrorCode::kDevice, "device cuda: the driver finds no device");
  return static_cast<int>(NumberOf("SCOUT_SIMT_DEVICES", 1));
}

std::shared_ptr<Driver> OpenDriver(int index) {
  CheckIndex(index, CountDevices());
  const char* const named = std::getenv("SCOUT_SIMT_PLANT");
  const std::string_view plant = named == nullptr ? "" : named;
  const auto warp = static_cast<int>(NumberOf("SCOUT_SIMT_WARP", 32));
  const auto device =
      std::make_shared<simt::SimtDriver>(warp, simt::Schedule{}, static_cast<size_t>(NumberOf("SCOUT_SIMT_MEMORY", 1 << 30)));
  if (NumberOf("SCOUT_SIMT_LIBRARY", 0) != 0) {
    simt::GiveFakeLibrary(*device);
    if (plant == "library") simt::fake_library.fail_at = NumberOf("SCOUT_SIMT_CALLS", 0);
    if (plant == "refusal") {
      simt::fake_library.refusal = simt::Refusal::kNoAlgorithm;
      simt::fake_library.refused_rows = 72;
    }
    if (plant == "tie") simt::fake_library.race.seconds = [now = 0.0]() mutable { return now += 1; };
    if (plant == "no clock") simt::fake_library.race.seconds = [] { return 0.0; };
  }
  simt::FaultPlan plan;
  if (plant == "lost") plan = {simt::DriverFault::kLost, NumberOf("SCOUT_SIMT_CALLS", 0)};
  const auto driver = std::make_shared<simt::FaultDriver>(device, plan);
  if (plant == "product") driver->Change([](KernelTable& table) { table.blocks[9].many = table.blocks[6].many; });
  return driver;
}

}  // namespace scout::gpu
