/* Behaviours over time: cancelling, time-outs, many at once, closing, loops, and every error. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "kinds.h"

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void *cancel_it(void *request) {
  scout_request_cancel(request);
  return NULL;
}

/* Reads `events` events of a long answer. */
static int begin(const test_case *c, scout_request **request) {
  scout_request_options options;
  const scout_event *event = NULL;
  const bytes text = list_text(list_value(c, "prompt"));
  int64_t i;
  int good;
  request_options(c, &options);
  good = fine(scout_generate(g_model, text.data, &options, request), "scout_generate");
  for (i = 0; good && i < list_number(c, "after_events"); ++i)
    good = fine(scout_request_next(*request, SCOUT_WAIT, &event), "scout_request_next") && (event->stop == SCOUT_STOP_NONE || wrong("it ended"));
  free(text.data);
  return good;
}

static void kind_cancel(const test_case *c) {
  scout_request *request = NULL;
  answer *got = malloc(sizeof *got);
  pthread_t thread;
  if (begin(c, &request)) {
    if (list_number(c, "other_thread") == 0) {
      fine(scout_request_cancel(request), "scout_request_cancel");
    } else if (pthread_create(&thread, NULL, cancel_it, request) == 0) {
      pthread_join(thread, NULL);
    } else {
      wrong("no thread");
    }
    if (answer_read(request, got) && (got->stop != list_number(c, "stop") || got->status != list_number(c, "status")))
      wrong("stop %d, status %d", (int)got->stop, (int)got->status);
  }
  scout_request_free(request);
  free(got);
}

static void kind_drop(const test_case *c) {
  scout_request *request = NULL;
  double before;
  if (!begin(c, &request)) return;
  before = now_ms();
  scout_request_free(request);
  if (now_ms() - before > 5000) wrong("freeing took %g ms", now_ms() - before);
}

static void kind_timeout_stepped(const test_case *c) {
  scout_engine *engine = NULL;
  scout_chat *chat = NULL;
  scout_request *request = NULL;
  scout_engine_options options;
  const scout_event *event = NULL;
  const bytes prompt = list_text(list_value(c, "prompt"));
  answer *got = calloc(1, sizeof *got);
  scout_status status, left;
  scout_engine_options_init(&options, sizeof options);
  options.mode = SCOUT_ENGINE_STEPPED;
  if (fine(scout_engine_new(g_model, &options, &engine), "scout_engine_new") && fine(scout_chat_new(g_model, &chat), "scout_chat_new") &&
      fine(scout_chat_add(chat, SCOUT_ROLE_USER, prompt.data, prompt.size), "scout_chat_add") &&
      fine(scout_submit(engine, chat, NULL, &request), "scout_submit")) {
    status = scout_request_next(request, list_number(c, "timeout_ms"), &event);
    if (status != SCOUT_AGAIN || event != NULL) wrong("before a step: status %d", (int)status);
    do {
      left = scout_engine_step(engine, 4);
      while ((status = scout_request_next(request, 0, &event)) == SCOUT_OK) answer_take(got, event);
    } while (left == SCOUT_OK && status == SCOUT_AGAIN);
    if (status != SCOUT_DONE) wrong("at the end: status %d, %s", (int)status, scout_last_error());
    same_text("text", list_value(c, "text"), got->text, got->size);
  }
  scout_request_free(request);
  scout_chat_free(chat);
  scout_engine_free(engine);
  free(got);
  free(prompt.data);
}

static void kind_timeout_threaded(const test_case *c) {
  scout_engine *engine = NULL;
  const scout_event *event = NULL;
  double before;
  scout_status status;
  if (!fine(scout_engine_new(g_model, NULL, &engine), "scout_engine_new")) return;
  before = now_ms();
  status = scout_engine_next(engine, list_number(c, "timeout_ms"), &event);
  if (status != SCOUT_AGAIN || event != NULL) wrong("status %d", (int)status);
  if (now_ms() - before < (double)list_number(c, "timeout_ms") - 1) wrong("after %g ms", now_ms() - before);
  scout_engine_free(engine);
}

