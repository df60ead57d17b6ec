// A fast hash of bytes, 128 bits wide: it finds damage and tells files apart, at the speed of memory. It is no proof against
// forgery: whoever can write a file can write its hash, so nothing that keeps the process safe may rest on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace scout {

struct Hash128 {
  uint64_t low = 0, high = 0;
  bool operator==(const Hash128&) const = default;
};

// Of bytes that lie together.
Hash128 HashOf(std::span<const std::byte> bytes);

// 32 hexadecimal digits.
std::string ToText(const Hash128& hash);

// Of something large that is seen piece by piece, in order: every piece but the last has kBytes. The same whatever the reader's own
// buffers are.
class PieceHash {
 public:
  static constexpr size_t kBytes = size_t{1} << 20;

  // `bytes` is cut into pieces; only the last call's length may be other than a multiple of kBytes.
  void Add(std::span<const std::byte> bytes);
  Hash128 Finish() const;

 private:
  std::vector<Hash128> pieces_;
};

}  // namespace scout
