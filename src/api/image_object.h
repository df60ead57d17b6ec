// What hangs on a scout_image.
#pragma once

#include <scout/image.h>

#include <memory>
#include <mutex>
#include <optional>

#include "api/handles.h"
#include "engine/picture.h"
#include "prompt/image_tiles.h"

namespace scout::api {

// scout_tile_options, checked.
struct TileRequest {
  prompt::TileRules rules;
  prompt::ResizeRule resize = prompt::ResizeRule::kTorchvision;
  int threads = 0;  // 0 = as many as there are
};

// Throws what is wrong with them. NULL: the defaults.
TileRequest ReadTileOptions(const scout_tile_options* options);

class ImageObject final : public Object {
 public:
  prompt::RgbImage image;
  int orientation = 1;
  const char* format = "";
  int64_t max_tiles = 0;  // in a chat; 0 = as many as the model takes

  // Made when first asked for, and kept until other rules are asked for. Any thread.
  std::shared_ptr<const prompt::ImageTiles> Tiles(const TileRequest& request) const;

  // Tiles, and what names their content, which is hashed when it is first asked for. Any thread.
  struct NamedTiles {
    std::shared_ptr<const prompt::ImageTiles> tiles;
    engine::PictureKey key{};
  };
  NamedTiles Named(const TileRequest& request) const;

 private:
  mutable std::mutex mutex_;  // of what follows
  mutable TileRequest made_for_;
  mutable std::shared_ptr<const prompt::ImageTiles> tiles_;
  mutable std::optional<engine::PictureKey> key_;  // of tiles_
};

template <>
struct HandleOf<scout_image> {
  using Class = ImageObject;
  static constexpr Kind kKind = Kind::kImage;
};

}  // namespace scout::api
