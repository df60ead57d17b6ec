#include "base/cpu_features.h"
#include "op_test.h"

namespace scout {

std::unique_ptr<Backend> MakeCpu(const std::string& isa, int threads) {
  BackendOptions options;
  options.isa = isa;
  options.threads = threads;
  return MakeBackend("cpu", options);
}

std::vector<std::string> Isas() {
  std::vector<std::string> isas = {"generic"};
  if (DetectIsa() >= Isa::kAvx2) isas.push_back("avx2");
  if (DetectIsa() >= Isa::kAvx512) isas.push_back("avx512");
  return isas;
}

bool SweepsAll() { return true; }

}  // namespace scout
