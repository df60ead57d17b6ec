// The probes' host side: the best of a few rounds, by the host's clock around enough work for it to be exact.
#include <algorithm>
#include <chrono>

#include "gpu/arguments.h"
#include "gpu/device.h"

namespace scout::gpu {
namespace {

constexpr int kRounds = 5;
constexpr unsigned kThreads = 256;

template <typename Work>
double BestSeconds(const Work& work) {
  work();  // the first is slower
  double best = 0;
  for (int i = 0; i < kRounds; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    if (i == 0 || seconds.count() < best) best = seconds.count();
  }
  return std::max(best, 1e-9);
}

}  // namespace

ProbeFigures Probe(const std::shared_ptr<Device>& device, uint64_t copy_bytes, int32_t matrix_rounds) {
  const KernelTable& kernels = device->driver().Kernels();
  ProbeFigures figures;
  constexpr unsigned kGrid = 4096;
  {
    const uint64_t pieces = std::max<uint64_t>(copy_bytes / 16, 1);
    const DeviceBlock from(device, pieces * 16, false, "a probe"), to(device, pieces * 16, false, "a probe");
    const ProbeCopyArgs args{from.data(), to.data(), static_cast<int64_t>(pieces)};
    const auto grid = static_cast<unsigned>(std::min<uint64_t>(kGrid, (pieces + kThreads - 1) / kThreads));
    const double seconds =
        BestSeconds([&] { device->Launch("a probe", kernels.probe_copy, kThreads, 0, &args, sizeof args, grid); });
    figures.copy_bytes_per_s = 2.0 * static_cast<double>(pieces) * 16 / seconds;  // read and written
  }
  {
    const unsigned grid = matrix_rounds < 1000 ? 2 : kGrid;
    const DeviceBlock out(device, size_t{grid} * kThreads * 4 + 256, false, "a probe");
    ProbeMatrixArgs args{};
    args.out = reinterpret_cast<int32_t*>(out.data());
    args.tile_operations = reinterpret_cast<int32_t*>(out.data() + size_t{grid} * kThreads * 4);
    args.rounds = matrix_rounds;
    const size_t shared = 4 * 12 * (16 + 16 * kProbeTiles) + 32;
    const double seconds =
        BestSeconds([&] { device->Launch("a probe", kernels.probe_matrix, kThreads, shared, &args, sizeof args, grid); });
    int32_t of_tile = 0;
    device->Download(&of_tile, args.tile_operations, sizeof of_tile);
    figures.matrix_ops_per_s = static_cast<double>(of_tile) * kProbeTiles * matrix_rounds * grid *
                               (kThreads / static_cast<unsigned>(kernels.warp)) / seconds;
  }
  return figures;
}

}  // namespace scout::gpu
