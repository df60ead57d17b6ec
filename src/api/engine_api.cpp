#include <scout/engine.h>

#include <utility>

#include "api/arguments.h"
#include "api/boundary.h"
#include "api/objects.h"
#include "api/options.h"
#include "api/prompt.h"

using namespace scout::api;
using scout::ErrorCode;
using scout::Fail;

scout_status scout_engine_options_init(scout_engine_options* options, uint64_t struct_size) {
  return Boundary([&] {
    InitEngineOptions(options, struct_size);
    return SCOUT_OK;
  });
}

scout_status scout_engine_new(scout_model* model, const scout_engine_options* options, scout_engine** engine) {
  return Boundary([&] {
    NeedOut(engine, "engine");
    *engine = nullptr;
    const auto object = Get(model, "model");
    *engine = Make<scout_engine>(MakeEngine(object, ReadEngineOptions(options)));
    return SCOUT_OK;
  });
}

scout_status scout_model_engine(scout_model* model, scout_engine** engine) {
  return Boundary([&] {
    NeedOut(engine, "engine");
    *engine = nullptr;
    const auto object = Get(model, "model");
    const std::shared_ptr<EngineObject> own = object->DefaultEngine();
    auto made = std::make_shared<EngineObject>();
    made->model = object;
    made->engine = own->engine;
    made->shared = true;
    made->page_positions = own->page_positions;
    made->context = own->context;
    made->kv_bytes = own->kv_bytes;
    made->workspace_bytes = own->workspace_bytes;
    *engine = Make<scout_engine>(std::move(made));
    return SCOUT_OK;
  });
}

void scout_engine_free(scout_engine* engine) { Free(engine); }

scout_status scout_submit(scout_engine* engine, const scout_chat* chat, const scout_request_options* options,
                          scout_request** request) {
  return Boundary([&] {
    NeedOut(request, "request");
    *request = nullptr;
    const auto object = Get(engine, "engine");
    const auto conversation = Get(chat, "chat");
    const Exclusive alone(conversation->busy, "a call on this chat");
    // Ids of one model's tokenizer mean nothing to another's.
    if (conversation->model->model != object->model->model) Fail(ErrorCode::kArgument, "chat belongs to another model than engine");
    const RequestInput input = ReadRequest(options);
    if (!input.images.empty())
      Fail(ErrorCode::kArgument, "image_count is ", input.images.size(),
           ", must be 0 with a chat: scout_chat_add_image adds its pictures");
    return SubmitRequest(object->model, object->engine, PromptOf(*conversation), input.options, request);
  });
}

scout_status scout_submit_text(scout_engine* engine, const char* text, uint64_t text_size, const scout_request_options* options,
                               scout_request** request) {
  return Boundary([&] {
    NeedOut(request, "request");
    *request = nullptr;
    const auto object = Get(engine, "engine");
    const std::string_view content = TextOf(text, text_size, "text");
    const RequestInput input = ReadRequest(options);
    return SubmitRequest(object->model, object->engine,
                         TextPrompt(*object->model, content, input.raw, input.images, WithTiles::kYes), input.options, request);
  });
}

scout_status scout_submit_tokens(scout_engine* engine, const int32_t* ids, uint64_t count, const scout_request_options* options,
                                 scout_request** request) {
  return Boundary([&] {
    NeedOut(request, "request");
    *request = nullptr;
    const auto object = Get(engine, "engine");
    std::vector<int32_t> given = TokensOf(ids, count);
    const RequestInput input = ReadRequest(options);
    return SubmitRequest(object->model, object->engine,
                         TokenPrompt(*object->model, std::move(given), input.images, WithTiles::kYes), input.options, request);
  });
}

scout_status scout_engine_next(scout_engine* engine, int64_t timeout_ms, const scout_event** event) {
  return Boundary([&] {
    NeedOut(event, "event");
    *event = nullptr;
    const auto object = Get(engine, "engine");
    const Exclusive alone(object->in_next, "scout_engine_next");
    switch (object->engine->NextEvent(timeout_ms, object->buffer.event, nullptr)) {
      case scout::engine::Next::kAgain:
        return SCOUT_AGAIN;
      case scout::engine::Next::kDone:
        return SCOUT_DONE;
      case scout::engine::Next::kEvent:
        break;
    }
    *event = object->buffer.Fill();
    return SCOUT_OK;
  });
}

scout_status scout_engine_wake(scout_engine* engine) {
  return Boundary([&] {
    Get(engine, "engine")->engine->Wake();
    return SCOUT_OK;
  });
}

int32_t scout_engine_descriptor(const scout_engine* engine) {
  return BoundaryValue(int32_t{-1}, [&] { return Get(engine, "engine")->engine->descriptor(); });
}

scout_status scout_engine_step(scout_engine* engine, int64_t budget_ms) {
  return Boundary([&] {
    const auto object = Get(engine, "engine");
    if (!object->stepped)
      Fail(ErrorCode::kState, "this engine runs its steps on a thread of its own: make it with mode SCOUT_ENGINE_STEPPED");
    if (budget_ms < 0) Fail(ErrorCode::kArgument, "budget_ms is ", budget_ms, ", must be 0 (one layer) or more");
    return object->engine->Step(budget_ms) ? SCOUT_OK : SCOUT_DONE;
  });
}

scout_status scout_engine_get_stats(const scout_engine* engine, scout_engine_stats* stats) {
  return Boundary([&] {
    const auto object = Get(engine, "engine");
    const scout::engine::EngineStats now = object->engine->Stats();
    constexpr int kLocal = scout::kLocalPages, kGlobal = scout::kGlobalPages;
    scout_engine_stats value = {};
    value.waiting = now.waiting;
    value.running = now.running;
    value.steps = now.steps;
    value.rows = now.rows;
    value.prompt_tokens = now.prompt_tokens;
    value.cached_tokens = now.cached_tokens;
    value.generated_tokens = now.generated_tokens;
    value.preemptions = now.preemptions;
    value.local_pages = now.pages_total[kLocal];
    value.local_pages_used = now.pages_used[kLocal];
    value.local_pages_cached = now.pages_cached[kLocal];
    value.local_pages_peak = now.pages_peak[kLocal];
    value.global_pages = now.pages_total[kGlobal];
    value.global_pages_used = now.pages_used[kGlobal];
    value.global_pages_cached = now.pages_cached[kGlobal];
    value.global_pages_peak = now.pages_peak[kGlobal];
    value.page_positions = object->page_positions;
    value.context = object->context;
    value.kv_bytes = object->kv_bytes;
    value.workspace_bytes = object->workspace_bytes;
    value.pictures_encoded = now.pictures;
    value.picture_cache_hits = now.picture_hits;
    value.picture_cache_misses = now.picture_misses;
    value.picture_cache_entries = now.picture_cache_entries;
    value.picture_cache_bytes = now.picture_cache_bytes;
    value.picture_cache_limit_bytes = object->model->model->vision() == nullptr ? 0 : object->engine->options().picture_cache_bytes;
    WriteInfo(stats, value, "scout_engine_stats");
    return SCOUT_OK;
  });
}
