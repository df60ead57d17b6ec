/* Behaviours of pictures. */
#include <stdlib.h>
#include <string.h>

#include "kinds.h"

enum { MAX_PARTS = 16 };

static void image_options(const test_case *c, scout_image_options *options) {
  size_t n;
  char name[64];
  scout_image_options_init(options, sizeof *options);
  for (n = 0; n < list_times(c, "image_option"); ++n) {
    const char *value = list_split(list_nth(c, "image_option", n), name);
    const int64_t number = strtoll(value, NULL, 10);
    if (strcmp(name, "alpha") == 0) options->alpha = (int32_t)number;
    else if (strcmp(name, "orientation") == 0) options->orientation = (int32_t)number;
    else if (strcmp(name, "max_pixels") == 0) options->max_pixels = (uint64_t)number;
    else if (strcmp(name, "max_bytes") == 0) options->max_bytes = (uint64_t)number;
    else wrong("image option %s is not known to this runner", name);
  }
}

void tile_options(const test_case *c, scout_tile_options *options) {
  size_t n;
  char name[64];
  scout_tile_options_init(options, sizeof *options);
  for (n = 0; n < list_times(c, "tile_option"); ++n) {
    const char *value = list_split(list_nth(c, "tile_option", n), name);
    const int32_t number = (int32_t)strtol(value, NULL, 10);
    if (strcmp(name, "tile_side") == 0) options->tile_side = number;
    else if (strcmp(name, "max_tiles") == 0) options->max_tiles = number;
    else if (strcmp(name, "patch_tokens") == 0) options->patch_tokens = number;
    else if (strcmp(name, "resize") == 0) options->resize = number;
    else if (strcmp(name, "threads") == 0) options->threads = number;
    else wrong("tile option %s is not known to this runner", name);
  }
}

/* A picture of numbers: width, height, channels and seed. `bytes` of them are given, all when that is negative. */
static scout_status picture(const char *value, int64_t given, uint64_t stride, const scout_image_options *options, scout_image **image) {
  size_t count;
  int32_t *numbers = list_ids(value, &count);
  const uint64_t width = (uint64_t)numbers[0], height = (uint64_t)numbers[1];
  const uint64_t size = width * height * (uint64_t)numbers[2];
  uint32_t seed = (uint32_t)numbers[3];
  char *pixels = malloc((size_t)size + 1);
  uint64_t i;
  scout_status status;
  for (i = 0; i < size; ++i) pixels[i] = (char)((seed = seed * 1664525u + 1013904223u) >> 24);
  status = scout_image_from_pixels(pixels, given < 0 ? size : (uint64_t)given, width, height, stride, numbers[2], options, image);
  free(pixels);
  free(numbers);
  return status;
}

static void same_grid(const test_case *c, const scout_tiling *t) {
  size_t count;
  int32_t *expected = list_ids(list_value(c, "grid"), &count);
  const int32_t got[6] = {t->rows, t->columns, t->tiles, t->drawn_width, t->drawn_height, (int32_t)t->tokens};
  same_ids("grid", expected, count, got, 6);
  free(expected);
}

void kind_image(const test_case *c) {
  scout_image_options options;
  scout_tile_options cut;
  scout_image_info info;
  scout_tiling tiling;
  scout_image *image = NULL;
  size_t count, info_count, i, at;
  int32_t *sums = list_ids(list_value(c, "checksums"), &count), *told = list_ids(list_value(c, "info"), &info_count);
  image_options(c, &options);
  tile_options(c, &cut);
  info.struct_size = sizeof info;
  tiling.struct_size = sizeof tiling;
  if (fine(picture(list_value(c, "picture"), -1, 0, &options, &image), "scout_image_from_pixels") &&
      fine(scout_image_get_info(image, &info), "scout_image_get_info") &&
      fine(scout_image_get_tiling(image, &cut, &tiling), "scout_image_get_tiling")) {
    const int32_t got[3] = {(int32_t)info.width, (int32_t)info.height, info.orientation};
    char *pixels = malloc((size_t)tiling.tile_bytes);
    same_ids("info", told, info_count, got, 3);
    same_text("format", list_value(c, "format"), info.format, strlen(info.format));
    same_grid(c, &tiling);
    if ((size_t)tiling.tiles != count) wrong("%d tiles", (int)tiling.tiles);
    for (i = 0; i < count; ++i) {
      uint64_t needed = 0;
      uint32_t sum = 2166136261u;
      if (!fine(scout_image_tile(image, &cut, i, pixels, tiling.tile_bytes, &needed), "scout_image_tile")) break;
      if (needed != tiling.tile_bytes) wrong("needed is %llu", (unsigned long long)needed);
      for (at = 0; at < tiling.tile_bytes; ++at) sum = (sum ^ (unsigned char)pixels[at]) * 16777619u;
      if ((int32_t)(sum & 0x7fffffff) != sums[i]) wrong("checksum of tile %zu: %d expected, %u came", i, (int)sums[i], (unsigned)(sum & 0x7fffffff));
    }
    free(pixels);
  }
  scout_image_free(image);
  free(told);
  free(sums);
}

