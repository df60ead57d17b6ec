// Names of prefixes. The contents of a full page follow from every token up to its end, so its name is a hash of all of them:
// SipHash-2-4 with 128 bits of output (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012, and its 128-bit
// variant), run once along the tokens and finished on a copy wherever a page ends. It is keyed with a secret of the engine's, so
// that nobody can look for two texts with the same name.
#pragma once

#include <cstdint>

namespace scout::engine {

struct PrefixKey {
  uint64_t low = 0;
  uint64_t high = 0;
  friend bool operator==(const PrefixKey&, const PrefixKey&) = default;
};

// Hashes a sequence of 32-bit words in little-endian order.
class PrefixHasher {
 public:
  PrefixHasher() : PrefixHasher(PrefixKey{}) {}
  explicit PrefixHasher(PrefixKey secret);

  void Add(uint32_t word);
  void Add64(uint64_t words) {
    Add(static_cast<uint32_t>(words));
    Add(static_cast<uint32_t>(words >> 32));
  }
  // The hash of what was added so far and then `last`; the hasher goes on unchanged.
  PrefixKey Finish(uint32_t last) const;
  PrefixKey Finish() const;

 private:
  void Rounds(int count);
  void Compress(uint64_t block);

  uint64_t v0_, v1_, v2_, v3_;
  uint64_t words_ = 0;    // added
  uint32_t pending_ = 0;  // the first half of a block, where words_ is odd
};

}  // namespace scout::engine
