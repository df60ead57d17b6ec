// Linear and Experts: activations are rounded once for each kind of weight that meets them, then one product for each part.
#include <algorithm>

#include "gpu/operations.h"

namespace scout::gpu {
namespace {

// Up to so many rows the weight is streamed, eight rows at a time; more are multiplied in tiles. Either gives the same bits.
constexpr int64_t kMostFewRows = 16;

struct Activations {
  int64_t rows = 0, k = 0;
  const float* values = nullptr;
  struct Codes {
    int8_t* codes = nullptr;
    float* scales = nullptr;
    int16_t* sums = nullptr;
  };
  Codes per32, per256;
};

Activations::Codes Quantize(Step& step, const float* values, int64_t rows, int64_t k, int group) {
  Activations::Codes out;
  const int64_t groups = rows * k / group;
  out.codes = step.Temporary<int8_t>(rows * k);
  out.scales = step.Temporary<float>(groups);
  out.sums = step.Temporary<int16_t>(group == 32 ? groups : 16 * groups);
  step.Launch("rounding activations", group == 32 ? step.kernels().quantize32 : step.kernels().quantize256, (groups + 7) / 8, 1,
              kThreads, 0, QuantizeArgs{values, groups, out.codes, out.scales, out.sums});
  return out;
}

Activations Prepare(Step& step, const DeviceWeight& weight, const float* values, int64_t rows) {
  Activations in;
  in.rows = rows;
  in.k = weight.cols();
  in.values = values;
  if (weight.meets_floats()) return in;
  for (const DeviceWeight::Part& part : weight.parts()) {
    const int at = BlockFormat(part.format);
    if (at < 0) continue;
    const int group = step.kernels().blocks[at].group;
    Activations::Codes& codes = group == 32 ? in.per32 : in.per256;
    if (!codes.codes) codes = Quantize(step, values, rows, in.k, group);
  }
  return in;
}

// Slots by expert, in tiles of eight and of 64 rows as the formats ask.
struct Groups {
  const int32_t* order = nullptr;
  const ProductTile* few = nullptr;
  const ProductTile* many = nullptr;
  int64_t few_tiles = 0, many_tiles = 0;
};

// out[n, o] = or += W[o] . x[n]
void Product(Step& step, const DeviceWeight& weight, const Activations& in, float* out, bool add, const Groups* groups) {
  const KernelTable& kernels = step.kernels();
  for (const DeviceWeight::Part& part : weight.parts()) {
    ProductArgs args{};
    args.weight = part.block.data();
    args.row_bytes = static_cast<int64_t>(part.row_bytes);
    args.expert_bytes = static_cast<int64_t>(part.expert_bytes);
    args.rows = static_cast<int32_t>(part.rows);
    args.k = static_cast<int32_t>(in.k);
    args.values = in.values;
    args.out = out + part.first_row;
    args.out_cols = static_cast<int32_t>(weight.rows());
    args.add = add;
    args.n = static_cast<int32_t>(in.rows);
    args.order = groups ? groups->order : nullptr;
    const int of_floats = FloatFormat(part.format);
    if (weight.meets_floats()) {
      const void* const kernel =
          of_floats >= 0 ? kernels.floats[of_floats].float_rows : kernels.blocks[BlockFormat(part.format)].float_rows;
      step.Launch("a product", kernel, (part.rows + kernels.float_outputs - 1) / kernels.float_outputs,
                  (in.rows + kernels.float_tile_rows - 1) / kernels.float_tile_rows, kThreads, kernels.float_shared_bytes, args);
      continue;
    }
    const bool many = of_floats < 0 && (groups ? groups->many != nullptr : in.rows > kMostFewRows);
    const int64_t tile_rows = many ? kManyRows : kFewRows;
    args.tiles = !groups ? nullptr : many ? groups->many : groups->few;
    const int64_t tiles = !groups ? (in.rows + tile_rows - 1) / tile_rows : many ? groups->many_tiles : groups->few_tiles;
    const auto blocks_of = [&](int outputs) { return (part.rows + outputs - 1) / outputs; };
    if (of_floats >= 0) {
      step.Launch("a product", kernels.floats[of_floats].product, blocks_of(kernels.value_outputs), tiles, kThreads, 0, args);
      continue;
    }
    const KernelTable::BlockFormat& format = kernels.blocks[BlockFormat(part.format)];
    const Activations::Codes& codes = format.group == 32 ? in.per32 : in.per256;
    args.codes = codes.codes;
    args.scales = codes.scales;
    args.sums = codes.sums;
    if (many)
      step.Launch("a product", format.many, blocks_of(kernels.many_outputs), tiles, kThreads, format.many_shared_bytes, args);
    else
      step.Launch("a product", format.few, blocks_of(kernels.few_outputs), tiles, kThreads, format.few_shared_bytes, args);
  }
}

void SwiGlu(Step& step, const float* both, int64_t rows, int64_t width, float* out) {
  step.Launch("swiglu", step.kernels().swiglu, std::min<int64_t>((rows * width + kThreads - 1) / kThreads, 4096), 1, kThreads, 0,
              SwiGluArgs{both, out, rows, static_cast<int32_t>(width)});
}

// down(silu(gate x) * (up x)) of rows, or of slots by expert. The result is temporary: [rows, D]
float* FeedForward(Step& step, const DeviceWeight& gate_up, const DeviceWeight& down, const float* x, int64_t rows,
                   const Groups* groups) {
  const int64_t hidden = down.cols();
  float* const both = step.Temporary<float>(rows * 2 * hidden);
  float* const product = step.Temporary<float>(rows * hidden);
  float* const y = step.Temporary<float>(rows * down.rows());
  Product(step, gate_up, Prepare(step, gate_up, x, rows), both, false, groups);
  SwiGlu(step, both, rows, hidden, product);
  Product(step, down, Prepare(step, down, product, rows), y, false, groups);
  return y;
}

bool HasFloats(const DeviceWeight& weight) {
  return std::any_of(weight.parts().begin(), weight.parts().end(),
                     [](const DeviceWeight::Part& part) { return FloatFormat(part.format) >= 0; });
}

}  // namespace

void Linear(Step& step, const LinearOp& op) {
  const DeviceWeight& weight = OnDevice(op.weight);
  const int64_t rows = op.in.rows;
  const Activations in = Prepare(step, weight, DeviceF32(op.in), rows);
  const bool adds = op.epilogue == Epilogue::kAdd, gelu = op.epilogue == Epilogue::kGelu;
  if (op.epilogue != Epilogue::kSwiGlu) {
    // With a bias the sum is finished before it is added to anything.
    float* const y = adds && op.bias ? step.Temporary<float>(rows * weight.rows()) : DeviceF32(op.out);
    Product(step, weight, in, y, adds && !op.bias, nullptr);
    if (op.bias || gelu) {
      FinishArgs args{y,    op.bias ? VectorOf(op.bias) : nullptr, adds ? DeviceF32(op.out) : nullptr,
                      rows, static_cast<int32_t>(weight.rows()),   gelu};
      step.Launch("bias and gelu", step.kernels().finish, std::min<int64_t>((rows * weight.rows() + kThreads - 1) / kThreads, 4096),
                  1, kThreads, 0, args);
    }
    return;
  }
  float* const both = step.Temporary<float>(rows * weight.rows());
  Product(step, weight, in, both, false, nullptr);
  SwiGlu(step, both, rows, weight.rows() / 2, DeviceF32(op.out));
}

void Experts(Step& step, const ExpertsOp& op) {
  const KernelTable& kernels = step.kernels();
  const int64_t rows = op.in.rows, d = op.in.cols, top_k = op.ids.cols, slots = rows * top_k;
  const DeviceWeight &gate_up = OnDevice(op.gate_up), &down = OnDevice(op.down);
  const auto experts = static_cast<int32_t>(gate_up.experts());
  const float* const in = DeviceF32(op.in);
  const float* shared = nullptr;
  if (op.shared_gate_up) shared = FeedForward(step, OnDevice(op.shared_gate_up), OnDevice(op.shared_down), in, rows, nullptr);

  GroupArgs group{};
  group.ids = DeviceI32(op.ids);
  group.slots = static_cast<int32_t>(slots);
  group.experts = experts;
  group.first_expert = op.first_expert;
  group.last_expert = op.last_expert;
  group.count = step.Temporary<int32_t>(experts);
  group.order = step.Temporary<int32_t>(slots);
  group.fault = step.fault();
  const auto warp = static_cast<unsigned>(kernels.warp);
  step.Launch("counting experts", kernels.count_slots, experts, 1, warp, 0, group);
  Groups groups;
  groups.order = group.order;
  const auto list = [&](int32_t tile_rows, const ProductTile*& tiles, int64_t& count) {
    count = slots / tile_rows + std::min<int64_t>(experts, slots);
    group.tile_rows = tile_rows;
    group.max_tiles = static_cast<int32_t>(count);
    group.tiles = step.Temporary<ProductTile>(count);
    tiles = group.tiles;
    step.Launch("listing experts", kernels.list_slots, experts, 1, warp, 0, group);
  };
  const bool many = slots > kMostFewRows * std::min<int64_t>(experts, slots);
  if (many) list(kManyRows, groups.many, groups.many_tiles);
  if (!many || HasFloats(gate_up) || HasFloats(down)) list(kFewRows, groups.few, groups.few_tiles);

  float* const scaled = step.Temporary<float>(slots * d);
  step.Launch("scaling rows", kernels.scale_rows, slots, 1, kThreads, 0,
              ScaleRowsArgs{in, DeviceF32(op.gates), scaled, static_cast<int32_t>(d), static_cast<int32_t>(top_k)});
  const float* const routed = FeedForward(step, gate_up, down, scaled, slots, &groups);
  step.Launch("adding experts", kernels.combine, rows, 1, kThreads, 0,
              CombineArgs{group.ids, shared, routed, DeviceF32(op.residual), static_cast<int32_t>(d), static_cast<int32_t>(top_k),
                          op.first_expert, op.last_expert});
}

}  // namespace scout::gpu
