/* A host that loads the library, uses it and unloads it, many times. The library stays in the process after its first use (-z nodelete), so
 * "nothing is left behind" means: once its handles are freed there are no threads and no descriptors of it, the host's environment, signal
 * handlers, mask, locale and folder are as they were, nothing was printed, and rounds do not add memory (but for the slots of freed
 * handles, which rest until 4096 others were freed).
 * Usage: unload_test LIBSCOUT MODEL ROUNDS [EVERY]     the model is used in every EVERYth round; 0: never */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <locale.h>
#include <malloc.h>
#include <scout/scout.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SLOT_BYTES 100 /* the header's bound */

extern char **environ;

static long heap(void) {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
  return (long)mallinfo2().uordblks;
#else
  return 0;
#endif
}

static int failed(const char *what, int round, long found, long wanted) {
  fprintf(stderr, "round %d: %s: %ld, not %ld\n", round, what, found, wanted);
  return 1;
}

#define NEED(condition) \
  if (!(condition)) { fprintf(stderr, "line %d: %s\n", __LINE__, #condition); return 1; }

/* ISO C has no cast from void* to a function. */
#define GET(name) \
  { void *symbol = dlsym(library, #name); NEED(symbol != NULL); memcpy(&name##_, &symbol, sizeof symbol); }

static long entries(const char *folder) {
  long count = 0;
  DIR *dir = opendir(folder);
  if (dir == NULL) return -1;
  while (readdir(dir) != NULL) ++count;
  closedir(dir);
  return count;
}

static long environment(void) {
  long sum = 0, i, j;
  for (i = 0; environ[i] != NULL; ++i)
    for (j = 0; environ[i][j] != 0; ++j) sum = sum * 31 + environ[i][j];
  return (sum ^ i) & 0x7fffffff;
}

/* Handlers and the mask, as one number. */
static long signals(void) {
  long sum = 0;
  int i;
  sigset_t mask;
  pthread_sigmask(SIG_BLOCK, NULL, &mask);
  for (i = 1; i < 32; ++i) {
    struct sigaction action;
    sigaction(i, NULL, &action);
    sum = sum * 3 + (action.sa_handler != SIG_DFL) + 2 * sigismember(&mask, i);
  }
  return sum & 0x7fffffff;
}

static int use(void *library, const char *path) {
  scout_status (*scout_load_)(const char *, const scout_load_options *, scout_model **);
  scout_status (*scout_generate_)(scout_model *, const char *, const scout_request_options *, scout_request **);
  scout_status (*scout_request_next_)(scout_request *, int64_t, const scout_event **);
  void (*scout_free_)(scout_model *);
  void (*scout_request_free_)(scout_request *);
  scout_model *model = NULL;
  scout_request *request = NULL;
  const scout_event *event = NULL;
  int events;
  GET(scout_load)
  GET(scout_generate)
  GET(scout_request_next)
  GET(scout_free)
  GET(scout_request_free)
  NEED(scout_load_("/nowhere/at/all.gguf", NULL, &model) == SCOUT_ERR_IO);
  NEED(scout_load_(path, NULL, &model) == SCOUT_OK);
  NEED(scout_generate_(model, "hello", NULL, &request) == SCOUT_OK);
  for (events = 0; events < 3; ++events) NEED(scout_request_next_(request, SCOUT_WAIT, &event) >= SCOUT_OK);
  scout_request_free_(request);
  scout_free_(model);
  return 0;
}

/* A thread that was joined may still be listed for a moment. */
static long threads(long wanted) {
  long found = 0;
  int tries;
  for (tries = 0; tries < 2000 && (found = entries("/proc/self/task") - 2) > wanted; ++tries) {
    struct timespec millisecond = {0, 1000000};
    nanosleep(&millisecond, NULL);
  }
  return found;
}

int main(int argc, char **argv) {
  char here[4096], there[4096];
  int round, rounds, every;
  long descriptors, variables, handlers, settled = 0, growth;
  struct stat before[2], outputs[2];
  NEED(argc == 4 || argc == 5);
  rounds = atoi(argv[3]);
  every = argc == 5 ? atoi(argv[4]) : 1;
  NEED(rounds > 0 && every >= 0);
  NEED(getcwd(here, sizeof here) != NULL);
  descriptors = entries("/proc/self/fd");
  variables = environment();
  handlers = signals();
  NEED(fstat(1, &before[0]) == 0 && fstat(2, &before[1]) == 0);
  for (round = 1; round <= rounds; ++round) {
    void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    NEED(library != NULL);
    if (every != 0 && (round - 1) % every == 0 && use(library, argv[2]) != 0) return 1;
    NEED(dlclose(library) == 0);
    if (threads(1) != 1) return failed("threads", round, threads(1), 1);
    if (entries("/proc/self/fd") != descriptors) return failed("descriptors", round, entries("/proc/self/fd"), descriptors);
    if (environment() != variables) return failed("the environment's checksum", round, environment(), variables);
    if (signals() != handlers) return failed("the signals' checksum", round, signals(), handlers);
    NEED(strcmp(setlocale(LC_ALL, NULL), "C") == 0);
    NEED(getcwd(there, sizeof there) != NULL && strcmp(here, there) == 0);
    if (round == (rounds + 9) / 10) settled = heap();
  }
  /* The heap in use: a freed handle's slot rests until 4096 others were freed, so rounds with two handles each may add that much, and malloc
   * keeps a few kilobytes per thread by chance. Under a tool that has a heap of its own this is 0, and the tool tells exactly. */
  growth = heap() - settled;
  if (growth > 16384 + 2 * SLOT_BYTES * (rounds < 2048 ? rounds : 2048)) return failed("more bytes of heap than after a tenth of the rounds", round, growth, 0);
  /* Where the output goes to files, they are as they were. */
  NEED(fstat(1, &outputs[0]) == 0 && fstat(2, &outputs[1]) == 0);
  NEED(!S_ISREG(outputs[0].st_mode) || outputs[0].st_size == before[0].st_size);
  NEED(!S_ISREG(outputs[1].st_mode) || outputs[1].st_size == before[1].st_size);
  printf("%d rounds: 1 thread, the same descriptors, environment, signals, locale and folder; heap %+ld bytes since round %d\n", rounds, growth,
         (rounds + 9) / 10);
  return 0;
}
