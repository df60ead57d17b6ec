#include "support/alloc_meter.h"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace scout::test {
namespace {

std::atomic<int64_t> g_blocks{0}, g_bytes{0}, g_peak{0};
std::atomic<int64_t> g_until_failure{-1};  // negative: none is planned
std::atomic<bool> g_all_later{false};

void* Count(void* block) {
  if (g_until_failure >= 0 && g_until_failure-- == 0) {
    if (g_all_later) g_until_failure = 0;
    std::free(block);
    block = nullptr;
  }
  if (!block) throw std::bad_alloc();
  ++g_blocks;
  const int64_t live = g_bytes += static_cast<int64_t>(::malloc_usable_size(block));
  int64_t peak = g_peak.load();
  while (live > peak && !g_peak.compare_exchange_weak(peak, live)) {
  }
  return block;
}

void Release(void* block) {
  if (!block) return;
  --g_blocks;
  g_bytes -= static_cast<int64_t>(::malloc_usable_size(block));
  std::free(block);
}

size_t RoundUp(size_t size, size_t alignment) { return (size + alignment - 1) / alignment * alignment; }

}  // namespace

AllocCount Allocations() { return {g_blocks, g_bytes, g_peak}; }
void ResetPeak() { g_peak = g_bytes.load(); }
void FailAllocation(int64_t k, bool all_later) {
  g_all_later = all_later;
  g_until_failure = k;
}

}  // namespace scout::test

using scout::test::Count;
using scout::test::Release;
using scout::test::RoundUp;

void* operator new(size_t size) { return Count(std::malloc(size ? size : 1)); }
void* operator new[](size_t size) { return Count(std::malloc(size ? size : 1)); }
// Under a sanitizer these are the sanitizer's own otherwise, and a block of theirs must not reach our delete.
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  try {
    return operator new(size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return operator new(size, std::nothrow); }
void* operator new(size_t size, std::align_val_t align) {
  return Count(std::aligned_alloc(static_cast<size_t>(align), RoundUp(size ? size : 1, static_cast<size_t>(align))));
}
void* operator new[](size_t size, std::align_val_t align) { return operator new(size, align); }
void operator delete(void* block) noexcept { Release(block); }
void operator delete[](void* block) noexcept { Release(block); }
void operator delete(void* block, size_t) noexcept { Release(block); }
void operator delete[](void* block, size_t) noexcept { Release(block); }
void operator delete(void* block, std::align_val_t) noexcept { Release(block); }
void operator delete[](void* block, std::align_val_t) noexcept { Release(block); }
void operator delete(void* block, size_t, std::align_val_t) noexcept { Release(block); }
void operator delete[](void* block, size_t, std::align_val_t) noexcept { Release(block); }