static void kind_load_cancel(const test_case *c) {
  scout_operation *operation = NULL;
  scout_model *model = NULL;
  scout_status status;
  (void)c;
  if (!fine(scout_load_start("scout-tiny", NULL, &operation), "scout_load_start")) return;
  fine(scout_operation_cancel(operation), "scout_operation_cancel");
  status = scout_operation_wait(operation, SCOUT_WAIT, &model);
  if (status != SCOUT_ERR_CANCELLED && status != SCOUT_OK) fine(status, "scout_operation_wait");
  if ((status == SCOUT_OK) != (model != NULL)) wrong("status %d, and a model or none", (int)status);
  scout_free(model);
  scout_operation_free(operation);
}

static void kind_load_wait(const test_case *c) {
  scout_operation *operation = NULL;
  scout_model *model = NULL;
  uint64_t done = 1, total = 0;
  if (!fine(scout_load_start("scout-tiny", NULL, &operation), "scout_load_start")) return;
  fine(scout_operation_progress(operation, &done, &total), "scout_operation_progress");
  if (done > total) wrong("progress %llu of %llu", (unsigned long long)done, (unsigned long long)total);
  if (fine(scout_operation_wait(operation, SCOUT_WAIT, &model), "scout_operation_wait")) {
    scout_operation_free(operation);
    operation = NULL;
    ask_for(model, list_value(c, "prompt"), list_value(c, "text"));
  }
  scout_operation_free(operation);
  scout_free(model);
}

static void kind_many(const test_case *c) {
  enum { MOST = 64 };
  const size_t prompts = list_times(c, "prompt"), count = prompts * (size_t)list_number(c, "copies");
  scout_engine *engine = NULL;
  scout_request *requests[MOST] = {NULL};
  answer *got = calloc(MOST, sizeof *got);
  scout_request_options options;
  const scout_event *event = NULL;
  size_t i, open = 0;
  if (count > MOST) wrong("more than this runner's %d requests", MOST);
  fine(scout_engine_new(g_model, NULL, &engine), "scout_engine_new");
  for (i = 0; i < count && count <= MOST; ++i) {
    const bytes text = list_text(list_nth(c, "prompt", i % prompts));
    scout_chat *chat = NULL;
    scout_request_options_init(&options, sizeof options);
    options.tag = i;
    if (fine(scout_chat_new(g_model, &chat), "scout_chat_new") &&
        fine(scout_chat_add(chat, SCOUT_ROLE_USER, text.data, text.size), "scout_chat_add") &&
        fine(scout_submit(engine, chat, &options, &requests[i]), "scout_submit"))
      ++open;
    scout_chat_free(chat);
    free(text.data);
  }
  while (open > 0 && fine(scout_engine_next(engine, 60000, &event), "scout_engine_next")) {
    answer_take(&got[event->tag], event);
    open -= event->stop != SCOUT_STOP_NONE;
  }
  for (i = 0; i < count && count <= MOST; ++i) {
    same_text(list_nth(c, "prompt", i % prompts), list_nth(c, "text", i % prompts), got[i].text, got[i].size);
    scout_request_free(requests[i]);
  }
  scout_engine_free(engine);
  free(got);
}

static void kind_two_models(const test_case *c) {
  scout_model *models[2] = {NULL, NULL};
  size_t i;
  if (fine(scout_load("scout-tiny", NULL, &models[0]), "scout_load") && fine(scout_load("scout-tiny", NULL, &models[1]), "scout_load")) {
    for (i = 0; i < list_times(c, "prompt"); ++i) ask_for(models[i % 2], list_nth(c, "prompt", i), list_nth(c, "text", i));
    scout_free(models[0]);
    models[0] = NULL;
    ask_for(models[1], list_nth(c, "prompt", 0), list_nth(c, "text", 0));
  }
  scout_free(models[0]);
  scout_free(models[1]);
}

typedef struct worker {
  pthread_t thread;
  bytes prompt, text;
  int good;
} worker;

static void *work(void *argument) {
  worker *w = argument;
  scout_request *request = NULL;
  const scout_event *event = NULL;
  char text[1024];
  size_t size = 0;
  if (scout_generate(g_model, w->prompt.data, NULL, &request) != SCOUT_OK) return NULL;
  while (scout_request_next(request, SCOUT_WAIT, &event) == SCOUT_OK && size + event->text_size < sizeof text) {
    memcpy(text + size, event->text, (size_t)event->text_size);
    size += (size_t)event->text_size;
  }
  w->good = size == w->text.size && memcmp(text, w->text.data, size) == 0;
  scout_request_free(request);
  return NULL;
}

