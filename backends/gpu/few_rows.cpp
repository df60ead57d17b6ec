#include "gpu/few_rows.h"

#include <algorithm>
#include <array>
#include <utility>

namespace scout::gpu {
namespace {

// In all, what is fetched ahead of the chosen experts' weights: what the blocks of the next launch begin with, and little beside a
// device's second level cache.
constexpr int64_t kAheadBytes = int64_t{4} << 20;
constexpr int32_t kFetchBlocks = 8;

// What weights want of the rows that meet them.
struct Wanted {
  bool values = false, per32 = false, per256 = false;
};
Wanted WantedBy(const Step& step, const DeviceWeight& weight) {
  Wanted wanted;
  for (const DeviceWeight::Part& part : weight.parts()) {
    const int at = BlockFormat(part.format);
    bool& one = at < 0 ? wanted.values : step.kernels().blocks[at].group == 32 ? wanted.per32 : wanted.per256;
    one = true;
  }
  return wanted;
}

RowCodes CodesFor(Step& step, int64_t rows, int64_t k, int64_t group) {
  RowCodes codes;
  codes.codes = step.Temporary<int8_t>(rows * k);
  codes.scales = step.Temporary<float>(rows * k / group);
  codes.sums = step.Temporary<int16_t>(rows * k / (group == 32 ? 32 : 16));
  return codes;
}
RowTargets TargetsFor(Step& step, const Wanted& wanted, int64_t rows, int64_t k) {
  RowTargets targets{};
  if (wanted.values) targets.values = step.Temporary<float>(rows * k);
  if (wanted.per32) targets.per32 = CodesFor(step, rows, k, 32);
  if (wanted.per256) targets.per256 = CodesFor(step, rows, k, 256);
  return targets;
}

void LaunchNorm(Step& step, const RmsNormOp& op, const RowTargets& out) {
  step.Launch("rms norm", step.kernels().rms_norm, op.in.rows, 1, kThreads, 16 + 4 * static_cast<size_t>(op.in.cols),
              RmsNormArgs{DeviceF32(op.in), VectorOf(op.weight), static_cast<int32_t>(op.in.cols), op.eps, out}, Start::kEarly);
}

// `in` as the weights want it: out of the norm that was put off, where it gives it, else by rounding it now.
RowTargets Rows(Step& step, const Act& in, const Wanted& wanted) {
  RowTargets rows = TargetsFor(step, {false, wanted.per32, wanted.per256}, in.rows, in.cols);
  rows.values = DeviceF32(in);
  if (const auto norm = std::exchange(step.put_off().norm, std::nullopt)) {
    if (DeviceF32(norm->out) == rows.values && norm->out.cols == in.cols && norm->out.rows == in.rows) {
      LaunchNorm(step, *norm, rows);
      return rows;
    }
    LaunchNorm(step, *norm, {DeviceF32(norm->out), {}, {}});
  }
  const auto round = [&](const void* kernel, const RowCodes& to, int64_t group) {
    const int64_t groups = in.rows * in.cols / group;
    if (to.codes)
      step.Launch("rounding activations", kernel, (groups + 7) / 8, 1, kThreads, 0,
                  QuantizeArgs{rows.values, groups, to.codes, to.scales, to.sums}, Start::kEarly);
  };
  round(step.kernels().quantize32, rows.per32, 32);
  round(step.kernels().quantize256, rows.per256, 256);
  return rows;
}

FewWeight WeightOf(const Step& step, const DeviceWeight& weight, const DeviceWeight::Part& part, const RowTargets& in) {
  const int at = BlockFormat(part.format);
  FewWeight out{};
  out.weight = part.block.data();
  out.row_bytes = static_cast<int64_t>(part.row_bytes);
  out.expert_bytes = static_cast<int64_t>(part.expert_bytes);
  out.format = at >= 0 ? at : kBlockFormats + FloatFormat(part.format);
  out.k = static_cast<int32_t>(weight.cols());
  out.values = in.values;
  if (at < 0) return out;
  const RowCodes& codes = step.kernels().blocks[at].group == 32 ? in.per32 : in.per256;
  out.codes = codes.codes;
  out.scales = codes.scales;
  out.sums = codes.sums;
  return out;
}

// One launch, or several where there are more jobs than fit.
class FewLaunch {
 public:
  FewLaunch(Step& step, const char* what, int64_t rows) : step_(step), what_(what) { args_.n = static_cast<int32_t>(rows); }
  FewArgs& args() { return args_; }

