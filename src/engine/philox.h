// Philox4x32-10, a counter-based generator: ten rounds of multiplications over a 128-bit counter under a 64-bit key (Salmon,
// Moraes, Dror and Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011). No state: the number that belongs to a position
// is the same whatever was drawn before it, so sampling does not depend on batches, pauses or recomputed pages.
#pragma once

#include <array>
#include <cstdint>

namespace scout::engine {

inline std::array<uint32_t, 4> Philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53u} * counter[0];
    const uint64_t b = uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(b),
               static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(a)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

// The uniform number in [0, 1) with 53 bits that decides the token at `position` of choice `choice`:
// counter = {position low, position high, choice, 0}, key = {seed low, seed high}; the first word's upper 27 bits, then the
// second word's upper 26.
inline double UniformAt(uint64_t seed, uint32_t choice, uint64_t position) {
  const auto words = Philox({static_cast<uint32_t>(position), static_cast<uint32_t>(position >> 32), choice, 0},
                            {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  return (static_cast<double>(words[0] >> 5) * 67108864.0 + static_cast<double>(words[1] >> 6)) / 9007199254740992.0;
}

}  // namespace scout::engine
