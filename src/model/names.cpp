#include "model/names.h"

#include <charconv>

#include "base/error.h"

namespace scout::model {
namespace {

// GGUF names follow llama.cpp's converter; Hugging Face names follow transformers. Empty: the container has no such tensor.
struct NameRow {
  Role role;
  const char* gguf;
  const char* hugging_face;
};

constexpr NameRow kModelNames[] = {
    {Role::kEmbedding, "token_embd.weight", "embed_tokens.weight"},
    {Role::kHead, "output.weight", "lm_head.weight"},
    {Role::kFinalNorm, "output_norm.weight", "norm.weight"},
};

constexpr NameRow kLayerNames[] = {
    {Role::kAttentionNorm, "attn_norm.weight", "input_layernorm.weight"},
    {Role::kQ, "attn_q.weight", "self_attn.q_proj.weight"},
    {Role::kK, "attn_k.weight", "self_attn.k_proj.weight"},
    {Role::kV, "attn_v.weight", "self_attn.v_proj.weight"},
    {Role::kQkv, "attn_qkv.weight", ""},
    {Role::kO, "attn_output.weight", "self_attn.o_proj.weight"},
    {Role::kFeedNorm, "ffn_norm.weight", "post_attention_layernorm.weight"},
    {Role::kRouter, "ffn_gate_inp.weight", "feed_forward.router.weight"},
    {Role::kExpertGate, "ffn_gate_exps.weight", ""},
    {Role::kExpertUp, "ffn_up_exps.weight", ""},
    {Role::kExpertGateUp, "ffn_gate_up_exps.weight", "feed_forward.experts.gate_up_proj"},
    {Role::kExpertDown, "ffn_down_exps.weight", "feed_forward.experts.down_proj"},
    {Role::kSharedGate, "ffn_gate_shexp.weight", "feed_forward.shared_expert.gate_proj.weight"},
    {Role::kSharedUp, "ffn_up_shexp.weight", "feed_forward.shared_expert.up_proj.weight"},
    {Role::kSharedDown, "ffn_down_shexp.weight", "feed_forward.shared_expert.down_proj.weight"},
    {Role::kDenseGate, "ffn_gate.weight", "feed_forward.gate_proj.weight"},
    {Role::kDenseUp, "ffn_up.weight", "feed_forward.up_proj.weight"},
    {Role::kDenseDown, "ffn_down.weight", "feed_forward.down_proj.weight"},
};

// Where the text model hides inside a Hugging Face checkpoint: text-only, multimodal, multimodal as transformers 5 may write it.
struct PrefixRow {
  const char* body;
  const char* head;
};
constexpr PrefixRow kPrefixes[] = {
    {"model.", ""},
    {"language_model.model.", "language_model."},
    {"model.language_model.", ""},
};

constexpr std::string_view kVisionPrefixes[] = {
    "v.", "mm.", "vision_model.", "multi_modal_projector.", "vision_tower.", "model.vision_model.", "model.multi_modal_projector."};

}  // namespace

Names::Names(const io::Checkpoint& checkpoint) : gguf_(checkpoint.format() == io::CheckpointFormat::kGguf) {
  if (gguf_) {
    if (!checkpoint.FindTensor("token_embd.weight")) Fail(ErrorCode::kFormat, "tensor token_embd.weight is missing");
    return;
  }
  for (const PrefixRow& row : kPrefixes) {
    if (!checkpoint.FindTensor(StrCat(row.body, "embed_tokens.weight"))) continue;
    if (!body_.empty())
      Fail(ErrorCode::kFormat, "the embedding is there twice, as ", body_, "embed_tokens.weight and ", row.body,
           "embed_tokens.weight");
    body_ = row.body;
    head_ = row.head;
  }
  if (body_.empty())
    Fail(ErrorCode::kFormat, "tensor model.embed_tokens.weight is missing (looked for with the prefixes \"\", \"language_model.\" ",
         "and \"model.language_model.\" too)");
}

std::string Names::Of(Role role, int64_t layer) const {
  for (const NameRow& row : kModelNames) {
    if (row.role != role) continue;
    if (gguf_) return row.gguf;
    return StrCat(role == Role::kHead ? head_ : body_, row.hugging_face);
  }
  for (const NameRow& row : kLayerNames) {
    if (row.role != role) continue;
    const char* name = gguf_ ? row.gguf : row.hugging_face;
    return *name == 0 ? std::string() : StrCat(gguf_ ? "blk." : StrCat(body_, "layers."), layer, ".", name);
  }
  SCOUT_CHECK(false, "a tensor role without a name: ", static_cast<int>(role));
}

std::string Names::OfExpert(Role role, int64_t layer, int64_t expert) const {
  if (gguf_) return {};
  const char* name = role == Role::kExpertGate   ? "gate_proj"
                     : role == Role::kExpertUp   ? "up_proj"
                     : role == Role::kExpertDown ? "down_proj"
                                                 : nullptr;
  if (name == nullptr) return {};
  return StrCat(body_, "layers.", layer, ".feed_forward.experts.", expert, ".", name, ".weight");
}

std::optional<uint64_t> Names::LayerOf(std::string_view name) const {
  const std::string prefix = gguf_ ? "blk." : StrCat(body_, "layers.");
  if (name.substr(0, prefix.size()) != prefix) return std::nullopt;
  name.remove_prefix(prefix.size());
  uint64_t layer = 0;
  const auto result = std::from_chars(name.data(), name.data() + name.size(), layer);
  if (result.ec != std::errc() || result.ptr == name.data() + name.size() || *result.ptr != '.') return std::nullopt;
  return layer;
}

bool Names::IsVision(std::string_view name) {
  for (const std::string_view prefix : kVisionPrefixes)
    if (name.substr(0, prefix.size()) == prefix) return true;
  return false;
}

}  // namespace scout::model
