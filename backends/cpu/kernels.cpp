#include "cpu/kernels.h"

#include <bit>

#include "base/cpu_features.h"
#include "base/math.h"
#include "cpu/context.h"

namespace scout::cpu {

#if defined(__x86_64__)
namespace {

// Whether this processor's product of pairs adds up as ref/dot.h says. Makers describe the instruction in words; an order of their
// own would show in nearly every one of these sums, whose terms have exponents far apart.
bool PairsAddUpAsDefined() {
  constexpr int64_t kPairs = 16, kRows = 4;
  uint16_t w[kPairs * 64], x[kRows * 2 * kPairs];
  uint32_t state = 1;
  const auto next = [&] {
    state = state * 1664525u + 1013904223u;
    return static_cast<uint16_t>((state >> 16 & 0x807f) | (120 + (state >> 26) % 16) << 7);
  };
  for (uint16_t& value : w) value = next();
  for (uint16_t& value : x) value = next();
  float y[kRows * 32];
  Avx512Bf16Kernels()->bf16_product(w, x, 2 * kPairs, kRows, kPairs, y);
  const auto widen = [](uint16_t value) { return std::bit_cast<float>(static_cast<uint32_t>(value) << 16); };
  for (int64_t n = 0; n < kRows; ++n) {
    for (int64_t r = 0; r < 32; ++r) {
      float sum = 0;
      for (int64_t p = 0; p < kPairs; ++p)
        for (int64_t i = 1; i >= 0; --i) sum = Fma(widen(w[p * 64 + 2 * r + i]), widen(x[(n * kPairs + p) * 2 + i]), sum);
      if (y[n * 32 + r] != sum) return false;
    }
  }
  return true;
}

}  // namespace
#endif

const Kernels& KernelsFor(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::kAvx512Bf16) {
    static const bool as_defined = PairsAddUpAsDefined();
    return as_defined ? *Avx512Bf16Kernels() : *Avx512Kernels();
  }
  if (isa == Isa::kAvx512) return *Avx512Kernels();
  if (isa == Isa::kAvx2) return *Avx2Kernels();
#endif
  static_cast<void>(isa);
  return *GenericKernels();
}

}  // namespace scout::cpu
