// SHA-256 (FIPS 180-4), for fingerprints.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace scout::prompt {

class Sha256 {
 public:
  void Update(std::string_view bytes);
  // 64 lower-case hexadecimal digits. The object is used up.
  std::string Finish();

 private:
  void Block(const unsigned char* block);  // [64]

  uint32_t state_[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  unsigned char held_[64] = {};
  size_t held_size_ = 0;
  uint64_t total_bytes_ = 0;
};

}  // namespace scout::prompt
