#include <scout/model.h>

#include <algorithm>
#include <array>

#include "api/arguments.h"
#include "api/boundary.h"
#include "api/engine_sizing.h"
#include "api/load.h"
#include "api/objects.h"
#include "api/options.h"

using namespace scout::api;
using scout::ErrorCode;
using scout::Fail;

scout_status scout_load_options_init(scout_load_options* options, uint64_t struct_size) {
  return Boundary([&] {
    InitLoadOptions(options, struct_size);
    return SCOUT_OK;
  });
}

scout_status scout_load(const char* path, const scout_load_options* options, scout_model** model) {
  return Boundary([&] {
    NeedOut(model, "model");
    *model = nullptr;
    NeedOut(path, "path");
    OperationObject operation(path, ReadLoadOptions(options));
    *model = Make<scout_model>(operation.Wait(SCOUT_WAIT));
    return SCOUT_OK;
  });
}

scout_status scout_load_start(const char* path, const scout_load_options* options, scout_operation** operation) {
  return Boundary([&] {
    NeedOut(operation, "operation");
    *operation = nullptr;
    NeedOut(path, "path");
    if (*path == 0) Fail(ErrorCode::kArgument, "path is empty");
    *operation = Make<scout_operation>(std::make_shared<OperationObject>(path, ReadLoadOptions(options)));
    return SCOUT_OK;
  });
}

scout_status scout_operation_wait(scout_operation* operation, int64_t timeout_ms, scout_model** model) {
  return Boundary([&] {
    NeedOut(model, "model");
    *model = nullptr;
    std::shared_ptr<ModelObject> made = Get(operation, "operation")->Wait(timeout_ms);
    if (made == nullptr) return SCOUT_AGAIN;
    *model = Make<scout_model>(std::move(made));
    return SCOUT_OK;
  });
}

scout_status scout_operation_progress(const scout_operation* operation, uint64_t* done_bytes, uint64_t* total_bytes) {
  return Boundary([&] {
    const auto object = Get(operation, "operation");
    if (done_bytes != nullptr) *done_bytes = object->progress().bytes_done.load(std::memory_order_relaxed);
    if (total_bytes != nullptr) *total_bytes = object->progress().bytes_total.load(std::memory_order_relaxed);
    return SCOUT_OK;
  });
}

scout_status scout_operation_cancel(scout_operation* operation) {
  return Boundary([&] {
    Get(operation, "operation")->Cancel();
    return SCOUT_OK;
  });
}

int32_t scout_operation_descriptor(const scout_operation* operation) {
  return BoundaryValue(int32_t{-1}, [&] { return Get(operation, "operation")->Descriptor(); });
}

void scout_operation_free(scout_operation* operation) { Free(operation); }

void scout_free(scout_model* model) { Free(model); }

scout_status scout_model_get_info(const scout_model* model, scout_model_info* info) {
  return Boundary([&] {
    const auto object = Get(model, "model");
    const scout::model::Model& loaded = *object->model;
    const scout::model::Config& config = loaded.config();
    const scout::DType kv = object->defaults.kv_format;
    scout_model_info value = {};
    value.layers = static_cast<int32_t>(config.layers);
    value.architecture = config.architecture.c_str();
    value.name = config.name.c_str();
    value.version = config.version.c_str();
    value.device = object->device.name.c_str();
    value.rope_scaling = config.rope_scaling.c_str();
    value.embedding = config.embedding;
    value.heads = config.heads;
    value.kv_heads = config.kv_heads;
    value.head_dim = config.head_dim;
    value.vocabulary = config.vocabulary;
    value.tokenizer_size = object->tokenizer == nullptr ? 0 : static_cast<int64_t>(object->tokenizer->size());
    value.dense_hidden = config.dense_hidden;
    value.expert_hidden = config.expert_hidden;
    value.experts = config.experts;
    value.experts_used = config.experts_used;
    value.moe_layers = std::count_if(config.layer.begin(), config.layer.end(), [](const auto& layer) { return layer.moe; });
    value.global_layers = std::count_if(config.layer.begin(), config.layer.end(), [](const auto& layer) { return !layer.chunked; });
    value.attention_chunk = config.attention_chunk;
    value.context = config.context;
    value.rope_base = config.rope_base;
    value.norm_eps = config.norm_eps;
    value.temperature_length = config.temperature_length;
    value.temperature_scale = config.temperature_scale;
    value.qk_norm = config.qk_norm ? 1 : 0;
    value.tied_head = config.tied_head ? 1 : 0;
    value.parameters = loaded.parameters();
    value.file_bytes = loaded.checkpoint().file_bytes();
    value.weight_bytes = loaded.weight_bytes();
    value.kv_bytes_per_position_global = loaded.BytesPerPosition(scout::kGlobalPages, kv, kv);
    value.kv_bytes_per_position_local = loaded.BytesPerPosition(scout::kLocalPages, kv, kv);
    value.kv_format = KvFormatCode(kv);
    value.has_chat = object->chat_format != nullptr ? 1 : 0;
    value.placement = object->placement.c_str();
    value.device_count = object->device_parts.size();
    WriteInfo(info, value, "scout_model_info");
    return SCOUT_OK;
  });
}

