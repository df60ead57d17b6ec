#include <cmath>
#include <cstring>

#include "backend/host_pages.h"
#include "base/math.h"
#include "cpu/context.h"
#include "quant/formats.h"

namespace scout::cpu {
namespace {

void Rotate(const SinCos* angles, int64_t pairs, float* head) {
  for (int64_t i = 0; i < pairs; ++i) {
    const float a = head[2 * i], b = head[2 * i + 1];
    head[2 * i] = a * angles[i].cos - b * angles[i].sin;
    head[2 * i + 1] = a * angles[i].sin + b * angles[i].cos;
  }
}

// As in ref/rope_norm_store.cpp.
float Temperature(int32_t position, double length, double scale) {
  const float steps = std::floor((static_cast<float>(position) + 1.0f) / static_cast<float>(length));
  return static_cast<float>(Log(1.0 + static_cast<double>(steps))) * static_cast<float>(scale) + 1.0f;
}

void Store(const Kernels& kernels, DType format, const float* from, int64_t count, std::byte* to) {
  if (format == DType::kF32)
    std::memcpy(to, from, static_cast<size_t>(count) * 4);
  else if (format == DType::kF16)
    kernels.to_f16(from, count, reinterpret_cast<uint16_t*>(to));
  else if (format == DType::kQ8_0)
    quant::EncodeRow(format, from, to, static_cast<size_t>(count));
  else
    kernels.to_bf16(from, count, reinterpret_cast<uint16_t*>(to));
}

}  // namespace

void RopeNormStore(Context& context, const RopeNormStoreOp& op) {
  const StepPlan& plan = *context.plan;
  const Kernels& kernels = *context.kernels;
  const HostPages& pages = *static_cast<const HostPages*>(op.pages);
  const PageGroupSpec& spec = pages.spec();
  const int64_t d = spec.head_dim, q_values = op.heads * d, kv_values = spec.kv_heads * d, cols = op.qkv.cols;
  const float* const qkv = HostF32(op.qkv);
  float* const q_out = HostF32(op.q);
  float* const rows = context.arena.Take<float>(context.threads * cols);
  SinCos* const tables = context.arena.Take<SinCos>(context.threads * (d / 2));
  constexpr int64_t kPerTask = 4;
  context.Parallel((op.qkv.rows + kPerTask - 1) / kPerTask, [&](int64_t task, int thread) {
    float* const row = rows + thread * cols;  // q, k, v of one row
    SinCos* const angles = tables + thread * (d / 2);
    for (int64_t n = task * kPerTask; n < std::min(op.qkv.rows, (task + 1) * kPerTask); ++n) {
      const int32_t position = plan.position[static_cast<size_t>(n)];
      std::memcpy(row, qkv + n * cols, static_cast<size_t>(cols) * 4);
      if (op.rope) {
        for (int64_t i = 0; i < d / 2; ++i)
          angles[i] = SinCosOf(op.inv_freq[static_cast<size_t>(i)] * static_cast<float>(position));
        for (int64_t at = 0; at < q_values + kv_values; at += d) Rotate(angles, d / 2, row + at);
      }
      if (op.qk_norm) {
        for (int64_t at = 0; at < q_values + kv_values; at += d) {
          const float mean = kernels.sum_of_squares(row + at, d) / static_cast<float>(d);
          kernels.multiply(row + at, 1.0f / std::sqrt(mean + op.norm_eps), d, row + at);
        }
      }
      if (op.temperature_length > 0)
        kernels.multiply(row, Temperature(position, op.temperature_length, op.temperature_scale), q_values, row);
      std::memcpy(q_out + n * q_values, row, static_cast<size_t>(q_values) * 4);

      const int64_t slot = plan.pages[static_cast<size_t>(op.group)].slot[static_cast<size_t>(n)];
      if (slot < 0) continue;
      const int64_t page = slot / spec.page_size, index = slot % spec.page_size;
      SCOUT_CHECK(page < spec.page_count, "slot ", slot, " of ", spec.page_count, " pages of ", spec.page_size);
      for (int64_t h = 0; h < spec.kv_heads; ++h) {
        const float* const k = row + q_values + h * d;
        Store(kernels, spec.k_format, k, d, pages.K(page, op.layer, h) + static_cast<size_t>(index) * pages.k_head_bytes());
        Store(kernels, spec.v_format, k + kv_values, d,
              pages.V(page, op.layer, h) + static_cast<size_t>(index) * pages.v_head_bytes());
      }
    }
  });
}

}  // namespace scout::cpu
