#include "api/objects.h"

#include <limits>

#include "api/arguments.h"

namespace scout::api {

const prompt::Tokenizer& ModelObject::NeedTokenizer() const {
  if (tokenizer == nullptr) Fail(ErrorCode::kState, "this model has no tokenizer: it serves token ids only");
  return *tokenizer;
}

const std::shared_ptr<const prompt::ChatFormat>& ModelObject::NeedChatFormat() const {
  if (chat_format == nullptr) Fail(ErrorCode::kState, no_chat);
  return chat_format;
}

void EngineObject::Close() noexcept {
  if (!shared) return engine->Close();
  if (!in_next) return;
  try {
    engine->Wake();  // whoever waits through this handle finds it gone
  } catch (const Error&) {
  }
}

DType KvFormat(int32_t kv_format, DType otherwise, std::string_view name) {
  switch (kv_format) {
    case SCOUT_KV_DEFAULT:
      return otherwise;
    case SCOUT_KV_F16:
      return DType::kF16;
    case SCOUT_KV_BF16:
      return DType::kBF16;
    case SCOUT_KV_F32:
      return DType::kF32;
    case SCOUT_KV_Q8_0:
      return DType::kQ8_0;
    default:
      Fail(ErrorCode::kArgument, name, " is ", kv_format, ", must be one of SCOUT_KV_* (", int{SCOUT_KV_DEFAULT}, " to ",
           int{SCOUT_KV_Q8_0}, ")");
  }
}

int32_t KvFormatCode(DType format) {
  switch (format) {
    case DType::kF32:
      return SCOUT_KV_F32;
    case DType::kBF16:
      return SCOUT_KV_BF16;
    case DType::kQ8_0:
      return SCOUT_KV_Q8_0;
    default:
      return SCOUT_KV_F16;
  }
}

const scout_event* EventBuffer::Fill() {
  const auto or_null = [](const auto& values) { return values.empty() ? nullptr : values.data(); };
  view = {};
  view.struct_size = sizeof view;
  view.stop = static_cast<int32_t>(event.stop);
  view.tag = event.tag;
  view.text = event.text.c_str();
  view.text_size = event.text.size();
  view.ids = or_null(event.ids);
  view.id_count = event.ids.size();
  view.logprobs = or_null(event.logprobs);
  view.top_ids = or_null(event.top_ids);
  view.top_logprobs = or_null(event.top_logprobs);
  view.top_count = event.ids.empty() ? 0 : event.top_ids.size() / event.ids.size();
  view.message = event.message.c_str();
  view.message_size = event.message.size();
  view.status = event.status;
  view.prompt_tokens = event.prompt_tokens;
  view.cached_tokens = event.cached_tokens;
  view.generated_tokens = event.generated_tokens;
  view.queue_ms = event.timings.queue_ms;
  view.prefill_ms = event.timings.prefill_ms;
  view.decode_ms = event.timings.decode_ms;
  return &view;
}

static_assert(static_cast<int>(engine::StopReason::kNone) == SCOUT_STOP_NONE &&
              static_cast<int>(engine::StopReason::kEnd) == SCOUT_STOP_END &&
              static_cast<int>(engine::StopReason::kStopString) == SCOUT_STOP_STRING &&
              static_cast<int>(engine::StopReason::kLength) == SCOUT_STOP_LENGTH &&
              static_cast<int>(engine::StopReason::kCancelled) == SCOUT_STOP_CANCELLED &&
              static_cast<int>(engine::StopReason::kError) == SCOUT_STOP_ERROR);

}  // namespace scout::api
