/** @file video.h  Video: frames of a clip as pictures, each with its time. Needs no model.
 *
 * MP4, QuickTime, Matroska and WebM with H.264, HEVC, VP8, VP9, AV1 or MJPEG are read by the plug-in "video", over FFmpeg's libraries, which
 * is opened when first needed; anything else is refused before a decoder is opened. Nothing is read but the clip itself: no network, no
 * playlist, no other file. Without the plug-in frames that the caller has as pixels remain: scout_image_from_pixels and
 * scout_chat_add_frame.
 *
 * Llama 4 has no tokens for video: a clip is a row of pictures, one tile each unless more are asked for, and directly before each stands its
 * time as text, "[1.0 s]". That text is libscout's own design.
 *
 * Frames are turned as the clip's display matrix says, stretched where its pixels are not square, and converted by the clip's own colour
 * matrix and range to full-range RGB; wide gamuts and HDR curves are not mapped. FFmpeg has one log for the whole process: once a clip was
 * opened it goes to libscout's. */
#ifndef SCOUT_VIDEO_H
#define SCOUT_VIDEO_H

#include "status.h"

SCOUT_BEGIN_DECLS

/** Which frames are taken of a clip, and what a clip may cost. */
typedef struct scout_video_options {
  uint32_t struct_size;
  int32_t count;           /**< frames in all, evenly from the beginning on; 0 = by fps */
  double fps;              /**< frames a second, up to 1000, not with count; 0 = 1. A frame that is chosen twice is taken once */
  double scene_change;     /**< of these, only frames that differ from the last taken by at least so many percent of the most they could,
                                averaged over 16 x 16 fields; 0 = all, up to 100. A cut is often 10 and more */
  int64_t start_us;        /**< where the part to take begins, microseconds from the clip's start */
  int64_t end_us;          /**< where it ends; 0 = with the clip */
  int32_t max_tiles;       /**< of a frame in a chat, 1 to 256; 0 = 1 */
  int32_t orientation;     /**< 0 = turn as the clip says; 1 = leave it as it is stored; 2 to 8 = turn it as EXIF means by that number */
  int32_t threads;         /**< of the decoder, up to 64; 0 = as many as the process may use, at most 8; they change no pixel */
  int32_t max_frames;      /**< refuse a choice of more; 0 = 256 */
  int64_t max_duration_us; /**< refuse a longer clip; 0 = four hours */
  uint64_t max_bytes;      /**< refuse a larger clip; 0 = 4294967296 */
  uint64_t max_pixels;     /**< refuse a clip with larger frames, before one is decoded; 0 = 35389440, as 8192 x 4320 has */
  uint64_t max_work;       /**< pixels decoded in all, those of frames that are not taken included; 0 = 274877906944 */
  const char *plugin_dir;  /**< where the plug-in is looked for; NULL = "scout" beside libscout */
} scout_video_options;

/** What a clip is. */
typedef struct scout_video_info {
  uint32_t struct_size;  /**< set by the caller */
  int32_t orientation;   /**< EXIF's number by which frames are turned; 1 = they are not */
  uint64_t width;        /**< of a frame, once turned, in pixels */
  uint64_t height;       /**< of a frame, once turned, in pixels */
  int64_t duration_us;   /**< microseconds */
  double frame_rate;     /**< frames a second of the clip; 0 = it does not say */
  uint64_t frames;       /**< that are chosen; as many come, or fewer */
  const char *container; /**< "MP4", "QuickTime", "Matroska" or "WebM"; static */
  const char *codec;     /**< "H.264", "HEVC", "VP8", "VP9", "AV1" or "MJPEG"; static */
  const char *decoder;   /**< FFmpeg's name of the decoder; static */
  const char *library;   /**< FFmpeg's versions and the licence that its build is under; static */
} scout_video_info;

