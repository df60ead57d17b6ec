#include "model/vision_names.h"

#include "base/error.h"

namespace scout::model {
namespace {

// Stems, which ".weight" and ".bias" follow; in the order of VisionRole. What ends in '!' is the whole name, and what begins with
// '/' has no prefix.
using Stems = const char* const[16];
constexpr Stems kTransformers = {"patch_embedding.linear",
                                 "class_embedding!",
                                 "positional_embedding_vlm!",
                                 "layernorm_pre",
                                 "layernorm_post",
                                 "vision_adapter.mlp.fc1",
                                 "vision_adapter.mlp.fc2",
                                 "linear_1",
                                 "input_layernorm",
                                 "self_attn.q_proj",
                                 "self_attn.k_proj",
                                 "self_attn.v_proj",
                                 "self_attn.o_proj",
                                 "post_attention_layernorm",
                                 "mlp.fc1",
                                 "mlp.fc2"};
constexpr Stems kConverter = {"patch_embd",      "class_embd!", "position_embd", "pre_ln",  "post_ln", "/mm.model.mlp.1",
                              "/mm.model.mlp.2", "model.fc",    "ln1",           "attn_q",  "attn_k",  "attn_v",
                              "attn_out",        "ln2",         "ffn_up",        "ffn_down"};
constexpr Stems kOllama = {"patch_embedding",
                           "class_embedding!",
                           "positional_embedding_vlm!",
                           "layernorm_pre",
                           "layernorm_post",
                           "vision_adapter.mlp.fc1",
                           "vision_adapter.mlp.fc2",
                           "linear_1",
                           "attn_norm",
                           "attn_q",
                           "attn_k",
                           "attn_v",
                           "attn_output",
                           "ffn_norm",
                           "mlp.fc1",
                           "mlp.fc2"};

}  // namespace

struct VisionNames::Style {
  const char* tower;
  const char* projector;
  const char* layers;
  const char* const* names;  // Stems
};

// llama.cpp's "mm." is a prefix of its own; Ollama's adapter belongs to the tower.
constexpr VisionNames::Style VisionNames::kStyles[] = {
    {"vision_model.", "multi_modal_projector.", "model.layers.", kTransformers},
    {"model.vision_model.", "model.multi_modal_projector.", "model.layers.", kTransformers},
    {"v.", "mm.", "blk.", kConverter},
    {"v.", "mm.", "blk.", kOllama},
};

std::optional<VisionNames> VisionNames::Find(const io::Checkpoint& checkpoint) {
  std::optional<VisionNames> found;
  for (const Style& style : kStyles) {
    const VisionNames names(&style);
    const std::string patches = names.Of(VisionRole::kPatches);
    if (!checkpoint.FindTensor(patches)) continue;
    if (found)
      Fail(ErrorCode::kFormat, "the vision tower is there twice, with tensor ", found->Of(VisionRole::kPatches),
           " and with tensor ", patches);
    found = names;
  }
  return found;
}

std::string VisionNames::Stem(VisionRole role, int64_t layer) const {
  const char* name = style_->names[static_cast<int>(role)];
  if (*name == '/') return name + 1;
  if (role >= VisionRole::kAttentionNorm) return StrCat(style_->tower, style_->layers, layer, ".", name);
  return StrCat(role == VisionRole::kProjector ? style_->projector : style_->tower, name);
}

std::string VisionNames::Of(VisionRole role, int64_t layer) const {
  std::string stem = Stem(role, layer);
  if (stem.back() != '!') return stem + ".weight";
  stem.pop_back();
  return stem;
}

std::string VisionNames::Bias(VisionRole role, int64_t layer) const { return Stem(role, layer) + ".bias"; }

}  // namespace scout::model
