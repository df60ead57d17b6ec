// How fast a weight meets activations, beside how fast its bytes can be read at all, in the same run.
//
//   op_bench [--threads N] [--isa NAME] [--mb SIZE] [--rows N,N,...] [--cpu-time] [FORMAT...]
//
// For each format a matrix of about SIZE MiB (default 256; larger than the caches) is multiplied by 1 and by more rows. GB/s
// counts the weight's bytes once per product; the plain read sums the same bytes with the same threads. With AVX-512 VNNI, operations
// per second stand beside the peak of the moment: as many byte products as the same threads make without touching memory.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/host_buffer.h"
#include "base/cpu_features.h"
#include "base/thread_pool.h"
#include "quant/f16.h"

namespace scout {
namespace {

// Wall time; or, with --cpu-time (of use with one thread), the process's own, which a busy machine disturbs less.
bool cpu_time = false;
double Seconds() {
  timespec now{};
  ::clock_gettime(cpu_time ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Cheap random codes; every 16-bit word that may be a float scale is made a small one by clearing its exponent's top bits.
class BlockSource final : public WeightSource {
 public:
  explicit BlockSource(size_t bytes) : bytes_(bytes) {}
  uint64_t size_bytes() const override { return bytes_; }
  void Read(uint64_t offset, std::span<std::byte> out) const override {
    uint64_t state = offset * 0x9e3779b97f4a7c15ull + 1;
    for (std::byte& byte : out) {
      state = state * 6364136223846793005ull + 1442695040888963407ull;
      byte = static_cast<std::byte>(state >> 56 & 0x3f);
    }
  }

 private:
  size_t bytes_;
};

// The best of several passes over `bytes`, each thread summing pieces of 1 MiB.
double PlainReadGBs(const std::byte* data, size_t bytes, int threads) {
  const auto pool = ThreadPool::Shared(threads);
  constexpr size_t kPiece = 1 << 20;
  double best = 1e30;
  std::vector<uint64_t> sums(static_cast<size_t>(threads) * 8);
  for (int pass = 0; pass < 5; ++pass) {
    const double start = Seconds();
    pool->Run(threads, static_cast<int64_t>(bytes / kPiece), [&](int64_t piece, int thread) {
      using Word = uint64_t __attribute__((vector_size(16), may_alias));
      Word sum[8] = {};
      const auto* words = reinterpret_cast<const Word*>(data + static_cast<size_t>(piece) * kPiece);
      for (size_t i = 0; i < kPiece / sizeof(Word); i += 8)
        for (size_t j = 0; j < 8; ++j) sum[j] ^= words[i + j];
      for (const Word& s : sum) sums[static_cast<size_t>(thread) * 8] += s[0] + s[1];
    });
    best = std::min(best, Seconds() - start);
  }
  if (sums[0] == 42) std::puts("");  // so that the sums are wanted
  return static_cast<double>(bytes / kPiece * kPiece) / best * 1e-9;
}

#if defined(__x86_64__)
// Sixteen chains of vpdpbusd: 64 products and sums each.
__attribute__((target("avx512f,avx512vnni"))) void ByteProducts(int64_t rounds) {
  for (int64_t i = 0; i < rounds; ++i) {
    asm volatile(
        "vpdpbusd %%zmm16, %%zmm17, %%zmm0\n vpdpbusd %%zmm16, %%zmm17, %%zmm1\n"
        "vpdpbusd %%zmm16, %%zmm17, %%zmm2\n vpdpbusd %%zmm16, %%zmm17, %%zmm3\n"
        "vpdpbusd %%zmm16, %%zmm17, %%zmm4\n vpdpbusd %%zmm16, %%zmm17, %%zmm5\n"
        "vpdpbusd %%zmm16, %%zmm17, %%zmm6\n vpdpbusd %%zmm16, %%zmm17, %%zmm7\n"
        "vpdpbusd %%zmm16, %%zmm17, %%zmm8\n vpdpbusd %%zmm16, %%zmm17, %%zmm9\n"
        "vpdpbusd %%zmm16, %%zmm17, %%zmm10\n vpdpbusd %%zmm16, %%zmm17, %%zmm11\n"
        "vpdpbusd %%zmm16, %%zmm17, %%zmm12\n vpdpbusd %%zmm16, %%zmm17, %%zmm13\n"
        "vpdpbusd %%zmm16, %%zmm17, %%zmm14\n vpdpbusd %%zmm16, %%zmm17, %%zmm15\n" ::
            : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
              "xmm14", "xmm15", "xmm16", "xmm17");
  }
}

double PeakTops(int threads) {
  const auto pool = ThreadPool::Shared(threads);
  constexpr int64_t kRounds = 4'000'000;
  double best = 1e30;
  for (int pass = 0; pass < 3; ++pass) {
    const double start = Seconds();
    pool->Run(threads, threads, [](int64_t, int) { ByteProducts(kRounds); });
    best = std::min(best, Seconds() - start);
  }
  return 2e-12 * 64 * 16 * static_cast<double>(kRounds) * threads / best;
}
#else
double PeakTops(int) { return 0; }
#endif

int Main(int argc, char** argv) {
  int threads = UsableThreads();
  std::string isa;
  size_t megabytes = 256;
  std::vector<int64_t> row_counts = {1, 2, 4, 16, 64, 512};
  std::vector<std::string> wanted;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const char* const value = i + 1 < argc ? argv[i + 1] : "";
    if (argument == "--threads")
      threads = std::atoi(value), ++i;
    else if (argument == "--isa")
      isa = value, ++i;
    else if (argument == "--mb")
      megabytes = static_cast<size_t>(std::atoi(value)), ++i;
    else if (argument == "--cpu-time")
      cpu_time = true;
    else if (argument == "--rows") {
      row_counts.clear();
      for (const char* at = value; *at;) {
        char* end = nullptr;
        row_counts.push_back(std::strtoll(at, &end, 10));
        at = *end == ',' ? end + 1 : end;
      }
      ++i;
    } else {
      wanted.push_back(argument);
    }
  }
  const auto backend = MakeBackend("cpu", {threads, Numerics::kInvariant, isa});
  std::printf("%s\n", backend->Info().description.c_str());
  const bool has_vnni = DetectIsa() == Isa::kAvx512;
  constexpr int64_t kColumns = 5120;
  for (const DType format : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1,
                             DType::kQ8_0, DType::kQ2_K, DType::kQ3_K, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K}) {
    const std::string name(InfoOf(format).name);
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), name) == wanted.end()) continue;
    const size_t row_bytes = RowBytes(format, kColumns);
    const auto outputs = static_cast<int64_t>((megabytes << 20) / row_bytes / 32 * 32);
    const size_t bytes = static_cast<size_t>(outputs) * row_bytes;
    WeightDesc desc;
    desc.parts.push_back({format, outputs, kColumns, false, kColumns, 0, {std::make_shared<BlockSource>(bytes)}, 0});
    const auto weight = backend->PrepareWeight(desc);
    const HostBuffer copy(bytes);
    std::memset(copy.data(), 1, bytes);  // untouched pages would all be the one page of zeros
    const double read = PlainReadGBs(copy.data(), bytes, threads);
    const double peak = has_vnni ? PeakTops(threads) : 0;
    std::printf("%-5s read %5.1f GB/s |", name.c_str(), read);
    if (peak > 0) std::printf(" peak %5.3f TOP/s |", peak);
    for (const int64_t rows : row_counts) {
      const auto in = backend->Alloc(MemoryKind::kWorkspace, static_cast<size_t>(rows * kColumns) * 4);
      const auto out = backend->Alloc(MemoryKind::kWorkspace, static_cast<size_t>(rows * outputs) * 4);
      std::vector<float> x(static_cast<size_t>(rows * kColumns));
      for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(static_cast<int>(i * 2654435761u >> 20 & 1023) - 512) * 0.01f;
      backend->Upload(*in, 0, std::as_bytes(std::span(x)));
      StepPlan plan;
      plan.token.resize(static_cast<size_t>(rows));
      double best = 1e30;
      const double began = Seconds();
      for (int pass = 0; pass < 20 && (pass < 3 || Seconds() - began < 1.0); ++pass) {
        backend->BeginStep(plan);
        const double start = Seconds();
        backend->Linear({{in.get(), 0, rows, kColumns}, weight.get(), Epilogue::kStore, {out.get(), 0, rows, outputs}});
        best = std::min(best, Seconds() - start);
        if (const auto error = backend->EndStep()) {
          std::fprintf(stderr, "%s\n", error->what());
          return 1;
        }
      }
      const double gbs = static_cast<double>(bytes) / best * 1e-9;
      const double tops = 2e-12 * static_cast<double>(rows) * static_cast<double>(outputs) * kColumns / best;
      if (rows <= 4)
        std::printf(" N=%lld %5.1f GB/s (%2.0f%%)", static_cast<long long>(rows), gbs, 100 * gbs / read);
      else
        std::printf(" N=%lld %5.3f TOP/s", static_cast<long long>(rows), tops);
      if (rows > 4 && peak > 0) std::printf(" (%2.0f%%)", 100 * tops / peak);
      std::fflush(stdout);
    }
    std::printf("\n");
  }
  return 0;
}

}  // namespace
}  // namespace scout

int main(int argc, char** argv) { return scout::Main(argc, argv); }
