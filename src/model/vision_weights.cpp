#include "model/vision_weights.h"

#include <functional>
#include <initializer_list>

#include "base/checked.h"
#include "base/error.h"
#include "model/tensor_source.h"
#include "model/vision_names.h"

namespace scout::model {
namespace {

class VisionBinder {
 public:
  VisionBinder(const std::shared_ptr<const io::Checkpoint>& checkpoint, const VisionConfig& config, const Backend& backend,
               const std::shared_ptr<LoadMonitor>& monitor, WeightPlan& plan)
      : checkpoint_(checkpoint),
        config_(config),
        backend_(backend),
        monitor_(monitor),
        plan_(plan),
        names_(*VisionNames::Find(*checkpoint)) {}

  VisionPlan Bind(VisionWeights& weights);

 private:
  WeightJob& NewJob(WeightRole role, std::unique_ptr<Weight>* slot) {
    WeightJob& job = plan_.jobs.emplace_back();
    job.desc.role = role;
    job.desc.unit = {UnitKind::kVision};
    job.slot = slot;
    return job;
  }
  void AddPart(WeightJob& job, const std::string& name, int64_t rows, int64_t cols);
  void Matrix(std::unique_ptr<Weight>* slot, VisionRole role, int64_t layer, int64_t rows, int64_t cols) {
    AddPart(NewJob(WeightRole::kManyRows, slot), names_.Of(role, layer), rows, cols);
  }
  void Vector(std::unique_ptr<Weight>* slot, const std::string& name, int64_t cols, int64_t rows = 1) {
    AddPart(NewJob(WeightRole::kVector, slot), name, rows, cols);
  }
  void Norm(VisionNorm& norm, VisionRole role, int64_t layer) {
    Vector(&norm.weight, names_.Of(role, layer), config_.width);
    Vector(&norm.bias, names_.Bias(role, layer), config_.width);
  }
  void BindLayer(VisionLayerWeights& layer, int64_t i);

