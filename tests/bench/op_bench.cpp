// Every operation of the cpu backend beside what the machine could do at that moment (google-benchmark).
//
//   op_bench [--threads N] [--isa NAME] [--mb SIZE] [--rows N,N,...] [--cpu-time] [--probe-mb SIZE] [--fast none|auto|all]
//   [FORMAT...]
//            [google-benchmark's own options]
//
// Linear takes a matrix of about SIZE MiB (default 256; larger than the caches) in each FORMAT (default: all) with 1 and with more
// rows; Experts sixteen of them. The other operations work on rows as wide as Scout's. Columns:
//
//   Time               mean of the iterations, wall time (with --cpu-time, of use with one thread, the process's own, which a busy
//                      machine disturbs less)
//   GB/s, of_read      bytes that must be read / time, and that by the read probe; for operations whose rows stay in the caches
//                      it may be above 1
//   TOPS, of_peak      products and sums / time, and that by the probe of their kind: int8 for quantised weights, bf16 for F16 and
//                      BF16 ones, f32 for the rest
//
// With --fast the numerics are fast, and the library in the plug-in libscout-onednn.so of this build serves no product, those that
// it is used for, or all that it can.
//
// These count the best iteration. The probes run in this process just before (examples/cli/probes.h); --probe-mb bounds the memory
// that is read.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/cpu_features.h"
#include "probes.h"
#include "support/plan_builder.h"

namespace scout {
namespace {

constexpr int64_t kWidth = 5120, kHeads = 40, kKvHeads = 8, kHeadDim = 128, kVocabulary = 202048, kExperts = 16;

struct Options {
  int threads = UsableThreads();
  std::string isa;
  size_t megabytes = 256;
  std::vector<int64_t> rows = {1, 2, 4, 16, 64, 512};
  std::vector<std::string> formats;
  bool cpu_time = false;
  size_t probe_megabytes = 0;
  Numerics numerics = Numerics::kInvariant;
  std::string products;
} g_options;

double Clock(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}
double Seconds() { return Clock(g_options.cpu_time ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC); }

Backend& Cpu() {
  static const auto backend =
      MakeBackend("cpu", {g_options.threads, g_options.numerics, g_options.isa, g_options.products, SCOUT_PLUGINS});
  return *backend;
}

// Not older than two seconds.
const probes::Peaks& PeaksNow() {
  static const probes::Probes probes(g_options.threads, g_options.probe_megabytes << 20);
  static probes::Peaks peaks;
  static double taken = -10;
  if (Clock(CLOCK_MONOTONIC) - taken > 2) {
    peaks = probes.Measure();
    taken = Clock(CLOCK_MONOTONIC);
  }
  return peaks;
}

bool g_failed = false;

// Cheap random codes; every 16-bit word that may be a float scale is made a small one by clearing its exponent's top bits. Float
// weights are around 1 in magnitude, for a processor takes much longer over numbers that are nearly 0.
class BlockSource final : public WeightSource {
 public:
  BlockSource(size_t bytes, DType format)
      : bytes_(bytes), value_bytes_(InfoOf(format).values_per_block == 1 ? InfoOf(format).bytes_per_block : 0) {}
  uint64_t size_bytes() const override { return bytes_; }
  void Read(uint64_t offset, std::span<std::byte> out) const override {
    uint64_t state = offset * 0x9e3779b97f4a7c15ull + 1;
    for (std::byte& byte : out) {
      state = state * 6364136223846793005ull + 1442695040888963407ull;
      byte = static_cast<std::byte>(state >> 56 & 0x3f);
    }
    for (size_t at = value_bytes_; value_bytes_ > 0 && at <= out.size(); at += value_bytes_)
      out[at - 1] = (out[at - 1] & std::byte{0x03}) | ((out[at - 2] & std::byte{1}) << 7) | std::byte{0x3c};
  }

