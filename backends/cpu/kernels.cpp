#include "cpu/kernels.h"

#include "base/cpu_features.h"
#include "cpu/context.h"

namespace scout::cpu {

const Kernels& KernelsFor(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::kAvx512) return *Avx512Kernels(ProcessorIsAmd(), ProcessorMultipliesBf16());
  if (isa == Isa::kAvx2) return *Avx2Kernels();
#endif
  static_cast<void>(isa);
  return *GenericKernels();
}

}  // namespace scout::cpu
