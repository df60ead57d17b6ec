/* What the kinds of behaviour share: see runner.c. */
#ifndef CONFORMANCE_RUNNER_H
#define CONFORMANCE_RUNNER_H

#include <scout/scout.h>

#include "list.h"

enum { MAX_IDS = 8192, MAX_TEXT = 65536 };

typedef struct answer {
  char text[MAX_TEXT];
  int32_t ids[MAX_IDS], best[MAX_IDS];
  float logprobs[MAX_IDS];
  size_t size, count, events;
  int32_t stop, status;
  int64_t prompt_tokens, cached_tokens, top_count;
} answer;

typedef struct kind {
  const char *name;
  void (*run)(const test_case *c);
} kind;
extern const kind kKinds[];

extern scout_model *g_model;
extern const char *g_model_file, *g_folder;

/* Each answers 1 when all is well, and else says once what is not. */
int wrong(const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 1, 2)))
#endif
    ;
int fine(scout_status status, const char *what);
int not_applicable(const char *why); /* what the library of this build cannot show */
int same_ids(const char *what, const int32_t *expected, size_t expected_count, const int32_t *got, size_t got_count);
int same_text(const char *what, const char *escaped, const char *got, size_t size);
int near(const char *what, double expected, double got, double tolerance);

void answer_take(answer *to, const scout_event *event);
int answer_read(scout_request *request, answer *to);
int ask(scout_model *model, const char *prompt, const scout_request_options *options, answer *to);
int ask_for(scout_model *model, const char *prompt, const char *text);

void request_options(const test_case *c, scout_request_options *options);
void load_options(const test_case *c, scout_load_options *options);
void engine_options(const test_case *c, scout_engine_options *options);

#endif
