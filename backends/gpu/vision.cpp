// The operations of the vision tower as launches of kernels.
#include "gpu/operations.h"

namespace scout::gpu {

void ScatterRows(Step& step, const ScatterRowsOp& op) {
  step.Launch(
      "scatter", step.kernels().scatter, static_cast<int64_t>(op.rows.size()), 1, kThreads, 0,
      ScatterArgs{DeviceF32(op.in), step.Send(op.rows), op.in.rows, op.first, static_cast<int32_t>(op.in.cols), DeviceF32(op.out)});
}

void Unfold(Step& step, const UnfoldOp& op) {
  const int64_t side = op.tile_size / op.patch_size, tiles = op.out.rows / (side * side);
  SCOUT_CHECK(static_cast<int64_t>(op.tiles.size()) == tiles * op.colours * op.tile_size * op.tile_size && op.table.size() == 256,
              op.tiles.size(), " bytes of ", tiles, " tiles");
  step.Launch("unfold", step.kernels().unfold, op.out.rows, 1, kThreads, 0,
              UnfoldArgs{step.Send(op.tiles), step.Send(op.table), op.colours, op.tile_size, op.patch_size, DeviceF32(op.out)});
}

void AddPositions(Step& step, const AddPositionsOp& op) {
  const auto patches = static_cast<int32_t>(OnDevice(op.position).rows() - 1);
  step.Launch("adding positions", step.kernels().add_positions, op.out.rows, 1, kThreads, 0,
              AddPositionsArgs{DeviceF32(op.in), VectorOf(op.last), VectorOf(op.position), patches,
                               static_cast<int32_t>(op.in.cols), DeviceF32(op.out)});
}

void LayerNorm(Step& step, const LayerNormOp& op) {
  const size_t shared = 16 + 4 * static_cast<size_t>(op.in.cols);
  CheckShared(step, "a norm", shared);
  step.Launch("layer norm", step.kernels().layer_norm, op.in.rows, 1, kThreads, shared,
              LayerNormArgs{DeviceF32(op.in), VectorOf(op.weight), VectorOf(op.bias), static_cast<int32_t>(op.in.cols), op.eps,
                            DeviceF32(op.out)});
}

void Rotate(Step& step, const RotateOp& op) {
  step.Launch("rotate", step.kernels().rotate, op.qkv.rows, 1, kThreads, 0,
              RotateArgs{DeviceF32(op.qkv), DeviceF32(op.turns), static_cast<int32_t>(op.turns.rows),
                         static_cast<int32_t>(op.qkv.cols), op.heads, static_cast<int32_t>(op.turns.cols)});
}

void GroupAttention(Step& step, const GroupAttentionOp& op) {
  const int64_t d = op.out.cols / op.heads;
  const size_t shared = 4 * static_cast<size_t>(op.group_rows + d + 32 + 1) + 4 * 16;
  CheckShared(step, "attention inside a group", shared);
  step.Launch("attention inside groups", step.kernels().group_attend, op.qkv.rows, op.heads, 128, shared,
              GroupAttentionArgs{DeviceF32(op.qkv), op.heads, static_cast<int32_t>(d), static_cast<int32_t>(op.group_rows),
                                 op.scale, DeviceF32(op.out)});
}

void PixelShuffle(Step& step, const PixelShuffleOp& op) {
  step.Launch(
      "pixel shuffle", step.kernels().pixel_shuffle, op.out.rows, 1, kThreads, 0,
      PixelShuffleArgs{DeviceF32(op.in), op.group_rows, op.side, op.factor, static_cast<int32_t>(op.in.cols), DeviceF32(op.out)});
}

}  // namespace scout::gpu
