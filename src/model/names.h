// What the tensors of a Llama 4 text model are called in each container.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "io/checkpoint.h"

namespace scout::model {

enum class Role {
  // of the model
  kEmbedding,
  kHead,
  kFinalNorm,
  // of a layer
  kAttentionNorm,
  kQ,
  kK,
  kV,
  kQkv,  // q, k and v rows in one tensor
  kO,
  kFeedNorm,
  kRouter,
  kExpertGate,
  kExpertUp,
  kExpertGateUp,  // gate rows first, in one tensor
  kExpertDown,
  kSharedGate,
  kSharedUp,
  kSharedDown,
  kDenseGate,
  kDenseUp,
  kDenseDown,
};

class Names {
 public:
  // Looks at the embedding's name to tell which prefix the file uses. Throws kFormat when there is no embedding at all, or two.
  explicit Names(const io::Checkpoint& checkpoint);

  bool gguf() const { return gguf_; }
  std::string Of(Role role, int64_t layer = -1) const;
  // The same for a tensor that holds one expert only ("linearised" Hugging Face checkpoints).
  std::string OfExpert(Role role, int64_t layer, int64_t expert) const;
  // The layer that a name says it belongs to, whatever follows; nothing for names outside the layers.
  std::optional<uint64_t> LayerOf(std::string_view name) const;
  // Whether the tensor belongs to the vision tower or its projector.
  static bool IsVision(std::string_view name);

 private:
  bool gguf_ = true;
  std::string body_;  // "model." or "language_model.model.": before "embed_tokens" and "layers"
  std::string head_;  // before "lm_head"
};

}  // namespace scout::model
