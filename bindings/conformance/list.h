/* The list of behaviours in its line form: see README.md. */
#ifndef CONFORMANCE_LIST_H
#define CONFORMANCE_LIST_H

#include <stddef.h>
#include <stdint.h>

typedef struct bytes {
  char *data; /* and a NUL past the end */
  size_t size;
} bytes;

typedef struct line {
  const char *key, *value; /* as written */
} line;

typedef struct test_case {
  const char *name;
  line *lines;
  size_t count;
} test_case;

/* All cases of a file; exits with a sentence when it cannot be read. */
test_case *list_read(const char *path, size_t *count);

/* The n-th value of a key; NULL when there are fewer. */
const char *list_nth(const test_case *c, const char *key, size_t n);
size_t list_times(const test_case *c, const char *key);
/* The value of a key that must be there. */
const char *list_value(const test_case *c, const char *key);
int64_t list_number(const test_case *c, const char *key);
/* Numbers of a line; *count is 0 when the key is absent or empty. */
int32_t *list_ids(const char *value, size_t *count);
double *list_doubles(const char *value, size_t *count);
/* Name and value of "name value". */
const char *list_split(const char *entry, char name[64]);
/* \xNN undone. */
bytes list_text(const char *value);

#endif
