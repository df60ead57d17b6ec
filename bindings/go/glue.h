/* The C header as Go calls it: outputs come back by value, so no Go memory is passed for them, and a failure's message is taken in the
 * same native call, on the same system thread. */
#ifndef SCOUT_GO_GLUE_H
#define SCOUT_GO_GLUE_H

#include <scout/scout.h>
#include <stdlib.h>
#include <string.h>

typedef struct go_result {
  scout_status status;
  char *message; /* of a failure: to be freed by the caller; NULL without memory */
  void *value;   /* a handle, an event, a block, bytes */
  uint64_t number, number2;
} go_result;

static inline void go_message(go_result *result) {
  const char *message = scout_last_error();
  const size_t size = strlen(message) + 1;
  result->message = (char *)malloc(size);
  if (result->message != NULL) memcpy(result->message, message, size);
}
static inline go_result go_finish(go_result result) {
  if (result.status < 0) go_message(&result);
  return result;
}

#define GO_BEGIN go_result result = {0, NULL, NULL, 0, 0}
#define GO_END return go_finish(result)

/* Calls that ask an engine for something: a full waiting list has a message too. */
#define GO_ASKED(type, call)                             \
  GO_BEGIN;                                              \
  type *value = NULL;                                    \
  result.status = call;                                  \
  result.value = (void *)value;                          \
  if (result.status == SCOUT_AGAIN) go_message(&result); \
  GO_END

/* Calls whose last parameter receives a handle or something borrowed. */
#define GO_MADE(type, call) \
  GO_BEGIN;                 \
  type *value = NULL;       \
  result.status = call;     \
  result.value = (void *)value; \
  GO_END

static inline go_result go_load_start(const char *path, const scout_load_options *options) {
  GO_MADE(scout_operation, scout_load_start(path, options, &value));
}
static inline go_result go_operation_wait(scout_operation *operation, int64_t timeout_ms) {
  GO_MADE(scout_model, scout_operation_wait(operation, timeout_ms, &value));
}
static inline go_result go_operation_progress(scout_operation *operation) {
  GO_BEGIN;
  result.status = scout_operation_progress(operation, &result.number, &result.number2);
  GO_END;
}
static inline go_result go_submit_text(scout_engine *engine, const char *text, uint64_t size, const scout_request_options *options) {
  GO_ASKED(scout_request, scout_submit_text(engine, text, size, options, &value));
}
static inline go_result go_model_engine(scout_model *model) { GO_MADE(scout_engine, scout_model_engine(model, &value)); }
/* scout_generate for texts with a NUL inside. */
static inline go_result go_generate(scout_model *model, const char *text, uint64_t size, const scout_request_options *options) {
  go_result result = go_model_engine(model);
  scout_engine *engine = (scout_engine *)result.value;
  if (result.status != SCOUT_OK) return result;
  result = go_submit_text(engine, text, size, options);
  scout_engine_free(engine);
  return result;
}
static inline go_result go_chat_new(scout_model *model) { GO_MADE(scout_chat, scout_chat_new(model, &value)); }
static inline go_result go_engine_new(scout_model *model, const scout_engine_options *options) {
  GO_MADE(scout_engine, scout_engine_new(model, options, &value));
}
static inline go_result go_submit(scout_engine *engine, const scout_chat *chat, const scout_request_options *options) {
  GO_ASKED(scout_request, scout_submit(engine, chat, options, &value));
}
static inline go_result go_submit_tokens(scout_engine *engine, const int32_t *ids, uint64_t count, const scout_request_options *options) {
  GO_ASKED(scout_request, scout_submit_tokens(engine, ids, count, options, &value));
}
static inline go_result go_score(scout_engine *engine, const int32_t *ids, uint64_t count, const scout_score_options *options) {
  GO_ASKED(scout_scores, scout_score(engine, ids, count, options, &value));
}
static inline go_result go_image_from_pixels(const char *pixels, uint64_t size, uint64_t width, uint64_t height, uint64_t stride, int32_t channels,
                                             const scout_image_options *options) {
  GO_MADE(scout_image, scout_image_from_pixels(pixels, size, width, height, stride, channels, options, &value));
}
static inline go_result go_image_from_bytes(const char *bytes, uint64_t size, const scout_image_options *options) {
  GO_MADE(scout_image, scout_image_from_bytes(bytes, size, options, &value));
}
static inline go_result go_image_from_file(const char *path, const scout_image_options *options) {
  GO_MADE(scout_image, scout_image_from_file(path, options, &value));
}
static inline go_result go_video_open(const char *path, const scout_video_options *options) {
  GO_MADE(scout_video, scout_video_open(path, options, &value));
}
static inline go_result go_video_from_bytes(const char *bytes, uint64_t size, const scout_video_options *options) {
  GO_MADE(scout_video, scout_video_from_bytes(bytes, size, options, &value));
}
/* The frame's time comes back in `number`. */
static inline go_result go_video_next(scout_video *video) {
  GO_BEGIN;
  scout_image *image = NULL;
  int64_t time_us = 0;
  result.status = scout_video_next(video, &image, &time_us);
  result.value = (void *)image;
  result.number = (uint64_t)time_us;
  GO_END;
}
static inline go_result go_request_next(scout_request *request, int64_t timeout_ms) {
  GO_MADE(const scout_event, scout_request_next(request, timeout_ms, &value));
}
static inline go_result go_engine_next(scout_engine *engine, int64_t timeout_ms) {
  GO_MADE(const scout_event, scout_engine_next(engine, timeout_ms, &value));
}
static inline go_result go_scores_next(scout_scores *scores, int64_t timeout_ms) {
  GO_MADE(const scout_score_block, scout_scores_next(scores, timeout_ms, &value));
}

