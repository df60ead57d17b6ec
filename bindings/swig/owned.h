/* Options that own what they point at.
 *
 * A generated wrapper cannot keep a managed array or string alive between "set the option" and "make the call", so the option structs
 * that a wrapper makes are the first member of a larger struct that keeps copies. A setter copies; the destructor frees. All of this
 * is C99 and static: it is compiled into each language's wrapper. A setter answers 0, or -1 when there is no memory. */
#ifndef SCOUT_BINDINGS_OWNED_H
#define SCOUT_BINDINGS_OWNED_H

#include <scout/scout.h>
#include <stdlib.h>
#include <string.h>

typedef struct owned_load_options {
  scout_load_options options; /* first: a pointer to it is a pointer to the whole */
  char *device;
  char *plugin_dir;
  char *pack_path;
  char *placement;
} owned_load_options;

typedef struct owned_image_options {
  scout_image_options options;
  char *plugin_dir;
} owned_image_options;

typedef struct owned_video_options {
  scout_video_options options;
  char *plugin_dir;
} owned_video_options;

typedef struct owned_request_options {
  scout_request_options options;
  int32_t *bias_ids;
  float *bias_values;
  char **stop;
  uint64_t *stop_sizes;
  int32_t *stop_tokens;
  const scout_image **images; /* the handles themselves are the wrapper's to keep until the call */
} owned_request_options;

typedef struct owned_score_options {
  scout_score_options options;
  int64_t *positions;
  const scout_image **images;
} owned_score_options;

/* A copy of `size` bytes with a NUL behind it; NULL without memory. */
static char *owned_copy(const void *bytes, uint64_t size) {
  char *copy = size < SIZE_MAX ? (char *)malloc((size_t)size + 1) : NULL;
  if (copy == NULL) return NULL;
  if (size != 0) memcpy(copy, bytes, (size_t)size);
  copy[size] = 0;
  return copy;
}

static int owned_set_text(char **kept, const char **member, const char *text, uint64_t text_size) {
  char *copy = owned_copy(text, text_size);
  if (copy == NULL) return -1;
  free(*kept);
  *kept = copy;
  *member = copy;
  return 0;
}

static scout_load_options *owned_new_load_options(void) {
  owned_load_options *made = (owned_load_options *)calloc(1, sizeof *made);
  if (made == NULL) return NULL;
  scout_load_options_init(&made->options, sizeof made->options);
  return &made->options;
}

static void owned_free_load_options(scout_load_options *options) {
  owned_load_options *made = (owned_load_options *)options;
  if (made == NULL) return;
  free(made->device);
  free(made->plugin_dir);
  free(made->pack_path);
  free(made->placement);
  free(made);
}

static scout_image_options *owned_new_image_options(void) {
  owned_image_options *made = (owned_image_options *)calloc(1, sizeof *made);
  if (made == NULL) return NULL;
  scout_image_options_init(&made->options, sizeof made->options);
  return &made->options;
}

static void owned_free_image_options(scout_image_options *options) {
  owned_image_options *made = (owned_image_options *)options;
  if (made == NULL) return;
  free(made->plugin_dir);
  free(made);
}

static scout_video_options *owned_new_video_options(void) {
  owned_video_options *made = (owned_video_options *)calloc(1, sizeof *made);
  if (made == NULL) return NULL;
  scout_video_options_init(&made->options, sizeof made->options);
  return &made->options;
}

static void owned_free_video_options(scout_video_options *options) {
  owned_video_options *made = (owned_video_options *)options;
  if (made == NULL) return;
  free(made->plugin_dir);
  free(made);
}

static scout_tile_options *owned_new_tile_options(void) {
  scout_tile_options *made = (scout_tile_options *)calloc(1, sizeof *made);
  if (made == NULL) return NULL;
  scout_tile_options_init(made, sizeof *made);
  return made;
}

static scout_request_options *owned_new_request_options(void) {
  owned_request_options *made = (owned_request_options *)calloc(1, sizeof *made);
  if (made == NULL) return NULL;
  scout_request_options_init(&made->options, sizeof made->options);
  return &made->options;
}

