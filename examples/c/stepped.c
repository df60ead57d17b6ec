/* For a game or a plug-in that must own every thread: the engine makes none, no call waits, and each frame gives it a few
 * milliseconds. Usage: stepped [MODEL [QUESTION]] */
#include <scout/scout.h>
#include <stdio.h>
#include <stdlib.h>

static void check(scout_status status) {
  if (status < 0) {
    fprintf(stderr, "stepped: %s\n", scout_last_error());
    exit(1);
  }
}

int main(int argc, char **argv) {
  scout_load_options load;
  scout_engine_options options;
  scout_model *model = NULL;
  scout_engine *engine = NULL;
  scout_chat *chat = NULL;
  scout_request *request = NULL;
  const scout_event *event = NULL;
  long frames = 0;
  int running = 1;

  check(scout_load_options_init(&load, sizeof load));
  load.threads = 1; /* the steps compute on the thread that calls scout_engine_step, and on no other */
  check(scout_load(argc > 1 ? argv[1] : "scout-tiny", &load, &model));
  check(scout_engine_options_init(&options, sizeof options));
  options.mode = SCOUT_ENGINE_STEPPED;
  check(scout_engine_new(model, &options, &engine));
  check(scout_chat_new(model, &chat));
  check(scout_chat_add(chat, SCOUT_ROLE_USER, argc > 2 ? argv[2] : "Tell me a story about a fox.", SCOUT_NUL));
  check(scout_submit(engine, chat, NULL, &request));

  while (running) { /* one frame: draw, move, think */
    ++frames;
    check(scout_engine_step(engine, 4 /* ms at most, rounded up to a layer */));
    while (scout_engine_next(engine, 0, &event) == SCOUT_OK) {
      fwrite(event->text, 1, (size_t)event->text_size, stdout);
      if (event->stop != SCOUT_STOP_NONE) running = 0;
      if (event->stop == SCOUT_STOP_ERROR) fprintf(stderr, "stepped: %s\n", event->message);
    }
    fflush(stdout);
  }
  printf("\n(in %ld frames)\n", frames);
  scout_request_free(request);
  scout_chat_free(chat);
  scout_engine_free(engine);
  scout_free(model);
  return 0;
}
