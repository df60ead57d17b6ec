#include "probes.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

namespace probes {
namespace {

double Now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// The best rate at which `threads` threads together did chunks of work, over any stretch of time in which they did at least
// `least`.
//
// Nobody waits for anybody: each thread takes the next chunk when it has done one, the first looks at the clock after each of its
// own. So on a busy machine a stretch in which all of them ran at once is enough, wherever it lies.
double BestRate(int threads, double work_of_chunk, int64_t least, const std::function<void(int64_t chunk)>& body) {
  constexpr double kSeconds = 0.08, kMostSeconds = 2;
  struct Moment {
    double before, after;  // of looking at `done`: a thread may be held back in between
    int64_t done;
  };
  std::atomic<int64_t> next{0}, done{0};
  std::atomic<bool> stop{false};
  const auto step = [&] {
    body(next.fetch_add(1, std::memory_order_relaxed));
    done.fetch_add(1, std::memory_order_relaxed);
  };
  std::vector<Moment> moments;
  const auto look = [&] {
    const double before = Now();
    const int64_t so_far = done.load(std::memory_order_relaxed);
    moments.push_back({before, Now(), so_far});
  };
  std::vector<std::thread> others;
  try {
    for (int i = 1; i < threads; ++i)
      others.emplace_back([&] {
        while (!stop.load(std::memory_order_relaxed)) step();
      });
  } catch (const std::system_error&) {
    // Those that there are.
  }
  const double begin = Now();
  for (look(); Now() - begin < kSeconds || (done.load() < 2 * least && Now() - begin < kMostSeconds); look()) step();
  stop = true;
  for (std::thread& other : others) other.join();

  double best = 0;
  for (size_t from = 0, to = 0; to < moments.size(); ++to) {
    while (moments[to].done - moments[from + 1 < to ? from + 1 : from].done >= least && from + 1 < to) ++from;
    const int64_t count = moments[to].done - moments[from].done;
    if (count >= least)
      best = std::max(best, work_of_chunk * static_cast<double>(count) / (moments[to].after - moments[from].before));
  }
  return best;
}

// ------------------------------------------------------------------------------------------------------ reading

constexpr size_t kPiece = size_t{256} << 10;
using Word = uint64_t __attribute__((vector_size(16), may_alias));

// One stream, or four a quarter of the piece apart: which is faster depends on the processor's prefetchers.
template <size_t Streams>
uint64_t SumPiece(const std::byte* piece) {
  constexpr size_t kWords = kPiece / sizeof(Word) / Streams, kEach = 8 / Streams;
  const auto* words = reinterpret_cast<const Word*>(piece);
  Word sum[8] = {};
  for (size_t i = 0; i < kWords; i += kEach)
    for (size_t s = 0; s < Streams; ++s)
      for (size_t j = 0; j < kEach; ++j) sum[s * kEach + j] ^= words[s * kWords + i + j];
  uint64_t all = 0;
  for (const Word& word : sum) all ^= word[0] ^ word[1];
  return all;
}

// ------------------------------------------------------------------------------------------------------ arithmetic

struct Loop {
  void (*run)(int64_t rounds) = nullptr;
  double ops_per_round = 0;
};

#if defined(__x86_64__)

#define SCOUT_TWELVE(line) \
  line("0") line("1") line("2") line("3") line("4") line("5") line("6") line("7") line("8") line("9") line("10") line("11")
#define SCOUT_LOW_CLOBBERS                                                                                                  \
  "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", \
      "xmm14", "xmm15"

// Twelve chains of sums of `line`, whose accumulators are registers 0 .. 11 and whose factors are all zero, which these
// instructions take as long for as for anything else. The loop is one piece of assembly, so that nothing is moved into it.
#define SCOUT_LOOP(name, features, clear, line, ...)                                                  \
  __attribute__((target(features))) void name(int64_t rounds) {                                       \
    asm volatile(clear "1:\n" SCOUT_TWELVE(line) "dec %0\n jnz 1b\n" : "+r"(rounds) : : __VA_ARGS__); \
  }

#define SCOUT_CLEAR_ZMM(i) "vpxord %%zmm" i ", %%zmm" i ", %%zmm" i "\n"
#define SCOUT_CLEAR_YMM(i) "vpxor %%ymm" i ", %%ymm" i ", %%ymm" i "\n"
#define SCOUT_CLEAR_XMM(i) "pxor %%xmm" i ", %%xmm" i "\n"

#define SCOUT_LINE(i) "vpdpbusd %%zmm16, %%zmm17, %%zmm" i "\n"
SCOUT_LOOP(Int8Avx512, "avx512f,avx512vnni", SCOUT_TWELVE(SCOUT_CLEAR_ZMM) SCOUT_CLEAR_ZMM("16") SCOUT_CLEAR_ZMM("17"), SCOUT_LINE,
           SCOUT_LOW_CLOBBERS, "xmm16", "xmm17")
#undef SCOUT_LINE
#define SCOUT_LINE(i) "vdpbf16ps %%zmm16, %%zmm17, %%zmm" i "\n"
SCOUT_LOOP(Bf16Avx512, "avx512f,avx512bf16", SCOUT_TWELVE(SCOUT_CLEAR_ZMM) SCOUT_CLEAR_ZMM("16") SCOUT_CLEAR_ZMM("17"), SCOUT_LINE,
           SCOUT_LOW_CLOBBERS, "xmm16", "xmm17")
#undef SCOUT_LINE
#define SCOUT_LINE(i) "vfmadd231ps %%zmm16, %%zmm17, %%zmm" i "\n"
SCOUT_LOOP(F32Avx512, "avx512f", SCOUT_TWELVE(SCOUT_CLEAR_ZMM) SCOUT_CLEAR_ZMM("16") SCOUT_CLEAR_ZMM("17"), SCOUT_LINE,
           SCOUT_LOW_CLOBBERS, "xmm16", "xmm17")
#undef SCOUT_LINE
#define SCOUT_LINE(i) \
  "vpmaddubsw %%ymm12, %%ymm13, %%ymm15\n vpmaddwd %%ymm14, %%ymm15, %%ymm15\n vpaddd %%ymm15, %%ymm" i ", %%ymm" i "\n"
SCOUT_LOOP(Int8Avx2, "avx2", SCOUT_TWELVE(SCOUT_CLEAR_YMM) SCOUT_CLEAR_YMM("12") SCOUT_CLEAR_YMM("13") SCOUT_CLEAR_YMM("14"),
           SCOUT_LINE, SCOUT_LOW_CLOBBERS)
#undef SCOUT_LINE
#define SCOUT_LINE(i) "vfmadd231ps %%ymm12, %%ymm13, %%ymm" i "\n"
SCOUT_LOOP(F32Avx2, "avx2,fma", SCOUT_TWELVE(SCOUT_CLEAR_YMM) SCOUT_CLEAR_YMM("12") SCOUT_CLEAR_YMM("13"), SCOUT_LINE,
           SCOUT_LOW_CLOBBERS)
#undef SCOUT_LINE
#define SCOUT_LINE(i) \
  "movdqa %%xmm13, %%xmm15\n pmaddubsw %%xmm12, %%xmm15\n pmaddwd %%xmm14, %%xmm15\n paddd %%xmm15, %%xmm" i "\n"
SCOUT_LOOP(Int8Ssse3, "ssse3", SCOUT_TWELVE(SCOUT_CLEAR_XMM) SCOUT_CLEAR_XMM("12") SCOUT_CLEAR_XMM("13") SCOUT_CLEAR_XMM("14"),
           SCOUT_LINE, SCOUT_LOW_CLOBBERS)
#undef SCOUT_LINE
#define SCOUT_LINE(i) "movaps %%xmm13, %%xmm15\n mulps %%xmm12, %%xmm15\n addps %%xmm15, %%xmm" i "\n"
SCOUT_LOOP(F32Sse2, "sse2", SCOUT_TWELVE(SCOUT_CLEAR_XMM) SCOUT_CLEAR_XMM("12") SCOUT_CLEAR_XMM("13"), SCOUT_LINE,
           SCOUT_LOW_CLOBBERS)
#undef SCOUT_LINE

Loop Int8Loop() {
  if (__builtin_cpu_supports("avx512vnni")) return {Int8Avx512, 12 * 64 * 2};
  if (__builtin_cpu_supports("avx2")) return {Int8Avx2, 12 * 32 * 2};
  if (__builtin_cpu_supports("ssse3")) return {Int8Ssse3, 12 * 16 * 2};
  return {};
}
Loop Bf16Loop() {
  if (__builtin_cpu_supports("avx512bf16")) return {Bf16Avx512, 12 * 32 * 2};
  return {};
}
Loop F32Loop() {
  if (__builtin_cpu_supports("avx512f")) return {F32Avx512, 12 * 16 * 2};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {F32Avx2, 12 * 8 * 2};
  return {F32Sse2, 12 * 4 * 2};
}

#else

Loop Int8Loop() { return {}; }
Loop Bf16Loop() { return {}; }
Loop F32Loop() { return {}; }

#endif

double OpsPerSecond(int threads, const Loop& loop) {
  if (loop.run == nullptr) return 0;
  constexpr int64_t kRounds = 1000;  // some microseconds
  return BestRate(threads, loop.ops_per_round * static_cast<double>(kRounds), 256 * threads, [&](int64_t) { loop.run(kRounds); });
}

}  // namespace

size_t BeyondCaches() {
  size_t bytes = size_t{256} << 20;
#if defined(_SC_LEVEL3_CACHE_SIZE)
  if (const long cache = ::sysconf(_SC_LEVEL3_CACHE_SIZE); cache > 0) bytes = std::max(bytes, static_cast<size_t>(cache) / 2 * 3);
#endif
  return bytes;
}

struct Probes::Block {
  std::byte* data = nullptr;
  size_t bytes = 0;
  explicit Block(size_t wanted) : bytes(std::max(wanted / kPiece, size_t{1}) * kPiece) {
    void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    data = static_cast<std::byte*>(memory);
#if defined(__linux__)
    ::madvise(data, bytes, MADV_HUGEPAGE);
#endif
    std::memset(data, 1, bytes);  // untouched pages would all be the one page of zeros
  }
  ~Block() { ::munmap(data, bytes); }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  double ReadRate(int threads, uint64_t (*sum)(const std::byte*)) const {
    const auto pieces = static_cast<int64_t>(bytes / kPiece);
    std::atomic<uint64_t> sums{0};  // so that the loads are wanted
    // All of it: a host's memories differ in speed, and a large block may lie in more than one of them.
    return BestRate(threads, kPiece, pieces, [&](int64_t piece) {
      sums.fetch_xor(sum(data + static_cast<size_t>(piece % pieces) * kPiece), std::memory_order_relaxed);
    });
  }
};

Probes::Probes(int threads, size_t read_bytes)
    : threads_(threads > 0 ? threads : std::max(1, static_cast<int>(std::thread::hardware_concurrency()))),
      block_(std::make_unique<Block>(read_bytes > 0 ? read_bytes : BeyondCaches())) {}

Probes::~Probes() = default;

Peaks Probes::Measure() const {
  Peaks peaks;
  peaks.read_bytes = std::max(block_->ReadRate(threads_, SumPiece<1>), block_->ReadRate(threads_, SumPiece<4>));
  peaks.int8_ops = OpsPerSecond(threads_, Int8Loop());
  peaks.bf16_ops = OpsPerSecond(threads_, Bf16Loop());
  peaks.f32_ops = OpsPerSecond(threads_, F32Loop());
  return peaks;
}

}  // namespace probes
