#include "counted_memory.h"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {
std::atomic<size_t> live{0}, peak{0};
}

namespace scout::test {
size_t LiveBytes() { return live.load(); }
size_t PeakBytes() { return peak.load(); }
void ResetPeak() { peak = live.load(); }
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
bool MemoryIsCounted() { return false; }
#else
bool MemoryIsCounted() { return true; }
#endif
}  // namespace scout::test

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

static void* Allocate(size_t size) {
  void* memory = std::malloc(size);
  if (!memory) throw std::bad_alloc();
  const size_t now = live += malloc_usable_size(memory);
  for (size_t before = peak; before < now && !peak.compare_exchange_weak(before, now);) {
  }
  return memory;
}

static void Release(void* memory) {
  if (memory) live -= malloc_usable_size(memory);
  std::free(memory);
}

void* operator new(size_t size) { return Allocate(size); }
void* operator new[](size_t size) { return Allocate(size); }
void operator delete(void* memory) noexcept { Release(memory); }
void operator delete[](void* memory) noexcept { Release(memory); }
void operator delete(void* memory, size_t) noexcept { Release(memory); }
void operator delete[](void* memory, size_t) noexcept { Release(memory); }

#endif
