#include <scout/chat.h>

#include <utility>

#include "api/arguments.h"
#include "api/boundary.h"
#include "api/objects.h"
#include "api/picture.h"

namespace scout::api {
namespace {

prompt::Role RoleOf(int32_t role) {
  switch (role) {
    case SCOUT_ROLE_SYSTEM:
      return prompt::Role::kSystem;
    case SCOUT_ROLE_USER:
      return prompt::Role::kUser;
    case SCOUT_ROLE_ASSISTANT:
      return prompt::Role::kAssistant;
    case SCOUT_ROLE_TOOL:
      return prompt::Role::kTool;
    default:
      Fail(ErrorCode::kArgument, "role is ", role, ", must be one of SCOUT_ROLE_* (", int{SCOUT_ROLE_SYSTEM}, " to ",
           int{SCOUT_ROLE_TOOL}, ")");
  }
}

void EndMessage(ChatObject& object) {
  if (!object.open) return;
  object.chat.Add(*object.open);
  object.open.reset();
}

}  // namespace

Prompt PromptOf(const ChatObject& object) {
  if (!object.open) return {object.chat.AnswerPrompt(), PlacePictures(object.pictures, object.chat.images())};
  prompt::Chat ended = object.chat;
  ended.Add(*object.open);
  return {ended.AnswerPrompt(), PlacePictures(object.pictures, ended.images())};
}

}  // namespace scout::api

using namespace scout::api;
using scout::ErrorCode;
using scout::Fail;

scout_status scout_chat_new(const scout_model* model, scout_chat** chat) {
  return Boundary([&] {
    NeedOut(chat, "chat");
    *chat = nullptr;
    const auto object = Get(model, "model");
    auto made = std::make_shared<ChatObject>(object->NeedChatFormat());
    made->model = object;
    *chat = Make<scout_chat>(std::move(made));
    return SCOUT_OK;
  });
}

scout_status scout_chat_add(scout_chat* chat, int32_t role, const char* text, uint64_t text_size) {
  return Boundary([&] {
    const auto object = Get(chat, "chat");
    const Exclusive alone(object->busy, "a call on this chat");
    const scout::prompt::Role checked = RoleOf(role);
    const std::string_view content = TextOf(text, text_size, "text");
    // A system message is refused where it is not the first; the message that is open counts.
    if (checked == scout::prompt::Role::kSystem && (object->open || object->chat.size() != 0))
      Fail(ErrorCode::kArgument, "a system message must be the first of the conversation");
    EndMessage(*object);
    object->chat.Add(checked, content);
    return SCOUT_OK;
  });
}

scout_status scout_chat_begin(scout_chat* chat, int32_t role) {
  return Boundary([&] {
    const auto object = Get(chat, "chat");
    const Exclusive alone(object->busy, "a call on this chat");
    const scout::prompt::Role checked = RoleOf(role);
    if (checked == scout::prompt::Role::kSystem && (object->open || object->chat.size() != 0))
      Fail(ErrorCode::kArgument, "a system message must be the first of the conversation");
    EndMessage(*object);
    object->open.emplace();
    object->open->role = checked;
    return SCOUT_OK;
  });
}

scout_status scout_chat_add_text(scout_chat* chat, const char* text, uint64_t text_size) {
  return Boundary([&] {
    const auto object = Get(chat, "chat");
    const Exclusive alone(object->busy, "a call on this chat");
    const std::string_view content = TextOf(text, text_size, "text");
    if (!object->open) Fail(ErrorCode::kState, "no message is begun: call scout_chat_begin first");
    object->open->parts.push_back({scout::prompt::Part::Kind::kText, std::string(content), {}});
    return SCOUT_OK;
  });
}

scout_status scout_chat_add_image(scout_chat* chat, const scout_image* image) {
  return Boundary([&] {
    const auto object = Get(chat, "chat");
    const Exclusive alone(object->busy, "a call on this chat");
    const auto picture = Get(image, "image");
    CheckTakesPictures(*object);
    object->pictures.reserve(object->pictures.size() + 1);
    PreparedPicture prepared = Prepare(*object->model, *picture);
    object->open->parts.push_back({scout::prompt::Part::Kind::kImage, {}, prepared.part});
    object->pictures.push_back(std::move(prepared));
    return SCOUT_OK;
  });
}

scout_status scout_chat_add_answer(scout_chat* chat, const scout_request* request) {
  return Boundary([&] {
    const auto object = Get(chat, "chat");
    const Exclusive alone(object->busy, "a call on this chat");
    const auto answered = Get(request, "request");
    if (answered->model->model != object->model->model) Fail(ErrorCode::kArgument, "request belongs to another model than chat");
    if (!answered->request->finished())
      Fail(ErrorCode::kState, "the request is not finished: take its events to the last, or cancel it");
    EndMessage(*object);
    object->chat.AddAnswer(AnswerOf(*answered));
    return SCOUT_OK;
  });
}

scout_status scout_chat_tokens(const scout_chat* chat, int32_t* ids, uint64_t capacity, uint64_t* needed) {
  return Boundary([&] {
    const auto object = Get(chat, "chat");
    const Exclusive alone(object->busy, "a call on this chat");
    return CopyOut(PromptOf(*object).ids, ids, capacity, needed, "ids");
  });
}

scout_status scout_chat_count(const scout_chat* chat, uint64_t* count) {
  return Boundary([&] {
    NeedOut(count, "count");
    const auto object = Get(chat, "chat");
    const Exclusive alone(object->busy, "a call on this chat");
    *count = object->chat.size() + (object->open ? 1 : 0);
    return SCOUT_OK;
  });
}

void scout_chat_free(scout_chat* chat) { Free(chat); }
