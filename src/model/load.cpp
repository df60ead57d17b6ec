// Model::Load: configuration, tensor plan, memory check, parallel preparation.
#include <algorithm>
#include <optional>
#include <unordered_set>
#include <utility>
#include <vector>

#include "backend/packed_weights.h"
#include "base/checked.h"
#include "base/cpu_features.h"
#include "base/error.h"
#include "io/projector.h"
#include "model/device_set.h"
#include "model/fingerprint.h"
#include "model/llama4.h"
#include "model/memory_plan.h"
#include "model/model.h"
#include "model/names.h"
#include "model/vision_names.h"
#include "model/vision_tower.h"
#include "model/weights.h"

namespace scout::model {
namespace {

// The least that makes the model answer at all: pages for one attention chunk or 512 positions, whichever is less, and a small
// workspace. What an engine asks for beyond it is checked when the engine is made.
RunnerOptions SmallestRunner(const Config& config) {
  RunnerOptions options;
  options.max_rows = 64;
  options.max_logit_rows = 1;
  const int64_t positions = std::min<int64_t>(512, config.context);
  for (int g = 0; g < kPageGroups; ++g)
    if (LayersInGroup(config, g) > 0)
      options.page_count[static_cast<size_t>(g)] = (positions + options.page_size - 1) / options.page_size;
  return options;
}

class LoadedModel final : public Model, public std::enable_shared_from_this<LoadedModel> {
 public:
  LoadedModel(std::shared_ptr<const io::Checkpoint> checkpoint, const LoadOptions& options)
      : checkpoint_(std::move(checkpoint)), options_(options), devices_(options.device, options.backend) {}

  void Prepare(LoadProgress& progress) {
    config_ = ReadConfig(*checkpoint_);
    const Names names(*checkpoint_);
    const auto monitor = std::make_shared<LoadMonitor>();
    monitor->check = options_.check_weights;
    WeightPlan plan = PlanWeights(checkpoint_, config_, names, devices_.first(), monitor, weights_);
    for (const WeightJob& job : plan.jobs) kept_.emplace_back(job.name, job.slot);
    if (options_.pack) {
      CheckPack(*options_.pack, devices_.first());
      PlanPacked(*options_.pack, plan);
    }
    if (options_.vision) {
      PlanVisionTower(monitor, plan);
    } else {
      RememberVision();
    }
    const RunnerOptions smallest = SmallestRunner(config_);
    const uint64_t tower = vision_ ? VisionWorkspaceBytes(*vision_, 1) : 0;
    const UnitBytes units = BytesOfUnits(plan, config_);
    backend_ = devices_.Place(options_.placement, config_, units, smallest, vision_.has_value(), tower);
    if (options_.pack && devices_.placement()) RefuseDevice(*backend_);
    const uint64_t kv = KvBytes(config_, smallest);
    const uint64_t workspace = CheckedAdd(WorkspaceBytes(smallest), tower, "memory needed");
    const uint64_t need = CheckedAdd(CheckedAdd(plan.resident_bytes, kv, "memory needed"), workspace, "memory needed");
    const MemoryLeft left = LeftFor(options_.memory_limit_bytes);
    if (need > left.bytes)
      Fail(ErrorCode::kNoMemory, "the model needs at least ", need, " bytes (", plan.resident_bytes, " of weights, ", kv,
           " for the shortest context, ", workspace, " of workspace), but only ", left.bytes, " are left by ", left.source);
    CheckPlaced("the model needs at least", units, smallest, tower);

    parameters_ = plan.parameters;
    skipped_ = std::move(plan.skipped);
    fingerprint_ = Fingerprint(*checkpoint_, config_, plan.used);
    if (options_.pack && options_.pack->fingerprint() != fingerprint_)
      Fail(ErrorCode::kState, options_.pack->name(), ": it was made from a model with the fingerprint ",
           options_.pack->fingerprint(), ", this one has ", fingerprint_, ": pack the model again");
    if (vision_) vision_fingerprint_ = std::max<uint64_t>(1, Fingerprint(*vision_checkpoint_, config_, vision_plan_.used));
    progress.bytes_total = plan.file_bytes;
    monitor->progress = &progress;
    // Reading is mostly waiting; packing is not. More than four threads only make the disk seek.
    const int threads = std::min(4, options_.backend.threads > 0 ? options_.backend.threads : UsableThreads());
    try {
      PrepareWeights(plan, *backend_, options_.pack, options_.check_pack, progress, threads);
    } catch (...) {
      monitor->progress = nullptr;
      throw;
    }
    monitor->progress = nullptr;
    progress.bytes_done = plan.file_bytes;
    ForWeights([&](const Weight& weight) { weight_bytes_ += weight.size_bytes(); });
  }

