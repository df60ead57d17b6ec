// One tile through a tower of the real shape, beside what the processor can do at that moment.
//
//   vision_bench [--threads N] [--isa NAME] [--layers N] [--tiles N] [--rounds N]
//
// Prints for each round the time of a tile, TFLOP/s, and that over the probes of bf16 and f32 (examples/cli/probes.h) taken just
// before and after in this process. Random BF16 weights; --layers 34 is the real tower (1.7 GB), less is quicker and nearly the
// same.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>

#include "base/cpu_features.h"
#include "model/model.h"
#include "probes.h"
#include "support/real_vision.h"
#include "support/vision.h"

namespace scout {
namespace {

double Seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Products and sums of a tile, counted as two operations each.
double Operations(const model::VisionConfig& c) {
  const auto d = static_cast<double>(c.width), rows = static_cast<double>(c.rows()),
             features = static_cast<double>(c.feature_rows());
  const double layer = rows * (4 * d * d + 2 * d * static_cast<double>(c.hidden)) + 2 * rows * rows * d;
  const double adapter = static_cast<double>(c.adapter);
  const double ends = static_cast<double>(c.patches() * c.patch_values()) * d +
                      features * adapter * (d * static_cast<double>(c.shuffle * c.shuffle) + static_cast<double>(c.adapter_out)) +
                      features * static_cast<double>(c.adapter_out * c.out);
  return 2 * (static_cast<double>(c.layers) * layer + ends);
}

int Run(int argc, char** argv) {
  int threads = UsableThreads(), layers = 34, tiles = 1, rounds = 3;
  model::LoadOptions options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--threads")
      threads = std::atoi(argv[i + 1]);
    else if (name == "--isa")
      options.backend.isa = argv[i + 1];
    else if (name == "--layers")
      layers = std::atoi(argv[i + 1]);
    else if (name == "--tiles")
      tiles = std::atoi(argv[i + 1]);
    else if (name == "--rounds")
      rounds = std::atoi(argv[i + 1]);
    else
      return std::fprintf(stderr, "unknown option %s\n", argv[i]), 2;
  }
  options.device = "cpu";
  options.vision = true;
  options.backend.threads = threads;
  model::LoadProgress progress;
  const auto loaded = model::Model::Load(std::make_shared<test::RealVision>(DType::kBF16, layers), options, progress);
  const auto tower = loaded->NewVision({});
  std::vector<uint8_t> pixels;
  for (int t = 0; t < tiles; ++t) {
    const auto tile = test::RealVision::Tile();
    pixels.insert(pixels.end(), tile.begin(), tile.end());
  }
  const double operations = Operations(*loaded->vision()) * tiles;
  const probes::Probes probes(threads, size_t{64} << 20);
  std::printf("%s, %d layers, %d tiles at a time\n", loaded->device().description.c_str(), layers, tiles);
  probes::Peaks before = probes.Measure();
  for (int round = 0; round < rounds; ++round) {
    const double start = Seconds();
    (void)test::SeeTiles(*tower, pixels);
    const double seconds = Seconds() - start;
    const probes::Peaks after = probes.Measure();
    const double bf16 = (before.bf16_ops + after.bf16_ops) / 2, f32 = (before.f32_ops + after.f32_ops) / 2,
                 rate = operations / seconds;
    std::printf("%8.3f s a tile  %.3f TFLOP/s  %.2f of bf16 (%.3f)  %.2f of f32 (%.3f)\n", seconds / tiles, rate * 1e-12,
                bf16 > 0 ? rate / bf16 : 0.0, bf16 * 1e-12, rate / f32, f32 * 1e-12);
    before = after;
  }
  return 0;
}

}  // namespace
}  // namespace scout

int main(int argc, char** argv) { return scout::Run(argc, argv); }
