// What the vision tower makes of tiles: rows that take the place of embeddings.
//
// Thread rule: const once made; any thread, and any runner of the model that made them.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "backend/ops.h"

namespace scout::model {

class Features {
 public:
  // `owner` keeps alive what the buffer needs. rows x width float32 from the buffer's begin on.
  Features(std::shared_ptr<const void> owner, std::unique_ptr<Buffer> buffer, int64_t rows, int64_t width)
      : owner_(std::move(owner)), buffer_(std::move(buffer)), rows_(rows), width_(width) {}

  int64_t rows() const { return rows_; }    // VisionConfig::feature_rows() for each tile, in the order of the tiles
  int64_t width() const { return width_; }  // of the text model
  size_t size_bytes() const { return buffer_->size_bytes(); }
  // For operations that read.
  Act act() const { return {buffer_.get(), 0, rows_, width_}; }

 private:
  std::shared_ptr<const void> owner_;
  std::unique_ptr<Buffer> buffer_;
  int64_t rows_, width_;
};

}  // namespace scout::model