  const Config& config() const override { return config_; }
  const io::Checkpoint& checkpoint() const override { return *checkpoint_; }
  DeviceInfo device() const override { return backend_->Info(); }
  std::vector<DevicePart> device_parts() const override {
    std::vector<DevicePart> parts;
    for (size_t i = 0; i < devices_.names().size(); ++i) {
      if ((devices_.used() >> i & 1) == 0) continue;
      const int at = static_cast<int>(i);
      uint64_t bytes = 0;
      ForWeights([&](const Weight& weight) { bytes += BytesOn(weight, at); });
      parts.push_back({devices_.names()[i], InstanceOf(*backend_, at).Info().description, bytes});
    }
    return parts;
  }
  std::string placement() const override { return devices_.Text(config_); }
  uint64_t weight_bytes() const override { return weight_bytes_; }
  uint64_t parameters() const override { return parameters_; }
  uint64_t fingerprint() const override { return fingerprint_; }
  std::span<const std::string> skipped_tensors() const override { return skipped_; }
  uint64_t BytesPerPosition(int group, DType k_format, DType v_format) const override {
    return model::BytesPerPosition(config_, group, k_format, v_format);
  }
  uint64_t KvRoom() const override {
    const Placement* const placement = devices_.placement();
    if (placement == nullptr) return AskMemoryLeft(*backend_).bytes;
    // As many as fit where the share of the layers is largest beside what is left.
    RunnerOptions one;
    one.page_count = {1, 1};
    UnitBytes none;
    none.layer.resize(static_cast<size_t>(config_.layers));
    const auto devices = static_cast<int>(devices_.names().size());
    const std::vector<DeviceNeed> needs = NeedsOf(*placement, devices, config_, none, one, 0);
    uint64_t all = 0;
    for (const DeviceNeed& need : needs) all += need.kv;
    double room = static_cast<double>(UINT64_MAX);
    for (int i = 0; i < devices; ++i)
      if (const uint64_t kv = needs[static_cast<size_t>(i)].kv; kv > 0)
        room = std::min(room, static_cast<double>(AskMemoryLeft(InstanceOf(*backend_, i)).bytes) * static_cast<double>(all) /
                                  static_cast<double>(kv));
    return room < static_cast<double>(UINT64_MAX) ? static_cast<uint64_t>(room) : UINT64_MAX;
  }
  uint64_t WorkspaceBytes(const RunnerOptions& options) const override { return PlanWorkspace(config_, options).bytes; }

  const VisionConfig* vision() const override { return vision_ ? &*vision_ : nullptr; }
  const VisionConfig* known_vision() const override { return unloaded_vision_ ? &*unloaded_vision_ : vision(); }
  std::string_view unserved_vision() const override { return unserved_vision_; }
  uint64_t vision_parameters() const override { return vision_plan_.parameters; }
  uint64_t vision_fingerprint() const override { return vision_fingerprint_; }

