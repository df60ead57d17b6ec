#include "gpu/operations.h"

#include "gpu/few_rows.h"

namespace scout::gpu {
void Embed(Step& step, const EmbedOp& op) {
  const DeviceWeight& table = OnDevice(op.table);
  const StepPlan& plan = step.plan();
  for (const int32_t id : plan.token)
    SCOUT_CHECK(id >= 0 && id < table.rows(), "token id ", id, " of a vocabulary of ", table.rows());
  for (const DeviceWeight::Part& part : table.parts()) {
    EmbedArgs args{};
    args.table = part.block.data();
    args.row_bytes = static_cast<int64_t>(part.row_bytes);
    args.first_row = static_cast<int32_t>(part.first_row);
    args.rows = static_cast<int32_t>(part.rows);
    args.cols = static_cast<int32_t>(table.cols());
    args.token = step.token();
    args.out = DeviceF32(op.out);
    const int of_floats = FloatFormat(part.format);
    const void* const kernel =
        of_floats >= 0 ? step.kernels().floats[of_floats].embed : step.kernels().blocks[BlockFormat(part.format)].embed;
    step.Launch("embed", kernel, plan.rows(), 1, kThreads, 0, args, Start::kEarly);
  }
}

void RmsNorm(Step& step, const RmsNormOp& op) {
  const size_t shared = 16 + 4 * static_cast<size_t>(op.in.cols);
  CheckShared(step, "a norm", shared);
  if (PutOff(step, op)) return;
  step.Launch("rms norm", step.kernels().rms_norm, op.in.rows, 1, kThreads, shared,
              RmsNormArgs{DeviceF32(op.in), VectorOf(op.weight), static_cast<int32_t>(op.in.cols), op.eps,
                          RowTargets{DeviceF32(op.out), {}, {}}},
              Start::kEarly);
}

void GatherRows(Step& step, const GatherRowsOp& op) {
  for (const int32_t row : op.rows) SCOUT_CHECK(row >= 0 && row < op.in.rows, "row ", row, " of ", op.in.rows);
  step.Launch("gather", step.kernels().gather, static_cast<int64_t>(op.rows.size()), 1, kThreads, 0,
              GatherArgs{DeviceF32(op.in), step.Send(op.rows), DeviceF32(op.out), static_cast<int32_t>(op.in.cols)}, Start::kEarly);
}

void RopeNormStore(Step& step, const RopeNormStoreOp& op) {
  const auto& pages = *static_cast<const DevicePages*>(op.pages);
  const PageGroupSpec& spec = pages.spec();
  for (const int64_t slot : step.plan().pages[static_cast<size_t>(op.group)].slot)
    SCOUT_CHECK(slot < spec.page_count * spec.page_size, "slot ", slot, " of ", spec.page_count, " pages of ", spec.page_size);
  RopeArgs args{};
  args.qkv = DeviceF32(op.qkv);
  args.q = DeviceF32(op.q);
  args.position = step.position();
  args.slot = step.slot(op.group);
  args.inv_freq = op.rope ? step.InvFreq(op.inv_freq) : nullptr;
  args.q_scale = op.temperature_length > 0 ? step.Temperatures(op.temperature_length, op.temperature_scale) : nullptr;
  args.heads = op.heads;
  args.kv_heads = spec.kv_heads;
  args.d = spec.head_dim;
  args.qk_norm = op.qk_norm;
  args.eps = op.norm_eps;
  args.pages = pages.Layer(op.layer);
  args.page_bytes = static_cast<int64_t>(pages.page_bytes());
  args.k_slot_bytes = static_cast<int64_t>(pages.k_slot_bytes());
  args.v_slot_bytes = static_cast<int64_t>(pages.v_slot_bytes());
  args.page_size = spec.page_size;
  args.k_format = PageFormat(spec.k_format);
  args.v_format = PageFormat(spec.v_format);
  const auto turned = static_cast<size_t>(op.heads + spec.kv_heads), d = static_cast<size_t>(spec.head_dim);
  const size_t shared = 4 * (d + turned + turned * d) + 3 * 16;
  CheckShared(step, "rope and norm of heads", shared);
  step.Launch("rope, norm, store", step.kernels().rope_norm_store, op.qkv.rows, 1, kThreads, shared, args, Start::kEarly);
}

namespace {

// What AttendFast widens or rounds pages' values to: F16 or BF16, or F32 where it does not serve them.
DType FastHalf(const PageGroupSpec& spec) {
  if (spec.head_dim > kFastHead || spec.head_dim % 8 != 0) return DType::kF32;
  const auto either = [&](DType format) {
    return (spec.k_format == format || spec.k_format == DType::kQ8_0) && (spec.v_format == format || spec.v_format == DType::kQ8_0);
  };
  return either(DType::kF16) ? DType::kF16 : either(DType::kBF16) ? DType::kBF16 : DType::kF32;
}

}  // namespace

void Attention(Step& step, const AttentionOp& op) {
  const auto& pages = *static_cast<const DevicePages*>(op.pages);
  const PageGroupSpec& spec = pages.spec();
  const size_t shared = step.kernels().attend_shared_bytes(spec.head_dim);
  CheckShared(step, "attention", shared);
  AttentionTiles key;
  key.group = op.group;
  key.mask = op.mask;
  key.geometry = {spec.page_size, spec.chunk};
  key.heads = op.heads;
  key.kv_heads = spec.kv_heads;
  key.head_dim = spec.head_dim;
  key.page_count = spec.page_count;
  key.fast = step.fast() && FastHalf(spec) != DType::kF32;
  const AttentionTiles& tiles = step.Tiles(key);

  AttentionArgs args{};
  args.keys.pages = pages.Layer(op.layer);
  args.keys.page = step.page(op.group);
  args.keys.page_bytes = static_cast<int64_t>(pages.page_bytes());
  args.keys.k_slot_bytes = static_cast<int64_t>(pages.k_slot_bytes());
  args.keys.v_slot_bytes = static_cast<int64_t>(pages.v_slot_bytes());
  args.keys.chunk = spec.chunk;
  args.keys.pages_per_chunk = key.geometry.PagesPerChunk();
  args.keys.page_size = spec.page_size;
  args.keys.k_format = PageFormat(spec.k_format);
  args.keys.v_format = PageFormat(spec.v_format);
  args.items = tiles.device_items;
  args.position = step.position();
  args.q = DeviceF32(op.q);
  args.scale = op.scale;
  args.heads = op.heads;
  args.kv_heads = spec.kv_heads;
  args.d = spec.head_dim;
  args.out = DeviceF32(op.out);
  args.lse = op.lse.buffer ? DeviceF32(op.lse) : nullptr;
  if (tiles.partials > 0)
    args.partial = step.Temporary<float>(static_cast<int64_t>(tiles.partials) * kTileQueries * spec.kv_heads * (spec.head_dim + 2));
  step.Launch("attention", step.kernels().attend, static_cast<int64_t>(tiles.items.size()), spec.kv_heads, kThreads, shared, args,
              Start::kEarly);
  if (!tiles.fast_items.empty()) {
    const size_t fast_shared = step.kernels().attend_fast_shared_bytes(spec.head_dim);
    CheckShared(step, "attention", fast_shared);
    const size_t unit = pages.k_slot_bytes() | pages.v_slot_bytes() | pages.page_bytes() |
                        (static_cast<size_t>(spec.page_size) * (pages.k_slot_bytes() + pages.v_slot_bytes()));
    args.wide = unit % 16 == 0;
    args.items = tiles.device_fast_items;
    step.Launch("attention of many rows", FastHalf(spec) == DType::kF16 ? step.kernels().attend_f16 : step.kernels().attend_bf16,
                static_cast<int64_t>(tiles.fast_items.size()), spec.kv_heads, kThreads, fast_shared, args);
  }
  step.Launch(
      "merging spans", step.kernels().merge_spans, static_cast<int64_t>(tiles.merges.size()), spec.kv_heads, kThreads, 0,
      MergeSpansArgs{tiles.device_merges, args.position, args.partial, args.heads, args.kv_heads, args.d, args.out, args.lse},
      Start::kEarly);
  if (tiles.padding)
    step.Launch("padding", step.kernels().zero_padding, op.q.rows, 1, kThreads, 0,
                ZeroRowsArgs{step.slot(op.group), args.heads, args.d, args.out, args.lse}, Start::kEarly);
}

void MergeAttention(Step& step, const MergeAttentionOp& op) {
  std::vector<const float*> partial, lse;
  for (size_t p = 0; p < op.partial.size(); ++p) {
    partial.push_back(DeviceF32(op.partial[p]));
    lse.push_back(DeviceF32(op.lse[p]));
  }
  MergeAttentionArgs args{};
  args.partial = step.Send(std::span<const float* const>(partial));
  args.lse = step.Send(std::span<const float* const>(lse));
  args.partials = static_cast<int32_t>(op.partial.size());
  args.d = static_cast<int32_t>(op.out.cols / op.heads);
  args.out = DeviceF32(op.out);
  args.out_lse = op.out_lse.buffer ? DeviceF32(op.out_lse) : nullptr;
  step.Launch("merging attention", step.kernels().merge_attention, op.out.rows * op.heads, 1, 64, 0, args);
}

void Route(Step& step, const RouteOp& op) {
  const DeviceWeight& router = OnDevice(op.router);
  SCOUT_CHECK(op.top_k >= 1 && op.top_k <= router.rows(), "top ", op.top_k, " of ", router.rows(), " experts");
  if (!PutOff(step, op)) LaunchRoute(step, op);
}
void LaunchRoute(Step& step, const RouteOp& op) {
  const DeviceWeight& router = OnDevice(op.router);
  step.Launch("route", step.kernels().route, op.in.rows, 1, kThreads, 4 * static_cast<size_t>(router.rows()) + 16,
              RouteArgs{DeviceF32(op.in), VectorOf(op.router), static_cast<int32_t>(router.cols()),
                        static_cast<int32_t>(router.rows()), op.top_k, DeviceI32(op.ids), DeviceF32(op.gates)});
}

}  // namespace scout::gpu
