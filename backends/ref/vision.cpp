// The operations of the vision tower.
//
// kFloat32: sums in float64. The defined arithmetic:
//
//   LayerNorm        mean = lanes(x) / D, x' = x - mean, variance = DotLanes(x', x') / D, scale = 1 / sqrt(variance + eps),
//                    out = fma(x' * scale, weight, bias)
//   Rotate           out = fma(a, cos, -(b * sin)), fma(a, sin, b * cos)
//   GroupAttention   score[j] = (fma over i of q[i] * k[j][i], ascending, from 0) * scale; max over all keys; w[j] = exp(score[j] -
//                    max); sum = lanes(w); o[i] = fma over j of w[j] * v[j][i], ascending, from 0; out[i] = o[i] * (1 / sum)
//
// where lanes(x) is sixteen partial sums, value i in number i mod 16, folded as in DotLanes.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "backend/host_buffer.h"
#include "base/math.h"
#include "ref/ref_ops.h"

namespace scout::ref {
namespace {

float SumLanes(const float* x, int64_t count) {
  float lane[16] = {};
  for (int64_t i = 0; i < count; ++i) lane[i % 16] += x[i];
  for (int step = 8; step >= 1; step /= 2)
    for (int l = 0; l < step; ++l) lane[l] += lane[l + step];
  return lane[0];
}

// softmax(scale * q . K) V for one row and head; keys and values follow each other by `stride` values.
void AttendDefined(Context& context, const float* q, const float* k, const float* v, int64_t keys, int64_t stride, int64_t d,
                   float scale, float* out) {
  std::vector<float>& w = context.scores;
  w.resize(static_cast<size_t>(keys));
  float max = -std::numeric_limits<float>::infinity();
  for (int64_t j = 0; j < keys; ++j) {
    float score = 0;
    for (int64_t i = 0; i < d; ++i) score = Fma(q[i], k[j * stride + i], score);
    score *= scale;
    w[static_cast<size_t>(j)] = score;
    max = score > max ? score : max;
  }
  for (float& weight : w) weight = Exp(weight - max);
  const float share = 1.0f / SumLanes(w.data(), keys);
  for (int64_t i = 0; i < d; ++i) {
    float o = 0;
    for (int64_t j = 0; j < keys; ++j) o = Fma(w[static_cast<size_t>(j)], v[j * stride + i], o);
    out[i] = o * share;
  }
}

void AttendFloat32(Context& context, const float* q, const float* k, const float* v, int64_t keys, int64_t stride, int64_t d,
                   float scale, float* out) {
  std::vector<float>& w = context.scores;
  w.resize(static_cast<size_t>(keys));
  float max = -std::numeric_limits<float>::infinity();
  for (int64_t j = 0; j < keys; ++j) {
    const float score = DotDouble(q, k + j * stride, d) * scale;
    w[static_cast<size_t>(j)] = score;
    max = score > max ? score : max;
  }
  double sum = 0;
  for (float& weight : w) {
    weight = Exp(weight - max);
    sum += static_cast<double>(weight);
  }
  for (int64_t i = 0; i < d; ++i) {
    double o = 0;
    for (int64_t j = 0; j < keys; ++j) o += static_cast<double>(w[static_cast<size_t>(j)]) * static_cast<double>(v[j * stride + i]);
    out[i] = static_cast<float>(o / sum);
  }
}

}  // namespace

void ScatterRows(Context&, const ScatterRowsOp& op) {
  const int64_t d = op.in.cols;
  const float* const in = HostF32(op.in);
  float* const out = HostF32(op.out);
  for (size_t n = 0; n < op.rows.size(); ++n) {
    const int64_t row = static_cast<int64_t>(op.rows[n]) - op.first;
    if (op.rows[n] < 0 || row < 0 || row >= op.in.rows) continue;
    std::memcpy(out + static_cast<int64_t>(n) * d, in + row * d, static_cast<size_t>(d) * 4);
  }
}

void Unfold(Context&, const UnfoldOp& op) {
  const int64_t size = op.tile_size, patch = op.patch_size, side = size / patch, colours = op.colours;
  const int64_t tiles = op.out.rows / (side * side);
  SCOUT_CHECK(static_cast<int64_t>(op.tiles.size()) == tiles * colours * size * size && op.table.size() == 256, op.tiles.size(),
              " bytes of ", tiles, " tiles");
  float* out = HostF32(op.out);
  for (int64_t t = 0; t < tiles; ++t)
    for (int64_t p = 0; p < side * side; ++p)
      for (int64_t c = 0; c < colours; ++c)
        for (int64_t i = 0; i < patch; ++i)
          for (int64_t j = 0; j < patch; ++j) {
            const int64_t row = p / side * patch + i, column = p % side * patch + j;
            *out++ = op.table[op.tiles[static_cast<size_t>(((t * colours + c) * size + row) * size + column)]];
          }
}

void AddPositions(Context&, const AddPositionsOp& op) {
  const float* const position = VectorOf(op.position);  // [P + 1, D]
  const float* const last = VectorOf(op.last);          // [D]
  const float* const in = HostF32(op.in);
  float* const out = HostF32(op.out);
  const int64_t d = op.in.cols, patches = Host(op.position).rows() - 1, tiles = op.in.rows / patches;
  for (int64_t t = 0; t < tiles; ++t)
    for (int64_t p = 0; p <= patches; ++p)
      for (int64_t i = 0; i < d; ++i)
        out[(t * (patches + 1) + p) * d + i] = (p < patches ? in[(t * patches + p) * d + i] : last[i]) + position[p * d + i];
}

void LayerNorm(Context& context, const LayerNormOp& op) {
  const float* const w = VectorOf(op.weight);  // [D]
  const float* const b = VectorOf(op.bias);    // [D]
  const int64_t d = op.in.cols;
  std::vector<float>& centred = context.y;
  centred.resize(static_cast<size_t>(d));
  for (int64_t n = 0; n < op.in.rows; ++n) {
    const float* const x = HostF32(op.in) + n * d;
    float* const y = HostF32(op.out) + n * d;
    if (context.numerics == Numerics::kFloat32) {
      double mean = 0, variance = 0;
      for (int64_t i = 0; i < d; ++i) mean += static_cast<double>(x[i]);
      mean /= static_cast<double>(d);
      for (int64_t i = 0; i < d; ++i) variance += (static_cast<double>(x[i]) - mean) * (static_cast<double>(x[i]) - mean);
      const double scale = 1.0 / std::sqrt(variance / static_cast<double>(d) + static_cast<double>(op.eps));
      for (int64_t i = 0; i < d; ++i)
        y[i] =
            static_cast<float>((static_cast<double>(x[i]) - mean) * scale * static_cast<double>(w[i]) + static_cast<double>(b[i]));
      continue;
    }
    const float mean = SumLanes(x, d) / static_cast<float>(d);
    for (int64_t i = 0; i < d; ++i) centred[static_cast<size_t>(i)] = x[i] - mean;
    const float variance = DotLanes(centred.data(), centred.data(), d) / static_cast<float>(d);
    const float scale = 1.0f / std::sqrt(variance + op.eps);
    for (int64_t i = 0; i < d; ++i) y[i] = Fma(centred[static_cast<size_t>(i)] * scale, w[i], b[i]);
  }
}

void Rotate(Context&, const RotateOp& op) {
  const int64_t d = op.turns.cols;
  const float* const turns = HostF32(op.turns);
  float* const qkv = HostF32(op.qkv);
  for (int64_t n = 0; n < op.qkv.rows; ++n) {
    const float* const turn = turns + n % op.turns.rows * d;
    for (int64_t h = 0; h < 2 * op.heads; ++h) {  // q, then k
      float* const x = qkv + n * op.qkv.cols + h * d;
      for (int64_t i = 0; i < d; i += 2) {
        const float a = x[i], b = x[i + 1], cos = turn[i], sin = turn[i + 1];
        x[i] = Fma(a, cos, -(b * sin));
        x[i + 1] = Fma(a, sin, b * cos);
      }
    }
  }
}

void GroupAttention(Context& context, const GroupAttentionOp& op) {
  const int64_t width = op.out.cols, d = width / op.heads, stride = 3 * width;
  const float* const qkv = HostF32(op.qkv);
  float* const out = HostF32(op.out);
  for (int64_t n = 0; n < op.qkv.rows; ++n) {
    const float* const group = qkv + n / op.group_rows * op.group_rows * stride;
    for (int64_t h = 0; h < op.heads; ++h) {
      const float* const q = qkv + n * stride + h * d;
      const float* const k = group + width + h * d;
      const float* const v = k + width;
      const auto attend = context.numerics == Numerics::kFloat32 ? AttendFloat32 : AttendDefined;
      attend(context, q, k, v, op.group_rows, stride, d, op.scale, out + n * width + h * d);
    }
  }
}

void PixelShuffle(Context&, const PixelShuffleOp& op) {
  const int64_t side = op.side, f = op.factor, d = op.in.cols, small = side / f;
  const float* const in = HostF32(op.in);
  float* out = HostF32(op.out);
  for (int64_t t = 0; t < op.in.rows / op.group_rows; ++t)
    for (int64_t y = 0; y < small; ++y)
      for (int64_t x = 0; x < small; ++x)
        for (int64_t dy = 0; dy < f; ++dy)
          for (int64_t dx = 0; dx < f; ++dx, out += d)
            std::memcpy(out, in + (t * op.group_rows + (f * y + dy) * side + f * x + dx) * d, static_cast<size_t>(d) * 4);
}

}  // namespace scout::ref
