// Where a weight's bytes come from. Loading, a pinned upload ring and re-reading an expert from disk are one mechanism.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/staging.h"

namespace scout {

class WeightSource {
 public:
  virtual ~WeightSource() = default;
  virtual uint64_t size_bytes() const = 0;
  // Copies out.size() bytes starting at `offset`, checked. Any thread. Throws Error on failure.
  virtual void Read(uint64_t offset, std::span<std::byte> out) const = 0;
  // The same for large pieces that are read once: the bytes lie in `staging` until it is used again. They may not have been looked
  // at: give them to Check, whole rows at a time, when they are in the cache because they are used.
  virtual std::span<const std::byte> ReadStaged(uint64_t offset, size_t size, StagingBuffer& staging) const {
    const std::span<std::byte> out(staging.Reserve(size), size);
    Read(offset, out);
    return out;
  }
  // Throws Error when `bytes`, which ReadStaged gave for `offset`, hold what no weight may hold (NaN). Any thread.
  virtual void Check(uint64_t /*offset*/, std::span<const std::byte> /*bytes*/) const {}
  // The bytes where they already lie in memory for as long as the source lives, or null.
  virtual const std::byte* Mapped() const { return nullptr; }
  // The bytes will not be read again soon.
  virtual void Drop() const {}
};

}  // namespace scout
