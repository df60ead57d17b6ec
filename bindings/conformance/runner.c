/* The list of behaviours against the C interface: the reference of what README.md says.
 * Usage: runner CONFORMANCE_TXT MODEL_FILE WORK_FOLDER [KIND|-KIND]     of one kind only, or all but it
 * Files of cases are written to WORK_FOLDER, under the same names in every run: one run at a time in a folder. */
#include "runner.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

scout_model *g_model;
const char *g_model_file, *g_folder;
char g_why[1024]; /* what is wrong with the case that runs; empty when nothing is */
static char g_without[1024]; /* why the library cannot show the case that runs */

int wrong(const char *format, ...) {
  va_list list;
  va_start(list, format);
  if (g_why[0] == 0) vsnprintf(g_why, sizeof g_why, format, list);
  va_end(list);
  return 0;
}

int not_applicable(const char *why) {
  snprintf(g_without, sizeof g_without, "%s", why);
  return 1;
}

int fine(scout_status status, const char *what) {
  return status == SCOUT_OK || wrong("%s: status %d, %s", what, (int)status, scout_last_error());
}

int same_ids(const char *what, const int32_t *expected, size_t expected_count, const int32_t *got, size_t got_count) {
  size_t i;
  if (expected_count != got_count) return wrong("%s: %zu expected, %zu came", what, expected_count, got_count);
  for (i = 0; i < got_count; ++i)
    if (expected[i] != got[i]) return wrong("%s[%zu]: %d expected, %d came", what, i, (int)expected[i], (int)got[i]);
  return 1;
}

int same_text(const char *what, const char *escaped, const char *got, size_t size) {
  const bytes expected = list_text(escaped);
  if (expected.size != size || memcmp(expected.data, got, size) != 0)
    wrong("%s: \"%s\" expected, \"%.*s\" came", what, escaped, (int)size, got);
  free(expected.data);
  return g_why[0] == 0;
}

int near(const char *what, double expected, double got, double tolerance) {
  return fabs(expected - got) <= tolerance || wrong("%s: %g expected, %g came", what, expected, got);
}

/* ---- answers */

static int is_utf8(const unsigned char *s, size_t size) {
  size_t i = 0, n, k;
  while (i < size) {
    const unsigned char b = s[i++];
    const unsigned char low = b == 0xe0 ? 0xa0 : b == 0xf0 ? 0x90 : 0x80, high = b == 0xed ? 0x9f : b == 0xf4 ? 0x8f : 0xbf;
    if (b < 0x80) continue;
    n = b >= 0xc2 && b <= 0xdf ? 1 : (b & 0xf0) == 0xe0 ? 2 : b >= 0xf0 && b <= 0xf4 ? 3 : 0;
    if (n == 0 || i + n > size) return 0;
    for (k = 0; k < n; ++k, ++i)
      if (s[i] < (k == 0 ? low : 0x80) || s[i] > (k == 0 ? high : 0xbf)) return 0;
  }
  return 1;
}

void answer_take(answer *to, const scout_event *event) {
  const size_t before = to->count;
  size_t i;
  if (to->stop != SCOUT_STOP_NONE) wrong("an event after the last");
  if (!is_utf8((const unsigned char *)event->text, (size_t)event->text_size)) wrong("an event's text is not UTF-8");
  if (event->text[event->text_size] != 0) wrong("an event's text does not end with a NUL");
  if (event->id_count > MAX_IDS - before || event->text_size >= MAX_TEXT - to->size) {
    wrong("an answer past the runner's limits");
    return;
  }
  memcpy(to->text + to->size, event->text, (size_t)event->text_size);
  to->size += (size_t)event->text_size;
  to->events += event->text_size != 0;
  for (i = 0; i < event->id_count; ++i) {
    to->ids[to->count] = event->ids[i];
    to->logprobs[to->count] = event->logprobs != NULL ? event->logprobs[i] : NAN;
    to->best[to->count++] = event->top_ids != NULL ? event->top_ids[i * event->top_count] : -1;
  }
  to->top_count = (int64_t)event->top_count;
  to->stop = event->stop;
  to->status = event->status;
  to->prompt_tokens = event->prompt_tokens;
  to->cached_tokens = event->cached_tokens;
}

