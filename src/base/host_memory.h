// Blocks of the process's own memory for weights, pages and activations: aligned to 64 bytes, zero when new, on large pages
// where the system offers them (a 70 GB weight read through 4 KiB pages spends a fifth of its time in page walks).
#pragma once

#include <cstddef>

namespace scout {

class HostMemory {
 public:
  static constexpr size_t kLeastMapped = size_t{4} << 20;  // smaller blocks are from the heap

  HostMemory() = default;
  // Throws kNoMemory naming the size. The system may commit pages only when they are touched.
  explicit HostMemory(size_t bytes);
  ~HostMemory();
  HostMemory(HostMemory&& other) noexcept;
  HostMemory& operator=(HostMemory&& other) noexcept;
  HostMemory(const HostMemory&) = delete;
  HostMemory& operator=(const HostMemory&) = delete;

  std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  bool mapped() const { return mapped_ != 0; }  // whole pages that are nobody else's; otherwise from the heap

 private:
  std::byte* data_ = nullptr;
  size_t size_ = 0;
  size_t mapped_ = 0;  // bytes to unmap; 0 = from the heap
};

}  // namespace scout
