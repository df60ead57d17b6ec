// For backends whose memory is the process's own: buffers that are plain bytes, and the way from a view to a pointer.
#pragma once

#include <cstring>
#include <span>

#include "backend/ops.h"
#include "base/error.h"
#include "base/host_memory.h"

namespace scout {

class HostBuffer final : public Buffer {
 public:
  explicit HostBuffer(size_t bytes) : memory_(bytes) {}
  size_t size_bytes() const override { return memory_.size(); }
  std::byte* data() const { return memory_.data(); }

 private:
  HostMemory memory_;
};

// The view's first value. Throws an internal error when the view leaves its buffer or a float would be unaligned.
inline std::byte* HostBytes(const Act& act) {
  SCOUT_CHECK(act.buffer != nullptr && act.rows >= 0 && act.cols >= 0, "a view without a buffer");
  const size_t size = act.buffer->size_bytes();
  const size_t need = static_cast<size_t>(act.rows) * static_cast<size_t>(act.cols) * 4;
  SCOUT_CHECK(act.offset % 4 == 0 && act.offset <= size && need <= size - act.offset, "a view of ", act.rows, " x ", act.cols,
              " at ", act.offset, " leaves its buffer of ", size, " bytes");
  return static_cast<const HostBuffer*>(act.buffer)->data() + act.offset;
}
inline float* HostF32(const Act& act) { return reinterpret_cast<float*>(HostBytes(act)); }
inline int32_t* HostI32(const Act& act) { return reinterpret_cast<int32_t*>(HostBytes(act)); }

// Backend::Upload and Download.
inline void HostUpload(Buffer& to, size_t offset, std::span<const std::byte> from) {
  const size_t size = to.size_bytes();
  SCOUT_CHECK(offset <= size && from.size() <= size - offset, "upload of ", from.size(), " bytes at ", offset, " of ", size);
  if (!from.empty()) std::memcpy(static_cast<HostBuffer&>(to).data() + offset, from.data(), from.size());
}
inline void HostDownload(const Buffer& from, size_t offset, std::span<std::byte> to) {
  const size_t size = from.size_bytes();
  SCOUT_CHECK(offset <= size && to.size() <= size - offset, "download of ", to.size(), " bytes at ", offset, " of ", size);
  if (!to.empty()) std::memcpy(to.data(), static_cast<const HostBuffer&>(from).data() + offset, to.size());
}

}  // namespace scout
