// Brings memory of the host to the device through a few pinned blocks: while some are copied by the device, the next is filled,
// which for a mapped file is where it is read.
#pragma once

#include <array>
#include <cstddef>

#include "gpu/driver.h"

namespace scout::gpu {

class Device;

// Used by one thread at a time; belongs to its device.
class UploadRing {
 public:
  static constexpr int kSlots = 4;

  UploadRing(const Device& device, size_t slot_bytes) : device_(device), slot_bytes_(slot_bytes) {}
  ~UploadRing();
  UploadRing(const UploadRing&) = delete;
  UploadRing& operator=(const UploadRing&) = delete;

  size_t slot_bytes() const { return slot_bytes_; }
  // False where there is no pinned memory to be had: then nothing is done. Throws as Device::Check does.
  bool Ready();
  // Has read `from` when it returns; what it says of earlier copies is said with `what`.
  void Add(void* to, const void* from, size_t bytes, const char* what);
  void Finish(const char* what);  // waits for all copies

 private:
  struct Slot {
    Stream stream = nullptr;
    void* block = nullptr;
  };
  const Device& device_;
  const size_t slot_bytes_;
  std::array<Slot, kSlots> slots_{};
  size_t next_ = 0;
};

}  // namespace scout::gpu
