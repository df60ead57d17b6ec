#include <cmath>

#include "backend/host_buffer.h"
#include "backend/host_pages.h"
#include "base/math.h"
#include "quant/bf16.h"
#include "quant/f16.h"
#include "quant/formats.h"
#include "ref/ref_ops.h"

namespace scout::ref {
namespace {

// Rotates the pairs (2i, 2i + 1) of one head. Each product is rounded, then their sum.
void Rotate(const SinCos* angles, int64_t pairs, float* head) {
  for (int64_t i = 0; i < pairs; ++i) {
    const float a = head[2 * i], b = head[2 * i + 1];
    head[2 * i] = a * angles[i].cos - b * angles[i].sin;
    head[2 * i + 1] = a * angles[i].sin + b * angles[i].cos;
  }
}

void StoreValues(DType format, const float* from, int64_t count, std::byte* to) {
  if (format == DType::kQ8_0) return quant::EncodeRow(format, from, to, static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    if (format == DType::kF32)
      reinterpret_cast<float*>(to)[i] = from[i];
    else if (format == DType::kF16)
      reinterpret_cast<uint16_t*>(to)[i] = quant::F32ToF16(from[i]);
    else
      reinterpret_cast<uint16_t*>(to)[i] = quant::F32ToBf16(from[i]);
  }
}

// 1 + scale * ln(1 + floor((p + 1) / length)), in float32 as transformers has it. The argument of the logarithm is a whole
// number, so a float64 logarithm rounded once is float32's log1p.
float Temperature(int32_t position, double length, double scale) {
  const float steps = std::floor((static_cast<float>(position) + 1.0f) / static_cast<float>(length));
  return static_cast<float>(Log(1.0 + static_cast<double>(steps))) * static_cast<float>(scale) + 1.0f;
}

}  // namespace

void RopeNormStore(Context& context, const RopeNormStoreOp& op) {
  const StepPlan& plan = *context.plan;
  HostPages& pages = *static_cast<HostPages*>(op.pages);
  const PageGroupSpec& spec = pages.spec();
  const int64_t d = spec.head_dim, q_heads = op.heads, kv_heads = spec.kv_heads;
  std::vector<float>& row = context.y;
  row.resize(static_cast<size_t>(op.qkv.cols));
  static_assert(sizeof(SinCos) == 2 * sizeof(float));
  context.scores.resize(static_cast<size_t>(d));
  SinCos* const angles = reinterpret_cast<SinCos*>(context.scores.data());  // [d / 2]

  for (int64_t n = 0; n < op.qkv.rows; ++n) {
    const int32_t position = plan.position[static_cast<size_t>(n)];
    const float* const qkv = HostF32(op.qkv) + n * op.qkv.cols;
    row.assign(qkv, qkv + op.qkv.cols);
    float* const q = row.data();
    float* const k = q + q_heads * d;
    float* const v = k + kv_heads * d;
    if (op.rope) {
      for (int64_t i = 0; i < d / 2; ++i) angles[i] = SinCosOf(op.inv_freq[static_cast<size_t>(i)] * static_cast<float>(position));
      for (int64_t h = 0; h < q_heads + kv_heads; ++h) Rotate(angles, d / 2, q + h * d);
    }
    if (op.qk_norm) {
      for (int64_t h = 0; h < q_heads + kv_heads; ++h) {
        float* const head = q + h * d;
        const float scale = InverseRms(context.numerics, head, d, op.norm_eps);
        for (int64_t i = 0; i < d; ++i) head[i] *= scale;
      }
    }
    if (op.temperature_length > 0) {
      const float scale = Temperature(position, op.temperature_length, op.temperature_scale);
      for (int64_t i = 0; i < q_heads * d; ++i) q[i] *= scale;
    }
    float* const out = HostF32(op.q) + n * q_heads * d;
    for (int64_t i = 0; i < q_heads * d; ++i) out[i] = q[i];

    const int64_t slot = plan.pages[static_cast<size_t>(op.group)].slot[static_cast<size_t>(n)];
    if (slot < 0) continue;
    const int64_t page = slot / spec.page_size, index = slot % spec.page_size;
    SCOUT_CHECK(page < spec.page_count, "slot ", slot, " of ", spec.page_count, " pages of ", spec.page_size);
    for (int64_t h = 0; h < kv_heads; ++h) {
      StoreValues(spec.k_format, k + h * d, d, pages.K(page, op.layer, h) + static_cast<size_t>(index) * pages.k_head_bytes());
      StoreValues(spec.v_format, v + h * d, d, pages.V(page, op.layer, h) + static_cast<size_t>(index) * pages.v_head_bytes());
    }
  }
}

}  // namespace scout::ref
