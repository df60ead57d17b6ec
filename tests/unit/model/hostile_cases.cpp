#include "hostile_cases.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

namespace scout::model {
namespace {

using test::MemoryCheckpoint;

constexpr auto F = ErrorCode::kFormat;
constexpr auto L = ErrorCode::kLimit;
constexpr auto U = ErrorCode::kUnsupported;
constexpr auto C = ErrorCode::kCorrupt;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

// Short hands for the table.
auto Uint(const char* key, uint64_t value) {
  return [=](MemoryCheckpoint& c) { c.meta().SetUint(std::string("llama4.") + key, value); };
}
auto Int(const char* key, int64_t value) {
  return [=](MemoryCheckpoint& c) { c.meta().SetInt(std::string("llama4.") + key, value); };
}
auto Float(const char* key, double value) {
  return [=](MemoryCheckpoint& c) { c.meta().SetFloat(std::string("llama4.") + key, value); };
}
auto JsonInt(const char* key, int64_t value) {
  return [=](MemoryCheckpoint& c) { c.meta().SetInt(key, value); };
}
auto JsonFloat(const char* key, double value) {
  return [=](MemoryCheckpoint& c) { c.meta().SetFloat(key, value); };
}

auto Without(const char* key) {
  return [=](MemoryCheckpoint& c) { c.meta().Erase(key); };
}
auto Ints(const char* key, std::vector<int64_t> values) {
  return [=](MemoryCheckpoint& c) { c.meta().SetInts(key, values); };
}
auto Floats(const char* key, std::vector<double> values) {
  return [=](MemoryCheckpoint& c) { c.meta().SetFloats(key, values); };
}
auto Texts(const char* key, std::vector<std::string> values) {
  return [=](MemoryCheckpoint& c) { c.meta().SetStrings(key, values); };
}
auto Text(const char* key, std::string value) {
  return [=](MemoryCheckpoint& c) { c.meta().SetString(key, value); };
}
auto Flag(const char* key, bool value) {
  return [=](MemoryCheckpoint& c) { c.meta().SetBool(key, value); };
}
auto Tensor(const char* name, std::initializer_list<int64_t> shape, std::vector<float> values) {
  return [=, dims = std::vector<int64_t>(shape)](MemoryCheckpoint& c) {
    if (dims.size() == 1) {
      c.AddFloats(name, {dims[0]}, values);
    } else {
      c.AddFloats(name, {dims[0], dims[1]}, values);
    }
  };
}
// The [32, 32] tensor `name` in blocks of `values` values with a 16-bit scale in front (1: plain 16-bit numbers); all are the
// half-precision number 1/16 but that of block `bad`.
auto InBlocks(const char* name, DType format, size_t values, size_t block_bytes, size_t bad, uint16_t scale) {
  return [=](MemoryCheckpoint& c) {
    std::vector<std::byte> bytes(32 * 32 / values * block_bytes);
    for (size_t i = 0; i * block_bytes < bytes.size(); ++i) {
      const uint16_t bits = i == bad ? scale : uint16_t{0x2c00};
      std::memcpy(bytes.data() + i * block_bytes, &bits, sizeof bits);
    }
    c.RemoveTensor(name);
    c.AddTensor(name, format, {32, 32}, bytes);
  };
}
auto WithoutTensor(const char* name) {
  return [=](MemoryCheckpoint& c) { c.RemoveTensor(name); };
}

}  // namespace

std::vector<HostileModel> HostileModels() {
  constexpr CaseKind G = CaseKind::kGguf, H = CaseKind::kHuggingFace;
  std::vector<HostileModel> cases = {
      {"H01", G, Uint("attention.head_count", 0), {F}, {"llama4.attention.head_count", "0"}},
      {"H01", G, Uint("attention.head_count", 0xffffffffu), {F}, {"llama4.attention.head_count", "4294967295"}},
      {"H01", G, Uint("attention.head_count", 1u << 31), {F}, {"llama4.attention.head_count", "2147483648"}},
      {"H01", G, Int("attention.head_count", -1), {F}, {"llama4.attention.head_count", "-1"}},
      {"H01", G, Ints("llama4.attention.head_count", {4, 4, 4, 4}), {F}, {"llama4.attention.head_count"}},
      {"H01", G, Without("llama4.attention.head_count"), {F}, {"llama4.attention.head_count", "missing"}},
      {"H01", H, JsonInt("num_attention_heads", 0), {F}, {"num_attention_heads", "0"}},
      {"H02", G, Uint("attention.head_count_kv", 0), {F}, {"llama4.attention.head_count_kv", "0"}},
      {"H02", G, Uint("attention.head_count_kv", 3), {F}, {"llama4.attention.head_count_kv", "3", "4"}},
      {"H02", G, Uint("attention.head_count_kv", 5), {F}, {"llama4.attention.head_count_kv", "5", "4"}},
      {"H02", H, JsonInt("num_key_value_heads", 3), {F}, {"num_key_value_heads", "3", "4"}},
      {"H02", H, JsonInt("num_key_value_heads", 8), {F}, {"num_key_value_heads", "8", "4"}},
      {"H03", G, Uint("embedding_length", 0), {F}, {"llama4.embedding_length", "0"}},
      {"H03", G, Uint("embedding_length", 33), {F}, {"token_embd.weight", "[64, 32]", "[64, 33]"}},
      {"H03", G, [](MemoryCheckpoint& c) {
         c.meta().SetUint("llama4.embedding_length", 33);
         c.meta().Erase("llama4.attention.key_length");
       }, {F}, {"llama4.embedding_length", "33", "4"}},
      {"H03", G, Uint("embedding_length", 1u << 31), {F}, {"llama4.embedding_length", "2147483648"}},
      {"H03", H, JsonInt("hidden_size", 31), {F}, {"[64, 32]", "[64, 31]"}},
      {"H04", G, Uint("block_count", 0), {F}, {"llama4.block_count", "0"}},
      {"H04", G, Uint("block_count", 0xffffffffu), {L}, {"llama4.block_count", "4294967295", "1024"}},
      {"H04", G, Uint("block_count", 5), {F}, {"blk.4.attn_norm.weight", "missing", "5 layers"}},
      {"H04", G, Uint("block_count", 3), {F}, {"blk.3.", "3 layers"}},
      {"H04", H, JsonInt("num_hidden_layers", 5), {F}, {"model.layers.4.input_layernorm.weight", "missing"}},
      {"H05", G, Uint("expert_count", 0), {F}, {"llama4.expert_used_count", "1", "llama4.expert_count"}},
      {"H05", G, Uint("expert_used_count", 0), {F}, {"llama4.expert_used_count", "0", "4"}},
      {"H05", G, Uint("expert_used_count", 5), {F}, {"llama4.expert_used_count", "5", "4"}},
      {"H05", G, Uint("expert_count", 1u << 31), {F, L}, {"llama4.expert_count", "2147483648"}},
      {"H05", G, Uint("expert_count", 5), {F}, {"ffn_gate_inp.weight", "[4, 32]", "[5, 32]"}},
      {"H05", H, JsonInt("num_experts_per_tok", 5), {F}, {"num_experts_per_tok", "5", "4"}},
      {"H05", H, JsonInt("num_local_experts", 8), {F}, {"router", "[4, 32]", "[8, 32]"}},
      {"H06", G, Uint("interleave_moe_layer_step", 0), {F}, {"llama4.interleave_moe_layer_step", "0"}},
      {"H06", H, JsonInt("interleave_moe_layer_step", 0), {F}, {"interleave_moe_layer_step", "0"}},
      {"H07", G, Uint("attention.chunk_size", 0), {F}, {"llama4.attention.chunk_size", "0"}},
      {"H07", G, Int("attention.chunk_size", -8), {F}, {"llama4.attention.chunk_size", "-8"}},
      {"H07", G, Uint("attention.chunk_size", 4097), {F}, {"llama4.attention.chunk_size", "4097", "4096"}},
      {"H07", H, JsonInt("attention_chunk_size", 0), {F}, {"attention_chunk_size", "0"}},
      {"H07", H, JsonInt("attention_chunk_size", -1), {F}, {"attention_chunk_size", "-1"}},
      {"H07", H, JsonInt("attention_chunk_size", 4097), {F}, {"attention_chunk_size", "4097", "4096"}},
      {"H08", G, Uint("rope.dimension_count", 0), {F}, {"llama4.rope.dimension_count", "0"}},
      {"H08", G, Uint("rope.dimension_count", 7), {F}, {"llama4.rope.dimension_count", "7"}},
      {"H08", G, Uint("rope.dimension_count", 16), {F}, {"llama4.rope.dimension_count", "16", "8"}},
      {"H08", H, JsonInt("head_dim", 7), {F}, {"7", "even"}},
      {"H08", H, JsonInt("head_dim", 0), {F}, {"head_dim", "0"}},
      {"H10", G, Without("llama4.attention.layer_norm_rms_epsilon"), {F}, {"layer_norm_rms_epsilon", "missing"}},
      {"H11", G, Uint("attention.sliding_window_pattern", 0), {F}, {"llama4.attention.sliding_window_pattern", "0"}},
      {"H11", H, JsonInt("no_rope_layer_interval", 0), {F}, {"no_rope_layer_interval", "0"}},
      {"H11", H, Ints("no_rope_layers", {1, 1, 1}), {F}, {"no_rope_layers", "3", "4"}},
      {"H11", H, Ints("no_rope_layers", {1, 1, 1, 2}), {F}, {"no_rope_layers[3]", "2"}},
      {"H12", G, Uint("context_length", 0), {F}, {"llama4.context_length", "0"}},
      {"H12", G, Uint("context_length", 0xffffffffu), {L}, {"llama4.context_length", "4294967295", "2147483647"}},
      {"H12", H, JsonInt("max_position_embeddings", 0), {F}, {"max_position_embeddings", "0"}},
      {"H12", H, JsonInt("max_position_embeddings", int64_t{1} << 31), {L}, {"max_position_embeddings", "2147483648", "2147483647"}},
      {"H13", G, Texts("tokenizer.ggml.tokens", std::vector<std::string>(65, "a")), {F}, {"64 rows", "65 entries", "is 64"}},
      {"H13", G, Uint("vocab_size", 63), {F}, {"64 rows", "llama4.vocab_size", "63"}},
      {"H13", H, JsonInt("vocab_size", 65), {F}, {"64 rows", "vocab_size", "65"}},
      {"H15", G, Text("general.architecture", "llama5"), {U}, {"llama5", "llama4"}},
      {"H15", G, Text("general.architecture", std::string(16 << 20, 'x')), {U}, {"xxx..."}},
      {"H15", G, Without("general.architecture"), {F}, {"general.architecture"}},
      {"H15", H, Text("model_type", "qwen2\n"), {U}, {"qwen2\\x0a"}},
      {"H16", G, Uint("vision.patch_size", 0), {F}, {"llama4.vision.patch_size", "0"}},
      {"H16", G, [](MemoryCheckpoint& c) {
         c.meta().SetUint("llama4.vision.image_size", 336);
         c.meta().SetUint("llama4.vision.patch_size", 15);
       }, {F}, {"llama4.vision.image_size", "336", "15"}},
      {"H16", G, Uint("vision.image_size", 1 << 16), {F}, {"llama4.vision.image_size", "65536"}},
      {"H16", H, JsonInt("vision_config.patch_size", 0), {F}, {"vision_config.patch_size", "0"}},
      {"H16", H, [](MemoryCheckpoint& c) {
         c.meta().SetInt("vision_config.image_size", 336);
         c.meta().SetInt("vision_config.patch_size", 15);
       }, {F}, {"vision_config.image_size", "336", "15"}},
      {"H16", H, JsonInt("vision_config.image_size", 1 << 16), {F}, {"vision_config.image_size", "65536"}},
      {"H17", G, Floats("llama4.vision.image_mean", {0.5, kNan, 0.5}), {F}, {"image_mean", "finite"}},
      {"H17", G, Floats("llama4.vision.image_std", {0.5, kInf, 0.5}), {F}, {"image_std", "positive"}},
      {"H17", G, Floats("llama4.vision.image_mean", {}), {F}, {"image_mean", "0 entries"}},
      {"H17", G, Floats("llama4.vision.image_mean", {0.5}), {F}, {"image_mean", "1 entries"}},
      {"H17", G, Floats("llama4.vision.image_std", {0.5, 0.5}), {F}, {"image_std", "2 entries"}},
      {"H17", G, Floats("llama4.vision.image_std", {0.5, 0.5, 0.5, 0.5}), {F}, {"image_std", "4 entries"}},
      {"H17", G, Ints("llama4.vision.image_std", {1, 1, 1}), {F}, {"image_std"}},
      {"H17", G, Floats("llama4.vision.image_std", {0.5, 0, 0.5}), {F}, {"image_std", "0", "positive"}},
      {"H18", G, Ints("llama4.vision.image_grid_pinpoints", {336, 336, 672}), {F}, {"image_grid_pinpoints", "3"}},
      {"H18", G, Ints("llama4.vision.image_grid_pinpoints", {}), {F}, {"image_grid_pinpoints", "0"}},
      {"H18", G, Ints("llama4.vision.image_grid_pinpoints", std::vector<int64_t>(1000000, 1)), {F}, {"image_grid_pinpoints", "1000000"}},
      {"H18", G, Ints("llama4.vision.image_grid_pinpoints", {336, 0}), {F}, {"image_grid_pinpoints[1]", "0"}},
      {"H19", G, Float("vision.pixel_shuffle_ratio", 0), {F}, {"pixel_shuffle_ratio", "0"}},
      {"H19", G, Float("vision.pixel_shuffle_ratio", 3), {F}, {"pixel_shuffle_ratio", "3"}},
      {"H19", G, Float("vision.pixel_shuffle_ratio", 0.4), {F}, {"pixel_shuffle_ratio", "0.4"}},
      {"H19", G, Float("vision.pixel_shuffle_ratio", kNan), {F}, {"pixel_shuffle_ratio", "nan"}},
      {"H19", H, JsonFloat("vision_config.pixel_shuffle_ratio", 0), {F}, {"pixel_shuffle_ratio", "0"}},
      {"H19", H, JsonFloat("vision_config.pixel_shuffle_ratio", 3), {F}, {"pixel_shuffle_ratio", "3"}},
      {"H20", H, JsonInt("vision_config.num_attention_heads", 0), {F}, {"vision_config.num_attention_heads", "0"}},
      {"H20", H, JsonInt("vision_config.num_hidden_layers", 0), {F}, {"vision_config.num_hidden_layers", "0"}},
      {"H20", G, Uint("vision.attention.head_count", 0), {F}, {"llama4.vision.attention.head_count", "0"}},
      {"H20", G, Uint("vision.block_count", 0), {F}, {"llama4.vision.block_count", "0"}},
      {"H20", G, Uint("vision.projection_dim", 31), {F}, {"llama4.vision.projection_dim", "31", "32"}},
      {"H20", G, Tensor("mm.linear_1.weight", {31, 2}, std::vector<float>(62)), {F}, {"mm.linear_1.weight", "[31, 2]", "32"}},
      {"H20", H, Tensor("multi_modal_projector.linear_1.weight", {33, 2}, std::vector<float>(66)), {F}, {"multi_modal_projector.linear_1.weight", "[33, 2]", "32"}},
      // Tensors against hyper-parameters (G34, G35, S16).
      {"G35", G, WithoutTensor("blk.2.attn_k.weight"), {F}, {"blk.2.attn_k.weight", "missing"}},
      {"G35", G, WithoutTensor("token_embd.weight"), {F}, {"token_embd.weight", "missing"}},
      {"G35", G, [](MemoryCheckpoint& c) {
         c.Info("blk.1.attn_q.weight").shape.dims = {16, 64};
       }, {F}, {"blk.1.attn_q.weight", "[16, 64]", "[32, 32]"}},
      {"G35", G, Tensor("blk.0.attn_qkv.weight", {64, 32}, std::vector<float>(64 * 32)), {F}, {"blk.0.attn_qkv.weight", "blk.0.attn_q.weight", "twice"}},
      {"G35", H, Tensor("language_model.model.embed_tokens.weight", {64, 32}, std::vector<float>(64 * 32)), {F}, {"twice", "language_model.model.embed_tokens.weight"}},
      {"G35", G, [](MemoryCheckpoint& c) {
         c.Info("blk.1.ffn_up_exps.weight").dtype = DType::kI32;
         c.Info("blk.1.ffn_up_exps.weight").dtype_name = "I32";
       }, {U}, {"blk.1.ffn_up_exps.weight", "I32"}},
      {"G35", G, [](MemoryCheckpoint& c) {
         c.Info("blk.1.ffn_up_exps.weight").dtype = DType::kUnknown;
         c.Info("blk.1.ffn_up_exps.weight").dtype_name = "IQ4_NL";
         c.Truncate("blk.1.ffn_up_exps.weight", 4 * 24 * 18);
         c.Info("blk.1.ffn_up_exps.weight").bytes = 4 * 24 * 18;
       }, {U}, {"blk.1.ffn_up_exps.weight", "IQ4_NL"}},
      {"G35", G, Tensor("blk.0.attn_q.bias", {32}, std::vector<float>(32)), {U}, {"blk.0.attn_q.bias"}},
      {"G34", G, [](MemoryCheckpoint& c) {
         const float nan = std::numeric_limits<float>::quiet_NaN();
         std::memcpy(c.Bytes("blk.1.attn_norm.weight").data() + 8, &nan, 4);
       }, {C}, {"blk.1.attn_norm.weight", "value 2"}},
      {"G34", G, [](MemoryCheckpoint& c) {
         const float inf = std::numeric_limits<float>::infinity();
         std::memcpy(c.Bytes("blk.3.ffn_down_exps.weight").data() + 400, &inf, 4);
       }, {C}, {"blk.3.ffn_down_exps.weight", "value 100"}},
      {"G34", G, InBlocks("blk.1.attn_q.weight", DType::kQ8_0, 32, 34, 5, 0x7e00), {C}, {"blk.1.attn_q.weight", "a scale of block 5"}},
      {"G34", G, InBlocks("blk.1.attn_q.weight", DType::kQ8_0, 32, 34, 31, 0xfc00), {C}, {"blk.1.attn_q.weight", "a scale of block 31"}},
      {"G34", G, InBlocks("blk.2.attn_output.weight", DType::kQ4_0, 32, 18, 0, 0x7c00), {C}, {"blk.2.attn_output.weight", "a scale of block 0"}},
      {"G34", G, InBlocks("blk.0.attn_q.weight", DType::kF16, 1, 2, 1023, 0x7c00), {C}, {"blk.0.attn_q.weight", "value 1023"}},
      {"G34", G, InBlocks("blk.0.attn_q.weight", DType::kBF16, 1, 2, 7, 0x7f80), {C}, {"blk.0.attn_q.weight", "value 7"}},
      {"G34", G, Tensor("rope_freqs.weight", {4}, std::vector<float>{1, 1, 0, 1}), {C}, {"rope_freqs.weight[2]", "0"}},
      {"G35", G, Tensor("rope_freqs.weight", {3}, std::vector<float>(3, 1.0f)), {F}, {"rope_freqs.weight", "[3]", "[4]"}},
      {"S16", H, Text("quantization_config.quant_method", "gptq"), {U}, {"gptq"}},
      {"S16", H, Flag("attention_bias", true), {U}, {"attention_bias"}},
      {"S16", H, Text("hidden_act", "gelu"), {U}, {"hidden_act", "gelu"}},
      {"S16", H, Ints("moe_layers", {4}), {F}, {"moe_layers[0]", "4"}},
      {"S16", H, Texts("layer_types", {"full_attention", "sliding", "full_attention", "full_attention"}), {U}, {"layer_types[1]", "sliding"}},
      {"S16", H, Text("rope_scaling.rope_type", "yarn"), {U}, {"yarn"}},
  };
  for (const double base : {0.0, -1.0, kNan, kInf, 1e-300}) {
    cases.push_back({"H09", G, Float("rope.freq_base", base), {F}, {"llama4.rope.freq_base"}});
    if (std::isfinite(base)) cases.push_back({"H09", H, JsonFloat("rope_theta", base), {F}, {"rope_theta"}});
  }
  cases.push_back({"H09", G, Float("rope.scaling.factor", 0), {F}, {"llama4.rope.scaling.factor", "0"}});
  cases.push_back({"H09",
                   H,
                   [](MemoryCheckpoint& c) {
                     c.meta().SetString("rope_scaling.rope_type", "llama3");
                     c.meta().SetFloat("rope_scaling.factor", 0);
                   },
                   {F},
                   {"rope_scaling.factor", "0"}});
  cases.push_back({"H09",
                   H,
                   [](MemoryCheckpoint& c) {
                     c.meta().SetString("rope_scaling.rope_type", "llama3");
                     c.meta().SetFloat("rope_scaling.factor", 8);
                   },
                   {F},
                   {"rope_scaling.low_freq_factor", "missing"}});
  for (const double eps : {kNan, kInf, -1e-5, 0.0}) {
    cases.push_back({"H10", G, Float("attention.layer_norm_rms_epsilon", eps), {F}, {"llama4.attention.layer_norm_rms_epsilon"}});
    if (std::isfinite(eps)) cases.push_back({"H10", H, JsonFloat("rms_norm_eps", eps), {F}, {"rms_norm_eps"}});
  }
  // Every integer key as every other class of value.
  for (const char* key : {"block_count", "context_length", "embedding_length", "feed_forward_length", "expert_feed_forward_length",
                          "attention.head_count", "attention.head_count_kv", "attention.key_length", "attention.value_length",
                          "rope.dimension_count", "expert_count", "expert_used_count", "interleave_moe_layer_step", "vocab_size",
                          "attention.chunk_size", "attention.sliding_window"}) {
    const std::string full = std::string("llama4.") + key;
    cases.push_back({"H14", G, [=](MemoryCheckpoint& c) { c.meta().SetString(full, "4"); }, {F}, {full}});
    cases.push_back({"H14", G, [=](MemoryCheckpoint& c) { c.meta().SetFloat(full, 4.5); }, {F}, {full}});
    cases.push_back({"H14", G, [=](MemoryCheckpoint& c) { c.meta().SetInts(full, {4}); }, {F}, {full}});
    cases.push_back({"H14", G, [=](MemoryCheckpoint& c) { c.meta().SetInt(full, -1); }, {F}, {full}});
    cases.push_back({"H14", G, [=](MemoryCheckpoint& c) { c.meta().SetUint(full, UINT64_MAX); }, {F, L}, {full}});
  }
  for (const char* key :
       {"attention.layer_norm_rms_epsilon", "rope.freq_base", "attention.temperature_length", "attention.temperature_scale"}) {
    const std::string full = std::string("llama4.") + key;
    cases.push_back({"H14", G, [=](MemoryCheckpoint& c) { c.meta().SetString(full, "1"); }, {F}, {full}});
    cases.push_back({"H14", G, [=](MemoryCheckpoint& c) { c.meta().SetFloats(full, {1}); }, {F}, {full}});
    cases.push_back({"H14", G, [=](MemoryCheckpoint& c) { c.meta().SetFloat(full, kNan); }, {F}, {full}});
  }
  // The two names of the family as every other class of value.
  for (const auto& [kind, key] : {std::pair{G, "general.architecture"}, std::pair{H, "model_type"}}) {
    cases.push_back({"H14", kind, [key = key](MemoryCheckpoint& c) { c.meta().SetInt(key, 4); }, {F}, {key}});
    cases.push_back({"H14", kind, [key = key](MemoryCheckpoint& c) { c.meta().SetFloat(key, 4.5); }, {F}, {key}});
    cases.push_back({"H14", kind, [key = key](MemoryCheckpoint& c) { c.meta().SetBool(key, true); }, {F}, {key}});
    cases.push_back({"H14", kind, [key = key](MemoryCheckpoint& c) { c.meta().SetStrings(key, {"llama4"}); }, {F}, {key}});
  }
  return cases;
}

}  // namespace scout::model
