/* Behaviours of the model's facts, the tokenizer, answers, chats and scores. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kinds.h"

typedef struct fact {
  const char *name;
  size_t offset;
  char type; /* t text, i int32, l int64, d double */
} fact;

#define FACT(name, type) \
  { #name, offsetof(scout_model_info, name), type }
static const fact kFacts[] = {
    FACT(layers, 'i'),         FACT(architecture, 't'),       FACT(name, 't'),         FACT(version, 't'),        FACT(rope_scaling, 't'),
    FACT(embedding, 'l'),      FACT(heads, 'l'),              FACT(kv_heads, 'l'),     FACT(head_dim, 'l'),       FACT(vocabulary, 'l'),
    FACT(tokenizer_size, 'l'), FACT(dense_hidden, 'l'),       FACT(expert_hidden, 'l'), FACT(experts, 'l'),       FACT(experts_used, 'l'),
    FACT(moe_layers, 'l'),     FACT(global_layers, 'l'),      FACT(attention_chunk, 'l'), FACT(context, 'l'),     FACT(rope_base, 'd'),
    FACT(norm_eps, 'd'),       FACT(temperature_length, 'd'), FACT(temperature_scale, 'd'), FACT(qk_norm, 'i'),   FACT(tied_head, 'i'),
    FACT(parameters, 'l'),     FACT(file_bytes, 'l'),         FACT(has_chat, 'i')};

static void check_fact(const scout_model_info *info, const char *entry) {
  const size_t size = strcspn(entry, " ");
  const char *expected = entry + size + 1;
  size_t i;
  for (i = 0; i < sizeof kFacts / sizeof *kFacts; ++i) {
    const char *at = (const char *)info + kFacts[i].offset;
    if (strlen(kFacts[i].name) != size || strncmp(kFacts[i].name, entry, size) != 0) continue;
    if (kFacts[i].type == 't') {
      const char *text = *(const char *const *)(const void *)at;
      same_text(kFacts[i].name, expected, text, strlen(text));
    } else if (kFacts[i].type == 'd') {
      const double value = strtod(expected, NULL);
      near(kFacts[i].name, value, *(const double *)(const void *)at, fabs(value) * 1e-6);
    } else {
      const int64_t got = kFacts[i].type == 'i' ? *(const int32_t *)(const void *)at : *(const int64_t *)(const void *)at;
      if (got != strtoll(expected, NULL, 10)) wrong("%s: %s expected, %lld came", kFacts[i].name, expected, (long long)got);
    }
    return;
  }
  wrong("the fact %s is not known to this runner", entry);
}

void kind_facts(const test_case *c) {
  scout_model_info info;
  scout_tensor_info tensor;
  size_t n, count;
  uint64_t tensors = 0;
  int32_t row[4], shape[4];
  int32_t *ids;
  info.struct_size = sizeof info;
  tensor.struct_size = sizeof tensor;
  if (!fine(scout_model_get_info(g_model, &info), "scout_model_get_info")) return;
  for (n = 0; n < list_times(c, "fact"); ++n) check_fact(&info, list_nth(c, "fact", n));
  for (n = 0; n < list_times(c, "layer"); ++n) {
    ids = list_ids(list_nth(c, "layer", n), &count);
    row[0] = (int32_t)n;
    if (fine(scout_model_get_layer(g_model, row[0], &row[1], &row[2], &row[3]), "scout_model_get_layer")) same_ids("layer", ids, count, row, 4);
    free(ids);
  }
  if (scout_model_tensor_count(g_model, &tensors) != SCOUT_OK || (int64_t)tensors != list_number(c, "tensor_count")) wrong("tensor_count");
  if (!fine(scout_model_get_tensor(g_model, 0, &tensor), "scout_model_get_tensor")) return;
  same_text("first_tensor", list_value(c, "first_tensor"), tensor.name, strlen(tensor.name));
  same_text("first_format", list_value(c, "first_format"), tensor.format, strlen(tensor.format));
  ids = list_ids(list_value(c, "first_shape"), &count);
  for (n = 0; n < 4; ++n) shape[n] = (int32_t)tensor.shape[n];
  same_ids("first_shape", ids, count, shape, (size_t)tensor.rank);
  free(ids);
}

void kind_statuses(const test_case *c) {
#define CODE(name) \
  { name, #name }
  static const struct {
    int32_t value;
    const char *name;
  } codes[] = {CODE(SCOUT_OK),           CODE(SCOUT_DONE),          CODE(SCOUT_AGAIN),         CODE(SCOUT_ERR_ARGUMENT),
               CODE(SCOUT_ERR_FORMAT),   CODE(SCOUT_ERR_TRUNCATED), CODE(SCOUT_ERR_LIMIT),     CODE(SCOUT_ERR_UNSUPPORTED),
               CODE(SCOUT_ERR_CORRUPT),  CODE(SCOUT_ERR_IO),        CODE(SCOUT_ERR_NO_MEMORY), CODE(SCOUT_ERR_STATE),
               CODE(SCOUT_ERR_DENIED),   CODE(SCOUT_ERR_CANCELLED), CODE(SCOUT_ERR_DEVICE),    CODE(SCOUT_ERR_INTERNAL)};
  char expected[256];
  size_t i;
  if (list_times(c, "status") != sizeof codes / sizeof *codes) wrong("%zu codes are listed", list_times(c, "status"));
  for (i = 0; i < sizeof codes / sizeof *codes && i < list_times(c, "status"); ++i) {
    snprintf(expected, sizeof expected, "%d %s %s", (int)codes[i].value, codes[i].name, scout_status_text(codes[i].value));
    if (strcmp(expected, list_nth(c, "status", i)) != 0) wrong("%s expected, %s came", list_nth(c, "status", i), expected);
  }
}

void kind_encode(const test_case *c) {
  const bytes text = list_text(list_value(c, "text"));
  const int special = list_number(c, "special") != 0, bos = list_number(c, "bos") != 0;
  const uint32_t flags = (special ? SCOUT_ENCODE_SPECIAL : 0u) | (bos ? SCOUT_ENCODE_BOS : 0u);
  size_t count;
  uint64_t needed = 0, counted = 0;
  int32_t *expected = list_ids(list_value(c, "ids"), &count), *got = calloc(count + 1, sizeof *got);
  char *back = calloc(text.size + 1, 1);
  if (fine(scout_encode(g_model, text.data, text.size, flags, got, count, &needed), "scout_encode"))
    same_ids("ids", expected, count, got, needed);
  fine(scout_count_tokens(g_model, text.data, text.size, flags, &counted), "scout_count_tokens");
  if (counted != count) wrong("counted %zu", (size_t)counted);
  if (count > 0 && scout_encode(g_model, text.data, text.size, flags, got, count - 1, &needed) != SCOUT_ERR_LIMIT) wrong("room for too few");
  if (needed != count) wrong("needed is %zu", (size_t)needed);
  if (!special && !bos && fine(scout_decode(g_model, expected, count, SCOUT_DECODE_PLAIN, back, text.size, &needed), "scout_decode"))
    same_text("decoded", list_value(c, "text"), back, needed);
  free(back);
  free(got);
  free(expected);
  free(text.data);
}

void kind_decode(const test_case *c) {
  size_t count;
  uint64_t needed = 0;
  int32_t *ids = list_ids(list_value(c, "ids"), &count);
  char text[256];
  const uint32_t flags = list_number(c, "special") != 0 ? SCOUT_DECODE_SPECIAL : SCOUT_DECODE_PLAIN;
  if (fine(scout_decode(g_model, ids, count, flags, text, sizeof text, &needed), "scout_decode"))
    same_text("text", list_value(c, "text"), text, needed);
  free(ids);
}

/* C has no strings of UTF-16: what a language that has them does when it replaces lone surrogates. */
void kind_utf16(const test_case *c) {
  size_t count, expected_count, size = 0, i;
  uint64_t needed = 0;
  int32_t *units = list_ids(list_value(c, "units"), &count), *expected = list_ids(list_value(c, "replaced"), &expected_count), got[64];
  char text[256];
  for (i = 0; i < count; ++i) {
    uint32_t code = (uint32_t)units[i];
    if (code >= 0xd800 && code < 0xdc00 && i + 1 < count && units[i + 1] >= 0xdc00 && units[i + 1] < 0xe000)
      code = 0x10000 + ((code - 0xd800) << 10) + ((uint32_t)units[++i] - 0xdc00);
    else if (code >= 0xd800 && code < 0xe000)
      code = 0xfffd;
    if (code < 0x80) {
      text[size++] = (char)code;
    } else if (code < 0x10000) {
      text[size++] = (char)(0xe0 | code >> 12);
      text[size++] = (char)(0x80 | (code >> 6 & 63));
      text[size++] = (char)(0x80 | (code & 63));
    } else {
      text[size++] = (char)(0xf0 | code >> 18);
      text[size++] = (char)(0x80 | (code >> 12 & 63));
      text[size++] = (char)(0x80 | (code >> 6 & 63));
      text[size++] = (char)(0x80 | (code & 63));
    }
  }
  if (fine(scout_encode(g_model, text, size, SCOUT_ENCODE_PLAIN, got, 64, &needed), "scout_encode"))
    same_ids("ids", expected, expected_count, got, needed);
  free(expected);
  free(units);
}

void kind_token(const test_case *c) {
  const char *data = NULL;
  uint64_t size = 0;
  int32_t special = -1, found = -1;
  const int32_t id = (int32_t)list_number(c, "id");
  if (!fine(scout_token_bytes(g_model, id, &data, &size, &special), "scout_token_bytes")) return;
  same_text("bytes", list_value(c, "bytes"), data, size);
  if (special != list_number(c, "special")) wrong("special is %d", (int)special);
  if (special == 1 && fine(scout_token_find(g_model, data, size, &found), "scout_token_find") && found != id) wrong("found %d", (int)found);
}

void kind_stop_tokens(const test_case *c) {
  int32_t got[64];
  size_t count;
  uint64_t needed = 0;
  int32_t *ids = list_ids(list_value(c, "ids"), &count);
  if (fine(scout_stop_tokens(g_model, got, 64, &needed), "scout_stop_tokens")) same_ids("ids", ids, count, got, needed);
  free(ids);
}

void kind_generate(const test_case *c) {
  scout_request_options options;
  answer *got = malloc(sizeof *got);
  size_t count, i;
  int32_t *ids = list_ids(list_value(c, "ids"), &count);
  request_options(c, &options);
  if (ask(g_model, list_value(c, "prompt"), &options, got)) {
    same_text("text", list_value(c, "text"), got->text, got->size);
    same_ids("ids", ids, count, got->ids, got->count);
    if (got->stop != list_number(c, "stop")) wrong("stop: %s expected, %d came", list_value(c, "stop"), (int)got->stop);
    if (got->prompt_tokens != list_number(c, "prompt_tokens")) wrong("prompt_tokens: %lld", (long long)got->prompt_tokens);
    if (list_times(c, "events") && (int64_t)got->events != list_number(c, "events")) wrong("events: %zu", got->events);
  }
  if (list_times(c, "logprobs")) {
    double *logprobs = list_doubles(list_value(c, "logprobs"), &i);
    int32_t *best = list_ids(list_value(c, "best_ids"), &count);
    same_ids("best_ids", best, count, got->best, got->count);
    if (got->top_count != list_number(c, "top_count")) wrong("top_count is %lld", (long long)got->top_count);
    for (i = 0; i < got->count; ++i) near("logprobs", logprobs[i], got->logprobs[i], strtod(list_value(c, "tolerance"), NULL));
    free(best);
    free(logprobs);
  }
  free(ids);
  free(got);
}

void kind_same_twice(const test_case *c) {
  scout_request_options options;
  answer *one = malloc(sizeof *one), *two = malloc(sizeof *two);
  request_options(c, &options);
  if (ask(g_model, list_value(c, "prompt"), &options, one) && ask(g_model, list_value(c, "prompt"), &options, two) &&
      same_ids("ids", one->ids, one->count, two->ids, two->count) && one->count == 0)
    wrong("empty answers");
  free(two);
  free(one);
}

static int32_t role_of(const char *name) {
  static const char *const names[] = {"system", "user", "assistant", "tool"};
  int32_t i;
  for (i = 0; i < 4; ++i)
    if (strncmp(name, names[i], strlen(names[i])) == 0) return i;
  return -1;
}

void kind_chat(const test_case *c) {
  scout_chat *chat = NULL;
  int32_t *got = malloc(4096 * sizeof *got);
  size_t count, n;
  uint64_t needed = 0, messages = 0;
  int32_t *ids = list_ids(list_value(c, "prompt_ids"), &count);
  if (fine(scout_chat_new(g_model, &chat), "scout_chat_new")) {
    for (n = 0; n < list_times(c, "message"); ++n) {
      const char *message = list_nth(c, "message", n);
      const bytes text = list_text(message + strcspn(message, " ") + 1);
      fine(scout_chat_add(chat, role_of(message), text.data, text.size), "scout_chat_add");
      free(text.data);
    }
    if (scout_chat_count(chat, &messages) != SCOUT_OK || messages != n) wrong("%zu messages", (size_t)messages);
    if (fine(scout_chat_tokens(chat, got, 4096, &needed), "scout_chat_tokens")) same_ids("prompt_ids", ids, count, got, needed);
  }
  scout_chat_free(chat);
  free(ids);
  free(got);
}

void kind_turns(const test_case *c) {
  scout_engine *engine = NULL;
  scout_chat *chat = NULL;
  answer *got = malloc(sizeof *got);
  size_t n, count;
  int32_t *cached = list_ids(list_value(c, "cached"), &count);
  if (fine(scout_engine_new(g_model, NULL, &engine), "scout_engine_new") && fine(scout_chat_new(g_model, &chat), "scout_chat_new")) {
    for (n = 0; n < list_times(c, "question"); ++n) {
      const bytes text = list_text(list_nth(c, "question", n));
      scout_request *request = NULL;
      if (fine(scout_chat_add(chat, SCOUT_ROLE_USER, text.data, text.size), "scout_chat_add") &&
          fine(scout_submit(engine, chat, NULL, &request), "scout_submit") && answer_read(request, got)) {
        same_text("answer", list_nth(c, "answer", n), got->text, got->size);
        if (got->cached_tokens != cached[n]) wrong("cached: %d expected, %lld came", (int)cached[n], (long long)got->cached_tokens);
        fine(scout_chat_add_answer(chat, request), "scout_chat_add_answer");
      }
      scout_request_free(request);
      free(text.data);
    }
  }
  scout_chat_free(chat);
  scout_engine_free(engine);
  free(cached);
  free(got);
}

static void score(const test_case *c, const scout_score_options *options, void (*look)(const test_case *, const scout_score_block *, size_t),
                  size_t rows) {
  scout_engine *engine = NULL;
  scout_scores *scores = NULL;
  const scout_score_block *block = NULL;
  size_t count, seen = 0;
  scout_status status = SCOUT_OK;
  int32_t *ids = list_ids(list_value(c, "ids"), &count);
  if (fine(scout_engine_new(g_model, NULL, &engine), "scout_engine_new") &&
      fine(scout_score(engine, ids, count, options, &scores), "scout_score")) {
    while ((status = scout_scores_next(scores, SCOUT_WAIT, &block)) == SCOUT_OK) {
      look(c, block, seen);
      seen += (size_t)block->count;
    }
    if (status != SCOUT_DONE) fine(status, "scout_scores_next");
    if (seen != (rows == 0 ? count : rows)) wrong("%zu rows", seen);
  }
  scout_scores_free(scores);
  scout_engine_free(engine);
  free(ids);
}

static void look_logprobs(const test_case *c, const scout_score_block *block, size_t seen) {
  size_t count, row;
  double *expected = list_doubles(list_value(c, "logprobs"), &count);
  for (row = 0; row < block->count; ++row) {
    const float got = block->logprobs[row];
    if (block->positions[row] != (int64_t)(seen + row)) wrong("position %lld", (long long)block->positions[row]);
    if (seen + row == 0) {
      if (!isnan(got)) wrong("position 0 is %g", (double)got);
    } else {
      near("logprobs", expected[seen + row - 1], got, strtod(list_value(c, "tolerance"), NULL));
    }
  }
  free(expected);
}

void kind_score(const test_case *c) { score(c, NULL, look_logprobs, 0); }

static void look_logits(const test_case *c, const scout_score_block *block, size_t seen) {
  size_t count, row, i, best;
  int32_t *positions = list_ids(list_value(c, "positions"), &count), *ids = list_ids(list_value(c, "best_ids"), &count);
  double *logits = list_doubles(list_value(c, "logits"), &count);
  if ((int64_t)block->vocabulary != list_number(c, "vocabulary")) wrong("vocabulary is %llu", (unsigned long long)block->vocabulary);
  for (row = 0; row < block->count && seen + row < count; ++row) {
    const float *values = block->logits + row * block->vocabulary;
    for (best = 0, i = 1; i < block->vocabulary; ++i)
      if (values[i] > values[best]) best = i;
    if (block->positions[row] != positions[seen + row]) wrong("position %lld", (long long)block->positions[row]);
    if ((int32_t)best != ids[seen + row]) wrong("best id at %d: %d expected, %zu came", (int)positions[seen + row], (int)ids[seen + row], best);
    near("logits", logits[seen + row], values[best], strtod(list_value(c, "tolerance"), NULL));
  }
  free(logits);
  free(ids);
  free(positions);
}

void kind_score_logits(const test_case *c) {
  scout_score_options options;
  size_t count, i;
  int32_t *given = list_ids(list_value(c, "positions"), &count);
  int64_t positions[64];
  scout_score_options_init(&options, sizeof options);
  for (i = 0; i < count && i < 64; ++i) positions[i] = given[i];
  options.logits = 1;
  options.positions = positions;
  options.position_count = count;
  score(c, &options, look_logits, count);
  free(given);
}