/* Calls with a status alone. */
#define GO_PLAIN(call)  \
  GO_BEGIN;             \
  result.status = call; \
  GO_END

static inline go_result go_chat_add(scout_chat *chat, int32_t role, const char *text, uint64_t size) { GO_PLAIN(scout_chat_add(chat, role, text, size)); }
static inline go_result go_chat_begin(scout_chat *chat, int32_t role) { GO_PLAIN(scout_chat_begin(chat, role)); }
static inline go_result go_chat_add_text(scout_chat *chat, const char *text, uint64_t size) { GO_PLAIN(scout_chat_add_text(chat, text, size)); }
static inline go_result go_chat_add_image(scout_chat *chat, const scout_image *image) { GO_PLAIN(scout_chat_add_image(chat, image)); }
static inline go_result go_chat_add_frame(scout_chat *chat, const scout_image *image, int64_t time_us, int32_t max_tiles) {
  GO_PLAIN(scout_chat_add_frame(chat, image, time_us, max_tiles));
}
static inline go_result go_chat_add_video(scout_chat *chat, scout_video *video) { GO_PLAIN(scout_chat_add_video(chat, video, &result.number)); }
static inline go_result go_video_get_info(scout_video *video, scout_video_info *info) { GO_PLAIN(scout_video_get_info(video, info)); }
static inline go_result go_video_cancel(scout_video *video) { GO_PLAIN(scout_video_cancel(video)); }
static inline go_result go_chat_add_answer(scout_chat *chat, const scout_request *request) { GO_PLAIN(scout_chat_add_answer(chat, request)); }
static inline go_result go_log_open(int32_t max_level, uint64_t lines) { GO_PLAIN(scout_log_open(max_level, lines)); }
static inline go_result go_engine_step(scout_engine *engine, int64_t budget_ms) { GO_PLAIN(scout_engine_step(engine, budget_ms)); }
static inline go_result go_engine_get_stats(scout_engine *engine, scout_engine_stats *stats) { GO_PLAIN(scout_engine_get_stats(engine, stats)); }
static inline go_result go_model_get_info(scout_model *model, scout_model_info *info) { GO_PLAIN(scout_model_get_info(model, info)); }
static inline go_result go_model_get_layer(scout_model *model, int32_t layer, int32_t *kinds) {
  GO_PLAIN(scout_model_get_layer(model, layer, kinds, kinds + 1, kinds + 2));
}
static inline go_result go_model_get_device(scout_model *model, uint64_t index, scout_model_device *info) { GO_PLAIN(scout_model_get_device(model, index, info)); }
static inline go_result go_model_get_tensor(scout_model *model, uint64_t index, scout_tensor_info *info) { GO_PLAIN(scout_model_get_tensor(model, index, info)); }
static inline go_result go_image_get_info(scout_image *image, scout_image_info *info) { GO_PLAIN(scout_image_get_info(image, info)); }
static inline go_result go_model_get_tile_options(scout_model *model, scout_tile_options *options) {
  GO_PLAIN(scout_model_get_tile_options(model, options));
}
static inline go_result go_tiling_of_size(uint64_t width, uint64_t height, const scout_tile_options *options, scout_tiling *tiling) {
  GO_PLAIN(scout_tiling_of_size(width, height, options, tiling));
}
static inline go_result go_image_get_tiling(scout_image *image, const scout_tile_options *options, scout_tiling *tiling) {
  GO_PLAIN(scout_image_get_tiling(image, options, tiling));
}
static inline go_result go_device_get(uint64_t index, scout_device_info *info) { GO_PLAIN(scout_device_get(index, info)); }
static inline go_result go_chat_count(scout_chat *chat) { GO_PLAIN(scout_chat_count(chat, &result.number)); }
static inline go_result go_tensor_count(scout_model *model) { GO_PLAIN(scout_model_tensor_count(model, &result.number)); }
static inline go_result go_device_count(void) { GO_PLAIN(scout_device_count(&result.number)); }
static inline go_result go_model_kv_bytes(scout_model *model, int64_t positions, int32_t kv_format) {
  GO_BEGIN;
  result.status = scout_model_kv_bytes(model, positions, kv_format, &result.number);
  GO_END;
}

