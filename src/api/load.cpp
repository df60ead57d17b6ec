// Loading: on a thread of its own, whether the caller waits for it or polls.
#include <chrono>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "api/arguments.h"
#include "api/load.h"
#include "api/model_path.h"
#include "api/objects.h"
#include "api/options.h"
#include "api/pack.h"
#include "backend/backend.h"
#include "base/log.h"
#include "io/checkpoint.h"
#include "model/placement.h"
#include "prompt/load_tokenizer.h"

namespace scout::api {
namespace {

// The size of the struct in 0.1, the first release.
constexpr size_t kFirstSize = 64;
constexpr int32_t kMostThreads = 1024;

void CheckDevice(const std::string& device, int32_t numerics) {
  for (const std::string& name : model::SplitDevices(device))
    ParseDeviceName(name);  // whether it is there is told when it is opened
  if (numerics == SCOUT_NUMERICS_FLOAT32 && device != "ref")
    Fail(ErrorCode::kArgument, "numerics FLOAT32 is served by device \"ref\" only; device is \"",
         device.empty() ? "(default)" : device, "\"");
}

// No id of a text may be outside the embedding.
void CheckVocabulary(const ModelObject& object) {
  const auto rows = static_cast<uint64_t>(object.model->config().vocabulary);
  if (object.tokenizer != nullptr && object.tokenizer->size() > rows)
    Fail(ErrorCode::kFormat, "the tokenizer has ", object.tokenizer->size(), " entries, the embedding only ", rows, " rows");
}

std::vector<bool> UsedTensors(const model::Model& model) {
  const auto skipped = model.skipped_tensors();
  const std::unordered_set<std::string_view> names(skipped.begin(), skipped.end());
  std::vector<bool> used;
  for (const io::TensorInfo& tensor : model.checkpoint().tensors()) used.push_back(!names.contains(tensor.name));
  return used;
}

}  // namespace

scout_load_options DefaultLoadOptions() {
  scout_load_options options = {};
  options.struct_size = sizeof options;
  return options;
}

void InitLoadOptions(scout_load_options* options, uint64_t struct_size) {
  InitOptions(options, struct_size, DefaultLoadOptions(), kFirstSize, "scout_load_options");
}

scout_load_options ReadLoadOptions(const scout_load_options* given) {
  const scout_load_options options = ReadOptions(given, DefaultLoadOptions(), kFirstSize, "scout_load_options");
  NeedRange(options.numerics, SCOUT_NUMERICS_DEFAULT, SCOUT_NUMERICS_FLOAT32, "numerics");
  NeedRange(options.threads, 0, kMostThreads, "threads");
  KvFormat(options.kv_format, DType::kF16, "kv_format");
  NeedRange(options.context, 0, INT32_MAX, "context");
  NeedFlag(options.map_file, "map_file");
  NeedFlag(options.skip_weight_check, "skip_weight_check");
  NeedFlag(options.vision, "vision");
  NeedRange(options.pack, SCOUT_PACK_NONE, SCOUT_PACK_WRITE, "pack");
  if (options.pack == SCOUT_PACK_WRITE && options.map_file != 0)
    Fail(ErrorCode::kArgument, "pack is WRITE and map_file is 1: weights that stay in a mapped file are not packed");
  CheckDevice(options.device == nullptr ? "" : options.device, options.numerics);
  if (options.pack != SCOUT_PACK_NONE && options.placement != nullptr && *options.placement != 0)
    Fail(ErrorCode::kArgument, "pack is ", options.pack, " and there is a placement: side-files are for models on one device");
  return options;
}

OperationObject::OperationObject(std::string path, const scout_load_options& given) {
  model::LoadOptions options;
  options.device = given.device == nullptr ? "" : given.device;
  options.backend.threads = given.threads;
  if (given.placement != nullptr) options.placement = given.placement;
  if (given.plugin_dir != nullptr) options.backend.plugins = given.plugin_dir;
  options.backend.numerics = given.numerics == SCOUT_NUMERICS_FAST      ? Numerics::kFast
                             : given.numerics == SCOUT_NUMERICS_FLOAT32 ? Numerics::kFloat32
                                                                        : Numerics::kInvariant;
  options.vision = given.vision != 0;
  options.check_weights = given.skip_weight_check == 0;
  options.memory_limit_bytes = given.memory_limit_bytes;
  const EngineDefaults defaults = {KvFormat(given.kv_format, DType::kF16, "kv_format"), given.context, given.kv_bytes};
  LoadFiles files = {given.map_file != 0, given.pack, given.pack_path == nullptr ? "" : given.pack_path};
  thread_ = OwnThread("scout-load", [this, path = std::move(path), options = std::move(options), defaults,
                                     files = std::move(files)] { Run(path, options, defaults, files); });
}

void OperationObject::Run(const std::string& path, const model::LoadOptions& options, const EngineDefaults& defaults,
                          const LoadFiles& files) noexcept {
  std::shared_ptr<ModelObject> made;
  std::optional<Error> error;
  try {
    made = LoadModel(path, options, defaults, files, progress_);
  } catch (const Error& thrown) {
    error.emplace(thrown);
  } catch (const std::bad_alloc&) {
    error.emplace(ErrorCode::kNoMemory, "loading: not enough memory");
  } catch (const std::exception& thrown) {
    error.emplace(ErrorCode::kInternal, StrCat("internal error while loading: ", thrown.what()));
  }
  // Notified under the lock: whoever waits may destroy this object as soon as it sees `done_`, after joining.
  const std::lock_guard lock(mutex_);
  model_ = std::move(made);
  error_ = std::move(error);
  done_ = true;
  if (descriptor_ != nullptr) descriptor_->Set();
  ended_.notify_all();
}

std::shared_ptr<ModelObject> OperationObject::Wait(int64_t timeout_ms) {
  std::unique_lock lock(mutex_);
  const auto done = [&] { return done_; };
  // Beyond some weeks a wait is for ever: sums with the clock must not wrap.
  constexpr int64_t kForEver = int64_t{1} << 32;
  if (timeout_ms < 0 || timeout_ms >= kForEver) {
    ended_.wait(lock, done);
  } else if (!ended_.wait_for(lock, std::chrono::milliseconds(timeout_ms), done)) {
    return nullptr;
  }
  if (error_) throw Error(*error_);
  if (taken_) Fail(ErrorCode::kState, "this operation's model was taken by an earlier scout_operation_wait");
  taken_ = true;
  return std::move(model_);
}

int OperationObject::Descriptor() {
  const std::lock_guard lock(mutex_);
  if (descriptor_ == nullptr) descriptor_ = std::make_unique<WakeDescriptor>();
  if (done_) descriptor_->Set();
  return descriptor_->descriptor();
}

void OperationObject::Close() noexcept {
  Cancel();
  const std::lock_guard lock(joining_);
  thread_.Join();
}

std::shared_ptr<ModelObject> LoadModel(const std::string& path, const model::LoadOptions& given, const EngineDefaults& defaults,
                                       const LoadFiles& files, model::LoadProgress& progress) {
  auto object = std::make_shared<ModelObject>();
  const std::string model_path = ResolveModelPath(path);
  model::LoadOptions options = given;
  io::OpenOptions open = {.map = files.map};
  UsePack(files, model_path, options, open);
  const std::shared_ptr<const io::Checkpoint> checkpoint = io::OpenCheckpoint(model_path, open);
  CheckPackable(files, *checkpoint);
  if (progress.cancel.load(std::memory_order_relaxed)) Fail(ErrorCode::kCancelled, "the load was cancelled");
  object->tokenizer =
      options.pack && !options.pack->tokenizer().empty() ? PackedTokenizer(options.pack) : prompt::LoadTokenizer(*checkpoint);
  object->model = model::Model::Load(checkpoint, options, progress);
  CheckVocabulary(*object);
  if (files.pack == SCOUT_PACK_WRITE) WritePackOf(*object, files, model_path, progress);
  if (object->tokenizer == nullptr) {
    object->no_chat = "this model has no tokenizer: it serves token ids only";
  } else {
    try {
      object->chat_format = std::make_shared<const prompt::ChatFormat>(object->tokenizer);
    } catch (const Error& error) {
      object->no_chat = error.what();
    }
  }
  object->tensor_used = UsedTensors(*object->model);
  object->defaults = defaults;
  object->device = object->model->device();
  object->placement = object->model->placement();
  object->device_parts = object->model->device_parts();
  if (object->device_parts.size() > 1) {
    object->device.name.clear();
    for (const model::Model::DevicePart& part : object->device_parts) {
      object->device.name += StrCat(object->device.name.empty() ? "" : ",", part.name);
      Log(LogLevel::kInfo, "placed on ", part.name, ": ", part.weight_bytes, " bytes of weights");
    }
  }
  Log(LogLevel::kInfo, "loaded ", Escape(path, 256), ": ", object->model->parameters(), " parameters, ",
      object->model->weight_bytes(), " bytes on ", object->device.name);
  return object;
}

}  // namespace scout::api
