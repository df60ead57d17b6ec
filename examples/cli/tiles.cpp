// scout tiles: what a vision model sees of a picture.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

#if defined(SCOUT_HAVE_PNG)
#include <png.h>
#endif

#include "commands.h"
#include "common.h"

namespace cli {
namespace {

constexpr uint32_t kGap = 8;            // pixels between tiles
constexpr unsigned char kPaper = 0x90;  // grey: neither a picture's black border nor its white paper

struct TilesOptions {
  std::string image, output, model, alpha = "drop", resize = "torchvision";
  int max_tiles = 0, orientation = 0;
  bool json = false;
};

#if defined(SCOUT_HAVE_PNG)

struct Sheet {
  uint32_t width, height;
  std::vector<unsigned char> pixels;  // [height, width, 3]
};

// The grid as it lies on the canvas, and the whole picture to its right.
Sheet Draw(const scout_image* image, const scout_tile_options& options, const scout_tiling& tiling) {
  const auto side = static_cast<uint32_t>(tiling.tile_side), rows = static_cast<uint32_t>(tiling.rows);
  const auto columns = static_cast<uint32_t>(tiling.columns), step = side + kGap;
  const bool whole = tiling.tiles > 1;
  Sheet sheet = {kGap + step * columns + (whole ? kGap + step : 0), kGap + step * rows, {}};
  sheet.pixels.assign(size_t{3} * sheet.width * sheet.height, kPaper);
  std::vector<char> tile(tiling.tile_bytes);
  for (uint32_t i = 0; i < static_cast<uint32_t>(tiling.tiles); ++i) {
    uint64_t needed = 0;
    Check(scout_image_tile(image, &options, i, tile.data(), tile.size(), &needed));
    const bool last = whole && i == rows * columns;
    const uint32_t left = last ? 2 * kGap + step * columns : kGap + step * (i % columns),
                   top = last ? kGap : kGap + step * (i / columns);
    for (uint32_t y = 0; y < side; ++y)
      std::memcpy(sheet.pixels.data() + 3 * (size_t{top + y} * sheet.width + left), tile.data() + size_t{3} * y * side,
                  size_t{3} * side);
  }
  return sheet;
}

void Write(const Sheet& sheet, const std::string& path) {
  png_image png = {};
  png.version = PNG_IMAGE_VERSION;
  png.width = sheet.width;
  png.height = sheet.height;
  png.format = PNG_FORMAT_RGB;
  if (png_image_write_to_file(&png, path.c_str(), 0, sheet.pixels.data(), 0, nullptr) == 0)
    throw Failure(path + ": cannot be written: " + png.message);
}

#endif

void Tiles(const TilesOptions& given) {
#if !defined(SCOUT_HAVE_PNG)
  if (!given.output.empty()) throw Failure("this program was built without libpng, which writing " + given.output + " needs");
#endif
  scout_image_options reading;
  Check(scout_image_options_init(&reading, sizeof reading));
  reading.alpha = given.alpha == "white" ? SCOUT_ALPHA_WHITE : SCOUT_ALPHA_DROP;
  reading.orientation = given.orientation;
  scout_image* made = nullptr;
  Check(scout_image_from_file(given.image.c_str(), &reading, &made));
  const Image image(made);

  scout_tile_options options;
  Check(scout_tile_options_init(&options, sizeof options));
  if (!given.model.empty()) {
    ModelOptions model;
    model.model = given.model;
    Check(scout_model_get_tile_options(Load(model).get(), &options));
  }
  options.max_tiles = given.max_tiles;
  options.resize = given.resize == "pil" ? SCOUT_RESIZE_PIL : SCOUT_RESIZE_TORCHVISION;
  scout_image_info info = {};
  info.struct_size = sizeof info;
  Check(scout_image_get_info(image.get(), &info));
  scout_tiling tiling = {};
  tiling.struct_size = sizeof tiling;
  Check(scout_image_get_tiling(image.get(), &options, &tiling));
#if defined(SCOUT_HAVE_PNG)
  if (!given.output.empty()) Write(Draw(image.get(), options, tiling), given.output);
#endif
  if (given.json) {
    const nlohmann::ordered_json report = {{"format", info.format},
                                           {"width", info.width},
                                           {"height", info.height},
                                           {"orientation", info.orientation},
                                           {"rows", tiling.rows},
                                           {"columns", tiling.columns},
                                           {"tiles", tiling.tiles},
                                           {"tile_side", tiling.tile_side},
                                           {"drawn_width", tiling.drawn_width},
                                           {"drawn_height", tiling.drawn_height},
                                           {"tokens", tiling.tokens}};
    std::printf("%s\n", report.dump(2).c_str());
    return;
  }
  std::printf("%s, %llu x %llu%s\n", info.format, static_cast<unsigned long long>(info.width),
              static_cast<unsigned long long>(info.height), info.orientation == 1 ? "" : ", turned");
  std::printf("%d x %d tiles of %d pixels%s, drawn %d x %d: %llu tokens\n", tiling.rows, tiling.columns, tiling.tile_side,
              tiling.tiles > 1 ? " and the whole" : "", tiling.drawn_width, tiling.drawn_height,
              static_cast<unsigned long long>(tiling.tokens));
}

}  // namespace

void AddTiles(CLI::App& app) {
  Command command(app, "tiles", "show what a vision model sees of a picture");
  auto options = std::make_shared<TilesOptions>();
  command.Add("IMAGE", options->image, "a PNG, JPEG or WebP file").Required();
  command.Add("--output,-o", options->output, "write the tiles to a PNG file: the grid, and the whole picture beside it");
  command.Add("--model", options->model,
              "a model with vision, whose tiles are wanted; without one those of the released Llama 4 models");
  command.Add("--max-tiles", options->max_tiles, "at most so many tiles in the grid; 0: as many as the model takes")
      .Between(0, 256);
  command.Add("--alpha", options->alpha, "what becomes of transparent pixels").OneOf({"drop", "white"}).ShowsDefault();
  command.Add("--resize", options->resize, "by whose rule the picture is resized").OneOf({"torchvision", "pil"}).ShowsDefault();
  command.Add("--orientation", options->orientation, "turn the picture as EXIF means by 1 to 8; 0: as the file says").Between(0, 8);
  command.Flag("--json", options->json, "as JSON");
  command.OnRun([options] { Tiles(*options); });
}

}  // namespace cli
