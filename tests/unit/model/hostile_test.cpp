// Hyper-parameters that contradict themselves, their limits or the tensors: section H of the project's catalogue of hostile
// input, one generated file per case, opened and loaded the way a user's would be. Every case must give one of its error codes and a one-line message that names what is wrong; and a good model loaded
// right afterwards must answer with the same bits as before.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>

#include "base/error.h"
#include "model/model.h"
#include "support/alloc_meter.h"
#include "support/checkpoint_files.h"
#include "support/memory_checkpoint.h"
#include "support/plan_builder.h"
#include "support/small_stack.h"
#include "support/temp_dir.h"

namespace scout::model {
namespace {

using test::MemoryCheckpoint;
using test::MemoryMetadata;
using test::TinySpec;

LoadOptions OnRef() {
  LoadOptions options;
  options.device = "ref";
  return options;
}

std::shared_ptr<const Model> Load(std::shared_ptr<const io::Checkpoint> checkpoint, const LoadOptions& options = OnRef()) {
  LoadProgress progress;
  return Model::Load(std::move(checkpoint), options, progress);
}

std::vector<float> LogitsOfGoodModel() {
  const auto model = Load(test::MakeTinyGguf({}));
  RunnerOptions options;
  options.page_size = 4;
  options.page_count = {8, 8};
  options.max_rows = 16;
  options.max_logit_rows = 1;
  const auto runner = model->NewRunner(options);
  test::PagePools pools(options.page_count);
  test::SequencePlanner sequence(pools, {runner->geometry(0), runner->geometry(1)});
  const std::vector<int32_t> tokens = {1, 5, 9, 13, 17, 21, 25, 29, 33, 37};
  const StepPlan plan = sequence.Next(tokens, test::WantLogits::kLast);
  runner->Begin(plan);
  while (!runner->Advance()) {
  }
  if (const auto error = runner->Finish()) throw *error;
  std::vector<float> logits(static_cast<size_t>(runner->vocabulary()));
  runner->ReadLogits(0, logits);
  return logits;
}

constexpr auto F = ErrorCode::kFormat;
constexpr auto L = ErrorCode::kLimit;
constexpr auto U = ErrorCode::kUnsupported;
constexpr auto C = ErrorCode::kCorrupt;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

enum class Kind { kGguf, kHuggingFace };
struct Case {
  const char* id;
  Kind kind;
  std::function<void(MemoryCheckpoint&)> change;
  std::vector<ErrorCode> codes;
  std::vector<std::string> message;  // each must be in it
};

// The path of the case's file or folder.
std::string WriteCase(const Case& test, const test::TempDir& folder) {
  const auto checkpoint = test.kind == Kind::kGguf ? test::MakeTinyGguf({}) : test::MakeTinyHuggingFace({});
  test.change(*checkpoint);
  if (test.kind == Kind::kHuggingFace) {
    test::WriteHuggingFace(*checkpoint, folder.path());
    return folder.path();
  }
  test::WriteFile(folder / "model.gguf", test::GgufBytes(*checkpoint));
  return folder / "model.gguf";
}

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

std::vector<Case> Cases() {
  constexpr Kind G = Kind::kGguf, H = Kind::kHuggingFace;
  std::vector<Case> cases = {
      {"H01", G, Uint("attention.head_count", 0), {F}, {"llama4.attention.head_count", "0"}},
      {"H01", G, Uint("attention.head_count", 0xffffffffu), {F}, {"llama4.attention.head_count", "4294967295"}},
      {"H01", G, Uint("attention.head_count", 1u << 31), {F}, {"llama4.attention.head_count", "2147483648"}},
      {"H01", G, Int("attention.head_count", -1), {F}, {"llama4.attention.head_count", "-1"}},
      {"H01", G, [](MemoryCheckpoint& c) { c.meta().SetInts("llama4.attention.head_count", {4, 4, 4, 4}); }, {F}, {"llama4.attention.head_count"}},
      {"H01", G, [](MemoryCheckpoint& c) { c.meta().Erase("llama4.attention.head_count"); }, {F}, {"llama4.attention.head_count", "missing"}},
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
      {"H08", G, Uint("rope.dimension_count", 0), {F}, {"llama4.rope.dimension_count", "0"}},
      {"H08", G, Uint("rope.dimension_count", 7), {F}, {"llama4.rope.dimension_count", "7"}},
      {"H08", G, Uint("rope.dimension_count", 16), {F}, {"llama4.rope.dimension_count", "16", "8"}},
      {"H08", H, JsonInt("head_dim", 7), {F}, {"7", "even"}},
      {"H10", G, [](MemoryCheckpoint& c) { c.meta().Erase("llama4.attention.layer_norm_rms_epsilon"); }, {F}, {"layer_norm_rms_epsilon", "missing"}},
      {"H11", G, Uint("attention.sliding_window_pattern", 0), {F}, {"llama4.attention.sliding_window_pattern", "0"}},
      {"H11", H, JsonInt("no_rope_layer_interval", 0), {F}, {"no_rope_layer_interval", "0"}},
      {"H11", H, [](MemoryCheckpoint& c) { c.meta().SetInts("no_rope_layers", {1, 1, 1}); }, {F}, {"no_rope_layers", "3", "4"}},
      {"H11", H, [](MemoryCheckpoint& c) { c.meta().SetInts("no_rope_layers", {1, 1, 1, 2}); }, {F}, {"no_rope_layers[3]", "2"}},
      {"H12", G, Uint("context_length", 0), {F}, {"llama4.context_length", "0"}},
      {"H12", G, Uint("context_length", 0xffffffffu), {L}, {"llama4.context_length", "4294967295", "2147483647"}},
      {"H13", G, [](MemoryCheckpoint& c) { c.meta().SetStrings("tokenizer.ggml.tokens", std::vector<std::string>(65, "a")); }, {F},
       {"64 rows", "65 entries", "is 64"}},
      {"H13", G, Uint("vocab_size", 63), {F}, {"64 rows", "llama4.vocab_size", "63"}},
      {"H13", H, JsonInt("vocab_size", 65), {F}, {"64 rows", "vocab_size", "65"}},
      {"H15", G, [](MemoryCheckpoint& c) { c.meta().SetString("general.architecture", "llama5"); }, {U}, {"llama5", "llama4"}},
      {"H15", G, [](MemoryCheckpoint& c) { c.meta().SetString("general.architecture", std::string(16 << 20, 'x')); }, {U}, {"xxx..."}},
      {"H15", G, [](MemoryCheckpoint& c) { c.meta().Erase("general.architecture"); }, {F}, {"general.architecture"}},
      {"H15", H, [](MemoryCheckpoint& c) { c.meta().SetString("model_type", "qwen2\n"); }, {U}, {"qwen2\\x0a"}},
      {"H16", G, Uint("vision.patch_size", 0), {F}, {"llama4.vision.patch_size", "0"}},
      {"H16", G, [](MemoryCheckpoint& c) {
         c.meta().SetUint("llama4.vision.image_size", 336);
         c.meta().SetUint("llama4.vision.patch_size", 15);
       }, {F}, {"llama4.vision.image_size", "336", "15"}},
      {"H16", G, Uint("vision.image_size", 1 << 16), {F}, {"llama4.vision.image_size", "65536"}},
      {"H16", H, JsonInt("vision_config.patch_size", 0), {F}, {"vision_config.patch_size", "0"}},
      {"H17", G, [](MemoryCheckpoint& c) { c.meta().SetFloats("llama4.vision.image_mean", {}); }, {F}, {"image_mean", "0 entries"}},
      {"H17", G, [](MemoryCheckpoint& c) { c.meta().SetFloats("llama4.vision.image_mean", {0.5}); }, {F}, {"image_mean", "1 entries"}},
      {"H17", G, [](MemoryCheckpoint& c) { c.meta().SetFloats("llama4.vision.image_std", {0.5, 0.5}); }, {F}, {"image_std", "2 entries"}},
      {"H17", G, [](MemoryCheckpoint& c) { c.meta().SetFloats("llama4.vision.image_std", {0.5, 0.5, 0.5, 0.5}); }, {F}, {"image_std", "4 entries"}},
      {"H17", G, [](MemoryCheckpoint& c) { c.meta().SetInts("llama4.vision.image_std", {1, 1, 1}); }, {F}, {"image_std"}},
      {"H17", G, [](MemoryCheckpoint& c) { c.meta().SetFloats("llama4.vision.image_std", {0.5, 0, 0.5}); }, {F}, {"image_std", "0", "positive"}},
      {"H18", G, [](MemoryCheckpoint& c) { c.meta().SetInts("llama4.vision.image_grid_pinpoints", {336, 336, 672}); }, {F}, {"image_grid_pinpoints", "3"}},
      {"H18", G, [](MemoryCheckpoint& c) { c.meta().SetInts("llama4.vision.image_grid_pinpoints", {}); }, {F}, {"image_grid_pinpoints", "0"}},
      {"H18", G, [](MemoryCheckpoint& c) { c.meta().SetInts("llama4.vision.image_grid_pinpoints", std::vector<int64_t>(1000000, 1)); }, {F},
       {"image_grid_pinpoints", "1000000"}},
      {"H18", G, [](MemoryCheckpoint& c) { c.meta().SetInts("llama4.vision.image_grid_pinpoints", {336, 0}); }, {F}, {"image_grid_pinpoints[1]", "0"}},
      {"H19", G, Float("vision.pixel_shuffle_ratio", 0), {F}, {"pixel_shuffle_ratio", "0"}},
      {"H19", G, Float("vision.pixel_shuffle_ratio", 3), {F}, {"pixel_shuffle_ratio", "3"}},
      {"H19", G, Float("vision.pixel_shuffle_ratio", 0.4), {F}, {"pixel_shuffle_ratio", "0.4"}},
      {"H19", G, Float("vision.pixel_shuffle_ratio", kNan), {F}, {"pixel_shuffle_ratio", "nan"}},
      {"H20", G, Uint("vision.attention.head_count", 0), {F}, {"llama4.vision.attention.head_count", "0"}},
      {"H20", G, Uint("vision.block_count", 0), {F}, {"llama4.vision.block_count", "0"}},
      {"H20", G, Uint("vision.projection_dim", 31), {F}, {"llama4.vision.projection_dim", "31", "32"}},
      {"H20", G, [](MemoryCheckpoint& c) { c.AddFloats("mm.linear_1.weight", {31, 2}, std::vector<float>(62)); }, {F},
       {"mm.linear_1.weight", "[31, 2]", "32"}},
      {"H20", H, [](MemoryCheckpoint& c) { c.AddFloats("multi_modal_projector.linear_1.weight", {33, 2}, std::vector<float>(66)); }, {F},
       {"multi_modal_projector.linear_1.weight", "[33, 2]", "32"}},
      // Tensors against hyper-parameters (G34, G35, S16).
      {"G35", G, [](MemoryCheckpoint& c) { c.RemoveTensor("blk.2.attn_k.weight"); }, {F}, {"blk.2.attn_k.weight", "missing"}},
      {"G35", G, [](MemoryCheckpoint& c) { c.RemoveTensor("token_embd.weight"); }, {F}, {"token_embd.weight", "missing"}},
      {"G35", G, [](MemoryCheckpoint& c) { c.Info("blk.1.attn_q.weight").shape.dims = {16, 64}; }, {F}, {"blk.1.attn_q.weight", "[16, 64]", "[32, 32]"}},
      {"G35", G, [](MemoryCheckpoint& c) { c.AddFloats("blk.0.attn_qkv.weight", {64, 32}, std::vector<float>(64 * 32)); }, {F},
       {"blk.0.attn_qkv.weight", "blk.0.attn_q.weight", "twice"}},
      {"G35", H, [](MemoryCheckpoint& c) { c.AddFloats("language_model.model.embed_tokens.weight", {64, 32}, std::vector<float>(64 * 32)); }, {F},
       {"twice", "language_model.model.embed_tokens.weight"}},
      {"G35", G, [](MemoryCheckpoint& c) { c.Info("blk.1.ffn_up_exps.weight").dtype = DType::kI32; c.Info("blk.1.ffn_up_exps.weight").dtype_name = "I32"; },
       {U}, {"blk.1.ffn_up_exps.weight", "I32"}},
      {"G35", G, [](MemoryCheckpoint& c) {
         c.Info("blk.1.ffn_up_exps.weight").dtype = DType::kUnknown;
         c.Info("blk.1.ffn_up_exps.weight").dtype_name = "IQ4_NL";
         c.Truncate("blk.1.ffn_up_exps.weight", 4 * 24 * 18);
         c.Info("blk.1.ffn_up_exps.weight").bytes = 4 * 24 * 18;
       }, {U}, {"blk.1.ffn_up_exps.weight", "IQ4_NL"}},
      {"G35", G, [](MemoryCheckpoint& c) { c.AddFloats("blk.0.attn_q.bias", {32}, std::vector<float>(32)); }, {U}, {"blk.0.attn_q.bias"}},
      {"G34", G, [](MemoryCheckpoint& c) {
         const float nan = std::numeric_limits<float>::quiet_NaN();
         std::memcpy(c.Bytes("blk.1.attn_norm.weight").data() + 8, &nan, 4);
       }, {C}, {"blk.1.attn_norm.weight", "value 2"}},
      {"G34", G, [](MemoryCheckpoint& c) {
         const float inf = std::numeric_limits<float>::infinity();
         std::memcpy(c.Bytes("blk.3.ffn_down_exps.weight").data() + 400, &inf, 4);
       }, {C}, {"blk.3.ffn_down_exps.weight", "value 100"}},
      {"G34", G, [](MemoryCheckpoint& c) { c.AddFloats("rope_freqs.weight", {4}, std::vector<float>{1, 1, 0, 1}); }, {C}, {"rope_freqs.weight[2]", "0"}},
      {"G35", G, [](MemoryCheckpoint& c) { c.AddFloats("rope_freqs.weight", {3}, std::vector<float>(3, 1.0f)); }, {F}, {"rope_freqs.weight", "[3]", "[4]"}},
      {"S16", H, [](MemoryCheckpoint& c) { c.meta().SetString("quantization_config.quant_method", "gptq"); }, {U}, {"gptq"}},
      {"S16", H, [](MemoryCheckpoint& c) { c.meta().SetBool("attention_bias", true); }, {U}, {"attention_bias"}},
      {"S16", H, [](MemoryCheckpoint& c) { c.meta().SetString("hidden_act", "gelu"); }, {U}, {"hidden_act", "gelu"}},
      {"S16", H, [](MemoryCheckpoint& c) { c.meta().SetInts("moe_layers", {4}); }, {F}, {"moe_layers[0]", "4"}},
      {"S16", H, [](MemoryCheckpoint& c) { c.meta().SetStrings("layer_types", {"full_attention", "sliding", "full_attention", "full_attention"}); }, {U},
       {"layer_types[1]", "sliding"}},
      {"S16", H, [](MemoryCheckpoint& c) { c.meta().SetString("rope_scaling.rope_type", "yarn"); }, {U}, {"yarn"}},
  };
  for (const double base : {0.0, -1.0, kNan, kInf, 1e-300}) {
    cases.push_back({"H09", G, Float("rope.freq_base", base), {F}, {"llama4.rope.freq_base"}});
    if (std::isfinite(base)) cases.push_back({"H09", H, JsonFloat("rope_theta", base), {F}, {"rope_theta"}});
  }
  cases.push_back({"H09", G, Float("rope.scaling.factor", 0), {F}, {"llama4.rope.scaling.factor", "0"}});
  cases.push_back({"H09", H, [](MemoryCheckpoint& c) {
                     c.meta().SetString("rope_scaling.rope_type", "llama3");
                     c.meta().SetFloat("rope_scaling.factor", 0);
                   }, {F}, {"rope_scaling.factor", "0"}});
  cases.push_back({"H09", H, [](MemoryCheckpoint& c) {
                     c.meta().SetString("rope_scaling.rope_type", "llama3");
                     c.meta().SetFloat("rope_scaling.factor", 8);
                   }, {F}, {"rope_scaling.low_freq_factor", "missing"}});
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
  for (const char* key : {"attention.layer_norm_rms_epsilon", "rope.freq_base", "attention.temperature_length", "attention.temperature_scale"}) {
    const std::string full = std::string("llama4.") + key;
    cases.push_back({"H14", G, [=](MemoryCheckpoint& c) { c.meta().SetString(full, "1"); }, {F}, {full}});
    cases.push_back({"H14", G, [=](MemoryCheckpoint& c) { c.meta().SetFloats(full, {1}); }, {F}, {full}});
    cases.push_back({"H14", G, [=](MemoryCheckpoint& c) { c.meta().SetFloat(full, kNan); }, {F}, {full}});
  }
  return cases;
}

// Sanitizers keep what is freed for a while: the bound on memory is for builds without them.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMeasure = false;
#else
constexpr bool kMeasure = true;
#endif

struct Outcome {
  std::optional<Error> error;  // nothing: it loaded
  int64_t leaked_blocks = 0;
  int64_t peak_bytes = 0;  // beyond what was held before
  int64_t descriptors = 0;
};

int64_t OpenDescriptors() {
  int64_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) count += !entry.path().empty();
  return count;
}

// The size of a file, or of all files of a folder.
uint64_t InputBytes(const std::string& path) {
  if (!std::filesystem::is_directory(path)) return std::filesystem::file_size(path);
  uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path)) bytes += entry.file_size();
  return bytes;
}

