#include <span>

#include "backend/host_buffer.h"
#include "ref/ref_ops.h"

namespace scout::ref {
namespace {

// y[D] = down(silu(gate x) * (up x)) for one row.
void FeedForward(Context& context, const HostWeight& gate_up, const HostWeight& down, int64_t expert, const float* x, float* y) {
  const int64_t hidden = down.cols();
  context.hidden.resize(static_cast<size_t>(3 * hidden));
  float* const both = context.hidden.data();  // [2F]
  float* const product = both + 2 * hidden;   // [F]
  Prepare(context.numerics, gate_up, x, 1, context.in);
  Product(context.numerics, gate_up, expert, context.in, both, context.product);
  SwiGlu(both, hidden, product);
  Prepare(context.numerics, down, product, 1, context.hidden_in);
  Product(context.numerics, down, expert, context.hidden_in, y, context.product);
}

// A row's parts, in the order in which they come, and then added to its residual; nothing is added where there is none.
class RowSum {
 public:
  explicit RowSum(std::span<float> sum) : sum_(sum) {}
  void Add(const float* y) {
    for (size_t i = 0; i < sum_.size(); ++i) sum_[i] = empty_ ? y[i] : sum_[i] + y[i];
    empty_ = false;
  }
  void AddTo(float* residual) const {
    if (empty_) return;
    for (size_t i = 0; i < sum_.size(); ++i) residual[i] += sum_[i];
  }

 private:
  std::span<float> sum_;
  bool empty_ = true;
};

}  // namespace

void Experts(Context& context, const ExpertsOp& op) {
  const int64_t d = op.in.cols, top_k = op.ids.cols;
  const int64_t experts = Host(op.gate_up).experts();
  context.y.resize(static_cast<size_t>(d));
  context.sum.resize(static_cast<size_t>(d));
  context.expert_in.resize(static_cast<size_t>(d));
  for (int64_t n = 0; n < op.in.rows; ++n) {
    const float* const x = HostF32(op.in) + n * d;
    RowSum sum(context.sum);
    float* const apart = op.addends.buffer ? HostF32(op.addends) + n * top_k * d : nullptr;
    const auto add = [&](const HostWeight& gate_up, const HostWeight& down, int64_t expert, const float* in) {
      FeedForward(context, gate_up, down, expert, in, context.y.data());
      sum.Add(context.y.data());
    };
    if (op.shared_gate_up) add(Host(op.shared_gate_up), Host(op.shared_down), 0, x);
    for (int64_t j = 0; j < top_k; ++j) {
      const int32_t expert = HostI32(op.ids)[n * top_k + j];
      if (expert < op.first_expert || expert >= op.last_expert) continue;
      SCOUT_CHECK(expert >= 0 && expert < experts, "expert ", expert, " of ", experts);
      const float gate = HostF32(op.gates)[n * top_k + j];
      for (int64_t i = 0; i < d; ++i) context.expert_in[static_cast<size_t>(i)] = gate * x[i];
      if (apart) {
        FeedForward(context, Host(op.gate_up), Host(op.down), expert, context.expert_in.data(), apart + j * d);
        continue;
      }
      add(Host(op.gate_up), Host(op.down), expert, context.expert_in.data());
    }
    if (!apart) sum.AddTo(HostF32(op.residual) + n * d);
  }
}

void CombineExperts(Context& context, const CombineExpertsOp& op) {
  const int64_t d = op.residual.cols, top_k = op.ids.cols;
  context.sum.resize(static_cast<size_t>(d));
  for (int64_t n = 0; n < op.residual.rows; ++n) {
    RowSum sum(context.sum);
    if (op.shared.buffer) sum.Add(HostF32(op.shared) + n * d);
    for (int64_t j = 0; j < top_k; ++j) {
      const int32_t expert = HostI32(op.ids)[n * top_k + j];
      if (expert >= op.first_expert && expert < op.last_expert) sum.Add(HostF32(op.addends) + (n * top_k + j) * d);
    }
    sum.AddTo(HostF32(op.residual) + n * d);
  }
}

}  // namespace scout::ref