 private:
  size_t bytes_;
  size_t value_bytes_;  // of a float value; 0 for blocks
};

std::unique_ptr<Weight> MakeWeight(WeightRole role, DType format, int64_t rows, int64_t cols, int64_t experts = 1) {
  const size_t bytes = RowBytes(format, static_cast<uint64_t>(cols)) * static_cast<size_t>(rows);
  WeightDesc desc;
  desc.role = role;
  desc.name = "random";
  desc.experts = experts;
  desc.parts.push_back(
      {format, rows, cols, false, cols, 0, {std::make_shared<BlockSource>(bytes * static_cast<size_t>(experts), format)}, bytes});
  return Cpu().PrepareWeight(desc);
}

// Rows of a buffer of their own, filled with numbers around zero, sums of twelve even ones: as good as normal, as activations
// nearly are. How long a run of codes may be added up in 16 bits depends on that.
class Rows {
 public:
  Rows(int64_t rows, int64_t cols)
      : buffer_(Cpu().Alloc(MemoryKind::kWorkspace, static_cast<size_t>(rows * cols) * 4)), rows_(rows), cols_(cols) {
    std::vector<float> x(static_cast<size_t>(rows * cols));
    uint64_t state = 1;
    for (float& value : x) {
      value = -6;
      for (int i = 0; i < 12; ++i) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        value += static_cast<float>(state >> 40) * 0x1p-24f;
      }
    }
    Cpu().Upload(*buffer_, 0, std::as_bytes(std::span(x)));
  }
  operator Act() const { return {buffer_.get(), 0, rows_, cols_}; }  // NOLINT: reads as an argument
  template <typename T>
  void Fill(const std::vector<T>& values) {
    Cpu().Upload(*buffer_, 0, std::as_bytes(std::span(values)));
  }

