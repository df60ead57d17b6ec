#include "quant/activation.h"

#include <bit>
#include <limits>

#include "quant/rounding.h"

namespace scout::quant {
namespace {

// One group of `group` values, sums per `sum_group`.
void QuantizeGroup(const float* x, int group, int sum_group, int8_t* codes, float* scale, int16_t* sums) {
  uint32_t max_bits = 0;  // magnitudes order like their bits; NaN and infinity come last
  for (int i = 0; i < group; ++i) {
    const uint32_t bits = std::bit_cast<uint32_t>(x[i]) & 0x7fffffff;
    if (bits > max_bits) max_bits = bits;
  }
  const float max = std::bit_cast<float>(max_bits);
  const bool finite = max_bits < 0x7f800000;
  if (!finite || max < kSmallestActivation) {
    *scale = finite ? 0.0f : std::numeric_limits<float>::quiet_NaN();
    for (int i = 0; i < group; ++i) codes[i] = 0;
    for (int i = 0; i < group / sum_group; ++i) sums[i] = 0;
    return;
  }
  *scale = max / 127.0f;
  const float inverse = 127.0f / max;
  for (int i = 0; i < group; i += sum_group) {
    int sum = 0;
    for (int j = i; j < i + sum_group; ++j) {
      const int code = RoundToEven(x[j] * inverse);
      codes[j] = static_cast<int8_t>(code);
      sum += code;
    }
    sums[i / sum_group] = static_cast<int16_t>(sum);
  }
}

}  // namespace

void QuantizeActivation32(const float* x, size_t k, int8_t* codes, float* scales, int16_t* sums) {
  for (size_t i = 0; i < k; i += 32) QuantizeGroup(x + i, 32, 32, codes + i, scales + i / 32, sums + i / 32);
}

void QuantizeActivation256(const float* x, size_t k, int8_t* codes, float* scales, int16_t* sums) {
  for (size_t i = 0; i < k; i += 256) QuantizeGroup(x + i, 256, 16, codes + i, scales + i / 256, sums + i / 16);
}

int ActivationGroup(DType weight) {
  switch (InfoOf(weight).values_per_block) {
    case 32:
      return 32;
    case 256:
      return 256;
    default:
      return 0;
  }
}

}  // namespace scout::quant
