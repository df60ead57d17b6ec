#include <scout/request.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "api/arguments.h"
#include "api/boundary.h"
#include "api/objects.h"
#include "api/options.h"
#include "api/prompt.h"

namespace scout::api {
namespace {

constexpr size_t kFirstSize = 144;  // of scout_request_options in 0.1
// Lists are copied before anybody looks at their entries, so they are bounded here.
constexpr uint64_t kMostListed = 1 << 20;
constexpr uint64_t kMostStops = 256;
constexpr uint64_t kMostTokens = uint64_t{1} << 31;

scout_request_options DefaultRequestOptions() {
  scout_request_options options = {};
  options.struct_size = sizeof options;
  options.top_p = 1;
  options.repetition_penalty = 1;
  return options;
}

void NeedList(const void* list, uint64_t count, uint64_t most, std::string_view name) {
  if (count > most) Fail(ErrorCode::kLimit, name, "_count is ", count, ", at most ", most);
  if (count != 0 && list == nullptr) Fail(ErrorCode::kArgument, name, " is NULL with a count of ", count);
}

std::vector<std::string> StopsOf(const scout_request_options& options) {
  NeedList(options.stop, options.stop_count, kMostStops, "stop");
  std::vector<std::string> stops;
  for (uint64_t i = 0; i < options.stop_count; ++i) {
    const char* text = options.stop[i];
    if (text == nullptr) Fail(ErrorCode::kArgument, "stop[", i, "] is NULL");
    const uint64_t size = options.stop_sizes == nullptr ? std::strlen(text) : options.stop_sizes[i];
    if (size > kMostListed) Fail(ErrorCode::kLimit, "stop_sizes[", i, "] is ", size, ", at most ", kMostListed);
    stops.emplace_back(text, size);
  }
  return stops;
}

}  // namespace

RequestInput ReadRequest(const scout_request_options* options) {
  const scout_request_options given = ReadOptions(options, DefaultRequestOptions(), kFirstSize, "scout_request_options");
  RequestInput input;
  engine::RequestOptions& out = input.options;
  out.sampling.temperature = given.temperature;
  out.sampling.top_k = given.top_k;
  out.sampling.top_p = given.top_p;
  out.sampling.min_p = given.min_p;
  out.sampling.repetition_penalty = given.repetition_penalty;
  out.sampling.frequency_penalty = given.frequency_penalty;
  out.sampling.presence_penalty = given.presence_penalty;
  out.sampling.seed = given.seed;
  NeedFlag(given.logprobs, "logprobs");
  NeedFlag(given.ignore_end, "ignore_end");
  NeedFlag(given.include_special, "include_special");
  NeedFlag(given.raw, "raw");
  out.sampling.logprobs = given.logprobs != 0;
  out.sampling.top_logprobs = given.top_logprobs;
  NeedList(given.bias_ids, given.bias_count, kMostListed, "bias");
  NeedList(given.bias_values, given.bias_count, kMostListed, "bias");
  for (uint64_t i = 0; i < given.bias_count; ++i) out.sampling.logit_bias.emplace_back(given.bias_ids[i], given.bias_values[i]);
  out.max_tokens = given.max_tokens;
  out.stop = StopsOf(given);
  NeedList(given.stop_tokens, given.stop_token_count, kMostListed, "stop_token");
  out.stop_tokens.assign(given.stop_tokens, given.stop_tokens + given.stop_token_count);
  out.ignore_end = given.ignore_end != 0;
  out.include_special = given.include_special != 0;
  out.tag = given.tag;
  input.raw = given.raw != 0;
  input.images = ImagesOf(given.images, given.image_count);
  return input;
}

std::vector<int32_t> TokensOf(const int32_t* ids, uint64_t count) {
  NeedList(ids, count, kMostTokens, "ids");
  if (count == 0) Fail(ErrorCode::kArgument, "count is 0: at least one token is needed");
  return std::vector<int32_t>(ids, ids + count);
}

std::vector<int32_t> AnswerOf(const RequestObject& object) {
  std::vector<int32_t> ids = object.request->GeneratedIds();
  const size_t prompt = std::min(static_cast<size_t>(object.request->prompt_tokens()), ids.size());
  ids.erase(ids.begin(), ids.begin() + static_cast<ptrdiff_t>(prompt));
  return ids;
}

scout_status WaitingListFull(const engine::Engine& engine) noexcept {
  try {
    SetLastError(StrCat("the waiting list is full: ", engine.options().max_waiting,
                        " requests wait, which is max_waiting of the engine's options: take events and submit again"));
  } catch (...) {
    SetLastError("the waiting list is full");
  }
  return SCOUT_AGAIN;
}

scout_status SubmitRequest(std::shared_ptr<ModelObject> model, std::shared_ptr<engine::Engine> engine, Prompt prompt,
                           const engine::RequestOptions& options, scout_request** request) {
  auto object = std::make_shared<RequestObject>();
  object->request = engine->Submit(std::move(prompt.ids), std::move(prompt.pictures), options);
  if (object->request == nullptr) return WaitingListFull(*engine);
  object->engine = std::move(engine);
  object->model = std::move(model);
  *request = Make<scout_request>(std::move(object));
  return SCOUT_OK;
}

}  // namespace scout::api