Outcome TryToLoad(const std::string& path) {
  Outcome outcome;
  const int64_t descriptors = OpenDescriptors();
  test::AllocCount before, after;
  std::array<char, 4096> message{};
  std::optional<ErrorCode> code;
  test::OnSmallStack([&] {
    before = test::Allocations();
    test::ResetPeak();
    try {
      Load(io::OpenCheckpoint(path, {}));
    } catch (const Error& error) {
      code = error.code();
      std::strncpy(message.data(), error.what(), message.size() - 1);
    }
    after = test::Allocations();
  });
  if (code) outcome.error.emplace(*code, std::string(message.data()));
  outcome.leaked_blocks = after.live_blocks - before.live_blocks;
  outcome.peak_bytes = after.peak_bytes - before.live_bytes;
  outcome.descriptors = OpenDescriptors() - descriptors;
  return outcome;
}

TEST(HostileConfig, EveryCaseIsRefusedWithItsReason) {
  const std::vector<float> before = LogitsOfGoodModel();
  int tried = 0;
  for (const Case& test : Cases()) {
    SCOPED_TRACE(std::string(test.id) + " number " + std::to_string(++tried) + ", " + (test.message.empty() ? "" : test.message[0]));
    const test::TempDir folder;
    const std::string path = WriteCase(test, folder);
    const Outcome outcome = TryToLoad(path);
    const std::optional<Error>& error = outcome.error;
    EXPECT_EQ(outcome.leaked_blocks, 0);
    EXPECT_EQ(outcome.descriptors, 0);
    if (kMeasure) {
      EXPECT_LE(outcome.peak_bytes, (4 << 20) + 2 * static_cast<int64_t>(InputBytes(path)));
    }
    if (!error) {
      ADD_FAILURE() << "the model loaded";
      continue;
    }
    const std::string message = error->what();
    EXPECT_NE(std::find(test.codes.begin(), test.codes.end(), error->code()), test.codes.end())
        << "code " << static_cast<int>(error->code()) << ": " << message;
    for (const std::string& part : test.message) EXPECT_NE(message.find(part), std::string::npos) << "\"" << part << "\" is not in: " << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_LT(message.size(), 1000u);
    const std::vector<float> after = LogitsOfGoodModel();
    EXPECT_EQ(std::memcmp(before.data(), after.data(), before.size() * sizeof(float)), 0) << "a good model answers otherwise now";
  }
  std::printf("  %d hostile configurations, each refused\n", tried);
}

