/* Behaviours of clips. */
#include <stdlib.h>
#include <string.h>

#include "kinds.h"

static void video_options(const test_case *c, scout_video_options *options) {
  size_t n;
  char name[64];
  scout_video_options_init(options, sizeof *options);
  for (n = 0; n < list_times(c, "video_option"); ++n) {
    const char *value = list_split(list_nth(c, "video_option", n), name);
    const int64_t number = strtoll(value, NULL, 10);
    if (strcmp(name, "fps") == 0) options->fps = strtod(value, NULL);
    else if (strcmp(name, "scene_change") == 0) options->scene_change = strtod(value, NULL);
    else if (strcmp(name, "count") == 0) options->count = (int32_t)number;
    else if (strcmp(name, "start_us") == 0) options->start_us = number;
    else if (strcmp(name, "end_us") == 0) options->end_us = number;
    else if (strcmp(name, "orientation") == 0) options->orientation = (int32_t)number;
    else if (strcmp(name, "max_frames") == 0) options->max_frames = (int32_t)number;
    else if (strcmp(name, "max_bytes") == 0) options->max_bytes = (uint64_t)number;
    else if (strcmp(name, "max_work") == 0) options->max_work = (uint64_t)number;
    else wrong("video option %s is not known to this runner", name);
  }
}

/* The clip of a case. */
static scout_status opened(const test_case *c, scout_video **video) {
  scout_video_options options;
  const bytes clip = list_text(list_value(c, "clip"));
  scout_status status;
  video_options(c, &options);
  status = scout_video_from_bytes(clip.data, clip.size, &options, video);
  free(clip.data);
  return status;
}

/* A build without the plug-in can show none of this. */
static int missing(scout_status status) {
  return status == SCOUT_ERR_UNSUPPORTED && strstr(scout_last_error(), "plug-in") != NULL && not_applicable(scout_last_error());
}

static int32_t checksum(const test_case *c, scout_image *image) {
  scout_tile_options cut;
  char pixels[3 * 64 * 64];
  uint64_t needed = 0;
  uint32_t sum = 2166136261u;
  size_t at;
  tile_options(c, &cut);
  if (!fine(scout_image_tile(image, &cut, 0, pixels, sizeof pixels, &needed), "scout_image_tile")) return -1;
  for (at = 0; at < needed; ++at) sum = (sum ^ (unsigned char)pixels[at]) * 16777619u;
  return (int32_t)(sum & 0x7fffffff);
}

void kind_video(const test_case *c) {
  enum { MOST = 16 };
  scout_video *video = NULL;
  scout_video_info info;
  size_t told_count, time_count, sum_count, n = 0;
  int32_t *told = list_ids(list_value(c, "info"), &told_count), *times = list_ids(list_value(c, "times"), &time_count),
          *sums = list_ids(list_value(c, "checksums"), &sum_count), got_times[MOST], got_sums[MOST];
  const scout_status status = opened(c, &video);
  info.struct_size = sizeof info;
  if (!missing(status) && fine(status, "scout_video_from_bytes") && fine(scout_video_get_info(video, &info), "scout_video_get_info")) {
    const int32_t got[5] = {(int32_t)info.width, (int32_t)info.height, info.orientation, (int32_t)info.duration_us, (int32_t)info.frames};
    scout_image *image = NULL;
    int64_t time = 0;
    scout_status next = SCOUT_OK;
    same_ids("info", told, told_count, got, 5);
    near("frame_rate", strtod(list_value(c, "frame_rate"), NULL), info.frame_rate, 1e-6);
    same_text("container", list_value(c, "container"), info.container, strlen(info.container));
    same_text("codec", list_value(c, "codec"), info.codec, strlen(info.codec));
    while (n < MOST && (next = scout_video_next(video, &image, &time)) == SCOUT_OK) {
      scout_image_info about;
      about.struct_size = sizeof about;
      if (fine(scout_image_get_info(image, &about), "scout_image_get_info") && strcmp(about.format, "video") != 0) wrong("format %s", about.format);
      got_times[n] = (int32_t)time;
      got_sums[n++] = checksum(c, image);
      scout_image_free(image);
    }
    if (next != SCOUT_DONE || scout_video_next(video, &image, &time) != SCOUT_DONE) wrong("the end is not where it should be: %d", (int)next);
    same_ids("times", times, time_count, got_times, n);
    same_ids("checksums", sums, sum_count, got_sums, n);
  }
  scout_video_free(video);
  free(told);
  free(times);
  free(sums);
}

void kind_error_video(const test_case *c) {
  const char *call = list_value(c, "call");
  scout_video *video = NULL;
  scout_image *image = NULL;
  scout_chat *chat = NULL;
  scout_video_options options;
  uint64_t frames = 0;
  int64_t time = 0;
  scout_status status;
  video_options(c, &options);
  status = strcmp(call, "file") == 0 ? scout_video_open(list_value(c, "path"), &options, &video) : opened(c, &video);
  if (status == SCOUT_OK && strcmp(call, "next") == 0) {
    while ((status = scout_video_next(video, &image, &time)) == SCOUT_OK) scout_image_free(image);
  } else if (status == SCOUT_OK && strcmp(call, "cancelled") == 0) {
    fine(scout_video_cancel(video), "scout_video_cancel");
    status = scout_video_next(video, &image, &time);
  } else if (status == SCOUT_OK && strcmp(call, "closed") == 0) {
    scout_video_free(video);
    status = scout_video_next(video, &image, &time);
    video = NULL;
  } else if (status == SCOUT_OK && strncmp(call, "chat", 4) == 0 && fine(scout_chat_new(g_model, &chat), "scout_chat_new") &&
             fine(scout_chat_begin(chat, SCOUT_ROLE_USER), "scout_chat_begin")) {
    if (strcmp(call, "chat") == 0) {
      status = scout_chat_add_video(chat, video, &frames);
    } else if (fine(scout_video_next(video, &image, &time), "scout_video_next")) {
      status = scout_chat_add_frame(chat, image, time, 0);
      scout_image_free(image);
    }
  } else if (status == SCOUT_OK && strcmp(call, "bytes") != 0) {
    wrong("the call %s is not known to this runner", call);
  }
  if (!missing(status)) refused(c, status);
  scout_chat_free(chat);
  scout_video_free(video);
}
