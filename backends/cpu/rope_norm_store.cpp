#include <algorithm>
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
  const int64_t d = spec.head_dim, kv_heads = spec.kv_heads, group = op.heads / kv_heads, cols = op.qkv.cols;
  const int64_t q_values = op.heads * d, kv_values = kv_heads * d;
  const float* const qkv = HostF32(op.qkv);
  float* const q_out = HostF32(op.q);
  float* const heads = context.arena.Take<float>(context.threads * (group + 1) * d);
  SinCos* const tables = context.arena.Take<SinCos>(context.threads * (d / 2));
  // The heads of a few rows are shared out: key/value heads, each with the queries that meet it.
  constexpr int64_t kPerTask = 4;
  const int64_t blocks = (op.qkv.rows + kPerTask - 1) / kPerTask;
  const int64_t parts = blocks < context.threads ? std::min<int64_t>(kv_heads, context.threads) : 1;
  context.Parallel(blocks * parts, [&](int64_t task, int thread) {
    float* const turned = heads + thread * (group + 1) * d;  // the queries of one key/value head, and its keys
    SinCos* const angles = tables + thread * (d / 2);
    const int64_t begin = task / parts * kPerTask, part = task % parts;
    for (int64_t n = begin; n < std::min(op.qkv.rows, begin + kPerTask); ++n) {
      const int32_t position = plan.position[static_cast<size_t>(n)];
      if (op.rope)
        for (int64_t i = 0; i < d / 2; ++i)
          angles[i] = SinCosOf(op.inv_freq[static_cast<size_t>(i)] * static_cast<float>(position));
      const float temperature =
          op.temperature_length > 0 ? Temperature(position, op.temperature_length, op.temperature_scale) : 1.0f;
      const int64_t slot = plan.pages[static_cast<size_t>(op.group)].slot[static_cast<size_t>(n)];
      const bool stores = slot >= 0;
      const int64_t page = stores ? slot / spec.page_size : 0, index = stores ? slot % spec.page_size : 0;
      SCOUT_CHECK(!stores || page < spec.page_count, "slot ", slot, " of ", spec.page_count, " pages of ", spec.page_size);
      for (int64_t h = kv_heads * part / parts; h < kv_heads * (part + 1) / parts; ++h) {
        const float* const row = qkv + n * cols;
        float* const k = turned + group * d;
        std::memcpy(turned, row + h * group * d, static_cast<size_t>(group * d) * 4);
        std::memcpy(k, row + q_values + h * d, static_cast<size_t>(d) * 4);
        for (float* head = turned; head <= k; head += d) {
          if (op.rope) Rotate(angles, d / 2, head);
          if (!op.qk_norm) continue;
          const float mean = kernels.sum_of_squares(head, d) / static_cast<float>(d);
          kernels.multiply(head, 1.0f / std::sqrt(mean + op.norm_eps), d, head);
        }
        if (op.temperature_length > 0) kernels.multiply(turned, temperature, group * d, turned);
        std::memcpy(q_out + n * q_values + h * group * d, turned, static_cast<size_t>(group * d) * 4);
        if (!stores) continue;
        const float* const v = row + q_values + kv_values + h * d;
        Store(kernels, spec.k_format, k, d, pages.K(page, op.layer, h) + static_cast<size_t>(index) * pages.k_head_bytes());
        Store(kernels, spec.v_format, v, d, pages.V(page, op.layer, h) + static_cast<size_t>(index) * pages.v_head_bytes());
      }
    }
  });
}

}  // namespace scout::cpu
