#include "model/weights.h"

#include <algorithm>
#include <exception>
#include <initializer_list>
#include <mutex>
#include <new>
#include <unordered_set>
#include <utility>

#include "backend/packed_weights.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/own_thread.h"
#include "model/tensor_source.h"

namespace scout::model {
namespace {

Shape MakeShape(std::initializer_list<int64_t> dims) {
  Shape shape;
  for (const int64_t dim : dims) shape.dims[static_cast<size_t>(shape.rank++)] = static_cast<uint64_t>(dim);
  return shape;
}

// Walks the model's matrices in the order of a step and collects jobs; absent tensors are noted and told all at once.
int32_t Layer(int64_t i) { return static_cast<int32_t>(i); }

class Binder {
 public:
  Binder(const std::shared_ptr<const io::Checkpoint>& checkpoint, const Config& config, const Names& names, const Backend& backend,
         const std::shared_ptr<LoadMonitor>& monitor)
      : checkpoint_(checkpoint), config_(config), names_(names), backend_(backend), monitor_(monitor) {}

  WeightPlan Bind(Weights& weights);

 private:
  const io::TensorInfo* Find(const std::string& name) const { return name.empty() ? nullptr : checkpoint_->FindTensor(name); }
  bool Has(Role role, int64_t layer) const { return Find(names_.Of(role, layer)) != nullptr; }
  // The tensor, its shape checked; null, and noted as missing, where it is not there.
  const io::TensorInfo* Need(const std::string& name, std::initializer_list<int64_t> dims);
  WeightJob& NewJob(WeightRole role, ModelUnit unit, std::unique_ptr<Weight>* slot, int64_t experts = 1);
  // Adds `rows` x `cols` (of each expert) from one tensor to the job; `transposed`: the file holds [cols, rows].
  WeightPart* AddPart(WeightJob& job, const io::TensorInfo* tensor, int64_t rows, int64_t cols, bool transposed = false);
  void AddExperts(WeightJob& job, Role role, int64_t layer, int64_t rows, int64_t cols);
  void RefuseBoth(const std::string& one, const std::string& other) const;

  void BindModel(Weights& weights);
  void BindAttention(int64_t layer, LayerWeights& weights);
  void BindDense(int64_t layer, LayerWeights& weights);
  void BindExperts(int64_t layer, LayerWeights& weights);
  [[noreturn]] void FailMissing() const;
  void CheckTheRest();

