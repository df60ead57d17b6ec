/* A server's inner loop: many answers at once on one thread that sleeps in poll(), without a thread per stream.
 * The connections are pretended: each question on the command line is one. Usage: server_loop [MODEL [QUESTION...]] */
#include <poll.h>
#include <scout/scout.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CONNECTIONS = 64 };

typedef struct connection {
  const char *question;
  scout_request *request;
  char *reply;
  size_t size;
} connection;

static void check(scout_status status) {
  if (status < 0) {
    fprintf(stderr, "server_loop: %s\n", scout_last_error());
    exit(1);
  }
}

static void write_to(connection *to, const char *text, size_t size) {
  char *grown = realloc(to->reply, to->size + size + 1);
  if (grown == NULL) exit(1);
  memcpy(grown + to->size, text, size);
  to->reply = grown;
  to->size += size;
  to->reply[to->size] = 0;
}

/* Asks the engine to answer; the event's tag will say which connection an event is for. */
static void submit(scout_model *model, scout_engine *engine, connection *c, uint64_t tag) {
  scout_request_options options;
  scout_chat *chat = NULL;
  check(scout_request_options_init(&options, sizeof options));
  options.tag = tag;
  options.max_tokens = 200;
  check(scout_chat_new(model, &chat));
  check(scout_chat_add(chat, SCOUT_ROLE_USER, c->question, SCOUT_NUL));
  check(scout_submit(engine, chat, &options, &c->request)); /* SCOUT_AGAIN, a full waiting list, would be a server's 503 */
  scout_chat_free(chat);
}

int main(int argc, char **argv) {
  static const char *const questions[] = {"Tell me a story about a fox.", "What is 7 plus 5?", "What is 20 minus 8?"};
  connection connections[MAX_CONNECTIONS];
  scout_model *model = NULL;
  scout_engine *engine = NULL;
  const scout_event *event = NULL;
  scout_status status;
  struct pollfd wake;
  size_t count = argc > 2 ? (size_t)argc - 2 : sizeof questions / sizeof *questions, open, i;

  if (count > MAX_CONNECTIONS) count = MAX_CONNECTIONS;
  memset(connections, 0, sizeof connections);
  check(scout_load(argc > 1 ? argv[1] : "scout-tiny", NULL, &model));
  check(scout_engine_new(model, NULL, &engine)); /* its thread runs the steps */
  for (i = 0; i < count; ++i) {
    connections[i].question = argc > 2 ? argv[i + 2] : questions[i];
    submit(model, engine, &connections[i], i);
  }

  wake.fd = scout_engine_descriptor(engine); /* beside a server's sockets */
  wake.events = POLLIN;
  for (open = count; open > 0;) {
    if (poll(&wake, 1, -1) < 0) continue; /* a signal */
    while ((status = scout_engine_next(engine, 0, &event)) == SCOUT_OK) {
      connection *c = &connections[event->tag];
      write_to(c, event->text, (size_t)event->text_size);
      if (event->stop == SCOUT_STOP_NONE) continue;
      printf("%s\n  %s\n", c->question, event->stop == SCOUT_STOP_ERROR ? event->message : c->reply);
      printf("  (%ld tokens, waited %.0f ms, answered in %.0f ms)\n", (long)event->generated_tokens, event->queue_ms,
             event->prefill_ms + event->decode_ms);
      scout_request_free(c->request);
      free(c->reply);
      --open;
    }
    check(status);
  }
  scout_engine_free(engine);
  scout_free(model);
  return 0;
}