  std::unique_ptr<Vision> NewVision(const VisionOptions& options) const override {
    if (!vision_) return Model::NewVision(options);
    const uint64_t need = VisionWorkspaceBytes(*vision_, 1);
    const MemoryLeft left = LeftBesideWeights();
    if (need > left.bytes)
      Fail(ErrorCode::kNoMemory, "pictures need ", need, " bytes of workspace, but only ", left.bytes, " are left by ",
           left.source);
    if (const Placement* const placement = devices_.placement()) {
      std::vector<DeviceNeed> needs(devices_.names().size());
      needs[static_cast<size_t>(placement->vision)].workspace = need;
      devices_.CheckRoom("pictures need", needs, *backend_);
    }
    return std::make_unique<VisionTower>(shared_from_this(), *vision_, vision_weights_, devices_.NewBackend(PlacedUse::kVision),
                                         options);
  }

  io::PackContents Packed() const override {
    io::PackContents contents;
    const auto* packed = dynamic_cast<const PackedWeights*>(backend_.get());
    if (packed == nullptr) RefuseDevice(*backend_);
    contents.layout = packed->LayoutId();
    contents.fingerprint = fingerprint_;
    for (size_t i = 0; i < kept_.size(); ++i) {
      const auto& [name, weight] = kept_[i];
      for (const StoredPart& part : packed->ExportWeight(**weight)) {
        io::PackPart kept = {};
        name.copy(kept.name, sizeof kept.name - 1);
        part.format.copy(kept.format, sizeof kept.format - 1);
        kept.weight = i;
        kept.rows = part.rows;
        kept.cols = part.cols;
        kept.experts = part.experts;
        kept.row_bytes = part.row_bytes;
        kept.panel_bytes = part.panel_bytes;
        contents.parts.push_back(kept);
        contents.data.push_back(part.bytes);
      }
    }
    return contents;
  }

  std::unique_ptr<Runner> NewRunner(const RunnerOptions& options) const override {
    CheckRunnerOptions(config_, options);
    const uint64_t kv = KvBytes(config_, options), workspace = WorkspaceBytes(options);
    const uint64_t need = CheckedAdd(kv, workspace, "memory of an engine");
    const MemoryLeft left = LeftBesideWeights();
    if (need > left.bytes)
      Fail(ErrorCode::kNoMemory, "the engine needs ", need, " bytes (", kv, " for its context pages, ", workspace,
           " of workspace), but only ", left.bytes, " are left by ", left.source);
    UnitBytes none;  // the weights are there
    none.layer.resize(static_cast<size_t>(config_.layers));
    CheckPlaced("the engine needs", none, options, 0);
    return std::make_unique<Llama4>(shared_from_this(), config_, weights_, devices_.NewBackend(PlacedUse::kText), options);
  }

 private:
  [[noreturn]] static void RefuseDevice(const Backend& backend) {
    Fail(ErrorCode::kUnsupported, "weights of the device \"", backend.Info().name, "\" are not kept in packed side-files");
  }
  static void CheckPack(const io::PackFile& pack, const Backend& backend) {
    const auto* packed = dynamic_cast<const PackedWeights*>(&backend);
    if (packed == nullptr) RefuseDevice(backend);
    const std::string layout = packed->LayoutId();
    if (pack.layout() != layout)
      Fail(ErrorCode::kUnsupported, pack.name(), ": its weights lie in \"", Escape(pack.layout()), "\", the device \"",
           backend.Info().name, "\" of this machine needs \"", layout, "\": pack the model again");
  }

  // The caller's limit covers weights and engines together, on all devices.
  MemoryLeft LeftBesideWeights() const {
    const uint64_t limit = options_.memory_limit_bytes;
    return LeftFor(limit > 0 ? std::max<uint64_t>(1, limit - std::min(limit, weight_bytes_)) : 0);
  }
  // Several devices are asked one by one (CheckPlaced).
  MemoryLeft LeftFor(uint64_t limit_by_option) const {
    if (limit_by_option > 0) return {limit_by_option, "the limit given by the caller"};
    if (devices_.placement()) return {UINT64_MAX, "several devices"};
    return AskMemoryLeft(*backend_);
  }
  void CheckPlaced(const char* what, const UnitBytes& units, const RunnerOptions& runner, uint64_t vision_workspace) const {
    if (const Placement* const placement = devices_.placement())
      devices_.CheckRoom(what,
                         NeedsOf(*placement, static_cast<int>(devices_.names().size()), config_, units, runner, vision_workspace),
                         *backend_);
  }

