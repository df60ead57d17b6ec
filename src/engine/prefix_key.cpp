#include "engine/prefix_key.h"

#include <bit>

namespace scout::engine {

PrefixHasher::PrefixHasher(PrefixKey secret)
    : v0_(secret.low ^ 0x736f6d6570736575u),
      v1_(secret.high ^ 0x646f72616e646f6du ^ 0xee),  // 0xee: the 128-bit variant's mark
      v2_(secret.low ^ 0x6c7967656e657261u),
      v3_(secret.high ^ 0x7465646279746573u) {}

void PrefixHasher::Rounds(int count) {
  for (int i = 0; i < count; ++i) {
    v0_ += v1_;
    v1_ = std::rotl(v1_, 13) ^ v0_;
    v0_ = std::rotl(v0_, 32);
    v2_ += v3_;
    v3_ = std::rotl(v3_, 16) ^ v2_;
    v0_ += v3_;
    v3_ = std::rotl(v3_, 21) ^ v0_;
    v2_ += v1_;
    v1_ = std::rotl(v1_, 17) ^ v2_;
    v2_ = std::rotl(v2_, 32);
  }
}

void PrefixHasher::Compress(uint64_t block) {
  v3_ ^= block;
  Rounds(2);
  v0_ ^= block;
}

void PrefixHasher::Add(uint32_t word) {
  if (words_++ % 2 == 0) {
    pending_ = word;
  } else {
    Compress(uint64_t{word} << 32 | pending_);
  }
}

PrefixKey PrefixHasher::Finish(uint32_t last) const {
  PrefixHasher copy = *this;
  copy.Add(last);
  return copy.Finish();
}

PrefixKey PrefixHasher::Finish() const {
  PrefixHasher copy = *this;
  // The last block: what is left, and the length in bytes, modulo 256, on top.
  copy.Compress((words_ * 4) << 56 | (words_ % 2 == 1 ? pending_ : 0));
  copy.v2_ ^= 0xee;
  copy.Rounds(4);
  PrefixKey key;
  key.low = copy.v0_ ^ copy.v1_ ^ copy.v2_ ^ copy.v3_;
  copy.v1_ ^= 0xdd;
  copy.Rounds(4);
  key.high = copy.v0_ ^ copy.v1_ ^ copy.v2_ ^ copy.v3_;
  return key;
}

}  // namespace scout::engine