/** Fills in the defaults: a frame a second.
 * @param struct_size  sizeof(scout_video_options) as the caller knows it
 * @return SCOUT_OK, SCOUT_ERR_ARGUMENT
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_video_options_init(scout_video_options *options, uint64_t struct_size);

/** Opens a clip: checks its container and codec, and decodes its first frame. The file's name does not matter; it stays open.
 * @param options  NULL = the defaults
 * @param[out] video  to be freed with scout_video_free; NULL after a failure
 * @return SCOUT_OK; SCOUT_ERR_UNSUPPORTED for another container or codec, by its name, for a network address, or when the plug-in is
 *   missing; SCOUT_ERR_LIMIT for a clip or a choice past a limit of the options, naming it; _ARGUMENT, _FORMAT, _TRUNCATED, _IO, _STATE
 *   (after fork), _NO_MEMORY
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_video_open(const char *path, const scout_video_options *options, scout_video **video);

/** Opens a clip in memory, which is copied.
 * @param bytes  the whole file; never SCOUT_NUL for its size
 * @param options  NULL = the defaults
 * @param[out] video  to be freed with scout_video_free; NULL after a failure
 * @return as scout_video_open
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_video_from_bytes(const char *bytes, uint64_t bytes_size, const scout_video_options *options,
                                              scout_video **video);

/** Describes a clip.
 * @param[out] info  struct_size set by the caller; members past it are not written
 * @return SCOUT_OK, SCOUT_ERR_ARGUMENT
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_video_get_info(const scout_video *video, scout_video_info *info);

/** The next of the frames that the options chose, in the order of their times. It is a picture like any other; in a chat it takes at most
 * max_tiles tiles. After a failure the video gives no more frames: every further call fails as the first did.
 * @param[out] image  to be freed with scout_image_free; NULL after a failure and at the end
 * @param[out] time_us  when the frame is shown, microseconds from the clip's start; not written without a frame
 * @return SCOUT_OK; SCOUT_DONE at the end; SCOUT_ERR_FORMAT for a damaged frame, naming its time; SCOUT_ERR_LIMIT when max_work is
 *   reached; SCOUT_ERR_CANCELLED; _ARGUMENT, _UNSUPPORTED, _TRUNCATED, _IO, _STATE (another thread is inside), _NO_MEMORY
 * @threads one at a time for a video
 * @since 0.1 */
SCOUT_API scout_status scout_video_next(scout_video *video, scout_image **image, int64_t *time_us);

/** Ends the call under way on a video, soon, and those that follow with SCOUT_ERR_CANCELLED.
 * @return SCOUT_OK, SCOUT_ERR_ARGUMENT
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_video_cancel(scout_video *video);

/** Frees a video. The pictures that it gave remain. A call on it that is under way in another thread is cancelled.
 * @threads any
 * @since 0.1 */
SCOUT_API void scout_video_free(scout_video *video);

/** Adds the frames of a video that were not taken yet to the message that scout_chat_begin began, each with its time before it: the same as
 * scout_video_next and scout_chat_add_frame in turn. After a failure the message is as before.
 * @param[out] frames  how many were added
 * @return SCOUT_OK; SCOUT_ERR_UNSUPPORTED when the model was loaded without a vision tower, saying why; SCOUT_ERR_STATE when no message is
 *   begun; SCOUT_ERR_LIMIT for more pictures than a chat may hold; as scout_video_next and scout_chat_add_image
 * @threads one at a time for a chat and for the video
 * @since 0.1 */
SCOUT_API scout_status scout_chat_add_video(scout_chat *chat, scout_video *video, uint64_t *frames);

/** Adds a frame to the message that scout_chat_begin began: the text "[1.0 s]" with its time, in tenths, and directly behind it the picture.
 * @param image  any picture, made of pixels or of a clip
 * @param time_us  from the clip's start, microseconds, at least 0
 * @param max_tiles  of the picture, 1 to 256; 0 = 1
 * @return as scout_chat_add_image
 * @threads one at a time for a chat
 * @since 0.1 */
SCOUT_API scout_status scout_chat_add_frame(scout_chat *chat, const scout_image *image, int64_t time_us, int32_t max_tiles);

SCOUT_END_DECLS

#endif /* SCOUT_VIDEO_H */