static void kind_threads(const test_case *c) {
  const size_t count = (size_t)list_number(c, "threads"), prompts = list_times(c, "prompt");
  worker *workers = calloc(count, sizeof *workers);
  size_t i, started;
  for (started = 0; started < count; ++started) {
    workers[started].prompt = list_text(list_nth(c, "prompt", started % prompts));
    workers[started].text = list_text(list_nth(c, "text", started % prompts));
    if (pthread_create(&workers[started].thread, NULL, work, &workers[started]) != 0) break;
  }
  if (started < count) wrong("%zu threads started", started);
  for (i = 0; i < started; ++i) {
    pthread_join(workers[i].thread, NULL);
    if (!workers[i].good) wrong("thread %zu has another answer", i);
    free(workers[i].prompt.data);
    free(workers[i].text.data);
  }
  free(workers);
}

/* A second free of a pointer is the caller's mistake in C; the library knows it and does nothing. */
static void kind_close_twice(const test_case *c) {
  scout_model *model = NULL;
  scout_chat *chat = NULL;
  scout_request *request = NULL;
  const bytes text = list_text(list_value(c, "prompt"));
  if (fine(scout_load("scout-tiny", NULL, &model), "scout_load") && fine(scout_chat_new(model, &chat), "scout_chat_new") &&
      fine(scout_generate(model, text.data, NULL, &request), "scout_generate")) {
    int i;
    for (i = 0; i < 2; ++i) {
      scout_free(model);
      scout_chat_free(chat);
      scout_request_free(request);
    }
  }
  free(text.data);
}

static void kind_close_parent_first(const test_case *c) {
  scout_model *model = NULL;
  scout_request *request = NULL;
  answer *got = malloc(sizeof *got);
  const bytes text = list_text(list_value(c, "prompt"));
  if (fine(scout_load("scout-tiny", NULL, &model), "scout_load") && fine(scout_generate(model, text.data, NULL, &request), "scout_generate")) {
    scout_free(model);
    if (answer_read(request, got)) same_text("text", list_value(c, "text"), got->text, got->size);
  }
  scout_request_free(request);
  free(text.data);
  free(got);
}

static int64_t resident_bytes(void) {
  long pages = 0, all = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file == NULL) return 0;
  if (fscanf(file, "%ld %ld", &all, &pages) != 2) pages = 0;
  fclose(file);
  return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

static int once(const char *what) {
  scout_model *model = NULL;
  scout_chat *chat = NULL;
  scout_request *request = NULL;
  int good;
  if (strcmp(what, "model") == 0) {
    good = fine(scout_load("scout-tiny", NULL, &model), "scout_load");
  } else if (strcmp(what, "chat") == 0) {
    good = fine(scout_chat_new(g_model, &chat), "scout_chat_new") && fine(scout_chat_add(chat, SCOUT_ROLE_USER, "Hello!", SCOUT_NUL), "add");
  } else {
    good = fine(scout_generate(g_model, "Hello!", NULL, &request), "scout_generate");
  }
  scout_free(model);
  scout_chat_free(chat);
  scout_request_free(request);
  return good;
}

static void kind_loop(const test_case *c) {
  const int64_t count = list_number(c, "count");
  int64_t i, before = 0, after;
  for (i = 0; i < count; ++i) {
    if (i == count / 10) before = resident_bytes();
    if (!once(list_value(c, "what"))) return;
  }
  after = resident_bytes();
  if (after - before >= list_number(c, "growth_bytes")) wrong("grew by %lld bytes", (long long)(after - before));
}

/* ---- errors */

void refused(const test_case *c, scout_status status) {
  const bytes names = list_text(list_value(c, "names"));
  if (status != list_number(c, "status"))
    wrong("status %s expected, %d came (%s)", list_value(c, "status"), (int)status, scout_last_error());
  else if (strstr(scout_last_error(), names.data) == NULL)
    wrong("the message does not name \"%s\": %s", names.data, scout_last_error());
  free(names.data);
}

