// Where a weight's bytes come from. Loading, a pinned upload ring and re-reading an expert from disk are one mechanism.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace scout {

class WeightSource {
 public:
  virtual ~WeightSource() = default;
  virtual uint64_t size_bytes() const = 0;
  // Copies out.size() bytes starting at `offset`. Any thread. Throws Error on failure.
  virtual void Read(uint64_t offset, std::span<std::byte> out) const = 0;
  // The bytes where they already lie in memory for as long as the source lives, or null.
  virtual const std::byte* Mapped() const { return nullptr; }
  // The bytes will not be read again soon.
  virtual void Drop() const {}
};

}  // namespace scout
