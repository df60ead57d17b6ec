/* What README.md says, in C: what the other languages are measured against. Usage: overhead REQUESTS TOKENS ROUNDS,
 * of which the best counts. */
#define _POSIX_C_SOURCE 199309L
#include <scout/scout.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char kPrompt[] = "Write an email about history.";
static uint64_t g_bytes; /* of text that came */

static void need(scout_status status) {
  if (status >= 0 && status != SCOUT_AGAIN) return;
  fprintf(stderr, "%s: %s\n", scout_status_name(status), scout_last_error());
  exit(1);
}

static double seconds(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

typedef struct rate {
  double start, processor, tokens, most, most_of_processor; /* the best so far */
} rate;

static void begin(rate *r) {
  r->start = seconds(CLOCK_MONOTONIC);
  r->processor = seconds(CLOCK_PROCESS_CPUTIME_ID);
  r->tokens = 0;
}

static void end(rate *r) {
  const double wall = r->tokens / (seconds(CLOCK_MONOTONIC) - r->start);
  const double processor = r->tokens / (seconds(CLOCK_PROCESS_CPUTIME_ID) - r->processor);
  if (wall > r->most) r->most = wall;
  if (processor > r->most_of_processor) r->most_of_processor = processor;
}

/* As many answers at once on one engine. */
static scout_request **ask(scout_engine *engine, int count, const scout_request_options *options) {
  scout_request **requests = calloc((size_t)count, sizeof *requests);
  int i;
  if (requests == NULL) exit(1);
  for (i = 0; i < count; ++i) need(scout_submit_text(engine, kPrompt, SCOUT_NUL, options, &requests[i]));
  return requests;
}

static void drop(scout_request **requests, int count) {
  int i;
  for (i = 0; i < count; ++i) scout_request_free(requests[i]);
  free(requests);
}

static void many(scout_model *model, int count, const scout_request_options *options, rate *r) {
  const scout_event *event;
  scout_engine *engine;
  scout_request **requests;
  int open = count;
  begin(r);
  need(scout_engine_new(model, NULL, &engine));
  requests = ask(engine, count, options);
  while (open > 0) {
    need(scout_engine_next(engine, SCOUT_WAIT, &event));
    g_bytes += event->text_size;
    r->tokens += (double)event->id_count;
    open -= event->stop != SCOUT_STOP_NONE;
  }
  drop(requests, count);
  scout_engine_free(engine);
  end(r);
}

static void one(scout_model *model, int count, const scout_request_options *options, rate *r) {
  const scout_event *event;
  int i;
  begin(r);
  for (i = 0; i < count; ++i) {
    scout_request *request;
    scout_status status;
    need(scout_generate(model, kPrompt, options, &request));
    while ((status = scout_request_next(request, SCOUT_WAIT, &event)) == SCOUT_OK) {
      g_bytes += event->text_size;
      r->tokens += (double)event->id_count;
    }
    need(status);
    scout_request_free(request);
  }
  end(r);
}

/* All events are ready before the clock starts, so that only the calls are timed. */
static double event_cost(scout_model *model, int count, const scout_request_options *options, uint64_t *events) {
  scout_engine_options engine_options;
  scout_engine *engine;
  scout_request **requests;
  const scout_event *event;
  double start, time;
  *events = 0;
  scout_engine_options_init(&engine_options, sizeof engine_options);
  engine_options.mode = SCOUT_ENGINE_STEPPED;
  need(scout_engine_new(model, &engine_options, &engine));
  requests = ask(engine, count, options);
  while (scout_engine_step(engine, 1000) == SCOUT_OK) {
  }
  start = seconds(CLOCK_MONOTONIC);
  while (scout_engine_next(engine, 0, &event) == SCOUT_OK) {
    g_bytes += event->text_size;
    ++*events;
  }
  time = seconds(CLOCK_MONOTONIC) - start;
  drop(requests, count);
  scout_engine_free(engine);
  return time * 1e9 / (double)*events;
}

int main(int argc, char **argv) {
  const int count = argc > 1 ? atoi(argv[1]) : 200, tokens = argc > 2 ? atoi(argv[2]) : 100, rounds = argc > 3 ? atoi(argv[3]) : 5;
  double cost = 0;
  rate together = {0, 0, 0, 0, 0}, alone = {0, 0, 0, 0, 0};
  scout_load_options load;
  uint64_t events = 0;
  scout_request_options options;
  scout_model *model;
  int i;
  need(scout_load_options_init(&load, sizeof load));
  load.threads = 1;
  need(scout_load("scout-tiny", &load, &model));
  scout_request_options_init(&options, sizeof options);
  options.ignore_end = 1;
  options.max_tokens = tokens;
  for (i = 0; i < rounds; ++i) {
    const double now = event_cost(model, 64, &options, &events);
    if (i == 0 || now < cost) cost = now;
    many(model, count, &options, &together);
    one(model, (count + 4) / 5, &options, &alone);
  }
  printf("event %.1f\nmany %.1f\nmany_processor %.1f\n", cost, together.most, together.most_of_processor);
  printf("one %.1f\none_processor %.1f\n", alone.most, alone.most_of_processor);
  printf("events %llu\nbytes %llu\n", (unsigned long long)events, (unsigned long long)g_bytes);
  scout_free(model);
  return 0;
}