void kind_tiling(const test_case *c) {
  scout_tile_options cut;
  scout_tiling tiling;
  size_t count;
  int32_t *size = list_ids(list_value(c, "size"), &count);
  tile_options(c, &cut);
  tiling.struct_size = sizeof tiling;
  if (fine(scout_tiling_of_size((uint64_t)size[0], (uint64_t)size[1], &cut, &tiling), "scout_tiling_of_size")) same_grid(c, &tiling);
  free(size);
}

void kind_image_tokens(const test_case *c) {
  scout_tile_options cut;
  scout_image *image = NULL;
  size_t count;
  uint64_t needed = 0;
  int32_t *ids = list_ids(list_value(c, "ids"), &count), *got = calloc(count + 1, sizeof *got);
  tile_options(c, &cut);
  if (fine(picture(list_value(c, "picture"), -1, 0, NULL, &image), "scout_image_from_pixels") &&
      fine(scout_image_tokens(image, g_model, &cut, got, count, &needed), "scout_image_tokens"))
    same_ids("ids", ids, count, got, (size_t)needed);
  scout_image_free(image);
  free(got);
  free(ids);
}

void kind_chat_image(const test_case *c) {
  scout_load_options options;
  scout_model *model = NULL;
  scout_chat *chat = NULL;
  scout_image *images[MAX_PARTS] = {NULL};
  scout_status status = SCOUT_OK;
  size_t n, count;
  uint64_t needed = 0;
  char what[64];
  scout_load_options_init(&options, sizeof options);
  options.vision = 1;
  if (fine(scout_load("scout-tiny", &options, &model), "scout_load") && fine(scout_chat_new(model, &chat), "scout_chat_new") &&
      fine(scout_chat_begin(chat, SCOUT_ROLE_USER), "scout_chat_begin")) {
    for (n = 0; n < list_times(c, "part") && n < MAX_PARTS && status == SCOUT_OK; ++n) {
      const char *value = list_split(list_nth(c, "part", n), what);
      if (strcmp(what, "picture") == 0) {
        fine(picture(value, -1, 0, NULL, &images[n]), "scout_image_from_pixels");
        status = scout_chat_add_image(chat, images[n]);
      } else {
        const bytes text = list_text(value);
        status = scout_chat_add_text(chat, text.data, text.size);
        free(text.data);
      }
    }
    for (n = 0; n < MAX_PARTS; ++n) scout_image_free(images[n]); /* the chat keeps what it needs */
    if (list_times(c, "status") != 0) {
      refused(c, status);
    } else if (fine(status, "a part")) {
      int32_t *ids = list_ids(list_value(c, "prompt_ids"), &count), *got = calloc(count + 1, sizeof *got);
      if (fine(scout_chat_tokens(chat, got, count, &needed), "scout_chat_tokens")) same_ids("prompt_ids", ids, count, got, (size_t)needed);
      free(got);
      free(ids);
    }
  }
  scout_chat_free(chat);
  scout_free(model);
}

void kind_error_image(const test_case *c) {
  const char *call = list_value(c, "call");
  scout_image_options options;
  scout_tile_options cut;
  scout_image *image = NULL;
  scout_chat *chat = NULL;
  scout_tiling tiling;
  uint64_t needed = 0;
  scout_status status = SCOUT_OK;
  image_options(c, &options);
  tile_options(c, &cut);
  tiling.struct_size = sizeof tiling;
  if (strcmp(call, "pixels") == 0) {
    status = picture(list_value(c, "picture"), list_times(c, "count") ? list_number(c, "count") : -1,
                     list_times(c, "stride") ? (uint64_t)list_number(c, "stride") : 0, &options, &image);
  } else if (strcmp(call, "bytes") == 0) {
    const bytes file = list_text(list_value(c, "bytes"));
    status = scout_image_from_bytes(file.data, file.size, &options, &image);
    free(file.data);
  } else if (strcmp(call, "file") == 0) {
    status = scout_image_from_file(list_value(c, "path"), &options, &image);
  } else if (strcmp(call, "tiling") == 0) {
    size_t count;
    int32_t *size = list_ids(list_value(c, "size"), &count);
    status = scout_tiling_of_size((uint64_t)size[0], (uint64_t)size[1], &cut, &tiling);
    free(size);
  } else if (fine(picture(list_value(c, "picture"), -1, 0, NULL, &image), "scout_image_from_pixels")) {
    if (strcmp(call, "tile") == 0) {
      status = scout_image_tile(image, &cut, (uint64_t)list_number(c, "index"), NULL, 0, &needed);
    } else if (strcmp(call, "closed") == 0) {
      scout_image_free(image);
      status = scout_image_get_tiling(image, &cut, &tiling);
      image = NULL;
    } else if (strcmp(call, "chat") == 0 && fine(scout_chat_new(g_model, &chat), "scout_chat_new") &&
               fine(scout_chat_begin(chat, SCOUT_ROLE_USER), "scout_chat_begin")) {
      status = scout_chat_add_image(chat, image);
    } else {
      wrong("the call %s is not known to this runner", call);
    }
  }
  refused(c, status);
  scout_chat_free(chat);
  scout_image_free(image);
}
