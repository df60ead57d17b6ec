// What the machine can do at this moment: bytes read from memory per second, and products and sums per second, on a number of
// threads. A speed is worth little without them, for machines are shared and a virtual one may be moved while it is looked at.
//
// The probes know nothing of the library; the scout program and the kernel benchmark share them.
#pragma once

#include <cstddef>
#include <memory>

namespace probes {

// Per second; 0 where this processor or this program has no way to tell. A product and its sum are two operations.
struct Peaks {
  double read_bytes = 0;  // a large block, each byte once
  double int8_ops = 0;    // u8 x s8 into s32: the widest of AVX-512 VNNI, AVX2 and SSSE3 that the processor has
  double bf16_ops = 0;    // bf16 x bf16 into f32: AVX-512 BF16
  double f32_ops = 0;     // f32 fused: the widest of AVX-512, AVX2 and SSE2 (there a product and a sum)
};

// Half as much again as the largest cache, at least 256 MiB: of a block of that size, read from end to end again and again, nothing
// is still in a cache.
size_t BeyondCaches();

class Probes {
 public:
  // `threads` 0: as many as the process may use. `read_bytes` 0: BeyondCaches(); less measures a cache. Throws std::bad_alloc when
  // there is no memory for the block that is read.
  explicit Probes(int threads, size_t read_bytes = 0);
  ~Probes();
  Probes(const Probes&) = delete;
  Probes& operator=(const Probes&) = delete;

  int threads() const { return threads_; }
  // The best that each probe saw in any stretch of some milliseconds, and of reading all of the block once; about half a second in
  // all, and more where the block is larger than a gigabyte.
  Peaks Measure() const;

 private:
  struct Block;
  int threads_;
  std::unique_ptr<Block> block_;
};

}  // namespace probes
