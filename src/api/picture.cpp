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

TileRequest TileRequestOf(const ModelObject& model, const ImageObject& image, int64_t max_tiles = 0) {
  NeedVision(model);
  const model::VisionConfig& vision = *model.model->vision();
  TileRequest request;
  request.rules.tile_side = vision.tile_size;
  request.rules.patch_tokens = vision.feature_rows();
  if (max_tiles == 0) max_tiles = image.max_tiles;
  if (max_tiles != 0) request.rules.max_tiles = max_tiles;
  return request;
}

}  // namespace

ImageObject::NamedTiles ImageObject::Named(const TileRequest& request) const {
  NamedTiles named = {Tiles(request), {}};
  {
    const std::lock_guard lock(mutex_);
    if (key_ && tiles_ == named.tiles) {
      named.key = *key_;
      return named;
    }
  }
  named.key = KeyOf(*named.tiles);  // not under the lock: it takes as long as reading the tiles
  const std::lock_guard lock(mutex_);
  if (tiles_ == named.tiles) key_ = named.key;
  return named;
}

prompt::ImagePart PartOf(const ModelObject& model, const ImageObject& image) {
  const prompt::TileRules rules = TileRequestOf(model, image).rules;
  return {prompt::ChooseGrid(image.image.size(), rules), rules.patch_tokens};
}

PreparedPicture Prepare(const ModelObject& model, const ImageObject& image, int64_t max_tiles) {
  const TileRequest request = TileRequestOf(model, image, max_tiles);
  PreparedPicture prepared;
  const ImageObject::NamedTiles named = image.Named(request);
  prepared.tiles = named.tiles;
  prepared.part = {named.tiles->grid, request.rules.patch_tokens};
  prepared.key = named.key;
  return prepared;
}

void CheckTakesPictures(const ChatObject& chat, size_t pending) {
  NeedVision(*chat.model);
  if (!chat.open) Fail(ErrorCode::kState, "no message is begun: call scout_chat_begin first");
  if (chat.open->role == prompt::Role::kSystem) Fail(ErrorCode::kArgument, "a system message has text only, no pictures");
  if (chat.pictures.size() + pending >= static_cast<size_t>(engine::kMostPictures))
    Fail(ErrorCode::kLimit, "the chat has ", chat.pictures.size() + pending, " pictures, at most ", engine::kMostPictures);
  const prompt::ImageTokenIds needed(chat.model->NeedTokenizer());
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
