#include "base/host_memory.h"

#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/checked.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace scout {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kLargePage = size_t{2} << 20;

}  // namespace

HostMemory::HostMemory(size_t bytes) : size_(bytes) {
  if (bytes == 0) return;
#if defined(__linux__)
  if (bytes >= kLeastMapped) {
    // One large page more than needed, so that the block can begin at one.
    const size_t length = CheckedAdd(CheckedAlign(bytes, kLargePage, "block"), kLargePage, "block");
    void* const base = ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) Fail(ErrorCode::kNoMemory, "the system has no block of ", bytes, " bytes");
    std::byte* const start = static_cast<std::byte*>(base);
    const size_t skip = (kLargePage - reinterpret_cast<uintptr_t>(start) % kLargePage) % kLargePage;
    const size_t kept = length - kLargePage;
    if (skip != 0) ::munmap(start, skip);
    if (skip != kLargePage) ::munmap(start + skip + kept, kLargePage - skip);
    data_ = start + skip;
    mapped_ = kept;
    ::madvise(data_, mapped_, MADV_HUGEPAGE);  // a wish: refusal changes nothing but speed
    return;
  }
#endif
  data_ = static_cast<std::byte*>(std::aligned_alloc(kAlignment, CheckedAlign(bytes, kAlignment, "block")));
  if (data_ == nullptr) Fail(ErrorCode::kNoMemory, "the system has no block of ", bytes, " bytes");
  std::memset(data_, 0, bytes);
}

HostMemory::~HostMemory() {
#if defined(__linux__)
  if (mapped_ != 0) {
    ::munmap(data_, mapped_);
    return;
  }
#endif
  std::free(data_);
}

HostMemory::HostMemory(HostMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)), mapped_(std::exchange(other.mapped_, 0)) {}

HostMemory& HostMemory::operator=(HostMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(mapped_, other.mapped_);
  return *this;
}

}  // namespace scout