static int write_file(const char *path, const void *data, size_t size) {
  FILE *file = fopen(path, "wb");
  const int good = file != NULL && fwrite(data, 1, size, file) == size;
  if (file != NULL) fclose(file);
  return good || wrong("%s cannot be written", path);
}

/* A copy of the bundled model, cut or filled. */
static int write_model(const test_case *c, const char *path) {
  FILE *file = fopen(g_model_file, "rb");
  size_t room = 64u << 20, count;
  char *data = malloc(room);
  size_t size = file != NULL ? fread(data, 1, room, file) : 0;
  int good;
  if (file != NULL) fclose(file);
  if (list_times(c, "model_head")) {
    size = (size_t)list_number(c, "model_head");
  } else {
    int32_t *fill = list_ids(list_value(c, "model_fill"), &count);
    memset(data + fill[0], fill[2], (size_t)fill[1]);
    free(fill);
  }
  good = write_file(path, data, size);
  free(data);
  return good;
}

static void kind_error_load(const test_case *c) {
  scout_load_options options;
  scout_model *model = NULL;
  char path[512], inner[1024];
  size_t n;
  load_options(c, &options);
  snprintf(path, sizeof path, "%s/%s", g_folder, c->name);
  if (list_times(c, "path")) {
    snprintf(path, sizeof path, "%s", list_value(c, "path"));
  } else if (list_times(c, "folder")) {
    mkdir(path, 0777);
    for (n = 0; n < list_times(c, "folder"); ++n) {
      const char *entry = list_nth(c, "folder", n);
      const size_t name = strcspn(entry, " ");
      const bytes text = list_text(entry + name + 1);
      snprintf(inner, sizeof inner, "%s/%.*s", path, (int)name, entry);
      write_file(inner, text.data, text.size);
      free(text.data);
    }
  } else if (list_times(c, "file")) {
    const bytes text = list_text(list_value(c, "file"));
    write_file(path, text.data, text.size);
    free(text.data);
  } else {
    write_model(c, path);
  }
  refused(c, scout_load(path, &options, &model));
  if (model != NULL) wrong("a model came");
  scout_free(model);
}

static void kind_error_generate(const test_case *c) {
  scout_request_options options;
  scout_request *request = NULL;
  const bytes text = list_text(list_value(c, "prompt"));
  request_options(c, &options);
  refused(c, scout_generate(g_model, text.data, &options, &request));
  if (request != NULL) wrong("a request came");
  free(text.data);
}

/* Submits the prompt to an engine of the case's options up to `most` times; the last status. */
static scout_status submit_until(const test_case *c, int32_t mode, int64_t most) {
  scout_engine_options options;
  scout_engine *engine = NULL;
  scout_chat *chat = NULL;
  scout_request *requests[64] = {NULL};
  const bytes text = list_text(list_value(c, "prompt"));
  scout_status status = SCOUT_OK;
  int64_t i;
  engine_options(c, &options);
  options.mode = mode;
  if (fine(scout_engine_new(g_model, &options, &engine), "scout_engine_new") && fine(scout_chat_new(g_model, &chat), "scout_chat_new") &&
      fine(scout_chat_add(chat, SCOUT_ROLE_USER, text.data, text.size), "scout_chat_add"))
    for (i = 0; i < most && i < 64 && status == SCOUT_OK; ++i) status = scout_submit(engine, chat, NULL, &requests[i]);
  for (i = 0; i < 64; ++i) scout_request_free(requests[i]);
  scout_chat_free(chat);
  scout_engine_free(engine);
  free(text.data);
  return status;
}

static void kind_error_engine(const test_case *c) { refused(c, submit_until(c, SCOUT_ENGINE_THREADED, 1)); }

static void kind_error_full(const test_case *c) {
  const scout_status status = submit_until(c, SCOUT_ENGINE_STEPPED, list_number(c, "most"));
  if (status != list_number(c, "status")) wrong("status %d", (int)status);
}