int answer_read(scout_request *request, answer *to) {
  const scout_event *event = NULL;
  scout_status status;
  memset(to, 0, sizeof *to);
  while ((status = scout_request_next(request, SCOUT_WAIT, &event)) == SCOUT_OK) answer_take(to, event);
  if (status != SCOUT_DONE) return wrong("scout_request_next: status %d, %s", (int)status, scout_last_error());
  if (scout_request_next(request, 0, &event) != SCOUT_DONE || event != NULL) return wrong("the end does not stay");
  if (to->stop == SCOUT_STOP_NONE) return wrong("no last event");
  return g_why[0] == 0;
}

int ask(scout_model *model, const char *prompt, const scout_request_options *options, answer *to) {
  scout_request *request = NULL;
  scout_engine *engine = NULL;
  const bytes text = list_text(prompt);
  int good;
  if (memchr(text.data, 0, text.size) == NULL) {
    good = fine(scout_generate(model, text.data, options, &request), "scout_generate");
  } else {
    good = fine(scout_model_engine(model, &engine), "scout_model_engine") &&
           fine(scout_submit_text(engine, text.data, text.size, options, &request), "scout_submit_text");
  }
  good = good && answer_read(request, to);
  scout_engine_free(engine);
  scout_request_free(request);
  free(text.data);
  return good;
}

int ask_for(scout_model *model, const char *prompt, const char *text) {
  answer *got = malloc(sizeof *got);
  const int good = ask(model, prompt, NULL, got) && same_text(prompt, text, got->text, got->size);
  free(got);
  return good;
}

/* ---- options by their names */