/* Calls that fill a buffer: the size that is needed comes back in `number`. */
#define GO_FILLED(call)    \
  GO_BEGIN;                \
  uint64_t needed = 0;       \
  result.status = call;    \
  result.number = needed;  \
  GO_END

static inline go_result go_encode(scout_model *model, const char *text, uint64_t size, uint32_t flags, int32_t *ids, uint64_t capacity) {
  GO_FILLED(scout_encode(model, text, size, flags, ids, capacity, &needed));
}
static inline go_result go_count_tokens(scout_model *model, const char *text, uint64_t size, uint32_t flags) {
  GO_FILLED(scout_count_tokens(model, text, size, flags, &needed));
}
static inline go_result go_decode(scout_model *model, const int32_t *ids, uint64_t count, uint32_t flags, char *text, uint64_t capacity) {
  GO_FILLED(scout_decode(model, ids, count, flags, text, capacity, &needed));
}
static inline go_result go_chat_tokens(scout_chat *chat, int32_t *ids, uint64_t capacity) { GO_FILLED(scout_chat_tokens(chat, ids, capacity, &needed)); }
static inline go_result go_prompt_tokens(scout_model *model, const char *text, uint64_t size, const scout_request_options *options, int32_t *ids,
                                         uint64_t capacity) {
  GO_FILLED(scout_prompt_tokens(model, text, size, options, ids, capacity, &needed));
}
static inline go_result go_prompt_expand(scout_model *model, const int32_t *given, uint64_t count, const scout_request_options *options,
                                         int32_t *ids, uint64_t capacity) {
  GO_FILLED(scout_prompt_expand(model, given, count, options, ids, capacity, &needed));
}
static inline go_result go_request_ids(scout_request *request, int32_t *ids, uint64_t capacity) { GO_FILLED(scout_request_ids(request, ids, capacity, &needed)); }
static inline go_result go_image_tile(scout_image *image, const scout_tile_options *options, uint64_t index, char *pixels, uint64_t capacity) {
  GO_FILLED(scout_image_tile(image, options, index, pixels, capacity, &needed));
}
static inline go_result go_image_tokens(scout_image *image, scout_model *model, const scout_tile_options *options, int32_t *ids, uint64_t capacity) {
  GO_FILLED(scout_image_tokens(image, model, options, ids, capacity, &needed));
}
static inline go_result go_stop_tokens(scout_model *model, int32_t *ids, uint64_t capacity) { GO_FILLED(scout_stop_tokens(model, ids, capacity, &needed)); }

static inline go_result go_token_bytes(scout_model *model, int32_t id) {
  GO_BEGIN;
  const char *bytes = NULL;
  uint64_t size = 0;
  int32_t special = 0;
  result.status = scout_token_bytes(model, id, &bytes, &size, &special);
  result.value = (void *)bytes;
  result.number = size;
  result.number2 = (uint64_t)special;
  GO_END;
}
static inline go_result go_token_find(scout_model *model, const char *name, uint64_t size) {
  GO_BEGIN;
  int32_t id = 0;
  result.status = scout_token_find(model, name, size, &id);
  result.number = (uint64_t)id;
  GO_END;
}

/* A line of the log, to be freed by the caller, with its size and its level. */
static inline go_result go_log_next(int64_t timeout_ms) {
  GO_BEGIN;
  uint64_t capacity = 256, needed = 0;
  int32_t level = 0;
  char *text = NULL;
  do {
    char *larger = (char *)realloc(text, capacity);
    if (larger == NULL) {
      free(text);
      result.status = SCOUT_ERR_NO_MEMORY;
      return result;
    }
    text = larger;
    result.status = scout_log_next(timeout_ms, &level, text, capacity, &needed);
    capacity = needed;
  } while (result.status == SCOUT_ERR_LIMIT);
  if (result.status == SCOUT_OK) {
    result.value = text;
    result.number = needed;
    result.number2 = (uint64_t)level;
  } else {
    free(text);
  }
  GO_END;
}

#endif /* SCOUT_GO_GLUE_H */
