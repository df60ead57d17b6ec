// The words of backends/gpu/gpu.h on the emulator. SIMT_WARP says how many lanes a warp has.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/math.h"
#include "machine.h"
#include "quant/bf16.h"
#include "quant/f16.h"

#define GPU_KERNEL inline void
#define GPU_LARGE_KERNEL GPU_KERNEL
#define GPU_WIDE_KERNEL GPU_KERNEL
#define GPU_TENSOR_KERNEL(threads, blocks) GPU_KERNEL
#define GPU_FLOW_KERNEL GPU_KERNEL
#define GPU_FUNCTION inline

namespace scout::SCOUT_GPU {

constexpr int kWarp = SIMT_WARP;

inline simt::Machine& Here() { return simt::Machine::Current(); }
inline int Thread() { return static_cast<int>(Here().thread()); }
inline int Threads() { return static_cast<int>(Here().launch().threads); }
inline int BlockX() { return static_cast<int>(Here().block(0)); }
inline int BlockY() { return static_cast<int>(Here().block(1)); }
inline int BlockZ() { return static_cast<int>(Here().block(2)); }
inline int GridX() { return static_cast<int>(Here().launch().grid[0]); }

inline void SyncBlock() { Here().Barrier(); }

template <typename Mask>
inline void SyncWarp(Mask mask) {
  Here().Collect("SyncWarp", mask, nullptr, [](void* const*, simt::LaneMask) {});
}

// Every lane gives a value and names the lane whose value it wants.
template <typename T>
struct ShuffleRecord {
  T value;
  int from;
  T result;
};
template <typename T, typename Mask>
inline T ShuffleFrom(const char* what, Mask mask, T value, int from) {
  ShuffleRecord<T> record{value, from, T{}};
  Here().Collect(what, mask, &record, [](void* const* records, simt::LaneMask present) {
    for (int lane = 0; lane < kWarp; ++lane) {
      if ((present >> lane & 1) == 0) continue;
      auto* const self = static_cast<ShuffleRecord<T>*>(records[lane]);
      if (self->from < 0 || self->from >= kWarp || (present >> self->from & 1) == 0) {
        Here().Raise("a shuffle gives lane " + std::to_string(lane) + " the value of lane " + std::to_string(self->from) +
                     ", which is not in the mask");
      }
      self->result = static_cast<const ShuffleRecord<T>*>(records[self->from])->value;
    }
  });
  return record.result;
}
template <typename T, typename Mask>
inline T ShflXor(Mask mask, T value, int bits) {
  return ShuffleFrom("ShflXor", mask, value, Here().lane() ^ bits);
}
template <typename T, typename Mask>
inline T Shfl(Mask mask, T value, int from) {
  return ShuffleFrom("Shfl", mask, value, from);
}

struct BallotRecord {
  bool value;
  simt::LaneMask result;
};
template <typename Mask>
inline Mask Ballot(Mask mask, bool value) {
  BallotRecord record{value, 0};
  Here().Collect("Ballot", mask, &record, [](void* const* records, simt::LaneMask present) {
    simt::LaneMask result = 0;
    for (int lane = 0; lane < kWarp; ++lane)
      if ((present >> lane & 1) != 0 && static_cast<BallotRecord*>(records[lane])->value) result |= simt::LaneMask{1} << lane;
    for (int lane = 0; lane < kWarp; ++lane)
      if (present >> lane & 1) static_cast<BallotRecord*>(records[lane])->result = result;
  });
  return static_cast<Mask>(record.result);
}
template <typename Mask>
inline int Popcount(Mask mask) {
  return std::popcount(mask);
}

// An element of shared memory: reading and writing are seen by the machine.
template <typename T>
class SharedRef {
 public:
  explicit SharedRef(std::byte* at) : at_(at) {}
  SharedRef(const SharedRef&) = default;
  operator T() const {  // NOLINT(google-explicit-constructor): stands for a T&
    Here().Touch(at_, sizeof(T), simt::Machine::Access::kRead);
    T value;
    std::memcpy(&value, at_, sizeof value);
    return value;
  }
  const SharedRef& operator=(T value) const {
    Here().Touch(at_, sizeof(T), simt::Machine::Access::kWrite);
    std::memcpy(at_, &value, sizeof value);
    return *this;
  }
  const SharedRef& operator=(const SharedRef& other) const { return *this = static_cast<T>(other); }
  const SharedRef& operator+=(T value) const { return *this = static_cast<T>(*this) + value; }
  const SharedRef& operator*=(T value) const { return *this = static_cast<T>(*this) * value; }
  std::byte* at() const { return at_; }

