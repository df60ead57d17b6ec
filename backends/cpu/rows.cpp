// Operations on rows alone: gathering and normalising.
#include <cmath>
#include <cstring>

#include "cpu/context.h"

namespace scout::cpu {

void Embed(Context& context, const EmbedOp& op) {
  const HostWeight& table = Host(op.table);
  const StepPlan& plan = *context.plan;
  float* const out = HostF32(op.out);
  context.ParallelRows(op.out.rows, 8, [&](int64_t n) {
    const int32_t id = plan.token[static_cast<size_t>(n)];
    SCOUT_CHECK(id >= 0 && id < table.rows(), "token id ", id, " of a vocabulary of ", table.rows());
    table.DecodeRow(0, id, out + n * table.cols());
  });
}

void RmsNorm(Context& context, const RmsNormOp& op) {
  const Kernels& kernels = *context.kernels;
  const auto* const w = reinterpret_cast<const float*>(Host(op.weight).parts()[0].Row(0, 0));  // [D]
  const int64_t d = op.in.cols;
  const float* const in = HostF32(op.in);
  float* const out = HostF32(op.out);
  context.ParallelRows(op.in.rows, 8, [&](int64_t n) {
    const float* const x = in + n * d;
    const float mean = kernels.sum_of_squares(x, d) / static_cast<float>(d);
    kernels.scale_by(x, 1.0f / std::sqrt(mean + op.eps), w, d, out + n * d);
  });
}

void GatherRows(Context&, const GatherRowsOp& op) {
  const int64_t d = op.in.cols;
  const float* const in = HostF32(op.in);
  float* const out = HostF32(op.out);
  for (size_t i = 0; i < op.rows.size(); ++i) {
    SCOUT_CHECK(op.rows[i] >= 0 && op.rows[i] < op.in.rows, "row ", op.rows[i], " of ", op.in.rows);
    std::memcpy(out + static_cast<int64_t>(i) * d, in + op.rows[i] * d, static_cast<size_t>(d) * 4);
  }
}

}  // namespace scout::cpu