// H14: every integer key as each of GGUF's thirteen types. Any integer type serves, whatever its width and sign; nothing else does.
TEST(HostileConfig, IntegerKeysAcceptEveryIntegerTypeAndNoOther) {
  const auto checkpoint = test::MakeTinyGguf({});
  const test::TempDir folder;
  int tried = 0;
  for (const std::string_view key : checkpoint->metadata().Keys()) {
    const auto* number = std::get_if<uint64_t>(checkpoint->metadata().Find(key));
    if (number == nullptr) continue;
    for (uint32_t type = test::kGgufU8; type <= test::kGgufF64; ++type) {
      const uint64_t value = *number;
      bool integer = true;
      const std::string bytes = test::GgufBytes(*checkpoint, key, [&](test::GgufWriter& file) {
        switch (type) {
          case test::kGgufU8: file.Number(key, type, static_cast<uint8_t>(value)); break;
          case test::kGgufI8: file.Number(key, type, static_cast<int8_t>(value)); break;
          case test::kGgufU16: file.Number(key, type, static_cast<uint16_t>(value)); break;
          case test::kGgufI16: file.Number(key, type, static_cast<int16_t>(value)); break;
          case test::kGgufU32: file.Number(key, type, static_cast<uint32_t>(value)); break;
          case test::kGgufI32: file.Number(key, type, static_cast<int32_t>(value)); break;
          case test::kGgufU64: file.Number(key, type, value); break;
          case test::kGgufI64: file.Number(key, type, static_cast<int64_t>(value)); break;
          case test::kGgufF32: file.Number(key, type, static_cast<float>(value)), integer = false; break;
          case test::kGgufF64: file.Number(key, type, static_cast<double>(value)), integer = false; break;
          case test::kGgufBool: file.Bool(key, true), integer = false; break;
          case test::kGgufString: file.String(key, std::to_string(value)), integer = false; break;
          default: file.I32s(key, {static_cast<int32_t>(value)}), integer = false;
        }
      });
      if (value > 127 && (type == test::kGgufU8 || type == test::kGgufI8)) continue;  // it does not fit
      SCOPED_TRACE(std::string(key) + " as type " + std::to_string(type));
      test::WriteFile(folder / "model.gguf", bytes);
      ++tried;
      try {
        const Config config = ReadConfig(*io::OpenCheckpoint(folder / "model.gguf", {}));
        EXPECT_TRUE(integer);
        EXPECT_EQ(config.layers, 4);
      } catch (const Error& error) {
        EXPECT_FALSE(integer) << error.what();
        EXPECT_EQ(error.code(), ErrorCode::kFormat);
        EXPECT_NE(std::string(error.what()).find(key), std::string::npos) << error.what();
      }
    }
  }
  std::printf("  %d files, one key of another type in each\n", tried);
  EXPECT_GT(tried, 150);
}

