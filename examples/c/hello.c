#include <scout/scout.h>
#include <stdio.h>

int main(void) {
  scout_model *model = NULL;
  scout_request *answer = NULL;
  const scout_event *event = NULL;
  if (scout_load("scout-tiny", NULL, &model) < 0 || scout_generate(model, "Tell me a story about a fox.", NULL, &answer) != SCOUT_OK) {
    fprintf(stderr, "%s\n", scout_last_error());
    return 1;
  }
  while (scout_request_next(answer, SCOUT_WAIT, &event) == SCOUT_OK) fwrite(event->text, 1, (size_t)event->text_size, stdout);
  puts("");
  scout_request_free(answer);
  scout_free(model);
  return 0;
}