static void kind_error_call(const test_case *c) {
  const char *call = list_value(c, "call");
  scout_engine *engine = NULL;
  scout_chat *chat = NULL;
  scout_request *request = NULL;
  scout_model *model = NULL;
  scout_device_info device;
  scout_request_options options;
  const scout_event *event = NULL;
  size_t count = 0;
  uint64_t needed;
  int32_t id, *ids = list_ids(list_nth(c, "ids", 0), &count);
  char text[64];
  scout_request_options_init(&options, sizeof options);
  options.ignore_end = 1;
  device.struct_size = sizeof device;
  fine(scout_engine_new(g_model, NULL, &engine), "scout_engine_new");
  fine(scout_chat_new(g_model, &chat), "scout_chat_new");
  fine(scout_chat_add(chat, SCOUT_ROLE_USER, "Hello!", SCOUT_NUL), "scout_chat_add");
  if (strcmp(call, "decode_past_vocabulary") == 0) {
    refused(c, scout_decode(g_model, ids, count, SCOUT_DECODE_PLAIN, text, sizeof text, &needed));
  } else if (strncmp(call, "submit_", 7) == 0) {
    refused(c, scout_submit_tokens(engine, ids, count, NULL, &request));
  } else if (strcmp(call, "token_find_unknown") == 0) {
    refused(c, scout_token_find(g_model, list_value(c, "text"), SCOUT_NUL, &id));
  } else if (strcmp(call, "second_system_message") == 0) {
    refused(c, scout_chat_add(chat, SCOUT_ROLE_SYSTEM, "x", 1));
  } else if (strcmp(call, "chat_text_without_begin") == 0) {
    refused(c, scout_chat_add_text(chat, "x", 1));
  } else if (strcmp(call, "answer_of_unfinished_request") == 0) {
    fine(scout_submit(engine, chat, &options, &request), "scout_submit");
    refused(c, scout_chat_add_answer(chat, request));
  } else if (strcmp(call, "step_of_threaded_engine") == 0) {
    refused(c, scout_engine_step(engine, 1));
  } else if (strcmp(call, "layer_past_the_last") == 0) {
    refused(c, scout_model_get_layer(g_model, (int32_t)list_number(c, "index"), NULL, NULL, NULL));
  } else if (strcmp(call, "device_past_the_last") == 0) {
    refused(c, scout_device_get((uint64_t)list_number(c, "index"), &device));
  } else if (strcmp(call, "closed_model") == 0) {
    fine(scout_load("scout-tiny", NULL, &model), "scout_load");
    scout_free(model);
    refused(c, scout_generate(model, "Hello!", NULL, &request));
  } else if (strcmp(call, "closed_request") == 0) {
    fine(scout_submit(engine, chat, NULL, &request), "scout_submit");
    scout_request_free(request);
    refused(c, scout_request_next(request, 0, &event));
    request = NULL;
  } else {
    wrong("the call %s is not known to this runner", call);
  }
  scout_request_free(request);
  scout_chat_free(chat);
  scout_engine_free(engine);
  free(ids);
}

const kind kKinds[] = {{"facts", kind_facts},
                       {"statuses", kind_statuses},
                       {"encode", kind_encode},
                       {"decode", kind_decode},
                       {"utf16", kind_utf16},
                       {"token", kind_token},
                       {"stop_tokens", kind_stop_tokens},
                       {"generate", kind_generate},
                       {"same_twice", kind_same_twice},
                       {"chat", kind_chat},
                       {"turns", kind_turns},
                       {"score", kind_score},
                       {"score_logits", kind_score_logits},
                       {"cancel", kind_cancel},
                       {"drop", kind_drop},
                       {"timeout_stepped", kind_timeout_stepped},
                       {"timeout_threaded", kind_timeout_threaded},
                       {"load_cancel", kind_load_cancel},
                       {"load_wait", kind_load_wait},
                       {"many", kind_many},
                       {"two_models", kind_two_models},
                       {"threads", kind_threads},
                       {"close_twice", kind_close_twice},
                       {"close_parent_first", kind_close_parent_first},
                       {"loop", kind_loop},
                       {"error_load", kind_error_load},
                       {"error_generate", kind_error_generate},
                       {"error_engine", kind_error_engine},
                       {"error_full", kind_error_full},
                       {"error_call", kind_error_call},
                       {"image", kind_image},
                       {"tiling", kind_tiling},
                       {"image_tokens", kind_image_tokens},
                       {"chat_image", kind_chat_image},
                       {"error_image", kind_error_image},
                       {"video", kind_video},
                       {"error_video", kind_error_video},
                       {NULL, NULL}};