using namespace scout::api;
using scout::ErrorCode;
using scout::Fail;

scout_status scout_request_options_init(scout_request_options* options, uint64_t struct_size) {
  return Boundary([&] {
    InitOptions(options, struct_size, DefaultRequestOptions(), kFirstSize, "scout_request_options");
    return SCOUT_OK;
  });
}

scout_status scout_generate(scout_model* model, const char* text, const scout_request_options* options, scout_request** request) {
  return Boundary([&] {
    NeedOut(request, "request");
    *request = nullptr;
    const auto object = Get(model, "model");
    NeedOut(text, "text");
    const RequestInput input = ReadRequest(options);
    Prompt prompt = TextPrompt(*object, text, input.raw, input.images, WithTiles::kYes);
    return SubmitRequest(object, object->DefaultEngine()->engine, std::move(prompt), input.options, request);
  });
}

scout_status scout_prompt_tokens(const scout_model* model, const char* text, uint64_t text_size,
                                 const scout_request_options* options, int32_t* ids, uint64_t capacity, uint64_t* needed) {
  return Boundary([&] {
    NeedOut(needed, "needed");
    const auto object = Get(model, "model");
    const std::string_view content = TextOf(text, text_size, "text");
    const RequestInput input = ReadRequest(options);
    return CopyOut(TextPrompt(*object, content, input.raw, input.images, WithTiles::kNo).ids, ids, capacity, needed, "ids");
  });
}

scout_status scout_prompt_expand(const scout_model* model, const int32_t* ids, uint64_t count, const scout_request_options* options,
                                 int32_t* expanded, uint64_t capacity, uint64_t* needed) {
  return Boundary([&] {
    NeedOut(needed, "needed");
    const auto object = Get(model, "model");
    std::vector<int32_t> given = TokensOf(ids, count);
    const RequestInput input = ReadRequest(options);
    return CopyOut(TokenPrompt(*object, std::move(given), input.images, WithTiles::kNo).ids, expanded, capacity, needed,
                   "expanded");
  });
}

scout_status scout_request_next(scout_request* request, int64_t timeout_ms, const scout_event** event) {
  return Boundary([&] {
    NeedOut(event, "event");
    *event = nullptr;
    const auto object = Get(request, "request");
    const Exclusive alone(object->in_next, "scout_request_next of this request");
    switch (object->engine->NextEvent(*object->request, timeout_ms, object->buffer.event)) {
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

int32_t scout_request_descriptor(const scout_request* request) {
  return BoundaryValue(int32_t{-1}, [&] { return Get(request, "request")->request->descriptor(); });
}

scout_status scout_request_cancel(scout_request* request) {
  return Boundary([&] {
    Get(request, "request")->request->Cancel();
    return SCOUT_OK;
  });
}

scout_status scout_request_ids(const scout_request* request, int32_t* ids, uint64_t capacity, uint64_t* needed) {
  return Boundary([&] { return CopyOut(AnswerOf(*Get(request, "request")), ids, capacity, needed, "ids"); });
}

void scout_request_free(scout_request* request) { Free(request); }
