// From a model and options to a running engine.
#include <algorithm>
#include <utility>

#include "api/arguments.h"
#include "api/engine_sizing.h"
#include "api/objects.h"
#include "api/options.h"
#include "base/log.h"
#include "model/vision_tower.h"

namespace scout::api {
namespace {

constexpr size_t kFirstSize = 56;  // of scout_engine_options in 0.1
constexpr int32_t kDefaultDecodeStepRows = 128;
constexpr int32_t kDefaultMaxWaiting = 1024;
constexpr int32_t kDefaultMaxRunning = 64;
constexpr int32_t kMostRows = 1 << 16;
constexpr int32_t kMostRequests = 1 << 16;

int32_t Or(int32_t value, int32_t otherwise) { return value == 0 ? otherwise : value; }

}  // namespace

scout_engine_options DefaultEngineOptions() {
  scout_engine_options options = {};
  options.struct_size = sizeof options;
  return options;
}

void InitEngineOptions(scout_engine_options* options, uint64_t struct_size) {
  InitOptions(options, struct_size, DefaultEngineOptions(), kFirstSize, "scout_engine_options");
}

scout_engine_options ReadEngineOptions(const scout_engine_options* given) {
  const scout_engine_options options = ReadOptions(given, DefaultEngineOptions(), kFirstSize, "scout_engine_options");
  NeedRange(options.mode, SCOUT_ENGINE_THREADED, SCOUT_ENGINE_STEPPED, "mode");
  KvFormat(options.kv_format, DType::kF16, "kv_format");
  NeedRange(options.step_rows, 0, kMostRows, "step_rows");
  NeedRange(options.decode_step_rows, 0, kMostRows, "decode_step_rows");
  NeedRange(options.max_waiting, 0, kMostRequests, "max_waiting");
  NeedRange(options.max_running, 0, kMostRequests, "max_running");
  NeedRange(options.context, 0, INT32_MAX, "context");
  NeedFlag(options.no_prefix_cache, "no_prefix_cache");
  NeedFlag(options.no_picture_cache, "no_picture_cache");
  if (options.reserved != 0) Fail(ErrorCode::kUnsupported, "reserved is ", options.reserved, ", must be 0");
  if (options.no_picture_cache != 0 && options.picture_cache_bytes != 0)
    Fail(ErrorCode::kArgument, "picture_cache_bytes is ", options.picture_cache_bytes,
         " but no_picture_cache is 1: one of them must be 0");
  return options;
}

std::shared_ptr<EngineObject> MakeEngine(const std::shared_ptr<ModelObject>& model, const scout_engine_options& given) {
  const model::Config& config = model->model->config();
  engine::EngineOptions options;
  options.mode = given.mode == SCOUT_ENGINE_STEPPED ? engine::Mode::kStepped : engine::Mode::kThread;
  options.step_rows = Or(given.step_rows, kDefaultStepRows);
  options.decode_step_rows = std::min(Or(given.decode_step_rows, kDefaultDecodeStepRows), options.step_rows);
  options.max_waiting = Or(given.max_waiting, kDefaultMaxWaiting);
  options.max_running = Or(given.max_running, kDefaultMaxRunning);
  options.prefix_cache = given.no_prefix_cache == 0;
  if (given.no_picture_cache != 0) {
    options.picture_cache_bytes = 0;
  } else if (given.picture_cache_bytes != 0) {
    options.picture_cache_bytes = given.picture_cache_bytes;
  }
  options.cache_salt = given.cache_salt;

  model::RunnerOptions runner;
  runner.k_format = runner.v_format = KvFormat(given.kv_format, model->defaults.kv_format, "kv_format");
  runner.max_rows = options.step_rows;

  uint64_t kv_bytes = given.kv_bytes != 0 ? given.kv_bytes : model->defaults.kv_bytes;
  if (kv_bytes == 0) {
    const uint64_t room = model->model->KvRoom();
    kv_bytes = DefaultKvBytes(room == UINT64_MAX ? 0 : room, room);
  }
  const int64_t context = given.context != 0 ? given.context : model->defaults.context;
  if (context > config.context && config.context > 0)
    Log(LogLevel::kWarning, "context ", context, " is more than the ", config.context, " positions that the model was made for");
  const PageCosts costs = CostsOf(*model->model, runner.k_format);
  const EngineSize size = SizeEngine(costs, context, config.context, kv_bytes, options.step_rows, options.max_running);
  options.context = size.context;
  runner.page_size = costs.page_size;
  runner.page_count[kLocalPages] = size.local_pages;
  runner.page_count[kGlobalPages] = size.global_pages;

  std::vector<int32_t> stops;
  if (model->tokenizer != nullptr) stops.assign(model->tokenizer->stops().begin(), model->tokenizer->stops().end());
  auto object = std::make_shared<EngineObject>();
  object->model = model;
  object->stepped = options.mode == engine::Mode::kStepped;
  object->page_positions = costs.page_size;
  object->context = size.context;
  object->kv_bytes = size.bytes;
  object->workspace_bytes = model->model->WorkspaceBytes(runner);
  std::unique_ptr<model::Vision> vision;
  if (model->model->vision() != nullptr) {
    vision = model->model->NewVision({});
    object->workspace_bytes += model::VisionWorkspaceBytes(vision->config(), vision->tiles_at_once());
  }
  object->engine = engine::Engine::Make(model->model->NewRunner(runner), model->tokenizer, std::move(stops),
                                        model->model->fingerprint(), options, std::move(vision));
  Log(LogLevel::kInfo, "engine: context ", size.context, ", ", size.local_pages, " local and ", size.global_pages,
      " global pages, ", size.bytes, " bytes of keys and values");
  return object;
}

std::shared_ptr<EngineObject> ModelObject::DefaultEngine() {
  const std::lock_guard lock(mutex_);
  if (default_engine_ == nullptr) {
    // Only lent: the model holds the engine, not the other way round.
    const std::shared_ptr<ModelObject> unowned(this, [](ModelObject*) {});
    default_engine_ = MakeEngine(unowned, DefaultEngineOptions());
  }
  return default_engine_;
}

}  // namespace scout::api
