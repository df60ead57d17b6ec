#include "support/tiny_tower.h"

#include <random>

#include "support/gguf_writer.h"

namespace scout::test {

std::string TinyTower::Build() const {
  GgufWriter file;
  file.String("general.architecture", "clip");
  file.String("clip.projector_type", "llama4");
  file.Bool("clip.has_vision_encoder", true);
  file.Bool("clip.use_gelu", true);
  const std::string v = "clip.vision.";
  file.U32(v + "block_count", layers);
  file.U32(v + "embedding_length", width);
  file.U32(v + "feed_forward_length", hidden);
  file.U32(v + "attention.head_count", heads);
  file.U32(v + "image_size", tile);
  file.U32(v + "patch_size", patch);
  file.U32(v + "projection_dim", out);
  file.U32(v + "projector.scale_factor", shuffle);
  file.F32(v + "attention.layer_norm_epsilon", 1e-5f);

  std::mt19937_64 random(seed);
  const auto tensor = [&](const std::string& name, std::vector<uint64_t> ne, float centre = 0) {
    uint64_t count = 1;
    for (const uint64_t n : ne) count *= n;
    std::vector<float> values(count);
    for (float& value : values) value = centre + (static_cast<float>(random() >> 40) * 0x1p-23f - 1.0f) * 0.2f;
    file.Tensor(name, std::move(ne), 0, RawAll(values));
  };
  const auto norm = [&](const std::string& name) {
    tensor(name + ".weight", {width}, 1.0f);
    tensor(name + ".bias", {width});
  };
  const uint64_t side = tile / patch;
  tensor("v.patch_embd.weight", {uint64_t{3} * patch * patch, width});
  tensor("v.class_embd", {width});
  tensor("v.position_embd.weight", {width, side * side + 1});
  norm("v.pre_ln");
  for (uint32_t i = 0; i < layers; ++i) {
    const std::string b = "v.blk." + std::to_string(i) + ".";
    norm(b + "ln1");
    for (const char* name : {"attn_q", "attn_k", "attn_v", "attn_out"}) {
      tensor(b + name + ".weight", {width, width});
      tensor(b + name + ".bias", {width});
    }
    norm(b + "ln2");
    tensor(b + "ffn_up.weight", {width, hidden});
    tensor(b + "ffn_up.bias", {hidden});
    tensor(b + "ffn_down.weight", {hidden, width});
    tensor(b + "ffn_down.bias", {width});
  }
  norm("v.post_ln");
  tensor("mm.model.mlp.1.weight", {uint64_t{width} * shuffle * shuffle, adapter});
  tensor("mm.model.mlp.2.weight", {adapter, adapter});
  tensor("mm.model.fc.weight", {adapter, out});
  return file.Build();
}

}  // namespace scout::test
