#include "roofline.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "common.h"

namespace cli {
namespace {

enum class Kind { kProjections, kRouter, kDense, kExperts, kHead, kEmbedding };

bool Contains(std::string_view name, std::string_view part) { return name.find(part) != std::string_view::npos; }

// By the names that GGUF files and Hugging Face directories use.
Kind KindOf(std::string_view name) {
  if (Contains(name, "token_embd") || Contains(name, "embed_tokens")) return Kind::kEmbedding;
  if (name == "output.weight" || Contains(name, "lm_head")) return Kind::kHead;
  if (Contains(name, "ffn_gate_inp") || Contains(name, ".router.")) return Kind::kRouter;
  if (Contains(name, "_exps") || Contains(name, ".experts.")) return Kind::kExperts;
  if (Contains(name, "attn_") || Contains(name, "self_attn")) return Kind::kProjections;
  return Kind::kDense;
}

Arithmetic KindOfProducts(std::string_view format) {
  if (format == "F32") return Arithmetic::kF32;
  if (format == "F16" || format == "BF16") return Arithmetic::kBf16;
  return Arithmetic::kInt8;
}

// Keys that `rows` queries after `before` positions look at, together, in a layer whose chunk is `chunk` positions (0 = none).
double Pairs(int64_t before, int64_t rows, int64_t chunk) {
  double pairs = 0;
  for (int64_t i = before; i < before + rows; ++i) pairs += static_cast<double>((chunk > 0 ? i % chunk : i) + 1);
  return pairs;
}

// Positions whose keys and values those queries need, each counted once.
double Positions(int64_t before, int64_t rows, int64_t chunk) {
  const int64_t first = chunk > 0 ? before / chunk * chunk : 0;
  return static_cast<double>(before + rows - first);
}

double Peak(double wide, double narrow) { return std::max(wide, narrow); }

double Seconds(const Phase& phase, const probes::Peaks& peaks) {
  const double bf16 = Peak(peaks.bf16_ops, peaks.f32_ops), int8 = Peak(peaks.int8_ops, peaks.f32_ops);
  return (phase.int8_ops > 0 ? phase.int8_ops / int8 : 0) + (phase.bf16_ops > 0 ? phase.bf16_ops / bf16 : 0) +
         (phase.f32_ops > 0 ? phase.f32_ops / peaks.f32_ops : 0);
}

}  // namespace

double Work::Bytes() const {
  double sum = 0;
  for (const Phase& phase : phases) sum += phase.bytes;
  return sum;
}

double Work::Ops() const {
  double sum = 0;
  for (const Phase& phase : phases) sum += phase.Ops();
  return sum;
}

void Work::Add(const Work& other, double times) {
  if (phases.empty())
    for (const Phase& phase : other.phases) phases.push_back({phase.name});
  for (size_t i = 0; i < phases.size(); ++i) {
    phases[i].bytes += times * other.phases[i].bytes;
    phases[i].int8_ops += times * other.phases[i].int8_ops;
    phases[i].bf16_ops += times * other.phases[i].bf16_ops;
    phases[i].f32_ops += times * other.phases[i].f32_ops;
  }
}

Roofline::Roofline(const scout_model* model) : info_(InfoOf(model)) {
  uint64_t tensors = 0;
  Check(scout_model_tensor_count(model, &tensors));
  for (uint64_t i = 0; i < tensors; ++i) {
    scout_tensor_info tensor = {};
    tensor.struct_size = sizeof tensor;
    Check(scout_model_get_tensor(model, i, &tensor));
    if (tensor.used == 0 || tensor.rank < 2) continue;
    Weights weights;
    double values = 1;
    for (int32_t d = 0; d < tensor.rank; ++d) values *= static_cast<double>(tensor.shape[d]);
    weights.bytes = static_cast<double>(tensor.bytes);
    const Arithmetic products = KindOfProducts(tensor.format);
    (products == Arithmetic::kF32 ? weights.f32 : products == Arithmetic::kBf16 ? weights.bf16 : weights.int8) = values;
    const auto add = [&](Weights& to) {
      to.bytes += weights.bytes;
      to.int8 += weights.int8;
      to.bf16 += weights.bf16;
      to.f32 += weights.f32;
    };
    switch (KindOf(tensor.name)) {
      case Kind::kProjections:
        add(projections_);
        break;
      case Kind::kRouter:
        add(router_);
        break;
      case Kind::kDense:
        add(dense_);
        break;
      case Kind::kExperts:
        add(experts_);
        break;
      case Kind::kHead:
        add(head_);
        break;
      case Kind::kEmbedding:
        embedding_row_bytes_ = weights.bytes / static_cast<double>(info_.vocabulary);
        if (info_.tied_head != 0) add(head_);
        break;
    }
  }
}

void Roofline::AddOps(Phase& phase, const Weights& weights, double rows) {
  phase.int8_ops += 2 * weights.int8 * rows;
  phase.bf16_ops += 2 * weights.bf16 * rows;
  phase.f32_ops += 2 * weights.f32 * rows;
}

Work Roofline::Step(const StepPart& part, int64_t count) const {
  const double rows = static_cast<double>(part.rows * count), sequences = static_cast<double>(count);
  const double logits = static_cast<double>(part.logits * count);
  Work work;
  const auto dense = [&](const char* name, const Weights& weights, double of_rows) {
    Phase phase{name};
    if (of_rows > 0) phase.bytes = weights.bytes;
    AddOps(phase, weights, of_rows);
    work.phases.push_back(phase);
  };
  Phase embedding{"embedding"};
  embedding.bytes = rows * embedding_row_bytes_;
  work.phases.push_back(embedding);
  dense("attention projections", projections_, rows);

  Phase attention{"attention over keys"};
  const auto global = static_cast<double>(info_.global_layers), local = static_cast<double>(info_.layers) - global;
  const int64_t chunk = info_.attention_chunk;
  const double new_rows = static_cast<double>(part.rows);
  const auto global_bytes = static_cast<double>(info_.kv_bytes_per_position_global);
  const auto local_bytes = static_cast<double>(info_.kv_bytes_per_position_local);
  attention.bytes = sequences * (global_bytes * (Positions(part.before, part.rows, 0) + new_rows) +
                                 local_bytes * (Positions(part.before, part.rows, chunk) + new_rows));
  attention.f32_ops = sequences * 4 * static_cast<double>(info_.heads * info_.head_dim) *
                      (global * Pairs(part.before, part.rows, 0) + local * Pairs(part.before, part.rows, chunk));
  work.phases.push_back(attention);

  dense("router", router_, rows);
  dense(info_.moe_layers == info_.layers ? "shared expert" : "shared expert and dense layers", dense_, rows);
  Phase experts{"routed experts"};
  if (info_.experts > 0) {
    const double share = static_cast<double>(info_.experts_used) / static_cast<double>(info_.experts);
    experts.bytes = experts_.bytes * (1 - std::pow(1 - share, rows));
    AddOps(experts, experts_, rows * share);
  }
  work.phases.push_back(experts);
  dense("head", head_, logits);
  return work;
}

Work Roofline::Prompts(int64_t before, int64_t rows, int64_t count, int64_t step_rows) const {
  // Prompts longer than a step take steps of their own; shorter ones share steps.
  Work work;
  const int64_t together = std::max<int64_t>(1, step_rows / std::max<int64_t>(rows, 1));
  if (rows >= step_rows) {
    for (int64_t done = 0; done < rows; done += step_rows) {
      const int64_t now = std::min(step_rows, rows - done);
      work.Add(Step({before + done, now, done + now == rows ? 1 : 0}, 1), static_cast<double>(count));
    }
  } else {
    if (count / together > 0) work.Add(Step({before, rows, 1}, together), static_cast<double>(count / together));
    if (count % together > 0) work.Add(Step({before, rows, 1}, count % together));
  }
  return work;
}

double LimitSeconds(const Work& work, const probes::Peaks& peaks) {
  double seconds = 0;
  for (const Phase& phase : work.phases) seconds += std::max(phase.bytes / peaks.read_bytes, Seconds(phase, peaks));
  return seconds;
}

double ReadSeconds(const Work& work, const probes::Peaks& peaks) { return work.Bytes() / peaks.read_bytes; }

double ArithmeticSeconds(const Work& work, const probes::Peaks& peaks) {
  double seconds = 0;
  for (const Phase& phase : work.phases) seconds += Seconds(phase, peaks);
  return seconds;
}

}  // namespace cli