 private:
  std::unique_ptr<Buffer> buffer_;
  int64_t rows_, cols_;
};

StepPlan PlanOf(int64_t rows) {
  StepPlan plan;
  for (int64_t i = 0; i < rows; ++i) plan.token.push_back(static_cast<int32_t>(i * 7919 % 32768));
  return plan;
}

struct Cost {
  double bytes = 0, ops = 0, peak = 0;  // peak: of the kind of operations, per second
};

// Times operation() as a step of its own under `plan`.
template <typename Operation>
void Measure(benchmark::State& state, const StepPlan& plan, const Cost& cost, const Operation& operation) {
  double best = 1e30;
  for (auto _ : state) {
    Cpu().BeginStep(plan);
    const double start = Seconds();
    operation();
    const double took = Seconds() - start;
    if (const auto error = Cpu().EndStep()) {
      g_failed = true;
      state.SkipWithError(error->what());
      return;
    }
    best = std::min(best, took);
    state.SetIterationTime(took);
  }
  const double read = PeaksNow().read_bytes;
  state.counters["GB/s"] = cost.bytes / best * 1e-9;
  state.counters["of_read"] = cost.bytes / best / read;
  if (cost.ops == 0) return;
  state.counters["TOPS"] = cost.ops / best * 1e-12;
  if (cost.peak > 0) state.counters["of_peak"] = cost.ops / best / cost.peak;
}

double PeakOf(DType format) {
  const probes::Peaks& peaks = PeaksNow();
  if (format == DType::kF32) return peaks.f32_ops;
  if (InfoOf(format).values_per_block == 1) return std::max(peaks.bf16_ops, peaks.f32_ops);
  return peaks.int8_ops;
}

// One weight at a time is kept: benchmarks of a format follow each other.
const Weight& LinearWeight(DType format) {
  static DType kept = DType::kUnknown;
  static std::unique_ptr<Weight> weight;
  if (kept != format) {
    weight.reset();
    const size_t row_bytes = RowBytes(format, kWidth);
    weight =
        MakeWeight(WeightRole::kLinear, format, static_cast<int64_t>((g_options.megabytes << 20) / row_bytes / 32 * 32), kWidth);
    kept = format;
  }
  return *weight;
}

void Linear(benchmark::State& state, DType format, int64_t n) {
  const Weight& weight = LinearWeight(format);
  const Rows in(n, kWidth), out(n, weight.rows());
  const double values = static_cast<double>(weight.rows()) * kWidth;
  const double bytes = static_cast<double>(RowBytes(format, kWidth)) * static_cast<double>(weight.rows());
  Measure(state, PlanOf(n), {bytes, 2 * values * static_cast<double>(n), PeakOf(format)}, [&] {
    Cpu().Linear({in, &weight, Epilogue::kStore, out});
  });
}

// Rows spread evenly over sixteen experts, none of them shared.
void Experts(benchmark::State& state, DType format, int64_t n) {
  const int64_t hidden =
      std::max<int64_t>(1, static_cast<int64_t>((g_options.megabytes << 20) / (3 * kExperts * RowBytes(format, kWidth)) / 256)) *
      256;
  const auto gate_up = MakeWeight(WeightRole::kExperts, format, 2 * hidden, kWidth, kExperts);
  const auto down = MakeWeight(WeightRole::kExperts, format, kWidth, hidden, kExperts);
  const Rows in(n, kWidth), residual(n, kWidth), gates(n, 1);
  Rows ids(n, 1);
  std::vector<int32_t> chosen;
  for (int64_t i = 0; i < n; ++i) chosen.push_back(static_cast<int32_t>(i * 5 % kExperts));
  ids.Fill(chosen);
  const double values = 3.0 * static_cast<double>(hidden) * kWidth;  // of an expert
  const double expert_bytes = static_cast<double>(gate_up->size_bytes() + down->size_bytes()) / kExperts;
  Measure(state, PlanOf(n),
          {expert_bytes * static_cast<double>(std::min(n, kExperts)), 2 * values * static_cast<double>(n), PeakOf(format)}, [&] {
            Cpu().Experts({in, ids, gates, gate_up.get(), down.get(), nullptr, nullptr, 0, kExperts, residual});
          });
}

// `rows` new positions of one sequence after `depth` old ones, in f16 pages; what is timed is attention or the op that fills the
// pages.
void Paged(benchmark::State& state, int64_t depth, int64_t rows, bool attention) {
  PageGroupSpec spec;
  spec.layers = 1;
  spec.page_size = 64;
  spec.kv_heads = kKvHeads;
  spec.head_dim = kHeadDim;
  spec.k_format = spec.v_format = DType::kF16;
  spec.page_count = (depth + rows + 63) / 64;
  const auto pages = Cpu().AllocPages(spec);
  std::vector<std::byte> page(Cpu().PageBytes(*pages));
  for (size_t i = 0; i < page.size(); ++i) page[i] = static_cast<std::byte>(i % 2 == 0 ? i * 37 : 0x30 | (i & 0x80));
  for (int64_t i = 0; i < spec.page_count; ++i) Cpu().WritePage(*pages, i, page);
  test::PagePools pools({0, spec.page_count});
  test::SequencePlanner planner(pools, {PageGeometry{64, 0}, PageGeometry{64, 0}});
  if (depth > 0) planner.Next(std::vector<int32_t>(static_cast<size_t>(depth)), test::WantLogits::kNone);
  const StepPlan plan = planner.Next(std::vector<int32_t>(static_cast<size_t>(rows)), test::WantLogits::kNone);
  const Rows q(rows, kHeads * kHeadDim);
  if (attention) {
    const Rows out(rows, kHeads * kHeadDim);
    double pairs = 0;
    for (int64_t i = 0; i < rows; ++i) pairs += static_cast<double>(depth + i + 1);
    const double bytes = static_cast<double>((depth + rows) * 2 * kKvHeads * kHeadDim * 2);
    Measure(state, plan, {bytes, 4.0 * kHeads * kHeadDim * pairs, PeaksNow().f32_ops}, [&] {
      Cpu().Attention({q, pages.get(), kGlobalPages, 0, kHeads, 0.0883883476f, AttentionMask::kCausal, out, {}});
    });
    return;
  }
  const Rows qkv(rows, (kHeads + 2 * kKvHeads) * kHeadDim);
  const std::vector<float> inv_freq(kHeadDim / 2, 0.01f);
  Measure(state, plan, {static_cast<double>(rows * (kHeads + 2 * kKvHeads) * kHeadDim * 4), 0, 0}, [&] {
    Cpu().RopeNormStore({qkv, q, pages.get(), kGlobalPages, 0, kHeads, true, inv_freq, true, 1e-5f, 0, 0});
  });
}

void MergeAttention(benchmark::State& state, int64_t rows) {
  const Rows a(rows, kHeads * kHeadDim), b(rows, kHeads * kHeadDim), lse_a(rows, kHeads), lse_b(rows, kHeads),
      out(rows, kHeads * kHeadDim);
  const std::array<Act, 2> partial = {a, b}, lse = {lse_a, lse_b};
  Measure(state, PlanOf(rows), {static_cast<double>(2 * rows * kHeads * (kHeadDim + 1) * 4), 0, 0}, [&] {
    Cpu().MergeAttention({partial, lse, kHeads, out, {}});
  });
}

void RmsNorm(benchmark::State& state, int64_t rows) {
  const auto weight = MakeWeight(WeightRole::kVector, DType::kF32, 1, kWidth);
  const Rows in(rows, kWidth), out(rows, kWidth);
  Measure(state, PlanOf(rows), {static_cast<double>(rows * kWidth * 4), 0, 0}, [&] {
    Cpu().RmsNorm({in, weight.get(), 1e-5f, out});
  });
}

void Route(benchmark::State& state, int64_t rows) {
  const auto router = MakeWeight(WeightRole::kRouter, DType::kF32, kExperts, kWidth);
  const Rows in(rows, kWidth), ids(rows, 1), gates(rows, 1);
  Measure(state, PlanOf(rows),
          {static_cast<double>((rows + kExperts) * kWidth * 4), 2.0 * kExperts * kWidth * static_cast<double>(rows),
           PeaksNow().f32_ops},
          [&] {
            Cpu().Route({in, router.get(), 1, ids, gates});
          });
}

void Embed(benchmark::State& state, DType format, int64_t rows) {
  const auto table = MakeWeight(WeightRole::kEmbedding, format, 32768, kWidth);
  const Rows out(rows, kWidth);
  Measure(state, PlanOf(rows), {static_cast<double>(rows) * static_cast<double>(RowBytes(format, kWidth)), 0, 0}, [&] {
    Cpu().Embed({table.get(), out});
  });
}

void Sample(benchmark::State& state, int64_t rows, int32_t candidates) {
  const Rows logits(rows, kVocabulary);
  std::vector<SampleRow> wanted(static_cast<size_t>(rows));
  for (int64_t i = 0; i < rows; ++i) {
    wanted[static_cast<size_t>(i)].row = static_cast<int32_t>(i);
    wanted[static_cast<size_t>(i)].candidates = candidates;
  }
  std::vector<SampleResult> results(wanted.size());
  Measure(state, PlanOf(rows), {static_cast<double>(rows * kVocabulary * 4), 0, 0}, [&] {
    Cpu().Sample({logits, wanted}, results);
  });
}

template <typename Body>
void Register(const std::string& name, const Body& body) {
  benchmark::RegisterBenchmark(name.c_str(), body)->UseManualTime()->MeasureProcessCPUTime()->Unit(benchmark::kMicrosecond);
}

void RegisterAll() {
  for (const DType format : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1,
                             DType::kQ8_0, DType::kQ2_K, DType::kQ3_K, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K}) {
    const std::string name(InfoOf(format).name);
    const auto& wanted = g_options.formats;
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), name) == wanted.end()) continue;
    for (const int64_t n : g_options.rows)
      Register("Linear/" + name + "/rows:" + std::to_string(n), [=](auto& s) { Linear(s, format, n); });
    if (format != DType::kQ4_K && format != DType::kQ6_K && (format != DType::kBF16 || wanted.empty())) continue;
    for (const int64_t n : g_options.rows)
      Register("Experts/" + name + "/rows:" + std::to_string(n), [=](auto& s) { Experts(s, format, n); });
    Register("Embed/" + name + "/rows:512", [=](auto& s) { Embed(s, format, 512); });
  }
  if (!g_options.formats.empty()) return;
  for (const auto& [depth, rows] : std::map<int64_t, int64_t>{{0, 512}, {4096, 1}, {16384, 1}, {16385, 512}})
    Register("Attention/depth:" + std::to_string(depth) + "/rows:" + std::to_string(rows),
             [d = depth, r = rows](auto& s) { Paged(s, d, r, true); });
  for (const int64_t n : {1, 512}) {
    const std::string rows = "/rows:" + std::to_string(n);
    Register("RopeNormStore" + rows, [=](auto& s) { Paged(s, 0, n, false); });
    Register("MergeAttention" + rows, [=](auto& s) { MergeAttention(s, n); });
    Register("RmsNorm" + rows, [=](auto& s) { RmsNorm(s, n); });
    Register("Route" + rows, [=](auto& s) { Route(s, n); });
  }
  for (const int64_t n : {1, 32})
    for (const int32_t candidates : {1, 64})
      Register("Sample/candidates:" + std::to_string(candidates) + "/rows:" + std::to_string(n),
               [=](auto& s) { Sample(s, n, candidates); });
}

