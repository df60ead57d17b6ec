/* A host that does not link libscout but loads and unloads it, with an engine's thread alive. Usage: dlopen_test LIBSCOUT MODEL */
#include <dlfcn.h>
#include <scout/scout.h>
#include <stdio.h>
#include <string.h>

#define NEED(condition) \
  if (!(condition)) { fprintf(stderr, "line %d: %s\n", __LINE__, #condition); return 1; }

/* ISO C has no cast from void* to a function. */
#define GET(name) \
  { void *symbol = dlsym(library, #name); NEED(symbol != NULL); memcpy(&name##_, &symbol, sizeof symbol); }

int main(int argc, char **argv) {
  int round;
  NEED(argc == 3);
  for (round = 0; round < 3; ++round) {
    scout_status (*scout_load_)(const char *, const scout_load_options *, scout_model **);
    scout_status (*scout_generate_)(scout_model *, const char *, const scout_request_options *, scout_request **);
    scout_status (*scout_request_next_)(scout_request *, int64_t, const scout_event **);
    void (*scout_free_)(scout_model *);
    void (*scout_request_free_)(scout_request *);
    scout_model *model = NULL;
    scout_request *request = NULL;
    const scout_event *event = NULL;
    void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    NEED(library != NULL);
    GET(scout_load)
    GET(scout_generate)
    GET(scout_request_next)
    GET(scout_free)
    GET(scout_request_free)
    NEED(scout_load_(argv[2], NULL, &model) == SCOUT_OK);
    NEED(scout_generate_(model, "hello", NULL, &request) == SCOUT_OK);
    NEED(scout_request_next_(request, SCOUT_WAIT, &event) == SCOUT_OK);
    if (round == 1) {
      scout_request_free_(request);
      scout_free_(model);
    }
    /* In the other rounds the engine is left running: its code must stay where it is. */
    NEED(dlclose(library) == 0);
  }
  puts("loaded and unloaded three times");
  return 0;
}
