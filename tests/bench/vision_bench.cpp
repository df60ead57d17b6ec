// Tiles through a tower of the real shape, beside what the processor can do at that moment; questions about a picture.
//
//   vision_bench [--threads N] [--isa NAME] [--layers N] [--tiles N] [--pictures N] [--rounds N] [--type BF16|F16]
//                [--fast none|auto|all] [--model TEXT.gguf --projector MMPROJ.gguf [--questions 1]]
//
// Prints for each round the time of a tile, TFLOP/s, and that over the probes of bf16 and f32 (examples/cli/probes.h) taken just
// before and after in this process. Without files the weights are random and made as they are read; --layers 34 is the real tower
// (1.7 GB), less is quicker and nearly the same. --pictures: so many of --tiles each go together. With --questions 1 an engine is
// asked about the picture: the time to the first token of the first question, of another one behind the same picture (its keys and
// values are there), and of one with other text before it (its features are there). With --fast the numerics are fast, and the
// library in the plug-in libscout-onednn.so of this build serves no product, those that it is used for, or all that it can.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>

#include "base/cpu_features.h"
#include "engine/engine.h"
#include "io/checkpoint.h"
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

// Seconds to the first token of `before` tokens of text, the picture, `after` tokens.
double Ask(engine::Engine& engine, const engine::Picture& tiles, int64_t rows, int64_t before, int64_t after, int32_t salt) {
  std::vector<int32_t> prompt;
  const auto text = [&](int64_t count, int32_t of) {
    for (int64_t i = 0; i < count; ++i) prompt.push_back(static_cast<int32_t>(1000 + (of + 7919 * i) % 5000));
  };
  text(before, before == 16 ? 1 : salt);
  engine::Picture picture = tiles;
  picture.patches = {{static_cast<int64_t>(prompt.size()), rows}};
  prompt.insert(prompt.end(), static_cast<size_t>(rows), 92);
  text(after, salt);
  engine::RequestOptions options;
  options.max_tokens = 1;
  const double start = Seconds();
  const auto request = engine.Submit(prompt, {picture}, options);
  while (engine.Step(1000000)) {
  }
  const double seconds = Seconds() - start;
  engine::Event event;
  for (;;) {
    const engine::Next next = engine.NextEvent(*request, 0, event);
    if (next != engine::Next::kEvent) break;
    if (event.stop == engine::StopReason::kError) std::printf("failed: %s\n", std::string(event.message).c_str());
  }
  return seconds;
}

void AskQuestions(const model::Model& model, std::vector<uint8_t> pixels) {
  const auto tiles = static_cast<int64_t>(pixels.size()) / model.vision()->tile_bytes();
  const int64_t rows = tiles * model.vision()->feature_rows(), positions = rows + 256;
  model::RunnerOptions runner;
  runner.max_rows = 512;
  for (int g = 0; g < kPageGroups; ++g) {
    if (model.BytesPerPosition(g, runner.k_format, runner.v_format) > 0)
      runner.page_count[static_cast<size_t>(g)] = 2 * (positions / runner.page_size + 2);
  }
  engine::EngineOptions options;
  options.mode = engine::Mode::kStepped;
  options.step_rows = options.decode_step_rows = runner.max_rows;
  const auto engine = engine::Engine::Make(model.NewRunner(runner), nullptr, {}, model.fingerprint(), options, model.NewVision({}));
  engine::Picture picture;
  picture.tiles = std::make_shared<const std::vector<uint8_t>>(std::move(pixels));
  picture.key[0] = 1;
  const double first = Ask(*engine, picture, rows, 16, 16, 2), second = Ask(*engine, picture, rows, 16, 16, 3),
               elsewhere = Ask(*engine, picture, rows, 24, 16, 4);
  std::printf(
      "first token, %lld tiles, %lld patches: first question %.2f s, second %.2f s (%.3f of it), after other text %.2f s (%.3f)\n",
      static_cast<long long>(tiles), static_cast<long long>(rows), first, second, second / first, elsewhere, elsewhere / first);
  std::printf("  %lld pictures encoded\n", static_cast<long long>(engine->Stats().pictures));
}

int Run(int argc, char** argv) {
  int threads = UsableThreads(), layers = 34, tiles = 1, pictures = 1, rounds = 3, questions = 0;
  DType format = DType::kBF16;
  std::string path;
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
    else if (name == "--pictures")
      pictures = std::atoi(argv[i + 1]);
    else if (name == "--rounds")
      rounds = std::atoi(argv[i + 1]);
    else if (name == "--questions")
      questions = std::atoi(argv[i + 1]);
    else if (name == "--type")
      format = std::string(argv[i + 1]) == "F16" ? DType::kF16 : DType::kBF16;
    else if (name == "--model")
      path = argv[i + 1];
    else if (name == "--fast") {
      options.backend.numerics = Numerics::kFast;
      options.backend.products = std::string(argv[i + 1]) == "auto" ? "" : argv[i + 1];
    } else if (name == "--projector")
      options.projector = argv[i + 1];
    else
      return std::fprintf(stderr, "unknown option %s\n", argv[i]), 2;
  }
  options.device = "cpu";
  options.vision = true;
  options.backend.threads = threads;
  options.backend.plugins = SCOUT_PLUGINS;
  model::LoadProgress progress;
  std::shared_ptr<const io::Checkpoint> checkpoint;
  if (path.empty())
    checkpoint = std::make_shared<test::RealVision>(format, layers);
  else
    checkpoint = io::OpenCheckpoint(path, {});
  const auto loaded = model::Model::Load(checkpoint, options, progress);
  const auto tower = loaded->NewVision({});
  std::vector<uint8_t> pixels;
  for (int t = 0; t < tiles; ++t) {
    const auto tile = test::RealVision::Tile();
    pixels.insert(pixels.end(), tile.begin(), tile.end());
  }
  const double operations = Operations(*loaded->vision()) * tiles * pictures;
  const probes::Probes probes(threads, size_t{64} << 20);
  std::printf("%s, %lld layers, %d pictures of %d tiles together, at most %lld tiles at once\n",
              loaded->device().description.c_str(), static_cast<long long>(loaded->vision()->layers), pictures, tiles,
              static_cast<long long>(tower->tiles_at_once()));
  probes::Peaks before = probes.Measure();
  for (int round = 0; round < rounds; ++round) {
    const double start = Seconds();
    (void)test::SeePictures(*tower, std::vector<std::span<const uint8_t>>(static_cast<size_t>(pictures), pixels));
    const double seconds = Seconds() - start;
    const probes::Peaks after = probes.Measure();
    const double bf16 = (before.bf16_ops + after.bf16_ops) / 2, f32 = (before.f32_ops + after.f32_ops) / 2,
                 rate = operations / seconds;
    std::printf("%8.3f s, %.3f s a tile  %.3f TFLOP/s  %.2f of bf16 (%.3f)  %.2f of f32 (%.3f)\n", seconds,
                seconds / tiles / pictures, rate * 1e-12, bf16 > 0 ? rate / bf16 : 0.0, bf16 * 1e-12, rate / f32, f32 * 1e-12);
    before = after;
  }
  if (questions > 0) AskQuestions(*loaded, std::move(pixels));
  return 0;
}

}  // namespace
}  // namespace scout

int main(int argc, char** argv) { return scout::Run(argc, argv); }