  void Add(FewJob job) {
    const bool floats = (job.dense.weight ? job.dense : job.routed).format >= kBlockFormats;
    if (args_.jobs == kMostFewJobs || (args_.jobs > 0 && floats_ != floats)) Launch();
    floats_ = floats;
    const int64_t outputs = floats ? step_.kernels().value_outputs : step_.kernels().few_outputs;
    job.tiles = job.routed.weight ? args_.n : (args_.n + kFewRows - 1) / kFewRows;
    const int64_t blocks = (job.rows + outputs - 1) / outputs * job.tiles * (job.apart ? args_.top_k : 1);
    SCOUT_CHECK(blocks <= 0x7fffffff - blocks_, "a launch of too many blocks");
    job.blocks = static_cast<int32_t>(blocks);
    blocks_ += blocks;
    for (const FewWeight* weight : {&job.dense, &job.routed}) {
      if (!weight->weight || weight->format >= kBlockFormats) continue;
      const KernelTable::BlockFormat& format = step_.kernels().blocks[weight->format];
      args_.terms = std::max(args_.terms, format.few_terms);
      args_.staged = std::max(args_.staged, format.few_staged);
    }
    args_.job[args_.jobs++] = job;
  }
  // Every part of a weight, with its outputs side by side.
  void Add(const DeviceWeight& weight, const RowTargets& in, float* out, bool add) {
    for (const DeviceWeight::Part& part : weight.parts()) {
      FewJob job = Outputs(weight, part, out);
      job.dense = WeightOf(step_, weight, part, in);
      job.add = add;
      Add(job);
    }
  }
  void AddChoices(const DeviceWeight& weight, const RowTargets& in, float* out) {
    for (const DeviceWeight::Part& part : weight.parts()) {
      FewJob job = Outputs(weight, part, out);
      job.routed = WeightOf(step_, weight, part, in);
      job.apart = true;
      Add(job);
    }
  }
  FewJob Outputs(const DeviceWeight& weight, const DeviceWeight::Part& part, float* out) const {
    FewJob job{};
    job.rows = static_cast<int32_t>(part.rows);
    job.out = out + part.first_row;
    job.out_cols = static_cast<int32_t>(weight.rows());
    return job;
  }

  void SwiGlu(const float* both, int64_t rows, int64_t width, const RowTargets& out) {
    args_.both = both;
    args_.width = static_cast<int32_t>(width);
    args_.hidden = out;
    args_.swiglu_blocks = static_cast<int32_t>(rows * ((width + kSwiGluValues - 1) / kSwiGluValues));
  }
  // What a later launch reads of the experts that were chosen.
  void FetchAhead(const DeviceWeight& experts, int64_t slots) {
    const auto parts = std::min<size_t>(experts.parts().size(), std::size(args_.ahead));
    for (size_t i = 0; i < parts; ++i) {
      const DeviceWeight::Part& part = experts.parts()[i];
      args_.ahead[i] = part.block.data();
      args_.ahead_expert_bytes[i] = static_cast<int64_t>(part.expert_bytes);
      args_.ahead_bytes[i] = std::min(args_.ahead_expert_bytes[i], kAheadBytes / (slots * static_cast<int64_t>(parts)));
    }
  }