  // The tower named by the caller, else the checkpoint's own, else the one in the projector file beside it.
  void PlanVisionTower(const std::shared_ptr<LoadMonitor>& monitor, WeightPlan& plan) {
    std::optional<std::string> file;
    if (!options_.projector.empty()) {
      file = options_.projector;
    } else if (VisionNames::Find(*checkpoint_)) {
      vision_checkpoint_ = checkpoint_;
    } else {
      file = io::FindProjector(checkpoint_->path());
    }
    if (file) vision_checkpoint_ = io::OpenCheckpoint(*file, {});
    if (!vision_checkpoint_) return;
    vision_ = ReadVisionConfig(*vision_checkpoint_, config_.embedding);
    if (!vision_) Fail(ErrorCode::kFormat, Escape(*file, 256), ": there is no vision tower in this file");
    vision_plan_ = PlanVision(vision_checkpoint_, *vision_, devices_.first(), monitor, plan, vision_weights_);
    std::unordered_set<std::string_view> used;
    if (vision_checkpoint_ == checkpoint_)
      for (const io::TensorInfo* tensor : vision_plan_.used) used.insert(tensor->name);
    std::erase_if(plan.skipped, [&](const std::string& name) { return used.contains(name); });
  }

  // A tower that nobody asked for is described, and keeps no model from loading.
  void RememberVision() {
    try {
      unloaded_vision_ = ReadVisionConfig(*checkpoint_, config_.embedding);
    } catch (const Error& error) {
      unserved_vision_ = error.what();
    }
  }

  // All that are there.
  template <typename Body>
  void ForWeights(const Body& body) const {
    ForEachWeight(vision_weights_, body);
    const auto add = [&](const std::unique_ptr<Weight>& weight) {
      if (weight) body(*weight);
    };
    add(weights_.embedding);
    add(weights_.head);
    add(weights_.final_norm);
    for (const LayerWeights& layer : weights_.layer)
      for (const auto* weight : {&layer.attention_norm, &layer.qkv, &layer.o, &layer.feed_norm, &layer.gate_up, &layer.down,
                                 &layer.router, &layer.expert_gate_up, &layer.expert_down})
        add(*weight);
  }

  std::shared_ptr<const io::Checkpoint> checkpoint_;
  LoadOptions options_;
  DeviceSet devices_;
  std::unique_ptr<Backend> backend_;  // prepared the weights; runners have their own
  Config config_;
  Weights weights_;
  std::vector<std::pair<std::string, const std::unique_ptr<Weight>*>> kept_;  // the text model's weights, in the plan's order
  std::vector<std::string> skipped_;
  uint64_t weight_bytes_ = 0;
  uint64_t parameters_ = 0;
  uint64_t fingerprint_ = 0;

  std::shared_ptr<const io::Checkpoint> vision_checkpoint_;  // may be checkpoint_
  std::optional<VisionConfig> vision_;
  std::optional<VisionConfig> unloaded_vision_;
  std::string unserved_vision_;
  VisionWeights vision_weights_;
  VisionPlan vision_plan_;
  uint64_t vision_fingerprint_ = 0;
};

}  // namespace

std::unique_ptr<Vision> Model::NewVision(const VisionOptions&) const {
  Fail(ErrorCode::kUnsupported, "the model sees no pictures: it was loaded without a vision tower");
}

io::PackContents Model::Packed() const { Fail(ErrorCode::kUnsupported, "this model is not kept in packed side-files"); }

std::shared_ptr<const Model> Model::Load(std::shared_ptr<const io::Checkpoint> checkpoint, const LoadOptions& options,
                                         LoadProgress& progress) {
  const auto model = std::make_shared<LoadedModel>(std::move(checkpoint), options);
  model->Prepare(progress);
  return model;
}

}  // namespace scout::model
