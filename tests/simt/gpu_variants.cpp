#include <cstdlib>
#include <map>

#include "../ops/op_test.h"
#include "gpu/gpu_backend.h"
#include "simt_driver.h"

namespace scout {

std::unique_ptr<Backend> MakeCpu(const std::string& isa, int threads) {
  // One device for each width and schedule, so that weights serve every backend on it.
  static std::map<std::pair<int, int>, std::shared_ptr<gpu::Device>> devices;
  const int warp = isa == "simt64" ? 64 : 32;
  auto& device = devices[{warp, threads}];
  if (!device) device = simt::SimtDevice(warp, {threads > 1, static_cast<uint64_t>(threads)});
  return gpu::MakeGpuBackend(device, {});
}

std::vector<std::string> Isas() { return {"simt32", "simt64"}; }

bool SweepsAll() { return std::getenv("SCOUT_SIMT_FULL") != nullptr; }

}  // namespace scout
