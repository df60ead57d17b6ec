/* A program of the first header: it is compiled with the headers that are kept beside it, whatever include/ says today, and run with
 * today's library. It uses each kind of thing that the ABI has: options, descriptions, handles, events, blocks, buffers, statuses. Neither
 * this file nor the headers beside it change while the library keeps its number.
 * Usage: program MODEL */
#include <scout/scout.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEED(condition)                                                                        \
  do {                                                                                         \
    if (!(condition)) {                                                                        \
      fprintf(stderr, "line %d: %s: %s\n", __LINE__, #condition, scout_last_error());           \
      return 1;                                                                                \
    }                                                                                          \
  } while (0)

/* What lies behind a struct must stay as it is: a newer library knows more members than this program has room for. */
typedef struct guarded {
  scout_model_info info;
  unsigned char behind[64];
} guarded;

static int facts(scout_model *model) {
  guarded room;
  scout_tensor_info tensor;
  uint64_t count = 0, bytes = 0;
  int32_t moe = -1, rope = -1, chunked = -1;
  size_t i;
  memset(&room, 0xee, sizeof room);
  room.info.struct_size = sizeof room.info;
  NEED(scout_model_get_info(model, &room.info) == SCOUT_OK);
  NEED(strcmp(room.info.architecture, "llama4") == 0 && room.info.layers > 0 && room.info.kv_bytes_per_position_global > 0);
  for (i = 0; i < sizeof room.behind; ++i) NEED(room.behind[i] == 0xee);
  NEED(scout_model_get_layer(model, 0, &moe, &rope, &chunked) == SCOUT_OK && moe >= 0 && rope >= 0 && chunked >= 0);
  NEED(scout_model_tensor_count(model, &count) == SCOUT_OK && count > 0);
  tensor.struct_size = sizeof tensor;
  NEED(scout_model_get_tensor(model, count - 1, &tensor) == SCOUT_OK && tensor.name[0] != 0 && tensor.rank > 0);
  NEED(scout_model_kv_bytes(model, 100, SCOUT_KV_DEFAULT, &bytes) == SCOUT_OK && bytes > 0);
  return 0;
}

static int text(scout_model *model) {
  int32_t ids[64], special = -1;
  char back[64];
  const char *bytes = NULL;
  uint64_t count = 0, needed = 0, size = 0;
  NEED(scout_encode(model, "A fox.", SCOUT_NUL, SCOUT_ENCODE_PLAIN, NULL, 0, &needed) == SCOUT_OK && needed > 0 && needed <= 64);
  NEED(scout_encode(model, "A fox.", 6, SCOUT_ENCODE_PLAIN, ids, 64, &count) == SCOUT_OK && count == needed);
  NEED(scout_decode(model, ids, count, SCOUT_DECODE_PLAIN, back, sizeof back, &needed) == SCOUT_OK && needed == 6);
  NEED(memcmp(back, "A fox.", 6) == 0);
  NEED(scout_token_bytes(model, ids[0], &bytes, &size, &special) == SCOUT_OK && size > 0 && special == 0);
  NEED(scout_encode(model, "A fox.", 6, SCOUT_ENCODE_PLAIN, ids, 0, NULL) == SCOUT_ERR_ARGUMENT && scout_last_error()[0] != 0);
  return 0;
}

static int answers(scout_model *model, scout_engine *engine) {
  scout_request_options options;
  scout_chat *chat = NULL;
  scout_request *request = NULL;
  const scout_event *event = NULL;
  const char *stop[1] = {"\xf0\x9f\xa6\x8a never \xf0\x9f\xa6\x8a"};
  const uint64_t stop_sizes[1] = {15};
  const int32_t bias_ids[1] = {0};
  const float bias_values[1] = {-1.0f};
  uint64_t tokens = 0, count = 0;
  int last = SCOUT_STOP_NONE;
  NEED(scout_request_options_init(&options, sizeof options) == SCOUT_OK);
  NEED(options.struct_size == sizeof options && options.top_p == 1.0f && options.repetition_penalty == 1.0f);
  options.max_tokens = 5;
  options.ignore_end = 1;
  options.tag = 7;
  options.logprobs = 1;
  options.top_logprobs = 2;
  options.stop = stop;
  options.stop_sizes = stop_sizes;
  options.stop_count = 1;
  options.bias_ids = bias_ids;
  options.bias_values = bias_values;
  options.bias_count = 1;
  NEED(scout_chat_new(model, &chat) == SCOUT_OK);
  NEED(scout_chat_add(chat, SCOUT_ROLE_USER, "Who are you?", SCOUT_NUL) == SCOUT_OK);
  NEED(scout_chat_count(chat, &count) == SCOUT_OK && count == 1);
  NEED(scout_submit(engine, chat, &options, &request) == SCOUT_OK);
  while (scout_request_next(request, SCOUT_WAIT, &event) == SCOUT_OK) {
    NEED(event->tag == 7 && event->struct_size >= sizeof *event && event->text[event->text_size] == 0);
    NEED(event->id_count == 0 || (event->logprobs != NULL && event->top_ids != NULL && event->top_count == 2));
    tokens += event->id_count;
    last = event->stop;
    if (last != SCOUT_STOP_NONE) NEED(event->generated_tokens == 5 && event->prompt_tokens > 0 && strlen(event->message) == event->message_size);
  }
  NEED(tokens == 5 && last == SCOUT_STOP_LENGTH);
  NEED(scout_chat_add_answer(chat, request) == SCOUT_OK);
  scout_request_free(request);
  scout_chat_free(chat);
  return 0;
}

static int scores(scout_engine *engine) {
  const int32_t ids[4] = {1, 2, 3, 4};
  const int64_t positions[1] = {2};
  scout_score_options options;
  scout_scores *made = NULL;
  const scout_score_block *block = NULL;
  uint64_t rows = 0;
  NEED(scout_score_options_init(&options, sizeof options) == SCOUT_OK);
  options.logits = 1;
  options.positions = positions;
  options.position_count = 1;
  NEED(scout_score(engine, ids, 4, &options, &made) == SCOUT_OK);
  while (scout_scores_next(made, SCOUT_WAIT, &block) == SCOUT_OK) {
    NEED(block->positions[0] == 2 && block->vocabulary > 0 && block->logits[0] == block->logits[0]);
    rows += block->count;
  }
  NEED(rows == 1);
  scout_scores_free(made);
  return 0;
}

int main(int argc, char **argv) {
  scout_load_options load;
  scout_engine_options running;
  scout_engine_stats stats;
  scout_device_info device;
  scout_operation *operation = NULL;
  scout_model *model = NULL;
  scout_engine *engine = NULL;
  uint64_t devices = 0, done = 0, total = 0;
  if (argc != 2) return 2;
  NEED(scout_version_number() >= SCOUT_VERSION_MAJOR * 10000 + SCOUT_VERSION_MINOR * 100 + SCOUT_VERSION_PATCH);
  NEED(scout_device_count(&devices) == SCOUT_OK && devices > 0);
  device.struct_size = sizeof device;
  NEED(scout_device_get(0, &device) == SCOUT_OK && device.name[0] != 0);
  NEED(scout_load_options_init(&load, sizeof load) == SCOUT_OK);
  load.threads = 1;
  load.kv_bytes = 16 << 20;
  NEED(scout_load_start(argv[1], &load, &operation) == SCOUT_OK);
  NEED(scout_operation_wait(operation, SCOUT_WAIT, &model) == SCOUT_OK);
  NEED(scout_operation_progress(operation, &done, &total) == SCOUT_OK && done == total && total > 0);
  scout_operation_free(operation);
  NEED(scout_engine_options_init(&running, sizeof running) == SCOUT_OK);
  running.mode = SCOUT_ENGINE_THREADED;
  running.max_running = 2;
  NEED(scout_engine_new(model, &running, &engine) == SCOUT_OK);
  if (facts(model) || text(model) || answers(model, engine) || scores(engine)) return 1;
  memset(&stats, 0, sizeof stats);
  stats.struct_size = sizeof stats;
  NEED(scout_engine_get_stats(engine, &stats) == SCOUT_OK && stats.generated_tokens == 5);
  scout_free(model);
  scout_engine_free(engine);
  printf("compiled with %d.%d.%d, run with %s: as it was\n", SCOUT_VERSION_MAJOR, SCOUT_VERSION_MINOR, SCOUT_VERSION_PATCH, scout_version());
  return 0;
}
