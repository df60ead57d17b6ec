/* Streaming that is cancelled from another thread after a while: the last event says so. Usage: stream [MODEL [MILLISECONDS]] */
#include <pthread.h>
#include <scout/scout.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef struct later {
  scout_request *request;
  long milliseconds;
} later;

static void *cancel(void *argument) {
  const later *what = argument;
  const struct timespec time = {what->milliseconds / 1000, what->milliseconds % 1000 * 1000000};
  nanosleep(&time, NULL);
  scout_request_cancel(what->request); /* from any thread */
  return NULL;
}

static void check(scout_status status) {
  if (status < 0) {
    fprintf(stderr, "stream: %s\n", scout_last_error());
    exit(1);
  }
}

int main(int argc, char **argv) {
  scout_model *model = NULL;
  scout_request_options options;
  const scout_event *event = NULL;
  pthread_t thread;
  later what = {NULL, argc > 2 ? atol(argv[2]) : 500};

  check(scout_load(argc > 1 ? argv[1] : "scout-tiny", NULL, &model));
  check(scout_request_options_init(&options, sizeof options));
  options.ignore_end = 1; /* an answer without an end */
  check(scout_generate(model, "Tell me a story about a fox.", &options, &what.request));
  if (pthread_create(&thread, NULL, cancel, &what) != 0) return 1;
  while (scout_request_next(what.request, SCOUT_WAIT, &event) == SCOUT_OK) {
    fwrite(event->text, 1, (size_t)event->text_size, stdout);
    fflush(stdout);
    if (event->stop != SCOUT_STOP_NONE)
      printf("\n(%s after %ld tokens)\n", event->stop == SCOUT_STOP_CANCELLED ? "cancelled" : "ended", (long)event->generated_tokens);
  }
  pthread_join(thread, NULL);
  scout_request_free(what.request);
  scout_free(model);
  return 0;
}
