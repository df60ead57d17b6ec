#include <limits>

#include "base/math.h"
#include "cpu/context.h"

namespace scout::cpu {

void MergeAttention(Context& context, const MergeAttentionOp& op) {
  constexpr float kNone = -std::numeric_limits<float>::infinity();
  const Kernels& kernels = *context.kernels;
  const int64_t d = op.out.cols / op.heads;
  float* const outs = HostF32(op.out);
  context.ParallelRows(op.out.rows * op.heads, 16, [&](int64_t i) {
    float max = kNone;
    for (const Act& lse : op.lse) max = HostF32(lse)[i] > max ? HostF32(lse)[i] : max;
    float* const out = outs + i * d;
    float sum = 0;
    for (size_t p = 0; p < op.partial.size(); ++p) {
      const float lse = HostF32(op.lse[p])[i];
      const float weight = lse == kNone ? 0.0f : Exp(lse - max);
      sum += weight;
      const float* const partial = HostF32(op.partial[p]) + i * d;
      if (p == 0)
        kernels.multiply(partial, weight, d, out);
      else
        kernels.merge(partial, weight, 1.0f, d, out);
    }
    kernels.multiply(out, sum == 0 ? 0.0f : 1.0f / sum, d, out);
    if (op.out_lse.buffer) HostF32(op.out_lse)[i] = static_cast<float>(static_cast<double>(max) + Log(static_cast<double>(sum)));
  });
}

}  // namespace scout::cpu