  const std::shared_ptr<const io::Checkpoint>& checkpoint_;
  const VisionConfig& config_;
  const Backend& backend_;
  const std::shared_ptr<LoadMonitor>& monitor_;
  WeightPlan& plan_;
  VisionNames names_;
  VisionPlan vision_;
};

// A vector has one dimension; the patches' matrix may keep the four of a convolution, whose bytes lie in the same order.
bool HasShape(const Shape& shape, const VisionConfig& c, int64_t rows, int64_t cols, bool is_patches) {
  const auto is = [&](std::initializer_list<int64_t> dims) {
    if (shape.rank != static_cast<int>(dims.size())) return false;
    int i = 0;
    for (const int64_t dim : dims)
      if (shape[i++] != static_cast<uint64_t>(dim)) return false;
    return true;
  };
  if (rows == 1 && is({cols})) return true;
  return is({rows, cols}) || (is_patches && is({rows, c.colours, c.patch_size, c.patch_size}));
}

void VisionBinder::AddPart(WeightJob& job, const std::string& name, int64_t rows, int64_t cols) {
  const io::TensorInfo* tensor = checkpoint_->FindTensor(name);
  if (!tensor)
    Fail(ErrorCode::kFormat, "tensor ", name, " is missing: the vision tower says that it has ", config_.layers, " layers");
  if (!HasShape(tensor->shape, config_, rows, cols, name == names_.Of(VisionRole::kPatches)))
    Fail(ErrorCode::kFormat, "tensor ", name, " has shape ", ToString(tensor->shape), ", expected ",
         rows == 1 ? StrCat("[", cols, "]") : StrCat("[", rows, ", ", cols, "]"));
  if (!backend_.Supports(tensor->dtype, job.desc.role))
    Fail(ErrorCode::kUnsupported, "tensor ", name, " is ", tensor->dtype_name, ", a format that the device \"",
         backend_.Info().name, "\" does not serve here");
  const uint64_t need = CheckedMul(RowBytes(tensor->dtype, static_cast<uint64_t>(cols)), static_cast<uint64_t>(rows), "tensor");
  if (tensor->bytes != need || cols % static_cast<int64_t>(InfoOf(tensor->dtype).values_per_block) != 0)
    Fail(ErrorCode::kFormat, "tensor ", name, " has ", tensor->bytes, " bytes, expected ", rows, " rows of ", cols,
         " values in blocks of ", InfoOf(tensor->dtype).values_per_block);
  if (job.name.empty()) {
    job.name = tensor->name;
    job.desc.name = job.name.c_str();  // jobs live in a deque and never move
  }
  WeightPart& part = job.desc.parts.emplace_back();
  part.format = tensor->dtype;
  part.rows = rows;
  part.cols = part.row_values = cols;
  part.sources.push_back(std::make_shared<TensorSource>(checkpoint_, *tensor, monitor_));
  part.expert_bytes = tensor->bytes;
  const uint64_t values = CheckedMul(static_cast<uint64_t>(rows), static_cast<uint64_t>(cols), "values of a weight");
  uint64_t resident = tensor->bytes;
  if (job.desc.role == WeightRole::kVector)
    resident = CheckedMul(values, 4, "bytes of a weight");
  else if (checkpoint_->Mapped(*tensor))
    resident = 0;
  job.file_bytes += tensor->bytes;
  job.resident_bytes += resident;
  plan_.file_bytes = CheckedAdd(plan_.file_bytes, tensor->bytes, "bytes of all weights");
  plan_.resident_bytes = CheckedAdd(plan_.resident_bytes, resident, "bytes of all weights");
  vision_.used.push_back(tensor);
  vision_.parameters = CheckedAdd(vision_.parameters, values, "parameters");
}

void VisionBinder::BindLayer(VisionLayerWeights& layer, int64_t i) {
  const int64_t d = config_.width, f = config_.hidden;
  Norm(layer.attention_norm, VisionRole::kAttentionNorm, i);
  WeightJob& qkv = NewJob(WeightRole::kManyRows, &layer.qkv);
  WeightJob& qkv_bias = NewJob(WeightRole::kVector, &layer.qkv_bias);
  for (const VisionRole role : {VisionRole::kQ, VisionRole::kK, VisionRole::kV}) {
    AddPart(qkv, names_.Of(role, i), d, d);
    AddPart(qkv_bias, names_.Bias(role, i), 1, d);
  }
  Matrix(&layer.o, VisionRole::kO, i, d, d);
  Vector(&layer.o_bias, names_.Bias(VisionRole::kO, i), d);
  Norm(layer.feed_norm, VisionRole::kFeedNorm, i);
  Matrix(&layer.up, VisionRole::kUp, i, f, d);
  Vector(&layer.up_bias, names_.Bias(VisionRole::kUp, i), f);
  Matrix(&layer.down, VisionRole::kDown, i, d, f);
  Vector(&layer.down_bias, names_.Bias(VisionRole::kDown, i), d);
}

VisionPlan VisionBinder::Bind(VisionWeights& w) {
  const VisionConfig& c = config_;
  w.layer.resize(static_cast<size_t>(c.layers));
  Matrix(&w.patches, VisionRole::kPatches, -1, c.width, c.patch_values());
  Vector(&w.class_row, names_.Of(VisionRole::kClass), c.width);
  Vector(&w.positions, names_.Of(VisionRole::kPositions), c.width, c.rows());
  Norm(w.pre_norm, VisionRole::kPreNorm, -1);
  for (int64_t i = 0; i < c.layers; ++i) BindLayer(w.layer[static_cast<size_t>(i)], i);
  Norm(w.post_norm, VisionRole::kPostNorm, -1);
  Matrix(&w.adapter_up, VisionRole::kAdapterUp, -1, c.adapter, c.width * c.shuffle * c.shuffle);
  Matrix(&w.adapter_down, VisionRole::kAdapterDown, -1, c.adapter_out, c.adapter);
  Matrix(&w.projector, VisionRole::kProjector, -1, c.out, c.adapter_out);
  const std::string beyond = names_.Of(VisionRole::kAttentionNorm, c.layers);
  if (checkpoint_->FindTensor(beyond))
    Fail(ErrorCode::kFormat, "tensor ", beyond, " is there, but the vision tower says that it has ", c.layers, " layers");
  return std::move(vision_);
}

}  // namespace

VisionPlan PlanVision(const std::shared_ptr<const io::Checkpoint>& checkpoint, const VisionConfig& config, const Backend& backend,
                      const std::shared_ptr<LoadMonitor>& monitor, WeightPlan& plan, VisionWeights& weights) {
  return VisionBinder(checkpoint, config, backend, monitor, plan).Bind(weights);
}

void ForEachWeight(const VisionWeights& w, const std::function<void(const Weight&)>& body) {
  const auto add = [&](std::initializer_list<const std::unique_ptr<Weight>*> weights) {
    for (const auto* weight : weights)
      if (*weight) body(**weight);
  };
  add({&w.patches, &w.class_row, &w.positions, &w.pre_norm.weight, &w.pre_norm.bias, &w.post_norm.weight, &w.post_norm.bias,
       &w.adapter_up, &w.adapter_down, &w.projector});
  for (const VisionLayerWeights& l : w.layer)
    add({&l.attention_norm.weight, &l.attention_norm.bias, &l.qkv, &l.qkv_bias, &l.o, &l.o_bias, &l.feed_norm.weight,
         &l.feed_norm.bias, &l.up, &l.up_bias, &l.down, &l.down_bias});
}

}  // namespace scout::model
