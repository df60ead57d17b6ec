#include "backend/host_buffer.h"
#include "base/math.h"
#include "ref/ref_ops.h"

namespace scout::ref {

void SwiGlu(const float* y, int64_t hidden_width, float* hidden) {
  for (int64_t j = 0; j < hidden_width; ++j) hidden[j] = Silu(y[j]) * y[hidden_width + j];
}

void Linear(Context& context, const LinearOp& op) {
  const HostWeight& weight = Host(op.weight);
  const int64_t rows = op.in.rows, outputs = weight.rows();
  Prepare(context.numerics, weight, HostF32(op.in), rows, context.in);
  float* const out = HostF32(op.out);
  const bool in_place = op.epilogue == Epilogue::kStore || op.epilogue == Epilogue::kGelu;
  if (!in_place) context.y.resize(static_cast<size_t>(rows * outputs));
  float* const y = in_place ? out : context.y.data();  // [N, O]
  if (weight.meets_floats() && context.numerics != Numerics::kFloat32)
    ProductOfFloats(weight, context.in, y, context.product);
  else
    Product(context.numerics, weight, 0, context.in, y, context.product);
  if (op.bias) {
    const float* const bias = VectorOf(op.bias);  // [O]
    for (int64_t i = 0; i < rows * outputs; ++i) y[i] += bias[i % outputs];
  }
  switch (op.epilogue) {
    case Epilogue::kStore:
      return;
    case Epilogue::kAdd:
      for (int64_t i = 0; i < rows * outputs; ++i) out[i] += y[i];
      return;
    case Epilogue::kSwiGlu:
      for (int64_t n = 0; n < rows; ++n) SwiGlu(y + n * outputs, outputs / 2, out + n * (outputs / 2));
      return;
    case Epilogue::kGelu:
      for (int64_t i = 0; i < rows * outputs; ++i) y[i] = Gelu(y[i]);
  }
}

}  // namespace scout::ref
