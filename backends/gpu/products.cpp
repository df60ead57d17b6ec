// Linear and Experts: activations are rounded once for each kind of weight that meets them, then one product for each part.
#include <algorithm>
#include <array>

#include "gpu/few_rows.h"
#include "gpu/library_products.h"
#include "gpu/operations.h"

namespace scout::gpu {
namespace {

// Slots by expert, in tiles of eight rows and of many as the formats ask.
struct Groups {
  const int32_t* order = nullptr;
  const ProductTile* few = nullptr;
  const ProductTile* many = nullptr;
  int64_t few_tiles = 0, many_tiles = 0;
  int size = 0;  // of the tiles of many, as an index of kManyRows, or of kWideRows
};

// Whether halves are multiplied in tensor memory, or there or by four warps at a time.
bool InTensorMemory(const Step& step) { return step.fast() && step.device().fast_instructions().tensor; }
bool IsWide(const Step& step) { return InTensorMemory(step) || (step.fast() && step.device().fast_instructions().wide); }

struct Activations {
  int64_t rows = 0, k = 0;
  const float* values = nullptr;
  RowCodes per32{}, per256{};
  int size = 0;                                   // of tiles, as in Groups
  std::array<RoundedRows, kFloatFormats> halves;  // of each format that meets them so; packed for products of four warps
};

bool Few(int64_t rows, const Groups* groups) { return groups ? groups->many == nullptr : rows <= kMostFewRows; }

// The index in Activations::halves of what this part of a weight meets many rows as; -1 where they are not halves. Pieces of eight
// are copied. Blocks meet BF16, and where the device has no instructions for halves their integers are quicker.
int MeetsHalves(const Step& step, DType format, int64_t rows, int64_t k, const Groups* groups) {
  if (!step.fast() || k % 8 != 0 || Few(rows, groups)) return -1;
  const int at = FloatFormat(format);
  if (at < 0) return step.device().fast_instructions().halves ? FloatFormat(DType::kBF16) : -1;
  return step.kernels().floats[at].round_rows ? at : -1;
}

RowCodes Quantize(Step& step, const float* values, int64_t rows, int64_t k, int group) {
  RowCodes out;
  const int64_t groups = rows * k / group;
  out.codes = step.Temporary<int8_t>(rows * k);
  out.scales = step.Temporary<float>(groups);
  out.sums = step.Temporary<int16_t>(group == 32 ? groups : 16 * groups);
  step.Launch("rounding activations", group == 32 ? step.kernels().quantize32 : step.kernels().quantize256, (groups + 7) / 8, 1,
              kThreads, 0, QuantizeArgs{values, groups, out.codes, out.scales, out.sums}, Start::kEarly);
  return out;
}

// Which of the tiles for many rows these are multiplied in, as an index of kManyRows: the larger ones read the weight less often,
// and are worth it where at most a quarter of their rows is empty.
int TileSize(int64_t rows) {
  const int64_t large = kManyRows[1];
  return 4 * rows >= 3 * ((rows + large - 1) / large * large) ? 1 : 0;
}
// The same of kWideRows: the larger ones also unpack the weight half as often, but where they are fewer than the multiprocessors of
// a large device, more blocks of the smaller are better.
int WideTileSize(int64_t rows, int64_t outputs, int64_t block_outputs) {
  constexpr int64_t kWideBlocks = 128;
  const int64_t large = kWideRows[1], tiles = (rows + large - 1) / large;
  return 4 * rows >= 3 * tiles * large && (outputs + block_outputs - 1) / block_outputs * tiles >= kWideBlocks ? 1 : 0;
}

Activations Prepare(Step& step, const DeviceWeight& weight, const float* values, int64_t rows, const Groups* groups) {
  Activations in;
  in.rows = rows;
  in.k = weight.cols();
  in.values = values;
  in.size = groups         ? groups->size
            : IsWide(step) ? WideTileSize(rows, weight.rows(), InTensorMemory(step) ? kTensorOutputs[1] : kWideOutputs)
                           : TileSize(rows);
  for (const DeviceWeight::Part& part : weight.parts()) {
    if (const int of_halves = MeetsHalves(step, part.format, rows, in.k, groups); of_halves >= 0) {
      RoundedRows& halves = in.halves[static_cast<size_t>(of_halves)];
      if (halves.values) continue;
      if (IsWide(step)) {
        halves.scales = step.Temporary<float>(rows);
        const int32_t tile_rows = kWideRows[in.size];
        const int64_t tiles = groups ? groups->many_tiles : (rows + tile_rows - 1) / tile_rows;
        halves.values = step.Temporary<uint16_t>(tiles * tile_rows * ((in.k + 63) / 64 * 64));
        constexpr int32_t kRowsOfBlock = 8;
        step.Launch("packing activations", step.kernels().floats[of_halves].pack_rows, tile_rows / kRowsOfBlock, tiles, kThreads,
                    kRowsOfBlock * sizeof(float),
                    PackRowsArgs{values, static_cast<int32_t>(in.k), static_cast<int32_t>(rows), groups ? groups->many : nullptr,
                                 groups ? groups->order : nullptr, tile_rows, halves.values, halves.scales});
        continue;
      }
      halves = LaunchRoundRows(step, of_halves, values, rows, in.k);
      continue;
    }
    const int at = BlockFormat(part.format);
    if (at < 0 || weight.meets_floats()) continue;
    const int group = step.kernels().blocks[at].group;
    RowCodes& codes = group == 32 ? in.per32 : in.per256;
    if (!codes.codes) codes = Quantize(step, values, rows, in.k, group);
  }
  return in;
}

// out[n, o] = or += W[o] . x[n], of the weight's parts from `first_part` on.
void LaunchProducts(Step& step, const DeviceWeight& weight, const Activations& in, float* out, bool add, const Groups* groups,
                    size_t first_part) {
  const KernelTable& kernels = step.kernels();
  for (const DeviceWeight::Part& part : std::span(weight.parts()).subspan(first_part)) {
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
    const auto blocks_of = [&](int outputs) { return (part.rows + outputs - 1) / outputs; };
    const auto size = static_cast<size_t>(in.size);
    if (const int of_halves = MeetsHalves(step, part.format, in.rows, in.k, groups); of_halves >= 0) {
      const RoundedRows& halves = in.halves[static_cast<size_t>(of_halves)];
      const KernelTable::FastProduct& product =
          of_floats >= 0 ? kernels.floats[of_floats].fast : kernels.blocks[BlockFormat(part.format)].fast;
      args.halves = halves.values;
      args.row_scales = halves.scales;
      args.tiles = groups ? groups->many : nullptr;
      if (IsWide(step)) {
        const bool tensor = InTensorMemory(step);
        const KernelTable::FastProduct::Wide& wide = tensor ? product.tensor : product.wide;
        step.Launch("a product", wide.kernel[size], blocks_of(tensor ? kTensorOutputs[size] : kWideOutputs),
                    groups ? groups->many_tiles : (in.rows + kWideRows[size] - 1) / kWideRows[size],
                    tensor ? kTensorThreads[size] : kWideThreads, wide.shared_bytes[size], args);
        continue;
      }
      step.Launch("a product", product.kernel[size], blocks_of(kernels.many_outputs),
                  groups ? groups->many_tiles : (in.rows + kManyRows[size] - 1) / kManyRows[size], kThreads,
                  product.shared_bytes[size], args);
      continue;
    }
    if (weight.meets_floats()) {
      const void* const kernel =
          of_floats >= 0 ? kernels.floats[of_floats].float_rows : kernels.blocks[BlockFormat(part.format)].float_rows;
      step.Launch("a product", kernel, (part.rows + kernels.float_outputs - 1) / kernels.float_outputs,
                  (in.rows + kernels.float_tile_rows - 1) / kernels.float_tile_rows, kThreads, kernels.float_shared_bytes, args);
      continue;
    }
    const bool many = of_floats < 0 && !Few(in.rows, groups);
    const int64_t tile_rows = many ? kManyRows[size] : kFewRows;
    args.tiles = !groups ? nullptr : many ? groups->many : groups->few;
    const int64_t tiles = !groups ? (in.rows + tile_rows - 1) / tile_rows : many ? groups->many_tiles : groups->few_tiles;
    if (of_floats >= 0) {
      step.Launch("a product", kernels.floats[of_floats].product, blocks_of(kernels.value_outputs), tiles, kThreads, 0, args);
      continue;
    }
    const KernelTable::BlockFormat& format = kernels.blocks[BlockFormat(part.format)];
    const RowCodes& codes = format.group == 32 ? in.per32 : in.per256;
    args.codes = codes.codes;
    args.scales = codes.scales;
    args.sums = codes.sums;
    if (many)
      step.Launch("a product", format.many[size], blocks_of(kernels.many_outputs), tiles, kThreads, format.many_shared_bytes[size],
                  args);
    else
      step.Launch("a product", format.few, blocks_of(kernels.few_outputs), tiles, kThreads, format.few_shared_bytes, args);
  }
}

// The same from rows of float32. What a library does not serve, or fails to, own kernels do.
void Product(Step& step, const DeviceWeight& weight, const float* values, int64_t rows, float* out, bool add,
             const Groups* groups) {
  const size_t done = groups ? 0 : ProductsByLibrary(step, weight, values, rows, out, add);
  if (done < weight.parts().size())
    LaunchProducts(step, weight, Prepare(step, weight, values, rows, groups), out, add, groups, done);
}

void SwiGlu(Step& step, const float* both, int64_t rows, int64_t width, float* out) {
  step.Launch("swiglu", step.kernels().swiglu, std::min<int64_t>((rows * width + kThreads - 1) / kThreads, 4096), 1, kThreads, 0,
              SwiGluArgs{both, out, rows, static_cast<int32_t>(width)});
}

// down(silu(gate x) * (up x)) of rows, or of slots by expert. The result is temporary, or in `out`: [rows, D]
float* FeedForward(Step& step, const DeviceWeight& gate_up, const DeviceWeight& down, const float* x, int64_t rows,
                   const Groups* groups, float* out = nullptr) {
  const int64_t hidden = down.cols();
  float* const both = step.Temporary<float>(rows * 2 * hidden);
  float* const product = step.Temporary<float>(rows * hidden);
  float* const y = out ? out : step.Temporary<float>(rows * down.rows());
  Product(step, gate_up, x, rows, both, false, groups);
  SwiGlu(step, both, rows, hidden, product);
  Product(step, down, product, rows, y, false, groups);
  return y;
}

// Whether a part is multiplied in tiles of few rows even where there are many.
bool WantsFew(const Step& step, const DeviceWeight& weight, int64_t rows, const Groups& groups) {
  return std::any_of(weight.parts().begin(), weight.parts().end(), [&](const DeviceWeight::Part& part) {
    return FloatFormat(part.format) >= 0 && MeetsHalves(step, part.format, rows, weight.cols(), &groups) < 0;
  });
}

}  // namespace

RoundedRows LaunchRoundRows(Step& step, int format, const float* values, int64_t rows, int64_t k) {
  const RoundedRows to{step.Temporary<uint16_t>(rows * k), step.Temporary<float>(rows)};
  step.Launch("rounding activations", step.kernels().floats[format].round_rows, rows, 1, kThreads,
              kThreads / static_cast<size_t>(step.kernels().warp) * sizeof(uint32_t),
              RoundRowsArgs{values, static_cast<int32_t>(k), to.values, to.scales});
  return to;
}

void LaunchFinish(Step& step, const LinearOp& op, float* y, bool adds) {
  const int64_t rows = op.in.rows, cols = OnDevice(op.weight).rows();
  FinishArgs args{y,
                  op.bias ? VectorOf(op.bias) : nullptr,
                  adds ? DeviceF32(op.out) : nullptr,
                  rows,
                  static_cast<int32_t>(cols),
                  op.epilogue == Epilogue::kGelu};
  step.Launch("bias and gelu", step.kernels().finish, std::min<int64_t>((rows * cols + kThreads - 1) / kThreads, 4096), 1, kThreads,
              0, args);
}

void Linear(Step& step, const LinearOp& op) {
  if (LinearOfFewRows(step, op)) return;
  const DeviceWeight& weight = OnDevice(op.weight);
  const int64_t rows = op.in.rows;
  const float* const in = DeviceF32(op.in);
  const bool adds = op.epilogue == Epilogue::kAdd, gelu = op.epilogue == Epilogue::kGelu;
  if (op.epilogue != Epilogue::kSwiGlu) {
    // With a bias the sum is finished before it is added to anything.
    float* const y = adds && op.bias ? step.Temporary<float>(rows * weight.rows()) : DeviceF32(op.out);
    Product(step, weight, in, rows, y, adds && !op.bias, nullptr);
    if (op.bias || gelu) LaunchFinish(step, op, y, adds);
    return;
  }
  float* const both = step.Temporary<float>(rows * weight.rows());
  Product(step, weight, in, rows, both, false, nullptr);
  SwiGlu(step, both, rows, weight.rows() / 2, DeviceF32(op.out));
}

void Experts(Step& step, const ExpertsOp& op) {
  if (ExpertsOfFewRows(step, op)) return;
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
  // Slots fall on experts as they do; the larger tiles are for experts that have several tiles each if all are asked alike, or one
  // of four warps.
  const auto& tile_rows = IsWide(step) ? kWideRows : kManyRows;
  groups.size = slots >= (IsWide(step) ? 1 : 2) * tile_rows[1] * experts ? 1 : 0;
  if (many) list(tile_rows[groups.size], groups.many, groups.many_tiles);
  if (!many || WantsFew(step, gate_up, slots, groups) || WantsFew(step, down, slots, groups))
    list(kFewRows, groups.few, groups.few_tiles);

  float* const scaled = step.Temporary<float>(slots * d);
  step.Launch("scaling rows", kernels.scale_rows, slots, 1, kThreads, 0,
              ScaleRowsArgs{in, DeviceF32(op.gates), scaled, static_cast<int32_t>(d), static_cast<int32_t>(top_k)});
  float* const apart = op.addends.buffer ? DeviceF32(op.addends) : nullptr;
  const float* const routed = FeedForward(step, gate_up, down, scaled, slots, &groups, apart);
  if (apart) return;
  step.Launch("adding experts", kernels.combine, rows, 1, kThreads, 0,
              CombineArgs{group.ids, shared, routed, DeviceF32(op.residual), static_cast<int32_t>(d), static_cast<int32_t>(top_k),
                          op.first_expert, op.last_expert});
}

void CombineExperts(Step& step, const CombineExpertsOp& op) {
  step.Launch("adding experts", step.kernels().combine, op.residual.rows, 1, kThreads, 0,
              CombineArgs{DeviceI32(op.ids), op.shared.buffer ? DeviceF32(op.shared) : nullptr, DeviceF32(op.addends),
                          DeviceF32(op.residual), static_cast<int32_t>(op.residual.cols), static_cast<int32_t>(op.ids.cols),
                          op.first_expert, op.last_expert});
}

}  // namespace scout::gpu
