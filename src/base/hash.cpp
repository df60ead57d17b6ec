// Four accumulators take 16 bytes each of a line of 64: acc = (a ^ key) x (b ^ acc), its 128 bits folded to 64, and the old acc
// turned beside it, so that a factor of zero forgets nothing.
#include "base/hash.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace scout {
namespace {

constexpr size_t kLanes = 4, kLine = 16 * kLanes;
// The square roots of 2, 3, 5, 7 and 11 behind the point, the first one made odd.
constexpr uint64_t kKeys[kLanes + 1] = {0x6a09e667f3bcc909u, 0xbb67ae8584caa73bu, 0x3c6ef372fe94f82bu, 0xa54ff53a5f1d36f1u,
                                        0x510e527fade682d1u};

inline uint64_t Fold(uint64_t a, uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

inline void Line(const std::byte* bytes, uint64_t* acc) {
  uint64_t word[2 * kLanes];
  std::memcpy(word, bytes, kLine);
  for (size_t i = 0; i < kLanes; ++i) acc[i] = Fold(word[2 * i] ^ kKeys[i], word[2 * i + 1] ^ acc[i]) + std::rotl(acc[i], 23);
}

}  // namespace

Hash128 HashOf(std::span<const std::byte> bytes) {
  uint64_t acc[kLanes] = {kKeys[4], kKeys[3], kKeys[2], kKeys[1]};
  const std::byte* at = bytes.data();
  size_t left = bytes.size();
  for (; left >= kLine; left -= kLine, at += kLine) Line(at, acc);
  if (left > 0) {
    std::byte last[kLine] = {};
    std::memcpy(last, at, left);
    Line(last, acc);
  }
  const uint64_t size = bytes.size();
  Hash128 hash;
  hash.low = Fold(acc[0] ^ Fold(acc[1] ^ kKeys[0], kKeys[1]), Fold(acc[2] ^ size, acc[3] ^ kKeys[2]) ^ kKeys[3]);
  hash.high = Fold(acc[2] ^ Fold(acc[3] ^ kKeys[1], kKeys[2]), Fold(acc[1] ^ size, acc[0] ^ kKeys[3]) ^ kKeys[4]);
  return hash;
}

std::string ToText(const Hash128& hash) {
  std::string text;
  for (const uint64_t half : {hash.high, hash.low})
    for (int shift = 60; shift >= 0; shift -= 4) text.push_back("0123456789abcdef"[half >> shift & 15]);
  return text;
}

void PieceHash::Add(std::span<const std::byte> bytes) {
  for (size_t at = 0; at < bytes.size(); at += kBytes)
    pieces_.push_back(HashOf(bytes.subspan(at, std::min(kBytes, bytes.size() - at))));
}

Hash128 PieceHash::Finish() const { return HashOf(std::as_bytes(std::span(pieces_))); }

}  // namespace scout
