#include "api/picture.h"

#include <charconv>
#include <string>

#include "base/error.h"
#include "base/text.h"
#include "io/projector.h"
#include "prompt/image_tokens.h"
#include "prompt/sha256.h"

namespace scout::api {

void NeedVision(const ModelObject& model) {
  const model::Model& loaded = *model.model;
  if (loaded.vision() != nullptr) return;
  if (!loaded.unserved_vision().empty()) Fail(ErrorCode::kUnsupported, "the model sees no pictures: ", loaded.unserved_vision());
  if (loaded.known_vision() != nullptr || io::FindProjector(loaded.checkpoint().path()))
    Fail(ErrorCode::kUnsupported,
         "the model sees no pictures: it was loaded without its vision tower (vision of scout_load_options)");
  Fail(ErrorCode::kUnsupported, "the model sees no pictures: its files hold no vision tower");
}

namespace {

engine::PictureKey KeyOf(const prompt::ImageTiles& tiles) {
  prompt::Sha256 hash;
  // The engine normalises levels in one way; were there another, it would be named here.
  hash.Update(StrCat("tiles ", tiles.grid.rows, " x ", tiles.grid.columns, " of ", tiles.side, "\n"));
  hash.Update({reinterpret_cast<const char*>(tiles.planes.data()), tiles.planes.size()});
  const std::string digits = hash.Finish();
  engine::PictureKey key{};
  for (size_t i = 0; i < key.size(); ++i) std::from_chars(digits.data() + 8 * i, digits.data() + 8 * i + 8, key[i], 16);
  return key;
}

TileRequest TileRequestOf(const ModelObject& model) {
  NeedVision(model);
  const model::VisionConfig& vision = *model.model->vision();
  TileRequest request;
  request.rules.tile_side = vision.tile_size;
  request.rules.patch_tokens = vision.feature_rows();
  return request;
}

}  // namespace

prompt::ImagePart PartOf(const ModelObject& model, const ImageObject& image) {
  const prompt::TileRules rules = TileRequestOf(model).rules;
  return {prompt::ChooseGrid(image.image.size(), rules), rules.patch_tokens};
}

PreparedPicture Prepare(const ModelObject& model, const ImageObject& image) {
  const TileRequest request = TileRequestOf(model);
  PreparedPicture prepared;
  prepared.tiles = image.Tiles(request);
  prepared.part = {prepared.tiles->grid, request.rules.patch_tokens};
  prepared.key = KeyOf(*prepared.tiles);
  return prepared;
}

std::vector<engine::Picture> PlacePictures(std::span<const PreparedPicture> pictures, std::span<const prompt::ImagePlace> places) {
  SCOUT_CHECK(pictures.size() == places.size(), pictures.size(), " pictures for ", places.size(), " places");
  std::vector<engine::Picture> placed;
  for (size_t i = 0; i < pictures.size(); ++i) {
    engine::Picture& picture = placed.emplace_back();
    picture.key = pictures[i].key;
    picture.tiles = {pictures[i].tiles, &pictures[i].tiles->planes};
    int64_t at = places[i].first;
    for (const prompt::ImageTokenRun& run : prompt::ImageLayout(places[i].image.grid, places[i].image.patch_tokens)) {
      if (run.token == prompt::ImageToken::kPatch) picture.patches.push_back({at, run.count});
      at += run.count;
    }
  }
  return placed;
}

}  // namespace scout::api
