/** @file image.h  Pictures: what a vision model takes of them, and the tokens that they are in a prompt. Needs no model with vision: the
 * defaults are those of the released Llama 4 models.
 *
 * A picture is drawn, keeping its proportions, on a canvas of tiles: the smallest grid of at most max_tiles tiles on which it keeps all its
 * pixels, else the one on which it is shrunk least. A grid of several tiles has one tile more: the whole picture, stretched. Every pixel is
 * as Hugging Face transformers makes it, or PIL. PNG, JPEG and WebP are read by the plug-in "media", which is opened when first needed;
 * without it scout_image_from_pixels remains. ICC profiles and gamma are ignored, of 16-bit samples the high byte is taken, of an animated PNG
 * the still picture is read, an animated WebP is refused, CMYK is taken for Adobe's.
 *
 * What pictures take: a handle width * height * 3 bytes until it is freed, and from its first use tiles * tile_bytes more. While it is made
 * the file's bytes and what its decoder wants come on top, and once more its pixels where they are turned or no RGB. A chat and a request
 * hold the tiles, shared with the handle, until they end, and no pixels. An engine has workspace_bytes for the vision tower, at most
 * picture_cache_bytes of features for later, and tiles * patch_tokens * 4 * width of the text model for each picture that is encoded and
 * not computed yet: those of one step, and one more. */
#ifndef SCOUT_IMAGE_H
#define SCOUT_IMAGE_H

#include "status.h"

SCOUT_BEGIN_DECLS

/** What becomes of pixels that are not opaque. */
enum scout_alpha {
  SCOUT_ALPHA_DEFAULT = 0, /**< drop */
  SCOUT_ALPHA_DROP = 1,    /**< the colour as it is stored, as Hugging Face does; where nothing shows that is often black */
  SCOUT_ALPHA_WHITE = 2    /**< over white, as Meta's code does and as most people see such a picture */
};

/** By whose rule pictures are resized. */
enum scout_resize {
  SCOUT_RESIZE_DEFAULT = 0,     /**< torchvision */
  SCOUT_RESIZE_TORCHVISION = 1, /**< weights of 16 bits, as Hugging Face */
  SCOUT_RESIZE_PIL = 2          /**< weights of 22 bits, as PIL before version 13 and so Meta's code; a level apart in a few pixels */
};

/** How a picture is read. */
typedef struct scout_image_options {
  uint32_t struct_size;
  int32_t alpha;          /**< SCOUT_ALPHA_* */
  int32_t orientation;    /**< 0 = turn as the file's EXIF says, so that it is seen as a camera showed it; 1 = leave it as it is stored;
                               2 to 8 = turn it as EXIF means by that number, whatever the file says */
  int32_t reserved;       /**< 0 */
  uint64_t max_pixels;    /**< refuse a picture with more, before it is decoded; 0 = 134217728. A side has at most 65535 */
  uint64_t max_bytes;     /**< refuse a file with more; 0 = 268435456 */
  const char *plugin_dir; /**< where the plug-in is looked for; NULL = "scout" beside libscout */
} scout_image_options;

/** How a picture is cut into tiles. */
typedef struct scout_tile_options {
  uint32_t struct_size;
  int32_t tile_side;    /**< pixels, 1 to 4096; 0 = 336 */
  int32_t max_tiles;    /**< of a grid, 1 to 256; 0 = 16; 1 = always one tile */
  int32_t patch_tokens; /**< tokens that a tile becomes, 1 to 65536; 0 = 144 */
  int32_t resize;       /**< SCOUT_RESIZE_* */
  int32_t threads;      /**< 0 = as many as the process may use; they change no pixel */
} scout_tile_options;

/** What a picture becomes. */
typedef struct scout_tiling {
  uint32_t struct_size; /**< set by the caller */
  int32_t rows;         /**< of the grid */
  int32_t columns;      /**< of the grid */
  int32_t tiles;        /**< rows * columns, and one more for the whole picture where that is more than one */
  int32_t tile_side;    /**< pixels */
  int32_t drawn_width;  /**< pixels of the canvas that the picture covers; the rest is black */
  int32_t drawn_height; /**< the same, down */
  int32_t reserved;
  uint64_t tokens;      /**< in a prompt, with the control tokens around and between the tiles */
  uint64_t tile_bytes;  /**< of one tile as scout_image_tile writes it */
} scout_tiling;

/** What a picture is. */
typedef struct scout_image_info {
  uint32_t struct_size; /**< set by the caller */
  int32_t orientation;  /**< EXIF's number by which it was turned; 1 = it was not */
  uint64_t width;       /**< pixels, once turned */
  uint64_t height;      /**< pixels, once turned */
  const char *format;   /**< "PNG", "JPEG", "WebP", "video" for a frame, or "pixels"; static */
} scout_image_info;