scout_status scout_model_get_device(const scout_model* model, uint64_t index, scout_model_device* info) {
  return Boundary([&] {
    const auto object = Get(model, "model");
    const auto& parts = object->device_parts;
    if (index >= parts.size()) Fail(ErrorCode::kArgument, "device ", index, " of the model is not there: there are ", parts.size());
    scout_model_device value = {};
    value.name = parts[index].name.c_str();
    value.description = parts[index].description.c_str();
    value.weight_bytes = parts[index].weight_bytes;
    WriteInfo(info, value, "scout_model_device");
    return SCOUT_OK;
  });
}

scout_status scout_model_get_layer(const scout_model* model, int32_t layer, int32_t* moe, int32_t* rope, int32_t* chunked) {
  return Boundary([&] {
    const auto object = Get(model, "model");
    const auto& layers = object->model->config().layer;
    NeedRange(layer, 0, static_cast<int64_t>(layers.size()) - 1, "layer");
    const auto& kind = layers[static_cast<size_t>(layer)];
    if (moe != nullptr) *moe = kind.moe ? 1 : 0;
    if (rope != nullptr) *rope = kind.rope ? 1 : 0;
    if (chunked != nullptr) *chunked = kind.chunked ? 1 : 0;
    return SCOUT_OK;
  });
}

scout_status scout_model_tensor_count(const scout_model* model, uint64_t* count) {
  return Boundary([&] {
    NeedOut(count, "count");
    *count = Get(model, "model")->model->checkpoint().tensors().size();
    return SCOUT_OK;
  });
}

scout_status scout_model_get_tensor(const scout_model* model, uint64_t index, scout_tensor_info* info) {
  return Boundary([&] {
    const auto object = Get(model, "model");
    const auto tensors = object->model->checkpoint().tensors();
    if (index >= tensors.size()) Fail(ErrorCode::kArgument, "tensor ", index, " is not there: there are ", tensors.size());
    const scout::io::TensorInfo& tensor = tensors[index];
    scout_tensor_info value = {};
    value.name = tensor.name.c_str();
    value.format = tensor.dtype_name.data();  // static text, NUL-terminated
    value.rank = tensor.shape.rank;
    for (int i = 0; i < tensor.shape.rank; ++i) value.shape[i] = static_cast<int64_t>(tensor.shape[i]);
    value.bytes = tensor.bytes;
    value.used = object->tensor_used[index] ? 1 : 0;
    WriteInfo(info, value, "scout_tensor_info");
    return SCOUT_OK;
  });
}

scout_status scout_model_kv_bytes(const scout_model* model, int64_t positions, int32_t kv_format, uint64_t* bytes) {
  return Boundary([&] {
    const auto object = Get(model, "model");
    NeedOut(bytes, "bytes");
    NeedRange(positions, 0, INT32_MAX, "positions");
    const PageCosts costs = CostsOf(*object->model, KvFormat(kv_format, object->defaults.kv_format, "kv_format"));
    *bytes = costs.BytesFor(positions, kDefaultStepRows);
    return SCOUT_OK;
  });
}
