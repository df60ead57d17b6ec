#include "gpu/library_products.h"

#include <algorithm>
#include <chrono>
#include <limits>

#include "base/log.h"

namespace scout::gpu {
namespace {

bool Serves(Step& step, const DeviceWeight& weight, int64_t rows) {
  if (!step.fast() || step.library_use() == LibraryUse::kNever || step.holds_back()) return false;
  if (rows <= kMostFewRows || weight.cols() % 8 != 0) return false;
  const auto& parts = weight.parts();
  return std::all_of(parts.begin(), parts.end(), [&](const DeviceWeight::Part& part) {
    return IsHalves(part.format) &&
           (step.library_use() == LibraryUse::kAlways || step.device().library_race(part.format == DType::kBF16).LibraryWins(rows));
  });
}

}  // namespace

size_t ProductsByLibrary(Step& step, const DeviceWeight& weight, const float* x, int64_t rows, float* out, bool add) {
  if (!Serves(step, weight, rows) || !step.OpenLibrary()) return 0;
  RoundedRows rounded[2];
  size_t done = 0;
  for (const DeviceWeight::Part& part : weight.parts()) {
    const bool bf16 = part.format == DType::kBF16;
    HalfProduct product;
    product.bf16 = bf16;
    product.outputs = part.rows;
    product.rows = rows;
    product.k = weight.cols();
    if (step.LibraryRefuses(product)) return done;
    RoundedRows& halves = rounded[bf16 ? 1 : 0];
    if (!halves.values) halves = LaunchRoundRows(step, FloatFormat(part.format), x, rows, weight.cols());
    // F16 rows have factors, which the library does not know.
    const bool apart = !bf16 && add;
    product.weight = part.block.data();
    product.x = halves.values;
    product.out = apart ? step.Temporary<float>(rows * part.rows) : out + part.first_row;
    product.out_cols = apart ? part.rows : weight.rows();
    product.add = add && !apart;
    if (!step.MultiplyByLibrary(product)) return done;
    if (!bf16)
      step.Launch("scaling a product", step.kernels().scale_product, rows, 1, kThreads, 0,
                  ScaleProductArgs{product.out, halves.scales, out + part.first_row, static_cast<int32_t>(part.rows),
                                   static_cast<int32_t>(product.out_cols), static_cast<int32_t>(weight.rows()), add});
    ++done;
  }
  return done;
}

LibraryRace RaceLibrary(const std::shared_ptr<Device>& device, bool bf16) {
  LibraryRace race;
  try {
    Step own(device, true, LibraryUse::kNever), by_library(device, true, LibraryUse::kAlways);
    if (!by_library.OpenLibrary()) return race;
    const RacePlan& plan = by_library.library().race;
    race.outputs = plan.outputs;
    race.k = plan.k;
    race.library = by_library.library().name;
    for (size_t size = 0; size < race.results.size(); ++size) race.results[size].rows = plan.rows[size];
    const std::function<double()> seconds = plan.seconds ? plan.seconds : [] {
      return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
    };
    const DType format = bf16 ? DType::kBF16 : DType::kF16;
    const DeviceWeight weight(device, format, plan.outputs, plan.k);
    const auto most = static_cast<size_t>(std::max(plan.rows[0], plan.rows[1]));
    DeviceBuffer in(device, 4 * most * static_cast<size_t>(plan.k), "a measurement"),
        out(device, 4 * most * static_cast<size_t>(plan.outputs), "a measurement");
    for (LibraryRace::Result& result : race.results) {
      const int64_t rows = result.rows;
      const LinearOp op{{&in, 0, rows, plan.k}, &weight, Epilogue::kStore, {&out, 0, rows, plan.outputs}};
      double best[2] = {std::numeric_limits<double>::max(), std::numeric_limits<double>::max()};
      for (int round = 0; round <= plan.rounds; ++round) {  // the first is slower, and does not count
        for (const bool library : {false, true}) {
          Step& step = library ? by_library : own;
          const double begin = seconds();
          for (int i = 0; i < plan.products; ++i) {
            step.NextOperation();
            Linear(step, op);
          }
          step.Wait();
          const double took = (seconds() - begin) / plan.products;
          if (round > 0) best[library ? 1 : 0] = std::min(best[library ? 1 : 0], took);
        }
      }
      // Without the library own kernels have run in both.
      result.own_s = best[0];
      result.failure = by_library.TakeRefusal();
      if (!device->has_library()) break;
      if (!result.failure.empty()) continue;
      result.library_s = best[1];
      Log(LogLevel::kInfo, device->name(), ": products of ", rows, " rows with ", InfoOf(format).name, " weights of ", plan.outputs,
          " x ", plan.k, ": ", race.library, " takes ", best[1] * 1e3, " ms, own kernels ", best[0] * 1e3, " ms; ",
          result.library_wins() ? race.library : "own kernels", " will serve them");
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNoMemory) throw;
    device->GiveUpLibrary(error);
  }
  if (const std::optional<Error> failure = device->library_failure())
    for (LibraryRace::Result& result : race.results)
      if (result.library_s == 0) result.failure = failure->what();
  return race;
}

}  // namespace scout::gpu
