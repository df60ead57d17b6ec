#include <scout/image.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "api/arguments.h"
#include "api/boundary.h"
#include "api/image_object.h"
#include "api/objects.h"
#include "api/options.h"
#include "base/cpu_features.h"
#include "base/thread_pool.h"
#include "io/file_reader.h"
#include "media/media_file.h"
#include "prompt/image_tokens.h"

namespace scout::api {
namespace {

constexpr size_t kFirstImageOptions = 40, kFirstTileOptions = 24;  // sizes of the structs in 0.1
constexpr int32_t kMostThreads = 1024;
constexpr int64_t kPixelsOfOneThread = int64_t{1} << 18;  // a smaller picture is done before another thread is awake

scout_image_options DefaultImageOptions() {
  scout_image_options options = {};
  options.struct_size = sizeof options;
  return options;
}

scout_tile_options DefaultTileOptions() {
  scout_tile_options options = {};
  options.struct_size = sizeof options;
  return options;
}

struct ImageRequest {
  prompt::PixelOptions pixels;  // orientation 0: as the file says
  uint64_t max_bytes = 0;
  std::string plugin_dir;
};

ImageRequest ReadImageOptions(const scout_image_options* options) {
  const scout_image_options given = ReadOptions(options, DefaultImageOptions(), kFirstImageOptions, "scout_image_options");
  NeedRange(given.alpha, SCOUT_ALPHA_DEFAULT, SCOUT_ALPHA_WHITE, "alpha");
  NeedRange(given.orientation, 0, 8, "orientation");
  if (given.reserved != 0) Fail(ErrorCode::kUnsupported, "reserved is ", given.reserved, ", must be 0");
  if (given.max_pixels > static_cast<uint64_t>(prompt::kHighestMaxPixels))
    Fail(ErrorCode::kArgument, "max_pixels is ", given.max_pixels, ", at most ", prompt::kHighestMaxPixels);
  ImageRequest request;
  request.pixels.alpha = given.alpha == SCOUT_ALPHA_WHITE ? prompt::AlphaRule::kWhite : prompt::AlphaRule::kDrop;
  request.pixels.orientation = given.orientation;
  request.pixels.max_pixels = given.max_pixels == 0 ? prompt::kDefaultMaxPixels : static_cast<int64_t>(given.max_pixels);
  request.max_bytes = given.max_bytes == 0 ? media::kDefaultMaxFileBytes : given.max_bytes;
  if (given.plugin_dir != nullptr) request.plugin_dir = given.plugin_dir;
  return request;
}

std::string_view BinaryOf(const char* bytes, uint64_t size, std::string_view name) {
  if (size == SCOUT_NUL) Fail(ErrorCode::kArgument, name, "_size is SCOUT_NUL: bytes that may be 0 have no end mark");
  return TextOf(bytes, size, name);
}

int64_t Side(uint64_t side) { return static_cast<int64_t>(std::min<uint64_t>(side, INT64_MAX)); }

scout_image* MakeImage(prompt::RgbImage image, int orientation, const char* format) {
  auto made = std::make_shared<ImageObject>();
  made->image = std::move(image);
  made->orientation = orientation;
  made->format = format;
  return Make<scout_image>(std::move(made));
}

// The decoder's own memory where it is what we keep; a copy where something is to be turned or dropped.
prompt::RgbImage ImageOf(media::Picture picture, const prompt::PixelOptions& options) {
  static_assert(media::kPictureTail >= prompt::RgbImage::kTail);
  if (picture.channels == 3 && options.orientation == 1) return {picture.width, picture.height, std::move(picture.pixels)};
  return prompt::MakeRgbImage(
      {.data = picture.pixels.get(), .width = picture.width, .height = picture.height, .channels = picture.channels}, options);
}

scout_image* ImageFromBytes(std::string_view bytes, const ImageRequest& request) {
  if (bytes.size() > request.max_bytes)
    Fail(ErrorCode::kLimit, "the picture has ", bytes.size(), " bytes, at most ", request.max_bytes, " (max_bytes)");
  const media::MediaFile file({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, request.plugin_dir);
  prompt::CheckImageSize(file.header().width, file.header().height, request.pixels.max_pixels);
  prompt::PixelOptions options = request.pixels;
  if (options.orientation == 0) options.orientation = static_cast<int>(file.header().orientation);
  return MakeImage(ImageOf(file.Decode(), options), options.orientation, file.format());
}

scout_tiling TilingOf(prompt::ImageSize size, const prompt::TileRules& rules) {
  const prompt::TileGrid grid = prompt::ChooseGrid(size, rules);
  const prompt::ImageSize drawn = prompt::FitOnGrid(size, grid, rules);
  scout_tiling tiling = {};
  tiling.rows = static_cast<int32_t>(grid.rows);
  tiling.columns = static_cast<int32_t>(grid.columns);
  tiling.tiles = static_cast<int32_t>(grid.tiles());
  tiling.tile_side = static_cast<int32_t>(rules.tile_side);
  tiling.drawn_width = static_cast<int32_t>(drawn.width);
  tiling.drawn_height = static_cast<int32_t>(drawn.height);
  tiling.tokens = static_cast<uint64_t>(prompt::ImageTokenCount(grid, rules.patch_tokens));
  tiling.tile_bytes = static_cast<uint64_t>(3 * rules.tile_side * rules.tile_side);
  return tiling;
}

// [side, side, 3] of [3, side, side]
std::vector<char> Interleaved(std::span<const uint8_t> planes) {
  const size_t plane = planes.size() / 3;
  std::vector<char> out(planes.size());
  for (size_t i = 0; i < plane; ++i) {
    for (size_t c = 0; c < 3; ++c) out[3 * i + c] = static_cast<char>(planes[c * plane + i]);
  }
  return out;
}

}  // namespace

TileRequest ReadTileOptions(const scout_tile_options* options) {
  const scout_tile_options given = ReadOptions(options, DefaultTileOptions(), kFirstTileOptions, "scout_tile_options");
  NeedRange(given.tile_side, 0, prompt::kMaxTileSide, "tile_side");
  NeedRange(given.max_tiles, 0, prompt::kMaxGridTiles, "max_tiles");
  NeedRange(given.patch_tokens, 0, prompt::kMaxPatchTokens, "patch_tokens");
  NeedRange(given.resize, SCOUT_RESIZE_DEFAULT, SCOUT_RESIZE_PIL, "resize");
  NeedRange(given.threads, 0, kMostThreads, "threads");
  TileRequest request;
  if (given.tile_side != 0) request.rules.tile_side = given.tile_side;
  if (given.max_tiles != 0) request.rules.max_tiles = given.max_tiles;
  if (given.patch_tokens != 0) request.rules.patch_tokens = given.patch_tokens;
  if (given.resize == SCOUT_RESIZE_PIL) request.resize = prompt::ResizeRule::kPil;
  request.threads = given.threads;
  return request;
}

std::shared_ptr<const prompt::ImageTiles> ImageObject::Tiles(const TileRequest& request) const {
  const std::lock_guard lock(mutex_);
  const auto same = [&] {
    return made_for_.rules.tile_side == request.rules.tile_side && made_for_.rules.max_tiles == request.rules.max_tiles &&
           made_for_.resize == request.resize;
  };
  if (tiles_ == nullptr || !same()) {
    const int threads = image.width() * image.height() < kPixelsOfOneThread ? 1
                        : request.threads == 0                              ? UsableThreads()
                                                                            : request.threads;
    const std::shared_ptr<ThreadPool> pool = threads > 1 ? ThreadPool::Shared(threads) : nullptr;
    tiles_ =
        std::make_shared<const prompt::ImageTiles>(prompt::MakeTiles(image, request.rules, request.resize, pool.get(), threads));
    made_for_ = request;
    key_.reset();
  }
  return tiles_;
}

}  // namespace scout::api

using namespace scout::api;
using scout::ErrorCode;
using scout::Fail;

scout_status scout_image_options_init(scout_image_options* options, uint64_t struct_size) {
  return Boundary([&] {
    InitOptions(options, struct_size, DefaultImageOptions(), kFirstImageOptions, "scout_image_options");
    return SCOUT_OK;
  });
}

scout_status scout_tile_options_init(scout_tile_options* options, uint64_t struct_size) {
  return Boundary([&] {
    InitOptions(options, struct_size, DefaultTileOptions(), kFirstTileOptions, "scout_tile_options");
    return SCOUT_OK;
  });
}

scout_status scout_image_from_pixels(const char* pixels, uint64_t pixels_size, uint64_t width, uint64_t height, uint64_t stride,
                                     int32_t channels, const scout_image_options* options, scout_image** image) {
  return Boundary([&] {
    NeedOut(image, "image");
    *image = nullptr;
    NeedOut(pixels, "pixels");
    const std::string_view bytes = BinaryOf(pixels, pixels_size, "pixels");
    const scout::prompt::RawPixels raw = {.data = reinterpret_cast<const uint8_t*>(bytes.data()),
                                          .size = bytes.size(),
                                          .width = Side(width),
                                          .height = Side(height),
                                          .stride = stride,
                                          .channels = channels};
    scout::prompt::PixelOptions read = ReadImageOptions(options).pixels;
    if (read.orientation == 0) read.orientation = 1;
    *image = MakeImage(scout::prompt::MakeRgbImage(raw, read), read.orientation, "pixels");
    return SCOUT_OK;
  });
}

scout_status scout_image_from_bytes(const char* bytes, uint64_t bytes_size, const scout_image_options* options,
                                    scout_image** image) {
  return Boundary([&] {
    NeedOut(image, "image");
    *image = nullptr;
    NeedOut(bytes, "bytes");
    *image = ImageFromBytes(BinaryOf(bytes, bytes_size, "bytes"), ReadImageOptions(options));
    return SCOUT_OK;
  });
}

scout_status scout_image_from_file(const char* path, const scout_image_options* options, scout_image** image) {
  return Boundary([&] {
    NeedOut(image, "image");
    *image = nullptr;
    NeedOut(path, "path");
    if (*path == 0) Fail(ErrorCode::kArgument, "path is empty");
    const ImageRequest request = ReadImageOptions(options);
    const std::string bytes = scout::io::ReadWholeFile(path, request.max_bytes);
    try {
      *image = ImageFromBytes(bytes, request);
    } catch (const scout::Error& error) {
      Fail(error.code(), scout::Escape(path, 256), ": ", error.what());
    }
    return SCOUT_OK;
  });
}

scout_status scout_image_get_info(const scout_image* image, scout_image_info* info) {
  return Boundary([&] {
    const auto object = Get(image, "image");
    scout_image_info filled = {};
    filled.orientation = object->orientation;
    filled.width = static_cast<uint64_t>(object->image.width());
    filled.height = static_cast<uint64_t>(object->image.height());
    filled.format = object->format;
    WriteInfo(info, filled, "info");
    return SCOUT_OK;
  });
}

scout_status scout_model_get_tile_options(const scout_model* model, scout_tile_options* options) {
  return Boundary([&] {
    NeedOut(options, "options");
    const auto object = Get(model, "model");
    const scout::model::VisionConfig* const vision = object->model->known_vision();
    if (vision == nullptr) {
      const std::string_view why = object->model->unserved_vision();
      Fail(ErrorCode::kState, "the model has no vision: ", why.empty() ? "its files hold no vision tower" : why);
    }
    scout_tile_options filled = {};
    filled.tile_side = static_cast<int32_t>(vision->tile_size);
    filled.patch_tokens = static_cast<int32_t>(vision->feature_rows());
    WriteInfo(options, filled, "options");
    return SCOUT_OK;
  });
}

scout_status scout_tiling_of_size(uint64_t width, uint64_t height, const scout_tile_options* options, scout_tiling* tiling) {
  return Boundary([&] {
    const TileRequest request = ReadTileOptions(options);
    scout::prompt::CheckImageSize(Side(width), Side(height), scout::prompt::kHighestMaxPixels);
    WriteInfo(tiling, TilingOf({Side(width), Side(height)}, request.rules), "tiling");
    return SCOUT_OK;
  });
}

scout_status scout_image_get_tiling(const scout_image* image, const scout_tile_options* options, scout_tiling* tiling) {
  return Boundary([&] {
    const auto object = Get(image, "image");
    WriteInfo(tiling, TilingOf(object->image.size(), ReadTileOptions(options).rules), "tiling");
    return SCOUT_OK;
  });
}

scout_status scout_image_tile(const scout_image* image, const scout_tile_options* options, uint64_t index, char* pixels,
                              uint64_t capacity, uint64_t* needed) {
  return Boundary([&] {
    NeedOut(needed, "needed");
    const auto object = Get(image, "image");
    const TileRequest request = ReadTileOptions(options);
    const scout_tiling tiling = TilingOf(object->image.size(), request.rules);
    if (index >= static_cast<uint64_t>(tiling.tiles))
      Fail(ErrorCode::kArgument, "index is ", index, ", the picture has ", tiling.tiles, " tiles");
    *needed = tiling.tile_bytes;
    if (pixels == nullptr && capacity == 0) return static_cast<scout_status>(SCOUT_OK);
    if (pixels == nullptr) Fail(ErrorCode::kArgument, "pixels is NULL with capacity ", capacity);
    if (capacity < tiling.tile_bytes)
      Fail(ErrorCode::kLimit, "pixels has room for ", capacity, ", ", tiling.tile_bytes, " are needed");
    return CopyOut(Interleaved(object->Tiles(request)->tile(static_cast<int64_t>(index))), pixels, capacity, needed, "pixels");
  });
}

scout_status scout_image_tokens(const scout_image* image, const scout_model* model, const scout_tile_options* options, int32_t* ids,
                                uint64_t capacity, uint64_t* needed) {
  return Boundary([&] {
    NeedOut(needed, "needed");
    const auto object = Get(image, "image");
    const auto of = Get(model, "model");
    const TileRequest request = ReadTileOptions(options);
    const scout::prompt::ImageTokenIds kinds(of->NeedTokenizer());
    std::vector<scout::prompt::TokenId> tokens;
    scout::prompt::AppendImageTokens(scout::prompt::ChooseGrid(object->image.size(), request.rules), request.rules.patch_tokens,
                                     kinds, tokens);
    return CopyOut(tokens, ids, capacity, needed, "ids");
  });
}

void scout_image_free(scout_image* image) { Free(image); }
