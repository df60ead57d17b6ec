#include <scout/tokenizer.h>

#include "api/arguments.h"
#include "api/boundary.h"
#include "api/objects.h"

namespace scout::api {
namespace {

prompt::EncodeOptions EncodeFlags(uint32_t flags) {
  constexpr uint32_t kKnown = SCOUT_ENCODE_SPECIAL | SCOUT_ENCODE_BOS;
  if ((flags & ~kKnown) != 0)
    Fail(ErrorCode::kArgument, "flags is ", flags, ", a sum of SCOUT_ENCODE_* (at most ", kKnown, ") is expected");
  return {.allow_special = (flags & SCOUT_ENCODE_SPECIAL) != 0, .add_bos = (flags & SCOUT_ENCODE_BOS) != 0};
}

}  // namespace
}  // namespace scout::api

using namespace scout::api;
using scout::ErrorCode;
using scout::Fail;

scout_status scout_encode(const scout_model* model, const char* text, uint64_t text_size, uint32_t flags, int32_t* ids,
                          uint64_t capacity, uint64_t* needed) {
  return Boundary([&] {
    NeedOut(needed, "needed");
    const auto object = Get(model, "model");
    const auto options = EncodeFlags(flags);
    const std::string_view content = TextOf(text, text_size, "text");
    const scout::prompt::Tokenizer& tokenizer = object->NeedTokenizer();
    if (ids == nullptr && capacity == 0) {  // only asked for the size
      *needed = tokenizer.Count(content, options);
      return static_cast<scout_status>(SCOUT_OK);
    }
    return CopyOut(tokenizer.Encode(content, options), ids, capacity, needed, "ids");
  });
}

scout_status scout_count_tokens(const scout_model* model, const char* text, uint64_t text_size, uint32_t flags, uint64_t* count) {
  return Boundary([&] {
    NeedOut(count, "count");
    const auto object = Get(model, "model");
    const auto options = EncodeFlags(flags);
    *count = object->NeedTokenizer().Count(TextOf(text, text_size, "text"), options);
    return SCOUT_OK;
  });
}

scout_status scout_decode(const scout_model* model, const int32_t* ids, uint64_t count, uint32_t flags, char* text,
                          uint64_t capacity, uint64_t* needed) {
  return Boundary([&] {
    NeedOut(needed, "needed");
    const auto object = Get(model, "model");
    if (flags > SCOUT_DECODE_SPECIAL) Fail(ErrorCode::kArgument, "flags is ", flags, ", one of SCOUT_DECODE_* is expected");
    if (ids == nullptr && count != 0) Fail(ErrorCode::kArgument, "ids is NULL with a count of ", count);
    if (count > PTRDIFF_MAX / sizeof(int32_t)) Fail(ErrorCode::kArgument, "count is ", count, ", more than memory can hold");
    return CopyOut(object->NeedTokenizer().Decode({ids, count}, flags == SCOUT_DECODE_SPECIAL), text, capacity, needed, "text");
  });
}

scout_status scout_token_bytes(const scout_model* model, int32_t id, const char** bytes, uint64_t* bytes_size,
                               int32_t* is_special) {
  return Boundary([&] {
    NeedOut(bytes, "bytes");
    NeedOut(bytes_size, "bytes_size");
    const auto object = Get(model, "model");
    const scout::prompt::Tokenizer& tokenizer = object->NeedTokenizer();
    const std::string_view found = tokenizer.TokenBytes(id);
    const bool special = tokenizer.IsSpecial(id);
    *bytes = found.data();
    *bytes_size = found.size();
    if (is_special != nullptr) *is_special = special ? 1 : 0;
    return SCOUT_OK;
  });
}

scout_status scout_token_find(const scout_model* model, const char* name, uint64_t name_size, int32_t* id) {
  return Boundary([&] {
    NeedOut(id, "id");
    const auto object = Get(model, "model");
    const std::string_view wanted = TextOf(name, name_size, "name");
    const scout::prompt::TokenId found = object->NeedTokenizer().Find(wanted);
    if (found == scout::prompt::kNoToken) Fail(ErrorCode::kArgument, "no control token is called \"", scout::Escape(wanted), "\"");
    *id = found;
    return SCOUT_OK;
  });
}

scout_status scout_stop_tokens(const scout_model* model, int32_t* ids, uint64_t capacity, uint64_t* needed) {
  return Boundary([&] {
    NeedOut(needed, "needed");
    return CopyOut(Get(model, "model")->NeedTokenizer().stops(), ids, capacity, needed, "ids");
  });
}
