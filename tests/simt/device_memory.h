// Device memory on the emulator: blocks that begin as rubbish (NaN in every float format) between guards. Under AddressSanitizer
// the guards are poisoned, so that the access itself is reported; without, a changed guard is found when someone looks.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>

namespace scout::simt {

class DeviceMemory {
 public:
  static constexpr size_t kGuard = 256;

  explicit DeviceMemory(size_t limit_bytes = ~size_t{0}) : limit_(limit_bytes) {}
  ~DeviceMemory();

  // Null when the limit would be passed. Aligned to 256 bytes.
  std::byte* Allocate(size_t bytes);
  void Free(std::byte* block);                             // throws Fault for what Allocate did not give, and for touched guards
  void CheckGuards() const;                                // throws Fault naming the block
  bool Holds(const std::byte* begin, size_t bytes) const;  // as a part of one block
  size_t used_bytes() const { return used_; }
  size_t limit_bytes() const { return limit_; }
  size_t blocks() const { return blocks_.size(); }

 private:
  struct Block {
    std::unique_ptr<std::byte[]> memory;
    size_t bytes;
  };
  static void CheckGuards(const std::byte* begin, const Block& block);

  std::map<std::byte*, Block> blocks_;
  size_t limit_, used_ = 0;
};

}  // namespace scout::simt
