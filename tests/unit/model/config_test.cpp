#include "model/config.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/error.h"
#include "base/log.h"
#include "model/rope.h"
#include "support/memory_checkpoint.h"

namespace scout::model {
namespace {

using test::MakeTinyGguf;
using test::MakeTinyHuggingFace;
using test::MemoryCheckpoint;
using test::MemoryMetadata;
using test::TinySpec;

// "R" rotates, "C" is chunked, "M" has experts; "-" not: one word of three letters per layer.
std::string Kinds(const Config& config) {
  std::string out;
  for (const LayerKind& layer : config.layer) {
    if (!out.empty()) out += ' ';
    out += layer.rope ? 'R' : '-';
    out += layer.chunked ? 'C' : '-';
    out += layer.moe ? 'M' : '-';
  }
  return out;
}

Config Gguf(const std::function<void(MemoryMetadata&)>& change, const TinySpec& spec = {}) {
  const auto checkpoint = MakeTinyGguf(spec);
  change(checkpoint->meta());
  return ReadConfig(*checkpoint);
}

Config HuggingFace(const std::function<void(MemoryMetadata&)>& change, const TinySpec& spec = {}) {
  const auto checkpoint = MakeTinyHuggingFace(spec);
  change(checkpoint->meta());
  return ReadConfig(*checkpoint);
}

// What plain llama.cpp files hold: none of the overriding keys.
void Plain(MemoryMetadata& meta) {
  for (const char* key : {"attention.chunk_size", "attention.temperature_length", "attention.temperature_scale", "use_qk_norm"})
    meta.Erase(std::string("llama4.") + key);
}

TEST(Config, BothContainersSayTheSame) {
  TinySpec spec;
  spec.layers = 8;
  spec.moe_step = 2;
  const Config a = Gguf([](MemoryMetadata&) {}, spec), b = HuggingFace([](MemoryMetadata&) {}, spec);
  EXPECT_EQ(Kinds(a), "RC- RCM RC- --M RC- RCM RC- --M");
  EXPECT_EQ(Kinds(a), Kinds(b));
  for (const Config* c : {&a, &b}) {
    EXPECT_EQ(c->layers, 8);
    EXPECT_EQ(c->embedding, 32);
    EXPECT_EQ(c->heads, 4);
    EXPECT_EQ(c->kv_heads, 2);
    EXPECT_EQ(c->head_dim, 8);
    EXPECT_EQ(c->vocabulary, 64);
    EXPECT_EQ(c->dense_hidden, 48);
    EXPECT_EQ(c->expert_hidden, 24);
    EXPECT_EQ(c->experts, 4);
    EXPECT_EQ(c->experts_used, 1);
    EXPECT_EQ(c->attention_chunk, 8);
    EXPECT_EQ(c->temperature_length, 4);
    EXPECT_EQ(c->temperature_scale, 0.1);
    EXPECT_EQ(c->context, 4096);
    EXPECT_TRUE(c->qk_norm);
    EXPECT_FALSE(c->tied_head);
    EXPECT_EQ(c->rope_scaling, "none");
  }
  EXPECT_EQ(a.inv_freq, b.inv_freq);
}

TEST(Config, GgufDefaultsAreScouts) {
  const Config c = Gguf(Plain);
  EXPECT_EQ(c.attention_chunk, 8192);
  EXPECT_EQ(c.temperature_length, 8192);
  EXPECT_EQ(c.temperature_scale, 0.1);
  EXPECT_TRUE(c.qk_norm);
  EXPECT_EQ(Kinds(c), "RCM RCM RCM --M");
}

TEST(Config, Gguf128ExpertsMeansNoQkNormUnlessTheKeySaysSo) {
  TinySpec spec;
  spec.experts = 128;
  spec.expert_hidden = 4;
  EXPECT_FALSE(Gguf(Plain, spec).qk_norm);
  EXPECT_TRUE(Gguf([](MemoryMetadata& m) { m.SetBool("llama4.use_qk_norm", true); }, spec).qk_norm);
  EXPECT_FALSE(Gguf([](MemoryMetadata& m) { m.SetBool("llama4.use_qk_norm", false); }).qk_norm);
}

TEST(Config, GgufTemperatureOfZeroSwitchesTheTuningOff) {
  for (const char* key : {"llama4.attention.temperature_length", "llama4.attention.temperature_scale"}) {
    const Config c = Gguf([&](MemoryMetadata& m) { m.SetFloat(key, 0); });
    EXPECT_EQ(c.temperature_length, 0);
    EXPECT_EQ(c.temperature_scale, 0);
  }
}

TEST(Config, GgufSlidingWindowOfZeroIsFullAttentionThatRotatesEverywhere) {
  const Config c = Gguf([](MemoryMetadata& m) {
    Plain(m);
    m.SetUint("llama4.attention.sliding_window", 0);
  });
  EXPECT_EQ(Kinds(c), "R-M R-M R-M R-M");
  EXPECT_EQ(c.attention_chunk, 0);
  EXPECT_EQ(c.temperature_length, 0);
}

TEST(Config, GgufSlidingWindowPatternIsAnIntervalOrAList) {
  EXPECT_EQ(Kinds(Gguf([](MemoryMetadata& m) { m.SetUint("llama4.attention.sliding_window_pattern", 2); })), "RCM --M RCM --M");
  EXPECT_EQ(Kinds(Gguf([](MemoryMetadata& m) {
              m.SetInts("llama4.attention.sliding_window_pattern", {0, 1, 0, 1});
            })),
            "--M RCM --M RCM");
}

TEST(Config, GgufWithoutExpertsIsDense) {
  const auto checkpoint = MakeTinyGguf({.experts = 0, .experts_used = 0});
  checkpoint->meta().SetUint("llama4.interleave_moe_layer_step", 0);
  EXPECT_EQ(Kinds(ReadConfig(*checkpoint)), "RC- RC- RC- ---");
  for (const char* key : {"expert_count", "expert_used_count", "interleave_moe_layer_step", "expert_feed_forward_length"})
    checkpoint->meta().Erase(std::string("llama4.") + key);
  EXPECT_EQ(Kinds(ReadConfig(*checkpoint)), "RC- RC- RC- ---");
}

TEST(Config, GgufHeadSizeComesFromTheKeyOrTheWidth) {
  EXPECT_EQ(Gguf([](MemoryMetadata& m) { m.Erase("llama4.attention.key_length"); }).head_dim, 8);
  EXPECT_EQ(Gguf([](MemoryMetadata& m) {
              m.Erase("llama4.attention.key_length");
              m.Erase("llama4.attention.value_length");
              m.SetUint("llama4.attention.head_dim", 16);
            }).head_dim,
            16);
}

TEST(Config, GgufRopeFreqsAreDivisors) {
  const auto checkpoint = MakeTinyGguf({});
  const Config plain = ReadConfig(*checkpoint);
  checkpoint->AddFloats("rope_freqs.weight", {4}, std::vector<float>{1, 1, 8, 16});
  const Config scaled = ReadConfig(*checkpoint);
  EXPECT_EQ(scaled.inv_freq,
            (std::vector<float>{plain.inv_freq[0], plain.inv_freq[1], plain.inv_freq[2] / 8, plain.inv_freq[3] / 16}));
  EXPECT_EQ(scaled.rope_scaling, "from rope_freqs.weight");
}

TEST(Config, TheFirstScoutsScalingIsObeyedWithAWarning) {
  TinySpec spec;
  spec.experts = 16;
  spec.head_dim = 128;
  std::string heard;
  const auto sink = [](void* user, int32_t, const char* text, size_t size) { static_cast<std::string*>(user)->append(text, size); };
  for (const float divisor : {16.0f, 8.0f}) {
    const auto checkpoint = MakeTinyGguf(spec);
    std::vector<float> divisors(64, 1.0f);
    std::fill(divisors.begin() + 35, divisors.end(), divisor);
    checkpoint->AddFloats("rope_freqs.weight", {64}, divisors);
    heard.clear();
    SetLogSink(sink, &heard, static_cast<int32_t>(LogLevel::kWarning));
    const Config config = ReadConfig(*checkpoint);
    SetLogSink(nullptr, nullptr, 0);
    EXPECT_EQ(heard.find("first release") != std::string::npos, divisor == 8.0f) << heard;
    EXPECT_EQ(config.inv_freq[35], BaseFrequencies(500000, 128, 128)[35] / divisor);
  }
}

TEST(Config, GgufPairsPastTheRotaryCountStandStill) {
  const Config c = Gguf([](MemoryMetadata& m) { m.SetUint("llama4.rope.dimension_count", 4); });
  EXPECT_EQ(c.inv_freq[0], 1);
  EXPECT_GT(c.inv_freq[1], 0);
  EXPECT_EQ(c.inv_freq[2], 0);
  EXPECT_EQ(c.inv_freq[3], 0);
}

TEST(Config, AHeadThatIsNotThereIsTheEmbedding) {
  EXPECT_TRUE(ReadConfig(*MakeTinyGguf({.tied = true})).tied_head);
  const auto checkpoint = MakeTinyHuggingFace({.tied = true});
  checkpoint->meta().SetBool("tie_word_embeddings", false);
  EXPECT_TRUE(ReadConfig(*checkpoint).tied_head);
  EXPECT_TRUE(HuggingFace([](MemoryMetadata& m) { m.SetBool("tie_word_embeddings", true); }).tied_head);
}

TEST(Config, FewerTokenizerEntriesThanRowsIsNormal) {
  EXPECT_EQ(Gguf([](MemoryMetadata& m) { m.SetStrings("tokenizer.ggml.tokens", std::vector<std::string>(60, "a")); }).vocabulary,
            64);
}

TEST(Config, HuggingFaceListsOverrideTheRules) {
  const Config c = HuggingFace([](MemoryMetadata& m) {
    m.SetInts("no_rope_layers", {1, 0, 1, 0});
    m.SetInts("moe_layers", {1, 3});
    m.SetStrings("layer_types", {"full_attention", "chunked_attention", "chunked_attention", "full_attention"});
  });
  EXPECT_EQ(Kinds(c), "R-- -CM RC- --M");
  EXPECT_EQ(Kinds(HuggingFace([](MemoryMetadata& m) { m.SetInts("no_rope_layers", {0, 1, 1, 1}); })), "--M RCM RCM RCM");
  EXPECT_EQ(Kinds(HuggingFace([](MemoryMetadata& m) { m.SetInt("no_rope_layer_interval", 3); })), "RCM RCM --M RCM");
}

TEST(Config, HuggingFaceChunkOfNullIsFullAttention) {
  const Config c = HuggingFace([](MemoryMetadata& m) { m.SetNull("attention_chunk_size"); });
  EXPECT_EQ(Kinds(c), "R-M R-M R-M --M");
  EXPECT_EQ(c.attention_chunk, 0);
  EXPECT_EQ(c.temperature_length, 4);  // position-free layers are still tuned
  EXPECT_EQ(HuggingFace([](MemoryMetadata& m) {
              m.Erase("attention_chunk_size");
              m.SetInt("max_position_embeddings", 10485760);
            }).attention_chunk,
            8192);
}

TEST(Config, HuggingFaceTuningIsAnyTrueValue) {
  EXPECT_EQ(HuggingFace([](MemoryMetadata& m) { m.SetInt("attn_temperature_tuning", 4); }).temperature_length, 4);
  EXPECT_EQ(HuggingFace([](MemoryMetadata& m) { m.SetBool("attn_temperature_tuning", true); }).temperature_length, 4);
  EXPECT_EQ(HuggingFace([](MemoryMetadata& m) { m.SetBool("attn_temperature_tuning", false); }).temperature_length, 0);
  EXPECT_EQ(HuggingFace([](MemoryMetadata& m) { m.SetInt("attn_temperature_tuning", 0); }).temperature_length, 0);
  const Config absent = HuggingFace([](MemoryMetadata& m) {
    for (const char* key : {"attn_temperature_tuning", "floor_scale", "attn_scale"}) m.Erase(key);
  });
  EXPECT_EQ(absent.temperature_length, 8192);
  EXPECT_EQ(absent.temperature_scale, 0.1);
}

TEST(Config, HuggingFaceMultimodalWrapperIsReadThrough) {
  const auto checkpoint = MakeTinyHuggingFace({});
  MemoryMetadata& m = checkpoint->meta();
  for (const char* key : {"num_hidden_layers", "hidden_size", "intermediate_size", "intermediate_size_mlp", "num_attention_heads",
                          "num_key_value_heads", "head_dim", "vocab_size", "num_local_experts", "num_experts_per_tok",
                          "attention_chunk_size", "max_position_embeddings"}) {
    m.SetInt(std::string("text_config.") + key, std::get<int64_t>(*m.Find(key)));
    m.Erase(key);
  }
  m.SetString("model_type", "llama4");
  m.SetBool("text_config.use_qk_norm", false);
  const Config c = ReadConfig(*checkpoint);
  EXPECT_EQ(c.embedding, 32);
  EXPECT_EQ(c.attention_chunk, 8);
  EXPECT_FALSE(c.qk_norm);
}

TEST(Config, HuggingFaceRopeInBothSpellings) {
  const Config old = HuggingFace([](MemoryMetadata& m) {
    m.SetString("rope_scaling.rope_type", "llama3");
    m.SetFloat("rope_scaling.factor", 8);
    m.SetFloat("rope_scaling.low_freq_factor", 1);
    m.SetFloat("rope_scaling.high_freq_factor", 4);
    m.SetInt("rope_scaling.original_max_position_embeddings", 8192);
    m.SetFloat("rope_theta", 10000);
  });
  const Config recent = HuggingFace([](MemoryMetadata& m) {
    m.Erase("rope_theta");
    m.SetString("rope_parameters.rope_type", "llama3");
    m.SetInt("rope_parameters.factor", 8);
    m.SetInt("rope_parameters.low_freq_factor", 1);
    m.SetInt("rope_parameters.high_freq_factor", 4);
    m.SetInt("rope_parameters.original_max_position_embeddings", 8192);
    m.SetInt("rope_parameters.rope_theta", 10000);
  });
  EXPECT_EQ(old.inv_freq, recent.inv_freq);
  EXPECT_EQ(old.rope_base, 10000);
  EXPECT_EQ(old.rope_scaling, "llama3 8/1/4 of 8192");
  const Config plain = HuggingFace([](MemoryMetadata& m) {
    m.SetString("rope_parameters.rope_type", "default");
    m.SetFloat("rope_parameters.rope_theta", 10000);
  });
  EXPECT_EQ(plain.inv_freq[1], 0.1f);
  EXPECT_EQ(plain.rope_scaling, "none");
}

// The values that the specification derives (base 500,000, head size 128).
TEST(Rope, FrequenciesAreScouts) {
  std::vector<float> f = BaseFrequencies(500000, 128, 128);
  EXPECT_EQ(f[0], 1.0f);
  EXPECT_FLOAT_EQ(f[1], 0.814617234f);
  EXPECT_FLOAT_EQ(f[2], 0.663601238f);
  EXPECT_FLOAT_EQ(f[32], 1.41421356e-3f);
  EXPECT_FLOAT_EQ(f[35], 7.64496988e-4f);
  const std::vector<float> base = f;
  ApplyLlama3Scaling({16, 1, 1, 8192}, f);
  for (size_t i = 0; i < 64; ++i) EXPECT_EQ(f[i], i <= 34 ? base[i] : base[i] / 16) << i;
  EXPECT_FLOAT_EQ(base[63], 2.45514079e-6f);
}

TEST(Rope, TheFirstScoutScalingBlendsSixPairs) {
  std::vector<float> f = BaseFrequencies(500000, 128, 128);
  const std::vector<float> base = f;
  ApplyLlama3Scaling({8, 1, 4, 8192}, f);
  constexpr double kBlend[] = {1.207484, 1.553415, 2.026313, 2.694530, 3.684253, 5.257327};
  for (size_t i = 0; i < 64; ++i) {
    const double divisor = static_cast<double>(base[i]) / static_cast<double>(f[i]);
    EXPECT_NEAR(divisor, i <= 28 ? 1 : i >= 35 ? 8 : kBlend[i - 29], 2e-6 * 8) << i;
  }
}

TEST(Rope, AnglesStayFiniteAtTenMillion) {
  for (const float f : BaseFrequencies(500000, 128, 128)) EXPECT_TRUE(std::isfinite(f * 10485759.0f));
}

}  // namespace
}  // namespace scout::model
