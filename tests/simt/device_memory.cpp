#include "device_memory.h"

#include <cstdint>
#include <cstring>

#include "machine.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace scout::simt {
namespace {

constexpr unsigned char kPattern = 0xb7;

#if defined(__SANITIZE_ADDRESS__)
void Poison(const std::byte* at, size_t bytes) { __asan_poison_memory_region(at, bytes); }
void Unpoison(const std::byte* at, size_t bytes) { __asan_unpoison_memory_region(at, bytes); }
#else
void Poison(const std::byte*, size_t) {}
void Unpoison(const std::byte*, size_t) {}
#endif

size_t RoundUp(size_t bytes) { return (bytes + 255) / 256 * 256; }

}  // namespace

DeviceMemory::~DeviceMemory() {
  for (const auto& [begin, block] : blocks_) Unpoison(block.memory.get(), RoundUp(block.bytes) + 3 * kGuard);
}

std::byte* DeviceMemory::Allocate(size_t bytes) {
  if (bytes > limit_ || used_ > limit_ - bytes) return nullptr;
  const size_t all = RoundUp(bytes) + 3 * kGuard;
  Block block{std::unique_ptr<std::byte[]>(new std::byte[all]), bytes};
  auto* const memory = block.memory.get();
  std::byte* const begin = memory + kGuard + (256 - reinterpret_cast<uintptr_t>(memory) % 256) % 256;
  std::memset(memory, kPattern, static_cast<size_t>(begin - memory));
  std::memset(begin, 0xff, bytes);
  std::memset(begin + bytes, kPattern, static_cast<size_t>(memory + all - (begin + bytes)));
  Poison(memory, static_cast<size_t>(begin - memory));
  Poison(begin + bytes, static_cast<size_t>(memory + all - (begin + bytes)));
  used_ += bytes;
  blocks_.emplace(begin, std::move(block));
  return begin;
}

void DeviceMemory::Free(std::byte* begin) {
  const auto found = blocks_.find(begin);
  if (found == blocks_.end()) throw Fault("frees device memory that is none");
  CheckGuards(begin, found->second);
  Unpoison(found->second.memory.get(), RoundUp(found->second.bytes) + 3 * kGuard);
  used_ -= found->second.bytes;
  blocks_.erase(found);
}

bool DeviceMemory::Holds(const std::byte* begin, size_t bytes) const {
  auto block = blocks_.upper_bound(const_cast<std::byte*>(begin));
  if (block == blocks_.begin()) return false;
  --block;
  const auto at = static_cast<size_t>(begin - block->first);
  return at <= block->second.bytes && bytes <= block->second.bytes - at;
}

void DeviceMemory::CheckGuards() const {
  for (const auto& [begin, block] : blocks_) CheckGuards(begin, block);
}

void DeviceMemory::CheckGuards([[maybe_unused]] const std::byte* begin, [[maybe_unused]] const Block& block) {
#if !defined(__SANITIZE_ADDRESS__)
  static const std::string untouched(kGuard, static_cast<char>(kPattern));
  if (std::memcmp(begin - kGuard, untouched.data(), kGuard) == 0 && std::memcmp(begin + block.bytes, untouched.data(), kGuard) == 0)
    return;
  for (size_t i = 1; i <= kGuard; ++i) {
    const bool before = begin[-static_cast<std::ptrdiff_t>(i)] != std::byte{kPattern};
    const bool after = begin[block.bytes + i - 1] != std::byte{kPattern};
    if (before || after) {
      throw Fault("a kernel or copy has written " + std::to_string(i) + " bytes " + (before ? "before" : "past the end of") +
                  " a block of " + std::to_string(block.bytes) + " bytes of device memory");
    }
  }
#endif
}

}  // namespace scout::simt
