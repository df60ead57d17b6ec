/* libscout for SWIG: the public header, and nothing else.
 *
 * generate.sh runs SWIG for the languages whose generated code is kept; others: swig -ruby -I../../include scout.i
 *
 * What a language module gets:
 *   - every function of the header under its own name; handles are opaque pointers, NULL stands for "none" and gets a status;
 *   - text and token ids as bytes and length, in and out: no NUL-terminated text except paths and names;
 *   - options that own what they point at (owned.h), made with the defaults filled in;
 *   - descriptions (scout_model_info ...) made with their struct_size filled in;
 *   - a failing call's message taken in the same native call.
 * No callbacks, no directors, no exceptions of C++. A language's typemaps lie in <language>.i beside this file; a language without one
 * gets SWIG's own for plain pointers, which is enough for scripts and not for a package. */
%module scout

%{
#include "owned.h"
%}

%include <stdint.i>

/* Left out: a log sink is a callback from foreign threads. The macros are C's way of saying -1. */
%ignore scout_log_set_sink;
%ignore scout_log_sink;
%ignore SCOUT_NUL;
%ignore SCOUT_WAIT;

/* struct_size is the wrapper's business. */
%ignore struct_size;
%ignore reserved;
%ignore scout_load_options_init;
%ignore scout_engine_options_init;
%ignore scout_request_options_init;
%ignore scout_score_options_init;
%ignore scout_image_options_init;
%ignore scout_tile_options_init;
%ignore scout_video_options_init;

/* Pointers inside options are set by the functions below, which copy. */
%ignore scout_load_options::device;
%ignore scout_load_options::plugin_dir;
%ignore scout_load_options::pack_path;
%ignore scout_load_options::placement;
%ignore scout_request_options::bias_ids;
%ignore scout_request_options::bias_values;
%ignore scout_request_options::bias_count;
%ignore scout_request_options::stop;
%ignore scout_request_options::stop_sizes;
%ignore scout_request_options::stop_count;
%ignore scout_request_options::stop_tokens;
%ignore scout_request_options::stop_token_count;
%ignore scout_score_options::positions;
%ignore scout_score_options::position_count;
%ignore scout_request_options::images;
%ignore scout_request_options::image_count;
%ignore scout_score_options::images;
%ignore scout_score_options::image_count;
%ignore scout_image_options::plugin_dir;
%ignore scout_video_options::plugin_dir;

/* Texts that the library fills in are only read. */
%immutable scout_device_info::name;
%immutable scout_device_info::description;
%immutable scout_model_info::architecture;
%immutable scout_model_info::name;
%immutable scout_model_info::version;
%immutable scout_model_info::device;
%immutable scout_model_info::rope_scaling;
%immutable scout_model_info::placement;
%immutable scout_model_device::name;
%immutable scout_model_device::description;
%immutable scout_tensor_info::name;
%immutable scout_tensor_info::format;
%immutable scout_image_info::format;
%immutable scout_video_info::container;
%immutable scout_video_info::codec;
%immutable scout_video_info::decoder;
%immutable scout_video_info::library;
%nodefaultctor scout_event;
%nodefaultdtor scout_event;
%nodefaultctor scout_score_block;
%nodefaultdtor scout_score_block;

%extend scout_load_options {
  scout_load_options() { return owned_new_load_options(); }
  ~scout_load_options() { owned_free_load_options($self); }
  int set_device(const char *text, uint64_t text_size) {
    return owned_set_text(&((owned_load_options *)$self)->device, &$self->device, text, text_size);
  }
  int set_plugin_dir(const char *text, uint64_t text_size) {
    return owned_set_text(&((owned_load_options *)$self)->plugin_dir, &$self->plugin_dir, text, text_size);
  }
  int set_pack_path(const char *text, uint64_t text_size) {
    return owned_set_text(&((owned_load_options *)$self)->pack_path, &$self->pack_path, text, text_size);
  }
  int set_placement(const char *text, uint64_t text_size) {
    return owned_set_text(&((owned_load_options *)$self)->placement, &$self->placement, text, text_size);
  }
}
%extend scout_engine_options {
  scout_engine_options() { return owned_new_engine_options(); }
}
%extend scout_request_options {
  scout_request_options() { return owned_new_request_options(); }
  ~scout_request_options() { owned_free_request_options($self); }
  int add_stop(const char *text, uint64_t text_size) { return owned_add_stop($self, text, text_size); }
  int add_stop_token(int32_t id) { return owned_add_stop_token($self, id); }
  int add_bias(int32_t id, float value) { return owned_add_bias($self, id, value); }
  int add_image(const scout_image *image) {
    return owned_add_image(&((owned_request_options *)$self)->images, &$self->images, &$self->image_count, image);
  }
}
%extend scout_score_options {
  scout_score_options() { return owned_new_score_options(); }
  ~scout_score_options() { owned_free_score_options($self); }
  int add_position(int64_t position) { return owned_add_position($self, position); }
  int add_image(const scout_image *image) {
    return owned_add_image(&((owned_score_options *)$self)->images, &$self->images, &$self->image_count, image);
  }
}
%extend scout_image_options {
  scout_image_options() { return owned_new_image_options(); }
  ~scout_image_options() { owned_free_image_options($self); }
  int set_plugin_dir(const char *text, uint64_t text_size) {
    return owned_set_text(&((owned_image_options *)$self)->plugin_dir, &$self->plugin_dir, text, text_size);
  }
}
%extend scout_tile_options {
  scout_tile_options() { return owned_new_tile_options(); }
}
%extend scout_video_options {
  scout_video_options() { return owned_new_video_options(); }
  ~scout_video_options() { owned_free_video_options($self); }
  int set_plugin_dir(const char *text, uint64_t text_size) {
    return owned_set_text(&((owned_video_options *)$self)->plugin_dir, &$self->plugin_dir, text, text_size);
  }
}
%define SCOUT_DESCRIPTION(type)
%extend type {
  type() {
    type *made = (type *)calloc(1, sizeof *made);
    if (made != NULL) made->struct_size = sizeof *made;
    return made;
  }
}
%enddef
SCOUT_DESCRIPTION(scout_model_info)
SCOUT_DESCRIPTION(scout_tensor_info)
SCOUT_DESCRIPTION(scout_device_info)
SCOUT_DESCRIPTION(scout_model_device)
SCOUT_DESCRIPTION(scout_engine_stats)
SCOUT_DESCRIPTION(scout_image_info)
SCOUT_DESCRIPTION(scout_tiling)
SCOUT_DESCRIPTION(scout_video_info)

%include "shape.i"

#if defined(SWIGPYTHON)
%include "python.i"
#elif defined(SWIGJAVA)
%include "java.i"
#elif defined(SWIGCSHARP)
%include "csharp.i"
#endif

%include <scout/types.h>
%include <scout/version.h>
%include <scout/status.h>
%include <scout/device.h>
%include <scout/model.h>
%include <scout/tokenizer.h>
%include <scout/image.h>
%include <scout/chat.h>
%include <scout/video.h>
%include <scout/request.h>
%include <scout/engine.h>
%include <scout/score.h>
%include <scout/log.h>

/* scout_generate for a text with a size, which may hold a NUL. */
%inline %{
static scout_status scout_generate_text(scout_model *model, const char *text, uint64_t text_size, const scout_request_options *options,
                                        scout_request **request) {
  scout_engine *engine = NULL;
  scout_status status = scout_model_engine(model, &engine);
  if (status != SCOUT_OK) return status;
  status = scout_submit_text(engine, text, text_size, options, request);
  scout_engine_free(engine); /* of the handle: the engine is the model's */
  return status;
}
%}
