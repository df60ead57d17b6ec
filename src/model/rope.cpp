#include "model/rope.h"

#include <cmath>

namespace scout::model {

std::vector<float> BaseFrequencies(double base, int64_t rotary_dims, int64_t head_dim) {
  std::vector<float> inv_freq(static_cast<size_t>(head_dim / 2), 0.0f);
  const auto base32 = static_cast<float>(base);
  for (int64_t i = 0; i < rotary_dims / 2; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(rotary_dims);
    // A float power correctly rounded: the double one is off by less than 2^-24 of what decides the rounding.
    const auto power = static_cast<float>(std::pow(static_cast<double>(base32), static_cast<double>(exponent)));
    inv_freq[static_cast<size_t>(i)] = 1.0f / power;
  }
  return inv_freq;
}

void ApplyLlama3Scaling(const Llama3Scaling& scaling, std::span<float> inv_freq) {
  const auto factor = static_cast<float>(scaling.factor);
  const auto low = static_cast<float>(scaling.low);
  const auto old_context = static_cast<float>(scaling.old_context);
  const auto span = static_cast<float>(scaling.high - scaling.low);
  const auto longest_kept = static_cast<float>(scaling.old_context / scaling.high);
  const auto shortest_scaled = static_cast<float>(scaling.old_context / scaling.low);
  constexpr auto kTwoPi = static_cast<float>(6.283185307179586);
  for (float& f : inv_freq) {
    if (f == 0.0f) continue;  // a pair that does not rotate
    const float wavelength = kTwoPi / f;
    if (wavelength > shortest_scaled) {
      f = f / factor;
    } else if (wavelength >= longest_kept && span > 0.0f) {
      const float smooth = (old_context / wavelength - low) / span;
      f = (1.0f - smooth) * f / factor + smooth * f;
    }
  }
}

}  // namespace scout::model