  const std::shared_ptr<const io::Checkpoint>& checkpoint_;
  const Config& config_;
  const Names& names_;
  const Backend& backend_;
  const std::shared_ptr<LoadMonitor>& monitor_;
  WeightPlan plan_;
  std::unordered_set<const io::TensorInfo*> used_;
  std::vector<std::string> missing_;
  static constexpr uint64_t kManyMissing = 1000;
  uint64_t missing_count_ = 0;
};

const io::TensorInfo* Binder::Need(const std::string& name, std::initializer_list<int64_t> dims) {
  const io::TensorInfo* tensor = Find(name);
  if (tensor == nullptr) {
    if (++missing_count_ <= 3) missing_.push_back(name);
    if (missing_count_ == kManyMissing) FailMissing();  // a thousand layers of thousands of experts would take seconds to list
    return nullptr;
  }
  const Shape expected = MakeShape(dims);
  if (!(tensor->shape == expected))
    Fail(ErrorCode::kFormat, "tensor ", Escape(name), " has shape ", ToString(tensor->shape), ", expected ", ToString(expected));
  return tensor;
}

WeightJob& Binder::NewJob(WeightRole role, ModelUnit unit, std::unique_ptr<Weight>* slot, int64_t experts) {
  WeightJob& job = plan_.jobs.emplace_back();
  job.desc.role = role;
  job.desc.unit = unit;
  job.desc.experts = experts;
  job.slot = slot;
  return job;
}

WeightPart* Binder::AddPart(WeightJob& job, const io::TensorInfo* tensor, int64_t rows, int64_t cols, bool transposed) {
  if (tensor == nullptr) return nullptr;
  if (!backend_.Supports(tensor->dtype, job.desc.role))
    Fail(ErrorCode::kUnsupported, "tensor ", Escape(tensor->name), " is ", tensor->dtype_name, ", a format that the device \"",
         backend_.Info().name, "\" does not serve here");
  if (job.name.empty()) {
    job.name = tensor->name;
    job.desc.name = job.name.c_str();  // jobs live in a deque and never move
  }
  WeightPart& part = job.desc.parts.emplace_back();
  part.format = tensor->dtype;
  part.rows = rows;
  part.cols = cols;
  part.transposed = transposed;
  part.row_values = transposed ? rows : cols;
  part.sources.push_back(std::make_shared<TensorSource>(checkpoint_, *tensor, monitor_));
  part.expert_bytes = tensor->bytes / static_cast<uint64_t>(job.desc.experts);
  job.file_bytes = CheckedAdd(job.file_bytes, tensor->bytes, "bytes of a weight");
  if (job.desc.role == WeightRole::kVector) {
    job.resident_bytes += 4 * static_cast<uint64_t>(cols);
  } else if (transposed || checkpoint_->Mapped(*tensor) == nullptr) {  // what is mapped as it is needed stays there
    job.resident_bytes = CheckedAdd(job.resident_bytes, tensor->bytes, "bytes of a weight");
  }
  if (used_.insert(tensor).second) {
    plan_.used.push_back(tensor);
    plan_.parameters = CheckedAdd(plan_.parameters, ElementCount(tensor->shape), "parameters");
  }
  return &part;
}

void Binder::RefuseBoth(const std::string& one, const std::string& other) const {
  if (Find(one) && Find(other))
    Fail(ErrorCode::kFormat, "the same weights are there twice, as tensor ", Escape(one), " and as tensor ", Escape(other));
}

void Binder::BindModel(Weights& weights) {
  const Config& c = config_;
  const std::string embedding = names_.Of(Role::kEmbedding);
  AddPart(NewJob(WeightRole::kEmbedding, {UnitKind::kEmbedding}, &weights.embedding), Need(embedding, {c.vocabulary, c.embedding}),
          c.vocabulary, c.embedding);
  for (int64_t i = 0; i < c.layers; ++i) {
    LayerWeights& layer = weights.layer[static_cast<size_t>(i)];
    BindAttention(i, layer);
    if (c.layer[static_cast<size_t>(i)].moe) {
      BindExperts(i, layer);
    } else {
      BindDense(i, layer);
    }
  }
  AddPart(NewJob(WeightRole::kVector, {UnitKind::kHead}, &weights.final_norm), Need(names_.Of(Role::kFinalNorm), {c.embedding}), 1,
          c.embedding);
  const std::string head = c.tied_head ? embedding : names_.Of(Role::kHead);
  AddPart(NewJob(WeightRole::kLinear, {UnitKind::kHead}, &weights.head), Need(head, {c.vocabulary, c.embedding}), c.vocabulary,
          c.embedding);
}

void Binder::BindAttention(int64_t i, LayerWeights& layer) {
  const Config& c = config_;
  const int64_t q_rows = c.heads * c.head_dim, kv_rows = c.kv_heads * c.head_dim;
  AddPart(NewJob(WeightRole::kVector, {UnitKind::kAttention, Layer(i)}, &layer.attention_norm),
          Need(names_.Of(Role::kAttentionNorm, i), {c.embedding}), 1, c.embedding);
  WeightJob& qkv = NewJob(WeightRole::kLinear, {UnitKind::kAttention, Layer(i)}, &layer.qkv);
  if (Has(Role::kQkv, i)) {
    for (const Role role : {Role::kQ, Role::kK, Role::kV}) RefuseBoth(names_.Of(Role::kQkv, i), names_.Of(role, i));
    AddPart(qkv, Need(names_.Of(Role::kQkv, i), {q_rows + 2 * kv_rows, c.embedding}), q_rows + 2 * kv_rows, c.embedding);
  } else {
    AddPart(qkv, Need(names_.Of(Role::kQ, i), {q_rows, c.embedding}), q_rows, c.embedding);
    AddPart(qkv, Need(names_.Of(Role::kK, i), {kv_rows, c.embedding}), kv_rows, c.embedding);
    AddPart(qkv, Need(names_.Of(Role::kV, i), {kv_rows, c.embedding}), kv_rows, c.embedding);
  }
  AddPart(NewJob(WeightRole::kLinear, {UnitKind::kAttention, Layer(i)}, &layer.o),
          Need(names_.Of(Role::kO, i), {c.embedding, q_rows}), c.embedding, q_rows);
  AddPart(NewJob(WeightRole::kVector, {UnitKind::kFeed, Layer(i)}, &layer.feed_norm),
          Need(names_.Of(Role::kFeedNorm, i), {c.embedding}), 1, c.embedding);
}

void Binder::BindDense(int64_t i, LayerWeights& layer) {
  const int64_t d = config_.embedding, f = config_.dense_hidden;
  WeightJob& gate_up = NewJob(WeightRole::kLinear, {UnitKind::kFeed, Layer(i)}, &layer.gate_up);
  AddPart(gate_up, Need(names_.Of(Role::kDenseGate, i), {f, d}), f, d);
  AddPart(gate_up, Need(names_.Of(Role::kDenseUp, i), {f, d}), f, d);
  AddPart(NewJob(WeightRole::kLinear, {UnitKind::kFeed, Layer(i)}, &layer.down), Need(names_.Of(Role::kDenseDown, i), {d, f}), d,
          f);
}

// One expert per tensor, in the usual [out, in] order.
void Binder::AddExperts(WeightJob& job, Role role, int64_t layer, int64_t rows, int64_t cols) {
  WeightPart* part = nullptr;
  for (int64_t e = 0; e < config_.experts; ++e) {
    const io::TensorInfo* tensor = Need(names_.OfExpert(role, layer, e), {rows, cols});
    if (tensor == nullptr) continue;
    if (part == nullptr) {
      part = AddPart(job, tensor, rows, cols);
      part->expert_bytes = tensor->bytes;
      continue;
    }
    if (tensor->dtype != part->format)
      Fail(ErrorCode::kUnsupported, "tensor ", Escape(tensor->name), " is ", tensor->dtype_name, ", but its fellow experts are ",
           InfoOf(part->format).name, ": experts of one layer must share a format");
    // Counted as a part of its own, then moved behind the first.
    const WeightPart* added = AddPart(job, tensor, rows, cols);
    part = &job.desc.parts[job.desc.parts.size() - 2];
    part->sources.push_back(added->sources.front());
    job.desc.parts.pop_back();
  }
}

void Binder::BindExperts(int64_t i, LayerWeights& layer) {
  const int64_t d = config_.embedding, f = config_.expert_hidden, e = config_.experts;
  AddPart(NewJob(WeightRole::kRouter, {UnitKind::kFeed, Layer(i)}, &layer.router), Need(names_.Of(Role::kRouter, i), {e, d}), e, d);

  WeightJob& gate_up = NewJob(WeightRole::kExperts, {UnitKind::kExperts, Layer(i)}, &layer.expert_gate_up, e);
  WeightJob& down = NewJob(WeightRole::kExperts, {UnitKind::kExperts, Layer(i)}, &layer.expert_down, e);
  const std::string fused = names_.Of(Role::kExpertGateUp, i);
  if (names_.gguf()) {
    if (Find(fused)) {
      for (const Role role : {Role::kExpertGate, Role::kExpertUp}) RefuseBoth(fused, names_.Of(role, i));
      AddPart(gate_up, Need(fused, {e, 2 * f, d}), 2 * f, d);
    } else {
      AddPart(gate_up, Need(names_.Of(Role::kExpertGate, i), {e, f, d}), f, d);
      AddPart(gate_up, Need(names_.Of(Role::kExpertUp, i), {e, f, d}), f, d);
    }
    AddPart(down, Need(names_.Of(Role::kExpertDown, i), {e, d, f}), d, f);
  } else if (!Find(fused) && Find(names_.OfExpert(Role::kExpertGate, i, 0))) {
    AddExperts(gate_up, Role::kExpertGate, i, f, d);
    AddExperts(gate_up, Role::kExpertUp, i, f, d);
    AddExperts(down, Role::kExpertDown, i, d, f);
  } else {
    // transformers keeps them as x W: [D, 2F] with the gate's columns first, and [F, D].
    RefuseBoth(fused, names_.OfExpert(Role::kExpertGate, i, 0));
    AddPart(gate_up, Need(fused, {e, d, 2 * f}), 2 * f, d, true);
    AddPart(down, Need(names_.Of(Role::kExpertDown, i), {e, f, d}), d, f, true);
  }

  WeightJob& shared = NewJob(WeightRole::kLinear, {UnitKind::kFeed, Layer(i)}, &layer.gate_up);
  AddPart(shared, Need(names_.Of(Role::kSharedGate, i), {f, d}), f, d);
  AddPart(shared, Need(names_.Of(Role::kSharedUp, i), {f, d}), f, d);
  AddPart(NewJob(WeightRole::kLinear, {UnitKind::kFeed, Layer(i)}, &layer.down), Need(names_.Of(Role::kSharedDown, i), {d, f}), d,
          f);
}

// What no matrix took: vision and the like is skipped; what says that the model is another one than we compute is refused.
void Binder::CheckTheRest() {
  for (const io::TensorInfo& tensor : checkpoint_->tensors()) {
    if (used_.contains(&tensor)) continue;
    const std::string_view name = tensor.name;
    if (const auto layer = names_.LayerOf(name)) {
      if (*layer >= static_cast<uint64_t>(config_.layers))
        Fail(ErrorCode::kFormat, "tensor ", Escape(name), " belongs to layer ", *layer, ", but the model says that it has ",
             config_.layers, " layers");
      for (const std::string_view ending : {".bias", "_scale", ".scale", ".weight_packed", ".qweight"})
        if (name.ends_with(ending))
          Fail(ErrorCode::kUnsupported, "tensor ", Escape(name),
               " would change the result and is not served (a bias, or a quantisation ", "that comes in several tensors)");
    }
    if (name != "rope_freqs.weight") plan_.skipped.emplace_back(name);
  }
}

void Binder::FailMissing() const {
  std::string list;
  for (const std::string& name : missing_) list += StrCat(list.empty() ? "" : ", ", Escape(name));
  Fail(ErrorCode::kFormat, missing_count_ == 1 ? "tensor " : "tensors ", list, missing_count_ == 1 ? " is missing" : " are missing",
       missing_count_ > 3 ? StrCat(", and ", missing_count_ == kManyMissing ? "at least " : "", missing_count_ - 3, " more")
                          : std::string(),
       ": the model says that it has ", config_.layers, " layers and ", config_.experts, " experts");
}

WeightPlan Binder::Bind(Weights& weights) {
  weights.layer.resize(static_cast<size_t>(config_.layers));
  BindModel(weights);
  if (missing_count_ > 0) FailMissing();
  CheckTheRest();
  for (const WeightJob& job : plan_.jobs) {
    plan_.file_bytes = CheckedAdd(plan_.file_bytes, job.file_bytes, "bytes of all weights");
    plan_.resident_bytes = CheckedAdd(plan_.resident_bytes, job.resident_bytes, "bytes of all weights");
  }
  return std::move(plan_);
}

std::unique_ptr<Weight> Import(const WeightJob& job, const Backend& backend, const std::shared_ptr<const io::PackFile>& pack,
                               bool check, LoadProgress& progress) {
  std::vector<StoredPart> parts;
  for (const io::PackPart* part : job.packed) {
    if (check) pack->CheckData(*part);
    parts.push_back(
        {part->format, part->rows, part->cols, part->experts, part->row_bytes, part->panel_bytes, pack->BytesOf(*part)});
  }
  progress.bytes_done.fetch_add(job.file_bytes, std::memory_order_relaxed);
  return dynamic_cast<const PackedWeights&>(backend).ImportWeight(job.desc, parts, pack);
}

}  // namespace

void PlanPacked(const io::PackFile& pack, WeightPlan& plan) {
  const std::span<const io::PackPart> parts = pack.parts();
  if (parts.empty() || parts.back().weight + 1 != plan.jobs.size())
    Fail(ErrorCode::kFormat, pack.name(), ": weights are ", parts.empty() ? 0 : parts.back().weight + 1, ", expected ",
         plan.jobs.size());
  for (const io::PackPart& part : parts) {
    WeightJob& job = plan.jobs[static_cast<size_t>(part.weight)];
    if (job.name.compare(0, io::kMaxPackText - 1, part.name) != 0)
      Fail(ErrorCode::kFormat, pack.name(), ": weight ", part.weight, " is ", Escape(part.name), ", expected ", Escape(job.name));
    job.packed.push_back(&part);
    plan.resident_bytes -= std::exchange(job.resident_bytes, 0);
  }
}

WeightPlan PlanWeights(const std::shared_ptr<const io::Checkpoint>& checkpoint, const Config& config, const Names& names,
                       const Backend& backend, const std::shared_ptr<LoadMonitor>& monitor, Weights& weights) {
  return Binder(checkpoint, config, names, backend, monitor).Bind(weights);
}

void PrepareWeights(WeightPlan& plan, Backend& backend, const std::shared_ptr<const io::PackFile>& pack, bool check_pack,
                    LoadProgress& progress, int threads) {
  std::atomic<size_t> next{0};
  std::atomic<bool> stop{false};
  std::mutex mutex;
  std::exception_ptr first_error;
  const auto work = [&]() noexcept {
    while (!stop.load(std::memory_order_relaxed)) {
      const size_t index = next.fetch_add(1);
      if (index >= plan.jobs.size()) return;
      WeightJob& job = plan.jobs[index];
      try {
        if (progress.cancel.load(std::memory_order_relaxed)) Fail(ErrorCode::kCancelled, "loading was cancelled");
        try {
          *job.slot = job.packed.empty() ? backend.PrepareWeight(job.desc) : Import(job, backend, pack, check_pack, progress);
        } catch (const std::bad_alloc&) {
          Fail(ErrorCode::kNoMemory, "no memory for tensor ", Escape(job.name), " of ", job.file_bytes, " bytes");
        }
        job.desc.parts.clear();  // lets go of the sources that the backend does not keep
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!first_error) first_error = std::current_exception();
        stop = true;
      }
    }
  };
  {
    std::vector<OwnThread> helpers;
    helpers.reserve(static_cast<size_t>(threads));
    for (int i = 1; i < threads; ++i) {
      try {
        helpers.emplace_back("scout-load", work);
      } catch (const std::exception&) {
        break;  // fewer threads are slower, nothing else
      }
    }
    work();
  }  // joins
  if (first_error) std::rethrow_exception(first_error);
}

}  // namespace scout::model
