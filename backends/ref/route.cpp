#include "backend/host_buffer.h"
#include "base/math.h"
#include "ref/ref_ops.h"

namespace scout::ref {

// Logits by float dots, never on rounded activations: a choice is all or nothing. A NaN logit is chosen only when nothing else is
// left, and its gate is NaN, so that the row ends with NaN logits rather than with a plausible answer.
void Route(Context& context, const RouteOp& op) {
  const HostWeight& router = Host(op.router);
  const int64_t experts = router.rows(), d = router.cols();
  SCOUT_CHECK(op.top_k >= 1 && op.top_k <= experts, "top ", op.top_k, " of ", experts, " experts");
  std::vector<float>& logits = context.scores;
  logits.resize(static_cast<size_t>(experts));
  for (int64_t n = 0; n < op.in.rows; ++n) {
    const float* const x = HostF32(op.in) + n * d;
    for (int64_t e = 0; e < experts; ++e) {
      logits[static_cast<size_t>(e)] =
          DotFloat(context.numerics, reinterpret_cast<const float*>(router.parts()[0].Row(0, e)), x, d);
    }
    int32_t* const ids = HostI32(op.ids) + n * op.top_k;
    for (int32_t i = 0; i < op.top_k; ++i) {
      int32_t best = -1;
      for (int32_t e = 0; e < experts; ++e) {
        bool taken = false;
        for (int32_t j = 0; j < i; ++j) taken |= ids[j] == e;
        if (taken) continue;
        const float logit = logits[static_cast<size_t>(e)];
        const bool better = best < 0 || logit > logits[static_cast<size_t>(best)] ||
                            (logits[static_cast<size_t>(best)] != logits[static_cast<size_t>(best)] && logit == logit);
        if (better) best = e;
      }
      ids[i] = best;
      HostF32(op.gates)[n * op.top_k + i] = Sigmoid(logits[static_cast<size_t>(best)]);
    }
  }
}

}  // namespace scout::ref
