/* How likely a text is, token by token. Usage: score [MODEL [TEXT]] */
#include <math.h>
#include <scout/scout.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(scout_status status) {
  if (status < 0) {
    fprintf(stderr, "score: %s\n", scout_last_error());
    exit(1);
  }
}

int main(int argc, char **argv) {
  const char *text = argc > 2 ? argv[2] : "Once upon a time there was a fox.";
  scout_model *model = NULL;
  scout_engine *engine = NULL;
  scout_scores *scores = NULL;
  const scout_score_block *block = NULL;
  scout_status status;
  int32_t *ids;
  uint64_t count = 0;
  double sum = 0;
  uint64_t i;

  check(scout_load(argc > 1 ? argv[1] : "scout-tiny", NULL, &model));
  check(scout_engine_new(model, NULL, &engine));

  check(scout_encode(model, text, SCOUT_NUL, SCOUT_ENCODE_BOS, NULL, 0, &count));
  ids = malloc(count * sizeof *ids);
  if (ids == NULL) return 1;
  check(scout_encode(model, text, SCOUT_NUL, SCOUT_ENCODE_BOS, ids, count, &count));

  check(scout_score(engine, ids, count, NULL, &scores));
  while ((status = scout_scores_next(scores, SCOUT_WAIT, &block)) == SCOUT_OK) {
    for (i = 0; i < block->count; ++i) {
      const int64_t position = block->positions[i];
      const char *bytes = NULL;
      uint64_t size = 0;
      if (position == 0) continue; /* nothing comes before the first token */
      check(scout_token_bytes(model, ids[position], &bytes, &size, NULL));
      printf("%9.4f  \"", (double)block->logprobs[i]);
      fwrite(bytes, 1, size, stdout);
      printf("\"\n");
      sum += (double)block->logprobs[i];
    }
  }
  check(status);
  if (count > 1) printf("perplexity %.3f over %ld tokens\n", exp(-sum / (double)(count - 1)), (long)(count - 1));

  free(ids);
  scout_scores_free(scores);
  scout_engine_free(engine);
  scout_free(model);
  return 0;
}