static void owned_free_request_options(scout_request_options *options) {
  owned_request_options *made = (owned_request_options *)options;
  uint64_t i;
  if (made == NULL) return;
  for (i = 0; i < made->options.stop_count; ++i) free(made->stop[i]);
  free(made->stop);
  free(made->stop_sizes);
  free(made->bias_ids);
  free(made->bias_values);
  free(made->stop_tokens);
  free((void *)made->images);
  free(made);
}

static int owned_add_stop(scout_request_options *options, const char *text, uint64_t text_size) {
  owned_request_options *made = (owned_request_options *)options;
  const size_t count = (size_t)options->stop_count;
  char **stop = (char **)realloc(made->stop, (count + 1) * sizeof *stop);
  uint64_t *sizes;
  if (stop == NULL) return -1;
  made->stop = stop;
  options->stop = (const char *const *)stop;
  sizes = (uint64_t *)realloc(made->stop_sizes, (count + 1) * sizeof *sizes);
  if (sizes == NULL) return -1;
  made->stop_sizes = sizes;
  options->stop_sizes = sizes;
  stop[count] = owned_copy(text, text_size);
  if (stop[count] == NULL) return -1;
  sizes[count] = text_size;
  options->stop_count = count + 1;
  return 0;
}

static int owned_add_bias(scout_request_options *options, int32_t id, float value) {
  owned_request_options *made = (owned_request_options *)options;
  const size_t count = (size_t)options->bias_count;
  int32_t *ids = (int32_t *)realloc(made->bias_ids, (count + 1) * sizeof *ids);
  float *values;
  if (ids == NULL) return -1;
  made->bias_ids = ids;
  options->bias_ids = ids;
  values = (float *)realloc(made->bias_values, (count + 1) * sizeof *values);
  if (values == NULL) return -1;
  made->bias_values = values;
  options->bias_values = values;
  ids[count] = id;
  values[count] = value;
  options->bias_count = count + 1;
  return 0;
}

static int owned_add_stop_token(scout_request_options *options, int32_t id) {
  owned_request_options *made = (owned_request_options *)options;
  const size_t count = (size_t)options->stop_token_count;
  int32_t *ids = (int32_t *)realloc(made->stop_tokens, (count + 1) * sizeof *ids);
  if (ids == NULL) return -1;
  made->stop_tokens = ids;
  options->stop_tokens = ids;
  ids[count] = id;
  options->stop_token_count = count + 1;
  return 0;
}

static int owned_add_image(const scout_image ***kept, const scout_image *const **member, uint64_t *count, const scout_image *image) {
  const scout_image **images = (const scout_image **)realloc((void *)*kept, ((size_t)*count + 1) * sizeof *images);
  if (images == NULL) return -1;
  *kept = images;
  *member = images;
  images[(size_t)*count] = image;
  ++*count;
  return 0;
}

static scout_engine_options *owned_new_engine_options(void) {
  scout_engine_options *made = (scout_engine_options *)calloc(1, sizeof *made);
  if (made == NULL) return NULL;
  scout_engine_options_init(made, sizeof *made);
  return made;
}

static scout_score_options *owned_new_score_options(void) {
  owned_score_options *made = (owned_score_options *)calloc(1, sizeof *made);
  if (made == NULL) return NULL;
  scout_score_options_init(&made->options, sizeof made->options);
  return &made->options;
}

static void owned_free_score_options(scout_score_options *options) {
  owned_score_options *made = (owned_score_options *)options;
  if (made == NULL) return;
  free(made->positions);
  free((void *)made->images);
  free(made);
}

static int owned_add_position(scout_score_options *options, int64_t position) {
  owned_score_options *made = (owned_score_options *)options;
  const size_t count = (size_t)options->position_count;
  int64_t *positions = (int64_t *)realloc(made->positions, (count + 1) * sizeof *positions);
  if (positions == NULL) return -1;
  made->positions = positions;
  options->positions = positions;
  positions[count] = position;
  options->position_count = count + 1;
  return 0;
}

#endif /* SCOUT_BINDINGS_OWNED_H */