#define MEMBER(type, name) \
  { #name, offsetof(type, name), sizeof(((type *)0)->name) }
typedef struct member {
  const char *name;
  size_t offset, size;
} member;

static const member kRequest[] = {
    MEMBER(scout_request_options, temperature),       MEMBER(scout_request_options, top_k),
    MEMBER(scout_request_options, top_p),             MEMBER(scout_request_options, min_p),
    MEMBER(scout_request_options, repetition_penalty), MEMBER(scout_request_options, frequency_penalty),
    MEMBER(scout_request_options, presence_penalty),  MEMBER(scout_request_options, seed),
    MEMBER(scout_request_options, max_tokens),        MEMBER(scout_request_options, logprobs),
    MEMBER(scout_request_options, top_logprobs),      MEMBER(scout_request_options, ignore_end),
    MEMBER(scout_request_options, include_special),   MEMBER(scout_request_options, raw),
    {NULL, 0, 0}};
static const member kLoad[] = {MEMBER(scout_load_options, memory_limit_bytes), MEMBER(scout_load_options, context), {NULL, 0, 0}};
static const member kEngine[] = {MEMBER(scout_engine_options, max_waiting), MEMBER(scout_engine_options, max_running),
                                 MEMBER(scout_engine_options, context), {NULL, 0, 0}};

static int set(const member *members, void *options, const char *name, const char *value) {
  static const char *const floats[] = {"temperature", "top_p", "min_p", "repetition_penalty", "frequency_penalty", "presence_penalty"};
  char *at;
  size_t i;
  for (; members->name != NULL && strcmp(members->name, name) != 0; ++members) {}
  if (members->name == NULL) return wrong("option %s is not known to this runner", name);
  at = (char *)options + members->offset;
  for (i = 0; i < sizeof floats / sizeof *floats; ++i) {
    if (strcmp(name, floats[i]) == 0) {
      *(float *)(void *)at = strtof(value, NULL);
      return 1;
    }
  }
  if (members->size == 4)
    *(int32_t *)(void *)at = (int32_t)strtol(value, NULL, 10);
  else
    *(int64_t *)(void *)at = strtoll(value, NULL, 10);
  return 1;
}

void request_options(const test_case *c, scout_request_options *options) {
  static int32_t bias_ids[8], stop_tokens[8];
  static float bias_values[8];
  static const char *stop[8];
  static uint64_t stop_sizes[8];
  char name[64];
  size_t n, count, i;
  scout_request_options_init(options, sizeof *options);
  for (n = 0; n < list_times(c, "option"); ++n) {
    const char *value = list_split(list_nth(c, "option", n), name);
    if (strcmp(name, "bias") == 0 && options->bias_count < 8) {
      double *pair = list_doubles(value, &count);
      bias_ids[options->bias_count] = (int32_t)pair[0];
      bias_values[options->bias_count++] = (float)pair[1];
      free(pair);
    } else if (strcmp(name, "stop") == 0 && options->stop_count < 8) {
      const bytes text = list_text(value); /* kept: a few bytes */
      stop[options->stop_count] = text.data;
      stop_sizes[options->stop_count++] = text.size;
    } else if (strcmp(name, "stop_tokens") == 0) {
      int32_t *ids = list_ids(value, &count);
      for (i = 0; i < count && i < 8; ++i) stop_tokens[options->stop_token_count++] = ids[i];
      free(ids);
    } else {
      set(kRequest, options, name, value);
    }
  }
  options->bias_ids = bias_ids;
  options->bias_values = bias_values;
  options->stop = stop;
  options->stop_sizes = stop_sizes;
  options->stop_tokens = stop_tokens;
}

void load_options(const test_case *c, scout_load_options *options) {
  static char device[64];
  char name[64];
  size_t n;
  scout_load_options_init(options, sizeof *options);
  for (n = 0; n < list_times(c, "load_option"); ++n) {
    const char *value = list_split(list_nth(c, "load_option", n), name);
    if (strcmp(name, "device") == 0) {
      snprintf(device, sizeof device, "%s", value);
      options->device = device;
    } else {
      set(kLoad, options, name, value);
    }
  }
}

void engine_options(const test_case *c, scout_engine_options *options) {
  char name[64];
  size_t n;
  scout_engine_options_init(options, sizeof *options);
  for (n = 0; n < list_times(c, "engine_option"); ++n) {
    const char *value = list_split(list_nth(c, "engine_option", n), name);
    set(kEngine, options, name, value);
  }
}

int main(int argc, char **argv) {
  size_t count, i, k, failed = 0, without = 0, ran = 0;
  static test_case *cases; /* so that a leak checker sees it */
  if (argc < 4) {
    fprintf(stderr, "usage: runner CONFORMANCE_TXT MODEL_FILE WORK_FOLDER [KIND|-KIND]\n");
    return 2;
  }
  cases = list_read(argv[1], &count);
  g_model_file = argv[2];
  g_folder = argv[3];
  if (scout_load("scout-tiny", NULL, &g_model) != SCOUT_OK) {
    fprintf(stderr, "%s\n", scout_last_error());
    return 1;
  }
  for (i = 0; i < count; ++i) {
    const char *name = list_value(&cases[i], "kind");
    if (argc > 4 && (argv[4][0] == '-' ? strcmp(argv[4] + 1, name) == 0 : strcmp(argv[4], name) != 0)) continue;
    g_why[0] = g_without[0] = 0;
    for (k = 0; kKinds[k].name != NULL && strcmp(kKinds[k].name, name) != 0; ++k) {}
    if (kKinds[k].name == NULL)
      wrong("the kind %s is not known to this runner", name);
    else
      kKinds[k].run(&cases[i]);
    ++ran;
    if (g_why[0] == 0 && g_without[0] != 0) {
      printf("n/a %s: %s\n", cases[i].name, g_without);
      ++without;
    } else if (g_why[0] == 0) {
      printf("ok %s\n", cases[i].name);
    } else {
      printf("FAILED %s: %s\n", cases[i].name, g_why);
      ++failed;
    }
    fflush(stdout);
  }
  scout_free(g_model);
  printf("C: %zu ok, %zu n/a, %zu failed\n", ran - failed - without, without, failed);
  return failed != 0 || ran == 0;
}
