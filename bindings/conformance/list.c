#include "list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *need(void *memory) {
  if (memory == NULL) {
    fprintf(stderr, "out of memory\n");
    exit(2);
  }
  return memory;
}

static void give_up(const char *what, const char *which) {
  fprintf(stderr, "%s: %s\n", which, what);
  exit(2);
}

test_case *list_read(const char *path, size_t *count) {
  FILE *file = fopen(path, "rb");
  test_case *cases = NULL, *now = NULL;
  char *text, *at, *end;
  long size;
  *count = 0;
  if (file == NULL) give_up("cannot be opened", path);
  if (fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0 || fseek(file, 0, SEEK_SET) != 0) give_up("has no size", path);
  text = need(malloc((size_t)size + 1));
  if (fread(text, 1, (size_t)size, file) != (size_t)size) give_up("cannot be read", path);
  fclose(file);
  text[size] = 0;
  for (at = text; *at != 0; at = end + 1) {
    char *space;
    end = strchr(at, '\n');
    if (end == NULL) give_up("the last line has no end", path);
    *end = 0;
    if (*at == 0 || *at == '#') continue;
    space = strchr(at, ' ');
    if (space != NULL) *space = 0;
    if (strcmp(at, "model") == 0 && now == NULL) continue;
    if (strcmp(at, "case") == 0) {
      cases = need(realloc(cases, (*count + 1) * sizeof *cases));
      now = &cases[(*count)++];
      now->name = space + 1;
      now->lines = NULL;
      now->count = 0;
      continue;
    }
    if (now == NULL) give_up("a line before the first case", path);
    now->lines = need(realloc(now->lines, (now->count + 1) * sizeof *now->lines));
    now->lines[now->count].key = at;
    now->lines[now->count].value = space != NULL ? space + 1 : end;
    ++now->count;
  }
  return cases; /* and the text, for as long as the program runs */
}

const char *list_nth(const test_case *c, const char *key, size_t n) {
  size_t i;
  for (i = 0; i < c->count; ++i)
    if (strcmp(c->lines[i].key, key) == 0 && n-- == 0) return c->lines[i].value;
  return NULL;
}

size_t list_times(const test_case *c, const char *key) {
  size_t n = 0;
  while (list_nth(c, key, n) != NULL) ++n;
  return n;
}

const char *list_value(const test_case *c, const char *key) {
  const char *value = list_nth(c, key, 0);
  if (value == NULL) give_up(key, c->name);
  return value;
}

int64_t list_number(const test_case *c, const char *key) { return strtoll(list_value(c, key), NULL, 10); }

double *list_doubles(const char *value, size_t *count) {
  double *numbers = need(malloc((value == NULL ? 1 : strlen(value) + 1) * sizeof *numbers));
  char *end;
  *count = 0;
  while (value != NULL && *value != 0) {
    numbers[(*count)++] = strtod(value, &end);
    value = *end == ' ' ? end + 1 : end;
  }
  return numbers;
}

int32_t *list_ids(const char *value, size_t *count) {
  double *numbers = list_doubles(value, count);
  int32_t *ids = need(malloc((*count + 1) * sizeof *ids));
  size_t i;
  for (i = 0; i < *count; ++i) ids[i] = (int32_t)numbers[i];
  free(numbers);
  return ids;
}

bytes list_text(const char *value) {
  bytes text;
  text.data = need(malloc(strlen(value) + 1));
  text.size = 0;
  while (*value != 0) {
    unsigned int byte = (unsigned char)*value++;
    if (byte == '\\') {
      if (sscanf(value, "x%2x", &byte) != 1) give_up("a backslash that begins no \\xNN", value);
      value += 3;
    }
    text.data[text.size++] = (char)byte;
  }
  text.data[text.size] = 0;
  return text;
}

const char *list_split(const char *entry, char name[64]) {
  const size_t size = strcspn(entry, " ");
  snprintf(name, 64, "%.*s", (int)size, entry);
  return entry[size] == 0 ? entry + size : entry + size + 1;
}
