#include "gpu/upload_ring.h"

#include <algorithm>
#include <cstring>

#include "gpu/device.h"

namespace scout::gpu {

UploadRing::~UploadRing() {
  for (const Slot& slot : slots_) {
    if (slot.block) device_.driver().FreeStaging(slot.block);
    if (slot.stream) device_.driver().FreeStream(slot.stream);
  }
}

bool UploadRing::Ready() {
  Driver& driver = device_.driver();
  for (Slot& slot : slots_) {
    if (!slot.block) {
      const DriverStatus status = driver.AllocateStaging(slot_bytes_, &slot.block);
      if (!status.ok()) slot.block = nullptr;
      if (status.no_memory) return false;
      device_.Check(status, "staging memory");
    }
    if (!slot.stream) {
      const DriverStatus status = driver.MakeStream(&slot.stream);
      if (!status.ok()) slot.stream = nullptr;
      device_.Check(status, "a stream");
    }
  }
  return true;
}

void UploadRing::Add(void* to, const void* from, size_t bytes, const char* what) {
  Driver& driver = device_.driver();
  for (size_t done = 0; done < bytes;) {
    const size_t count = std::min(slot_bytes_, bytes - done);
    const Slot& slot = slots_[next_];
    next_ = (next_ + 1) % slots_.size();
    device_.Check(driver.Synchronize(slot.stream), what);  // until what the slot held is on the device
    std::memcpy(slot.block, static_cast<const std::byte*>(from) + done, count);
    device_.Check(driver.CopyIn(slot.stream, static_cast<std::byte*>(to) + done, slot.block, count), what);
    done += count;
  }
}

void UploadRing::Finish(const char* what) {
  DriverStatus first;
  for (const Slot& slot : slots_) {
    const DriverStatus status = device_.driver().Synchronize(slot.stream);
    if (first.ok()) first = status;
  }
  device_.Check(first, what);
}

}  // namespace scout::gpu
