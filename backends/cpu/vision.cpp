// Operations of the vision tower on rows alone; the arithmetic is told in ref/vision.cpp.
#include <cmath>
#include <cstring>

#include "cpu/context.h"

namespace scout::cpu {

void ScatterRows(Context&, const ScatterRowsOp& op) {
  const int64_t d = op.in.cols;
  const float* const in = HostF32(op.in);
  float* const out = HostF32(op.out);
  for (size_t n = 0; n < op.rows.size(); ++n) {
    const int64_t row = static_cast<int64_t>(op.rows[n]) - op.first;
    if (op.rows[n] >= 0 && row >= 0 && row < op.in.rows)
      std::memcpy(out + static_cast<int64_t>(n) * d, in + row * d, static_cast<size_t>(d) * 4);
  }
}

void Unfold(Context& context, const UnfoldOp& op) {
  const int64_t size = op.tile_size, patch = op.patch_size, side = size / patch, colours = op.colours;
  const int64_t tiles = op.out.rows / (side * side);
  SCOUT_CHECK(static_cast<int64_t>(op.tiles.size()) == tiles * colours * size * size && op.table.size() == 256, op.tiles.size(),
              " bytes of ", tiles, " tiles");
  float* const out = HostF32(op.out);
  const float* const table = op.table.data();
  context.ParallelRows(op.out.rows, 8, [&](int64_t n) {
    const int64_t t = n / (side * side), p = n % (side * side);
    float* to = out + n * colours * patch * patch;
    for (int64_t c = 0; c < colours; ++c) {
      const uint8_t* from = op.tiles.data() + ((t * colours + c) * size + p / side * patch) * size + p % side * patch;
      for (int64_t i = 0; i < patch; ++i, from += size)
        for (int64_t j = 0; j < patch; ++j) *to++ = table[from[j]];
    }
  });
}

void AddPositions(Context& context, const AddPositionsOp& op) {
  const float* const position = VectorOf(op.position);  // [P + 1, D]
  const float* const last = VectorOf(op.last);          // [D]
  const float* const in = HostF32(op.in);
  float* const out = HostF32(op.out);
  const int64_t d = op.in.cols, patches = Host(op.position).rows() - 1;
  context.ParallelRows(op.out.rows, 16, [&](int64_t n) {
    const int64_t t = n / (patches + 1), p = n % (patches + 1);
    std::memcpy(out + n * d, p < patches ? in + (t * patches + p) * d : last, static_cast<size_t>(d) * 4);
    context.kernels->add(position + p * d, d, out + n * d);
  });
}

void LayerNorm(Context& context, const LayerNormOp& op) {
  const Kernels& kernels = *context.kernels;
  const float* const w = VectorOf(op.weight);  // [D]
  const float* const b = VectorOf(op.bias);    // [D]
  const int64_t d = op.in.cols;
  const float* const in = HostF32(op.in);
  float* const out = HostF32(op.out);
  context.ParallelRows(op.in.rows, 8, [&](int64_t n) {
    const float* const x = in + n * d;
    const float mean = kernels.sum(x, d) / static_cast<float>(d);
    const float variance = kernels.sum_of_centred_squares(x, mean, d) / static_cast<float>(d);
    kernels.normalise(x, mean, 1.0f / std::sqrt(variance + op.eps), w, b, d, out + n * d);
  });
}

void Rotate(Context& context, const RotateOp& op) {
  const int64_t d = op.turns.cols;
  const float* const turns = HostF32(op.turns);
  float* const qkv = HostF32(op.qkv);
  context.ParallelRows(op.qkv.rows, 8, [&](int64_t n) {
    const float* const turn = turns + n % op.turns.rows * d;
    for (int64_t h = 0; h < 2 * op.heads; ++h) context.kernels->rotate(qkv + n * op.qkv.cols + h * d, turn, d);
  });
}

void PixelShuffle(Context& context, const PixelShuffleOp& op) {
  const int64_t side = op.side, f = op.factor, d = op.in.cols, small = side / f;
  const float* const in = HostF32(op.in);
  float* const out = HostF32(op.out);
  context.ParallelRows(op.out.rows, 8, [&](int64_t n) {
    const int64_t t = n / (small * small), y = n / small % small, x = n % small;
    for (int64_t dy = 0; dy < f; ++dy)  // a run of f rows of the input lies together
      std::memcpy(out + (n * f + dy) * f * d, in + (t * op.group_rows + (f * y + dy) * side + f * x) * d,
                  static_cast<size_t>(f * d) * 4);
  });
}

}  // namespace scout::cpu
