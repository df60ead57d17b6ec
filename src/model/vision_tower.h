// The forward pass of a vision tower over the coarse operations of a backend.
#pragma once

#include <memory>

#include "backend/backend.h"
#include "model/vision.h"
#include "model/vision_weights.h"

namespace scout::model {

// Bytes of workspace for `tiles` tiles together. Throws kLimit where they do not fit 64 bits.
uint64_t VisionWorkspaceBytes(const VisionConfig& config, int64_t tiles);

class VisionTower final : public Vision {
 public:
  // `owner` keeps `config` and `weights` alive; the backend is this tower's own.
  VisionTower(std::shared_ptr<const void> owner, const VisionConfig& config, const VisionWeights& weights,
              std::unique_ptr<Backend> backend, const VisionOptions& options);

  const VisionConfig& config() const override { return config_; }
  int64_t tiles_at_once() const override { return tiles_at_once_; }
  size_t memory_bytes() const override { return (workspace_ ? workspace_->size_bytes() : 0) + turns_->size_bytes(); }

  void Begin(std::span<const std::span<const uint8_t>> pictures, std::span<const float> table) noexcept override;
  bool Advance() noexcept override;
  std::optional<Error> Finish(std::vector<std::shared_ptr<const Features>>* features) noexcept override;
  void Abort() noexcept override;

 private:
  struct Activations {
    Act patches;         // [T P, C s s]
    Act embedded;        // [T P, D]
    Act x;               // [T (P + 1), D] the residual stream
    Act y;               // [T (P + 1), D] normed
    Act qkv;             // [T (P + 1), 3 D]
    Act o;               // [T (P + 1), D]
    Act hidden;          // [T (P + 1), F]
    Act shuffled;        // [T Q, f f D], Q feature rows of a tile
    Act adapter;         // [T Q, adapter]
    Act adapter_out;     // [T Q, adapter_out]
    Act features;        // [T Q, out]
    uint64_t bytes = 0;  // of all of them; several take the same place, one after the other
  };
  static Activations Place(const VisionConfig& config, Buffer* buffer, int64_t tiles);
  friend uint64_t VisionWorkspaceBytes(const VisionConfig& config, int64_t tiles);

  struct Picture {
    std::span<const uint8_t> tiles;
    int64_t first_tile = 0, tile_count = 0;  // among those of all pictures
    std::unique_ptr<Buffer> features;        // [tile_count Q, out]
  };

  void Prepare(std::span<const std::span<const uint8_t>> pictures);
  void BeginBatch();
  // body(picture, tile, count): the tiles of the batch picture by picture, from tile `tile` of the picture on.
  template <typename Body>
  void ForPicturesOfBatch(const Body& body);
  void Embed();
  void Layer(int64_t layer);
  void Project();

  std::shared_ptr<const void> owner_;
  const VisionConfig& config_;
  const VisionWeights& weights_;
  std::unique_ptr<Backend> backend_;
  int64_t tiles_at_once_ = 1;
  std::unique_ptr<Buffer> turns_;      // [rows, d]
  std::unique_ptr<Buffer> workspace_;  // as large as the largest batch so far
  const StepPlan plan_;                // empty: these operations read none

  std::vector<Picture> pictures_;
  std::span<const float> table_;
  int64_t tile_count_ = 0;                    // of all pictures
  int64_t first_tile_ = 0, batch_tiles_ = 0;  // of the batch in progress
  int64_t next_ = 0;                          // 0: embed, 1 .. layers: a layer, layers + 1: project
  Activations a_;
  std::vector<int32_t> rows_;  // 0, 1, ..: of a batch's features
  bool begun_ = false;         // the backend is inside a step
  std::optional<Error> error_;
  const Error no_memory_{ErrorCode::kNoMemory, "no memory for the features of pictures"};  // made while there was some
};

}  // namespace scout::model