// H12, the caller's side: what an engine asks for is compared with what is left and never wraps.
TEST(HostileConfig, AnEngineThatCannotFitIsRefusedWithBothNumbers) {
  const auto model = Load(test::MakeTinyGguf({}));
  const auto refused = [&](const RunnerOptions& options) -> Error {
    try {
      model->NewRunner(options);
    } catch (const Error& error) {
      return error;
    }
    return Error(ErrorCode::kInternal, "it was made");
  };
  RunnerOptions options;
  options.page_count = {8, 8};
  options.page_size = 65536;
  options.page_count = {INT32_MAX, INT32_MAX};
  const Error memory = refused(options);
  EXPECT_EQ(memory.code(), ErrorCode::kNoMemory) << memory.what();
  EXPECT_NE(std::string(memory.what()).find("36028797002186752"), std::string::npos) << memory.what();
  options.page_count = {INT64_MAX, 1};
  EXPECT_EQ(refused(options).code(), ErrorCode::kArgument);
  options.page_count = {8, 8};
  for (const int32_t size : {0, -1, INT32_MAX}) {
    options.page_size = size;
    EXPECT_EQ(refused(options).code(), ErrorCode::kArgument) << size;
  }
  options.page_size = 16;
  options.max_rows = 0;
  EXPECT_EQ(refused(options).code(), ErrorCode::kArgument);
  options.max_rows = 16;
  options.k_format = DType::kQ4_K;
  EXPECT_EQ(refused(options).code(), ErrorCode::kArgument);
  options.k_format = DType::kF16;
  EXPECT_NO_THROW(model->NewRunner(options));
}

TEST(HostileConfig, AModelThatCannotFitIsRefusedWithBothNumbers) {
  try {
    LoadOptions options = OnRef();
    options.memory_limit_bytes = 1000;
    Load(test::MakeTinyGguf({}), options);
    FAIL() << "it loaded";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNoMemory);
    EXPECT_NE(std::string(error.what()).find("only 1000 are left"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("needs at least"), std::string::npos) << error.what();
  }
}

TEST(HostileConfig, ChecksOfWeightsCanBeSwitchedOff) {
  const std::shared_ptr<MemoryCheckpoint> checkpoint = test::MakeTinyGguf({});
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(checkpoint->Bytes("blk.1.attn_norm.weight").data(), &nan, 4);
  LoadOptions options = OnRef();
  options.check_weights = false;
  EXPECT_NO_THROW(Load(checkpoint, options));
}

}  // namespace
}  // namespace scout::model
