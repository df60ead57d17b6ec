// Operations on rows alone: gathering and normalising.
#include <cmath>
#include <cstring>

#include "backend/host_buffer.h"
#include "base/math.h"
#include "ref/ref_ops.h"

namespace scout::ref {

int SequenceOf(const StepPlan& plan, int n) {
  int s = 0;
  while (n >= plan.sequence_begin[static_cast<size_t>(s) + 1]) ++s;
  return s;
}

void Embed(Context& context, const EmbedOp& op) {
  const HostWeight& table = Host(op.table);
  float* const out = HostF32(op.out);
  for (int n = 0; n < context.plan->rows(); ++n) {
    const int32_t id = context.plan->token[static_cast<size_t>(n)];
    SCOUT_CHECK(id >= 0 && id < table.rows(), "token id ", id, " of a vocabulary of ", table.rows());
    table.DecodeRow(0, id, out + n * table.cols());
  }
}

float InverseRms(Numerics numerics, const float* x, int64_t count, float eps) {
  const float mean = DotFloat(numerics, x, x, count) / static_cast<float>(count);
  return 1.0f / std::sqrt(mean + eps);
}

void RmsNorm(Context& context, const RmsNormOp& op) {
  const float* const w = VectorOf(op.weight);  // [D]
  const int64_t d = op.in.cols;
  for (int64_t n = 0; n < op.in.rows; ++n) {
    const float* const x = HostF32(op.in) + n * d;
    float* const y = HostF32(op.out) + n * d;
    const float scale = InverseRms(context.numerics, x, d, op.eps);
    for (int64_t i = 0; i < d; ++i) y[i] = x[i] * scale * w[i];
  }
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

}  // namespace scout::ref
