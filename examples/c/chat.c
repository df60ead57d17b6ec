/* A conversation with memory: each turn finds the pages of the turns before it and computes only what is new.
 * Usage: chat [MODEL [QUESTION...]]; without questions, one per line of stdin. */
#include <scout/scout.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(scout_status status) {
  if (status < 0) {
    fprintf(stderr, "chat: %s\n", scout_last_error());
    exit(1);
  }
}

/* Asks, prints the answer as it comes, and adds it to the conversation. */
static void turn(scout_engine *engine, scout_chat *chat, const char *question, size_t size) {
  scout_request *request = NULL;
  const scout_event *event = NULL;
  check(scout_chat_add(chat, SCOUT_ROLE_USER, question, size)); /* text can never become control tokens */
  check(scout_submit(engine, chat, NULL, &request));
  while (scout_request_next(request, SCOUT_WAIT, &event) == SCOUT_OK) {
    fwrite(event->text, 1, (size_t)event->text_size, stdout);
    fflush(stdout);
    if (event->stop == SCOUT_STOP_ERROR) fprintf(stderr, "chat: %s\n", event->message);
    if (event->stop != SCOUT_STOP_NONE)
      printf("\n(%ld tokens of the prompt, %ld of them remembered)\n", (long)event->prompt_tokens, (long)event->cached_tokens);
  }
  check(scout_chat_add_answer(chat, request)); /* exactly the tokens that were generated */
  scout_request_free(request);
}

int main(int argc, char **argv) {
  scout_model *model = NULL;
  scout_engine *engine = NULL;
  scout_chat *chat = NULL;
  char line[4096];
  int i;

  check(scout_load(argc > 1 ? argv[1] : "scout-tiny", NULL, &model));
  check(scout_engine_new(model, NULL, &engine));
  check(scout_chat_new(model, &chat));
  for (i = 2; i < argc; ++i) {
    printf("> %s\n", argv[i]);
    turn(engine, chat, argv[i], SCOUT_NUL);
  }
  while (argc <= 2 && fgets(line, sizeof line, stdin) != NULL) {
    const size_t size = strcspn(line, "\n");
    if (size > 0) turn(engine, chat, line, size);
  }
  scout_chat_free(chat);
  scout_engine_free(engine);
  scout_free(model);
  return 0;
}