 private:
  std::byte* at_;
};

// An array in shared memory.
template <typename T>
class Shared {
 public:
  Shared(std::byte* base, int count) : base_(base), count_(count) {}
  SharedRef<T> operator[](int i) const {
    if (i < 0 || i >= count_)
      Here().Raise("element " + std::to_string(i) + " of " + std::to_string(count_) + " in an array of shared memory");
    return SharedRef<T>(base_ + static_cast<size_t>(i) * sizeof(T));
  }
  Shared From(int first) const { return Shared(base_ + static_cast<size_t>(first) * sizeof(T), count_ - first); }
  template <typename U>
  Shared<U> As() const {
    return Shared<U>(base_, static_cast<int>(static_cast<size_t>(count_) * sizeof(T) / sizeof(U)));
  }
  // Bytes that the caller reads before anything else happens.
  const std::byte* Bytes(int first, int count) const {
    const int size = count_ * static_cast<int>(sizeof(T));
    if (first < 0 || count > size || first > size - count)
      Here().Raise("bytes " + std::to_string(first) + " to " + std::to_string(first + count) + " of " + std::to_string(size) +
                   " in an array of shared memory");
    Here().Touch(base_ + first, static_cast<size_t>(count), simt::Machine::Access::kRead);
    return base_ + first;
  }

 private:
  std::byte* base_;
  int count_;
};

template <typename T>
inline const uint8_t* SharedBytes(const Shared<T>& from, int first, int count) {
  return reinterpret_cast<const uint8_t*>(from.Bytes(first, count));
}

// Hands out the block's shared memory, array by array, each aligned to 16 bytes.
class SharedCursor {
 public:
  template <typename T>
  Shared<T> Take(int count) {
    return Shared<T>(Here().TakeShared(static_cast<size_t>(count) * sizeof(T)), count);
  }
};

template <typename T>
inline T AtomicAdd(SharedRef<T> to, T value) {
  Here().Touch(to.at(), sizeof(T), simt::Machine::Access::kAtomic);
  T before;
  std::memcpy(&before, to.at(), sizeof before);
  const T after = before + value;
  std::memcpy(to.at(), &after, sizeof after);
  return before;
}
template <typename T>
inline T AtomicMax(T* to, T value) {  // in device memory
  const T before = *to;
  *to = std::max(before, value);
  return before;
}

struct alignas(16) Int4 {
  int32_t x[4];
};
constexpr bool kAsyncCopies = kWarp == 32;  // so that kernels are tested both ways
inline void AsyncCopy16(SharedRef<Int4> to, const void* from) {
  Here().CopyLater(to.at(), static_cast<const std::byte*>(from), 16);
}
inline void AsyncCommit() { Here().CommitCopies(); }
template <int kGroupsLeft>
inline void AsyncWait() {
  Here().WaitCopies(kGroupsLeft);
}

using Arrivals = uint64_t;
inline void InitArrivals(SharedRef<Arrivals> at, int count) { Here().InitArrivals(at.at(), count); }
inline void Arrive(SharedRef<Arrivals> at) { Here().Arrive(at.at(), 0); }
inline void ArriveExpecting(SharedRef<Arrivals> at, int bytes) { Here().Arrive(at.at(), bytes); }
inline void BulkCopy(SharedRef<Int4> to, const void* from, int bytes, SharedRef<Arrivals> arrivals) {
  Here().BulkCopy(to.at(), static_cast<const std::byte*>(from), bytes, arrivals.at());
}
inline void WaitArrivals(SharedRef<Arrivals> at, int parity) { Here().WaitArrivals(at.at(), parity); }
// Where an element lies in the block's shared memory.
inline uint32_t SharedAddress(SharedRef<Int4> at) { return static_cast<uint32_t>(at.at() - Here().shared()); }

template <typename T>
inline const T& InPlace(const T& argument) {
  return argument;
}
inline void StartNext() {}  // the driver lets launches begin as early as they may
inline void WaitForEarlier() { Here().WaitForEarlier(); }
inline void PrefetchL2(const void* from, int64_t bytes) { Here().Prefetch(static_cast<const std::byte*>(from), bytes); }

inline float Fma(float a, float b, float c) { return scout::Fma(a, b, c); }
inline float Sqrt(float x) { return std::sqrt(x); }
inline float Divide(float a, float b) { return a / b; }
inline double Divide(double a, double b) { return a / b; }
inline int RoundToInt(float x) { return static_cast<int>(std::nearbyint(x)); }
inline uint32_t BitsOf(float x) { return std::bit_cast<uint32_t>(x); }
inline float FloatOf(uint32_t bits) { return std::bit_cast<float>(bits); }
inline uint64_t BitsOf(double x) { return std::bit_cast<uint64_t>(x); }
inline double DoubleOf(uint64_t bits) { return std::bit_cast<double>(bits); }
inline float F16ToF32(uint16_t h) { return quant::F16ToF32(h); }
inline uint16_t F32ToF16(float x) { return quant::F32ToF16(x); }
inline float FloatOfByte(uint32_t word, int i) { return static_cast<int8_t>(word >> 8 * i); }
inline uint32_t Bf16Pair(float low, float high) {
  return quant::F32ToBf16(low) | static_cast<uint32_t>(quant::F32ToBf16(high)) << 16;
}
// c + the four products of signed bytes
inline int Dot4(uint32_t a, uint32_t b, int c) {
  for (int i = 0; i < 32; i += 8) c += static_cast<int8_t>(a >> i) * static_cast<int8_t>(b >> i);
  return c;
}

// What the driver's Launch takes for a kernel.
template <auto kKernel, typename Arguments>
inline const void* Handle() {
  void (*const run)(const void*) = [](const void* arguments) { kKernel(*static_cast<const Arguments*>(arguments)); };
  return reinterpret_cast<const void*>(run);
}

}  // namespace scout::SCOUT_GPU