// Our own words are taken out; false where one is not understood.
bool ReadOptions(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const char* const value = i + 1 < argc ? argv[i + 1] : "";
    if (argument == "--threads") {
      g_options.threads = std::atoi(value), ++i;
    } else if (argument == "--isa") {
      g_options.isa = value, ++i;
    } else if (argument == "--mb") {
      g_options.megabytes = static_cast<size_t>(std::atoi(value)), ++i;
    } else if (argument == "--probe-mb") {
      g_options.probe_megabytes = static_cast<size_t>(std::atoi(value)), ++i;
    } else if (argument == "--fast") {
      g_options.numerics = Numerics::kFast;
      g_options.products = value == std::string("auto") ? "" : value, ++i;
    } else if (argument == "--cpu-time") {
      g_options.cpu_time = true;
    } else if (argument == "--rows") {
      g_options.rows.clear();
      for (const char* at = value; *at;) {
        char* end = nullptr;
        g_options.rows.push_back(std::strtoll(at, &end, 10));
        if (end == at || g_options.rows.back() < 1) return false;
        at = *end == ',' ? end + 1 : end;
      }
      ++i;
    } else if (argument.starts_with("-")) {
      return false;
    } else {
      g_options.formats.push_back(argument);
    }
  }
  return g_options.threads > 0 && g_options.megabytes > 0;
}

int Main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (!ReadOptions(argc, argv)) {
    std::fprintf(
        stderr,
        "usage: op_bench [--threads N] [--isa NAME] [--mb SIZE] [--rows N,N,...] [--cpu-time] [--fast none|auto|all] [FORMAT...] "
        "[--benchmark_...]\n");
    return 2;
  }
  const probes::Peaks& peaks = PeaksNow();
  benchmark::AddCustomContext("device", Cpu().Info().description);
  char text[160];
  std::snprintf(text, sizeof text, "read %.1f GB/s, int8 %.2f TOPS, bf16 %.2f TFLOP/s, f32 %.2f TFLOP/s", 1e-9 * peaks.read_bytes,
                1e-12 * peaks.int8_ops, 1e-12 * peaks.bf16_ops, 1e-12 * peaks.f32_ops);
  benchmark::AddCustomContext("probes", text);
  RegisterAll();
  benchmark::RunSpecifiedBenchmarks();
  return g_failed ? 1 : 0;
}

}  // namespace
}  // namespace scout

int main(int argc, char** argv) { return scout::Main(argc, argv); }
