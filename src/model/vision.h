// The vision tower: tiles of pictures in, feature rows for the text model out.
//
// Thread rule: one thread at a time per tower; several towers of one model, and its runners, may work at the same time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/error.h"
#include "model/features.h"
#include "model/vision_config.h"

namespace scout::model {

struct VisionOptions {
  uint64_t workspace_bytes = uint64_t{256} << 20;  // as many tiles as fit go through the layers together, at least one
};

class Vision {
 public:
  virtual ~Vision() = default;

  virtual const VisionConfig& config() const = 0;
  virtual int64_t tiles_at_once() const = 0;
  virtual size_t memory_bytes() const = 0;  // workspace held now; it grows to the largest batch seen

  // Begin, Advance until it returns true (one layer of one batch a call, so that cancelling and a caller's time slice are honoured
  // between layers), Finish. Each picture is tiles, [T, C, S, S] bytes; those of all pictures go through the layers together, as
  // many as fit at once. They and `table` ([256], what a byte stands for) must live until Finish or Abort. A tile's features do not
  // depend on the other tiles.
  virtual void Begin(std::span<const std::span<const uint8_t>> pictures, std::span<const float> table) noexcept = 0;
  virtual bool Advance() noexcept = 0;
  // The first error, or nothing and `*features`: for each picture feature_rows() rows for each of its tiles, in their order.
  virtual std::optional<Error> Finish(std::vector<std::shared_ptr<const Features>>* features) noexcept = 0;
  virtual void Abort() noexcept = 0;
};

}  // namespace scout::model
