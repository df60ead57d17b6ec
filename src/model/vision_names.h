// What the tensors of a vision tower are called: by transformers, in a projector file by llama.cpp's converter, and beside the text
// model by Ollama.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "io/checkpoint.h"

namespace scout::model {

enum class VisionRole {
  kPatches,
  kClass,
  kPositions,
  kPreNorm,
  kPostNorm,
  kAdapterUp,
  kAdapterDown,
  kProjector,
  // of a layer
  kAttentionNorm,
  kQ,
  kK,
  kV,
  kO,
  kFeedNorm,
  kUp,
  kDown,
};

class VisionNames {
 public:
  // Nothing where the checkpoint has no tensor of a vision tower. Throws kFormat for two towers.
  static std::optional<VisionNames> Find(const io::Checkpoint& checkpoint);

  // The matrix or vector itself; norms and the products of layers have a Bias too.
  std::string Of(VisionRole role, int64_t layer = -1) const;
  std::string Bias(VisionRole role, int64_t layer = -1) const;

 private:
  struct Style;
  explicit VisionNames(const Style* style) : style_(style) {}
  static const Style kStyles[];
  std::string Stem(VisionRole role, int64_t layer) const;
  const Style* style_;
};

}  // namespace scout::model
