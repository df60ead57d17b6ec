#include "support/tiny_model.h"

#include "support/gguf_writer.h"

namespace scout::test {
namespace {

// splitmix64; uniform in [-scale, scale).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  float Next(float scale) {
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (static_cast<float>(z >> 40) * 0x1p-23f - 1.0f) * scale;
  }

 private:
  uint64_t state_;
};

}  // namespace

std::string TinyModel::Build() const {
  GgufWriter file;
  const std::string a = architecture + ".";
  file.String("general.architecture", architecture);
  file.String("general.name", "tiny");
  file.U32(a + "block_count", layers);
  file.U32(a + "context_length", context);
  file.U32(a + "embedding_length", width);
  file.U32(a + "feed_forward_length", kHidden);
  file.U32(a + "expert_feed_forward_length", kHidden);
  file.U32(a + "attention.head_count", kHeads);
  file.U32(a + "attention.head_count_kv", kKvHeads);
  file.U32(a + "attention.key_length", kHeadDim);
  file.U32(a + "attention.value_length", kHeadDim);
  file.F32(a + "attention.layer_norm_rms_epsilon", 1e-5f);
  file.F32(a + "rope.freq_base", 10000.0f);
  file.U32(a + "rope.dimension_count", kHeadDim);
  file.U32(a + "expert_count", kExperts);
  file.U32(a + "expert_used_count", 1);
  file.U32(a + "interleave_moe_layer_step", 1);
  file.U32(a + "vocab_size", vocabulary());
  file.U32(a + "attention.chunk_size", chunk);

  if (tokenizer) {
    std::vector<std::string> tokens;
    std::vector<int32_t> types;
    constexpr char kHex[] = "0123456789ABCDEF";
    for (uint32_t byte = 0; byte < kBytes; ++byte) {
      tokens.push_back(std::string("<0x") + kHex[byte / 16] + kHex[byte % 16] + ">");
      types.push_back(6);
    }
    for (const char* name : {"<|begin_of_text|>", "<|end_of_text|>", "<|header_start|>", "<|header_end|>", "<|eom|>", "<|eot|>"}) {
      tokens.push_back(chat || tokens.size() < kBytes + 2 ? name : "<|other" + std::to_string(tokens.size()) + "|>");
      types.push_back(3);
    }
    if (images) {
      for (const char* name :
           {"<|image_start|>", "<|image_end|>", "<|image|>", "<|patch|>", "<|tile_x_separator|>", "<|tile_y_separator|>"}) {
        tokens.emplace_back(name);
        types.push_back(3);
      }
    }
    file.String("tokenizer.ggml.model", "gpt2");
    file.String("tokenizer.ggml.pre", "llama4");
    file.Strings("tokenizer.ggml.tokens", tokens);
    file.I32s("tokenizer.ggml.token_type", types);
    file.Strings("tokenizer.ggml.merges", {});
    file.U32("tokenizer.ggml.bos_token_id", kBeginOfText);
    file.U32("tokenizer.ggml.eos_token_id", chat ? kEot : kEndOfText);
  }

  Random random(seed);
  const auto tensor = [&](const std::string& name, std::vector<uint64_t> ne, float scale, float centre = 0) {
    uint64_t count = 1;
    for (const uint64_t n : ne) count *= n;
    std::vector<float> values(count);
    for (float& value : values) value = centre + random.Next(scale);
    file.Tensor(name, std::move(ne), 0, RawAll(values));
  };
  tensor("token_embd.weight", {width, vocabulary()}, 1.0f);
  for (uint32_t i = 0; i < layers; ++i) {
    const std::string b = "blk." + std::to_string(i) + ".";
    tensor(b + "attn_norm.weight", {width}, 0.1f, 1.0f);
    tensor(b + "attn_q.weight", {width, kHeads * kHeadDim}, 0.3f);
    tensor(b + "attn_k.weight", {width, kKvHeads * kHeadDim}, 0.3f);
    tensor(b + "attn_v.weight", {width, kKvHeads * kHeadDim}, 0.3f);
    tensor(b + "attn_output.weight", {kHeads * kHeadDim, width}, 0.3f);
    tensor(b + "ffn_norm.weight", {width}, 0.1f, 1.0f);
    tensor(b + "ffn_gate_inp.weight", {width, kExperts}, 0.3f);
    tensor(b + "ffn_gate_exps.weight", {width, kHidden, kExperts}, 0.3f);
    tensor(b + "ffn_up_exps.weight", {width, kHidden, kExperts}, 0.3f);
    tensor(b + "ffn_down_exps.weight", {kHidden, width, kExperts}, 0.3f);
    tensor(b + "ffn_gate_shexp.weight", {width, kHidden}, 0.3f);
    tensor(b + "ffn_up_shexp.weight", {width, kHidden}, 0.3f);
    tensor(b + "ffn_down_shexp.weight", {kHidden, width}, 0.3f);
  }
  tensor("output_norm.weight", {width}, 0.1f, 1.0f);
  tensor("output.weight", {width, vocabulary()}, 0.3f);
  return file.Build();
}

}  // namespace scout::test