/** Fills in the defaults.
 * @param struct_size  sizeof(scout_image_options) as the caller knows it
 * @return SCOUT_OK, SCOUT_ERR_ARGUMENT
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_image_options_init(scout_image_options *options, uint64_t struct_size);

/** Fills in the defaults: what the released Llama 4 models take.
 * @param struct_size  sizeof(scout_tile_options) as the caller knows it
 * @return SCOUT_OK, SCOUT_ERR_ARGUMENT
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_tile_options_init(scout_tile_options *options, uint64_t struct_size);

/** Makes a picture of pixels in memory, which are copied.
 * @param pixels  rows of samples of 8 bits, channel by channel; never SCOUT_NUL for its size
 * @param width  pixels
 * @param height  pixels
 * @param stride  bytes from a row to the next; 0 = width * channels
 * @param channels  1 grey, 2 grey and alpha, 3 RGB, 4 RGBA
 * @param options  NULL = the defaults
 * @param[out] image  to be freed with scout_image_free; NULL after a failure
 * @return SCOUT_OK; SCOUT_ERR_LIMIT for too large a picture; _ARGUMENT, _UNSUPPORTED, _STATE (after fork), _NO_MEMORY
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_image_from_pixels(const char *pixels, uint64_t pixels_size, uint64_t width, uint64_t height, uint64_t stride,
                                               int32_t channels, const scout_image_options *options, scout_image **image);

/** Makes a picture of a PNG, JPEG or WebP file's bytes, told apart by how they begin. They are not needed afterwards.
 * @param bytes  the whole file; never SCOUT_NUL for its size
 * @param options  NULL = the defaults
 * @param[out] image  to be freed with scout_image_free; NULL after a failure
 * @return SCOUT_OK; SCOUT_ERR_UNSUPPORTED for another format, by its name, or when the plug-in is missing; SCOUT_ERR_LIMIT for too large a
 *   picture; _ARGUMENT, _FORMAT, _TRUNCATED, _CORRUPT, _STATE (after fork), _NO_MEMORY
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_image_from_bytes(const char *bytes, uint64_t bytes_size, const scout_image_options *options,
                                              scout_image **image);

/** Makes a picture of a PNG, JPEG or WebP file. Its name does not matter.
 * @param options  NULL = the defaults
 * @param[out] image  to be freed with scout_image_free; NULL after a failure
 * @return SCOUT_OK; SCOUT_ERR_IO when it cannot be read; as scout_image_from_bytes
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_image_from_file(const char *path, const scout_image_options *options, scout_image **image);

/** Describes a picture.
 * @param[out] info  struct_size set by the caller; members past it are not written
 * @return SCOUT_OK, SCOUT_ERR_ARGUMENT
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_image_get_info(const scout_image *image, scout_image_info *info);

/** How a model with vision wants its tiles. Members that are not the model's business are the defaults.
 * @param[out] options  struct_size set by the caller; members past it are not written
 * @return SCOUT_OK; SCOUT_ERR_STATE for a model without vision; _ARGUMENT
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_model_get_tile_options(const scout_model *model, scout_tile_options *options);

/** What a picture of a size becomes, without its pixels.
 * @param width  pixels, once turned
 * @param height  pixels, once turned
 * @param options  NULL = the defaults
 * @param[out] tiling  struct_size set by the caller; members past it are not written
 * @return SCOUT_OK; SCOUT_ERR_LIMIT for a side beyond 65535; _ARGUMENT, _UNSUPPORTED
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_tiling_of_size(uint64_t width, uint64_t height, const scout_tile_options *options, scout_tiling *tiling);

/** What a picture becomes. Nothing is computed of its pixels.
 * @param options  NULL = the defaults
 * @param[out] tiling  struct_size set by the caller; members past it are not written
 * @return SCOUT_OK, _ARGUMENT, _UNSUPPORTED
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_image_get_tiling(const scout_image *image, const scout_tile_options *options, scout_tiling *tiling);

/** The pixels of a tile, for looking at what the model sees: tile_side rows of tile_side pixels of red, green and blue. The grid's tiles
 * come row by row, the whole picture last. All tiles are made by the first call and kept until other options ask for others. Same rule for
 * the buffer as scout_encode.
 * @param options  NULL = the defaults
 * @param index  0 .. tiles - 1
 * @param[out] pixels  room for `capacity` bytes
 * @param[out] needed  bytes of a tile, always written
 * @return SCOUT_OK; SCOUT_ERR_LIMIT when capacity is too small; _ARGUMENT, _UNSUPPORTED, _NO_MEMORY
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_image_tile(const scout_image *image, const scout_tile_options *options, uint64_t index, char *pixels,
                                        uint64_t capacity, uint64_t *needed);

/** The tokens that stand for a picture in a prompt of a model. Same rule for the buffer as scout_encode.
 * @param options  NULL = the defaults
 * @param[out] ids  room for `capacity` ids
 * @param[out] needed  ids in all, always written
 * @return SCOUT_OK; SCOUT_ERR_LIMIT when capacity is too small; SCOUT_ERR_STATE when the model's tokenizer lacks a token that pictures need,
 *   naming it; _ARGUMENT, _UNSUPPORTED, _NO_MEMORY
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_image_tokens(const scout_image *image, const scout_model *model, const scout_tile_options *options,
                                          int32_t *ids, uint64_t capacity, uint64_t *needed);

/** Drops the caller's hold on a picture.
 * @threads any
 * @since 0.1 */
SCOUT_API void scout_image_free(scout_image *image);

SCOUT_END_DECLS

#endif /* SCOUT_IMAGE_H */