  void Launch() {
    const int64_t blocks = blocks_ + args_.route_blocks + args_.swiglu_blocks + args_.fetch_blocks;
    const size_t sums = (4 * static_cast<size_t>(args_.terms) + 15) / 16 * 16 + 16 * static_cast<size_t>(args_.staged);
    const size_t logits = args_.route_blocks > 0 && args_.router ? 4 * static_cast<size_t>(args_.experts) + 16 : 0;
    CheckShared(step_, what_, logits);
    step_.Launch(what_, step_.kernels().few_tasks[floats_], blocks, 1, kThreads, std::max(sums, logits), args_, Start::kEarly);
    args_.route_blocks = args_.swiglu_blocks = args_.fetch_blocks = args_.jobs = args_.terms = args_.staged = 0;
    blocks_ = 0;
  }

 private:
  Step& step_;
  const char* const what_;
  FewArgs args_{};
  int64_t blocks_ = 0;  // of jobs
  bool floats_ = false;
};

bool OfFloats(const DeviceWeight& weight) { return FloatFormat(weight.parts()[0].format) >= 0; }
bool SameRows(const Act& a, const Act& b) { return a.rows == b.rows && a.cols == b.cols && DeviceBytes(a) == DeviceBytes(b); }

}  // namespace

bool PutOff(Step& step, const RmsNormOp& op) {
  LaunchPutOff(step);
  if (op.in.rows > kMostFewRows) return false;
  // What is wrong with it is to be found now.
  static_cast<void>(DeviceF32(op.in));
  static_cast<void>(DeviceF32(op.out));
  step.put_off().norm = op;
  return true;
}

bool PutOff(Step& step, const RouteOp& op) {
  if (step.put_off().route || op.in.rows > kMostFewRows || op.top_k > kFewChoices) {
    LaunchPutOff(step);
    return false;
  }
  for (const Act* act : {&op.in, &op.ids, &op.gates}) static_cast<void>(DeviceBytes(*act));
  step.put_off().route = op;
  return true;
}

void LaunchPutOff(Step& step) {
  if (const auto norm = std::exchange(step.put_off().norm, std::nullopt)) LaunchNorm(step, *norm, {DeviceF32(norm->out), {}, {}});
  if (const auto route = std::exchange(step.put_off().route, std::nullopt)) LaunchRoute(step, *route);
}

bool LinearOfFewRows(Step& step, const LinearOp& op) {
  const DeviceWeight& weight = OnDevice(op.weight);
  const int64_t rows = op.in.rows;
  if (rows > kMostFewRows || weight.meets_floats() || step.put_off().route) {
    LaunchPutOff(step);
    return false;
  }
  const RowTargets in = Rows(step, op.in, WantedBy(step, weight));
  const bool adds = op.epilogue == Epilogue::kAdd, gelu = op.epilogue == Epilogue::kGelu, swiglu = op.epilogue == Epilogue::kSwiGlu;
  // With a bias the sum is finished before it is added to anything.
  const bool apart = swiglu || (adds && op.bias);
  float* const y = apart ? step.Temporary<float>(rows * weight.rows()) : DeviceF32(op.out);
  FewLaunch products(step, "products of few rows", rows);
  products.Add(weight, in, y, adds && !apart);
  products.Launch();
  if (swiglu) {
    FewLaunch product(step, "swiglu of few rows", rows);
    product.SwiGlu(y, rows, weight.rows() / 2, {DeviceF32(op.out), {}, {}});
    product.Launch();
  } else if (op.bias || gelu) {
    LaunchFinish(step, op, y, adds);
  }
  return true;
}

bool ExpertsOfFewRows(Step& step, const ExpertsOp& op) {
  const DeviceWeight &gate_up = OnDevice(op.gate_up), &down = OnDevice(op.down);
  const DeviceWeight* const shared_gate_up = op.shared_gate_up ? &OnDevice(op.shared_gate_up) : nullptr;
  const DeviceWeight* const shared_down = op.shared_gate_up ? &OnDevice(op.shared_down) : nullptr;
  const int64_t rows = op.in.rows, d = op.in.cols, top_k = op.ids.cols, slots = rows * top_k, width = down.cols();
  // The last sums of a row are made by one block of threads.
  const bool together =
      down.parts().size() == 1 && (!shared_down || (shared_down->parts().size() == 1 && OfFloats(*shared_down) == OfFloats(down)));
  const auto& route = step.put_off().route;
  const bool routes = route && SameRows(route->ids, op.ids) && SameRows(route->gates, op.gates) && SameRows(route->in, op.in) &&
                      OnDevice(route->router).rows() == gate_up.experts();
  const bool few = rows <= kMostFewRows && top_k <= kFewChoices && together;
  if (!few || (route && !routes)) LaunchPutOff(step);
  if (!few) return false;
  const RouteOp routing = routes ? *route : RouteOp{};
  step.put_off().route.reset();

  const RowTargets in = Rows(step, op.in, shared_gate_up ? WantedBy(step, *shared_gate_up) : Wanted{});
  FewArgs common{};
  common.in = in.values;
  common.router = routes ? VectorOf(routing.router) : nullptr;
  common.d = static_cast<int32_t>(d);
  common.experts = static_cast<int32_t>(gate_up.experts());
  common.top_k = static_cast<int32_t>(top_k);
  common.first_expert = op.first_expert;
  common.last_expert = op.last_expert;
  common.ids = DeviceI32(op.ids);
  common.gates = DeviceF32(op.gates);
  common.fault = step.fault();
  common.n = static_cast<int32_t>(rows);
  const auto launch = [&](const char* what) {
    FewLaunch out(step, what, rows);
    out.args() = common;
    return out;
  };

  // 1: choices, and the shared expert's first products.
  const RowTargets scaled = TargetsFor(step, WantedBy(step, gate_up), slots, d);
  const int64_t shared_width = shared_down ? shared_down->cols() : 0;
  float* const shared_both = shared_down ? step.Temporary<float>(rows * 2 * shared_width) : nullptr;
  FewLaunch first = launch("routing and gate, up of the shared expert");
  first.args().scaled = scaled;
  first.args().route_blocks = static_cast<int32_t>(rows);
  first.FetchAhead(gate_up, slots);
  if (shared_gate_up) first.Add(*shared_gate_up, in, shared_both, false);
  first.Launch();

  // 2: the chosen experts' first products.
  float* const both = step.Temporary<float>(slots * 2 * width);
  FewLaunch second = launch("gate, up of experts");
  RowTargets shared_hidden{};
  if (shared_down) {
    shared_hidden = TargetsFor(step, WantedBy(step, *shared_down), rows, shared_width);
    second.SwiGlu(shared_both, rows, shared_width, shared_hidden);
  }
  second.AddChoices(gate_up, scaled, both);
  second.Launch();

  // 3: what the last products meet, while their weights are fetched.
  const RowTargets hidden = TargetsFor(step, WantedBy(step, down), slots, width);
  FewLaunch third = launch("swiglu of experts");
  third.SwiGlu(both, slots, width, hidden);
  third.FetchAhead(down, slots);
  third.args().fetch_blocks = kFetchBlocks;
  third.Launch();

  // 4: the last products, added up.
  FewLaunch last = launch("down of experts");
  if (op.addends.buffer) {
    last.AddChoices(down, hidden, DeviceF32(op.addends));
  } else {
    FewJob job = last.Outputs(down, down.parts()[0], DeviceF32(op.residual));
    if (shared_down) job.dense = WeightOf(step, *shared_down, shared_down->parts()[0], shared_hidden);
    job.routed = WeightOf(step, down, down.parts()[0], hidden);
    job.add = true;
    last.Add(job);
  }
  last.Launch();
  return true;
}

}  // namespace scout::gpu
