// Hyper-parameters from a Hugging Face config.json, as transformers 4.5x and 5.x write it: flat for a text-only model, under
// "text_config" for a multimodal one. An absent key has the default of transformers' Llama4TextConfig.
#include <algorithm>
#include <limits>

#include "base/error.h"
#include "model/config_reader.h"
#include "model/names.h"
#include "model/rope.h"

namespace scout::model {
namespace {

constexpr int64_t kMaxContext = std::numeric_limits<int32_t>::max();
constexpr double kDefaultRopeBase = 500000;

std::string FindPrefix(const io::Metadata& metadata) {
  const auto type = metadata.FindString("model_type");
  if (!type) Fail(ErrorCode::kFormat, "key model_type is missing from config.json");
  if (*type != "llama4" && *type != "llama4_text")
    Fail(ErrorCode::kUnsupported, "model_type is \"", Escape(*type), "\"; served are \"llama4\" and \"llama4_text\"");
  if (metadata.Find("text_config.hidden_size") || metadata.Find("text_config.num_hidden_layers")) return "text_config.";
  return "";
}

void RefuseWhatIsNotServed(const io::Metadata& metadata, const KeyReader& keys) {
  for (const char* prefix : {"", "text_config."}) {
    if (const auto method = metadata.FindString(StrCat(prefix, "quantization_config.quant_method")))
      Fail(ErrorCode::kUnsupported, "quantization_config.quant_method is \"", Escape(*method),
           "\"; safetensors are served as F32, F16 and BF16 (a GGUF file of the same model can be quantised)");
  }
  if (keys.FindBool("attention_bias").value_or(false))
    Fail(ErrorCode::kUnsupported, "key ", keys.Key("attention_bias"), " is true; projections with a bias are not served");
  const auto act = keys.FindString("hidden_act");
  if (act && *act != "silu" && *act != "swish")
    Fail(ErrorCode::kUnsupported, "key ", keys.Key("hidden_act"), " is \"", Escape(*act), "\"; served is \"silu\"");
  const auto partial = keys.FindNumber("partial_rotary_factor", 0, 1);
  if (partial && *partial != 1)
    Fail(ErrorCode::kUnsupported, "key ", keys.Key("partial_rotary_factor"), " is ", *partial, "; served is 1");
}

void ReadHeads(const KeyReader& keys, Config& config) {
  config.heads = keys.Int("num_attention_heads", 1, kMaxWidth);
  config.kv_heads = keys.IsNull("num_key_value_heads")
                        ? config.heads
                        : keys.FindInt("num_key_value_heads", 1, config.heads).value_or(std::min<int64_t>(8, config.heads));
  if (keys.IsNull("head_dim")) {
    if (config.embedding % config.heads != 0)
      Fail(ErrorCode::kFormat, "key ", keys.Key("hidden_size"), " is ", config.embedding, ", which is not a multiple of ",
           keys.Key("num_attention_heads"), " = ", config.heads, ", and head_dim is null");
    config.head_dim = config.embedding / config.heads;
  } else {
    config.head_dim = keys.FindInt("head_dim", 1, kMaxWidth).value_or(128);
  }
  CheckHeads(config, keys, "num_attention_heads", "num_key_value_heads");
}

void ReadFeedForward(const KeyReader& keys, Config& config) {
  config.dense_hidden = keys.FindInt("intermediate_size_mlp", 1, kMaxWidth).value_or(16384);
  config.expert_hidden = keys.FindInt("intermediate_size", 1, kMaxWidth).value_or(8192);
  config.experts = keys.FindInt("num_local_experts", 0, kMaxExperts).value_or(16);
  config.experts_used = keys.FindInt("num_experts_per_tok", 0, kMaxExperts).value_or(config.experts > 0 ? 1 : 0);
  CheckExperts(config, keys, "num_local_experts", "num_experts_per_tok");
  const io::MetaArray* listed = keys.IsNull("moe_layers") ? nullptr : keys.FindArray("moe_layers");
  config.moe_step = keys.FindInt("interleave_moe_layer_step", config.experts > 0 && !listed ? 1 : 0, kMaxLayers).value_or(1);
  if (!listed) {
    SetExpertsByStep(config);
    return;
  }
  for (LayerKind& layer : config.layer) layer.moe = false;
  for (size_t i = 0; i < listed->size(); ++i) {
    const int64_t layer = keys.At("moe_layers", *listed, i, 0, config.layers - 1);
    if (config.experts == 0)
      Fail(ErrorCode::kFormat, "key ", keys.Key("moe_layers"), " names layer ", layer, ", but ", keys.Key("num_local_experts"),
           " is 0");
    config.layer[static_cast<size_t>(layer)].moe = true;
  }
}

void ReadLayerKinds(const KeyReader& keys, Config& config) {
  const int64_t interval = keys.FindInt("no_rope_layer_interval", 1, std::numeric_limits<int32_t>::max()).value_or(4);
  SetLayersByInterval(config, interval);
  // The name says the opposite of what it holds: 1 is a layer that rotates.
  const io::MetaArray* rope = keys.FindArray("no_rope_layers");
  if (rope && rope->size() > 0) {
    if (rope->size() < config.layer.size())
      Fail(ErrorCode::kFormat, "key ", keys.Key("no_rope_layers"), " has ", rope->size(), " entries for ", config.layers,
           " layers");
    for (size_t i = 0; i < config.layer.size(); ++i)
      config.layer[i].rope = config.layer[i].chunked = keys.At("no_rope_layers", *rope, i, 0, 1) != 0;
  }
  const io::MetaArray* types = keys.FindArray("layer_types");
  if (types && types->size() > 0) {
    if (types->kind != io::MetaArray::Kind::kString || types->size() < config.layer.size())
      Fail(ErrorCode::kFormat, "key ", keys.Key("layer_types"), " must hold one text per layer; it has ", types->size(),
           " entries for ", config.layers, " layers");
    for (size_t i = 0; i < config.layer.size(); ++i) {
      const std::string_view type = types->strings[i];
      if (type != "chunked_attention" && type != "full_attention")
        Fail(ErrorCode::kUnsupported, "key ", keys.Key("layer_types"), "[", i, "] is \"", Escape(type),
             "\"; served are chunked_attention and full_attention");
      config.layer[i].chunked = type == "chunked_attention";
    }
  }
  if (keys.IsNull("attention_chunk_size")) {
    config.attention_chunk = 0;  // every layer sees everything
  } else {
    const auto chunk = keys.FindInt("attention_chunk_size", 1, kMaxContext);
    if (chunk && *chunk > config.context)
      Fail(ErrorCode::kFormat, "key ", keys.Key("attention_chunk_size"), " is ", *chunk, ", expected at most ",
           keys.Key("max_position_embeddings"), " = ", config.context);
    config.attention_chunk = chunk.value_or(8192);
  }
  if (keys.FindTruth("attn_temperature_tuning").value_or(!keys.IsNull("attn_temperature_tuning"))) {
    config.temperature_length = keys.FindNumber("floor_scale", 0, 1e15).value_or(8192);
    config.temperature_scale = keys.FindNumber("attn_scale", 0, 1e6).value_or(0.1);
  }
  config.qk_norm = keys.FindBool("use_qk_norm").value_or(true);
}

// transformers 4.x writes rope_theta and rope_scaling, 5.x both inside rope_parameters.
void ReadRope(const io::Metadata& metadata, const KeyReader& keys, Config& config) {
  std::string section = "rope_scaling.";
  for (const char* inside : {"rope_parameters.rope_theta", "rope_parameters.rope_type", "rope_parameters.type"})
    if (keys.Has(inside)) section = "rope_parameters.";
  config.rope_base = kDefaultRopeBase;
  for (const std::string& name : {std::string("rope_theta"), section + "rope_theta"})
    if (const auto base = metadata.FindFloat(keys.Key(name))) config.rope_base = CheckedRopeBase(keys.Key(name), *base);
  config.inv_freq = BaseFrequencies(config.rope_base, config.head_dim, config.head_dim);
  config.rope_scaling = "none";

  auto type = keys.FindString(section + "rope_type");
  if (!type) type = keys.FindString(section + "type");
  if (!type || *type == "default") return;
  const auto number = [&](const char* name, double min, double max) {
    const auto value = keys.FindNumber(section + name, min, max);
    if (!value) Fail(ErrorCode::kFormat, "key ", keys.Key(section + name), " is missing");
    return *value;
  };
  if (*type == "linear") {
    const double factor = number("factor", 1e-6, 1e9);
    for (float& f : config.inv_freq) f = f / static_cast<float>(factor);
    config.rope_scaling = StrCat("linear ", factor);
    return;
  }
  if (*type != "llama3")
    Fail(ErrorCode::kUnsupported, "key ", keys.Key(section), "rope_type is \"", Escape(*type),
         "\"; served are default, linear and llama3");
  Llama3Scaling scaling;
  scaling.factor = number("factor", 1e-6, 1e9);
  scaling.low = number("low_freq_factor", 1e-6, 1e9);
  scaling.high = number("high_freq_factor", 1e-6, 1e9);
  scaling.old_context = number("original_max_position_embeddings", 1, 1e15);
  ApplyLlama3Scaling(scaling, config.inv_freq);
  config.rope_scaling = StrCat("llama3 ", scaling.factor, "/", scaling.low, "/", scaling.high, " of ", scaling.old_context);
}

}  // namespace

void ReadHuggingFaceConfig(const io::Checkpoint& checkpoint, Config& config) {
  const io::Metadata& metadata = checkpoint.metadata();
  const KeyReader keys(metadata, FindPrefix(metadata));
  RefuseWhatIsNotServed(metadata, keys);
  config.name = std::string(metadata.FindString("_name_or_path").value_or(""));

  config.layers = keys.Int("num_hidden_layers", 1, std::numeric_limits<uint32_t>::max());
  if (config.layers > kMaxLayers)
    Fail(ErrorCode::kLimit, "key ", keys.Key("num_hidden_layers"), " is ", config.layers, ", more than ", kMaxLayers);
  config.layer.resize(static_cast<size_t>(config.layers));
  config.context = keys.FindInt("max_position_embeddings", 1, std::numeric_limits<int64_t>::max()).value_or(131072);
  if (config.context > kMaxContext)
    Fail(ErrorCode::kLimit, "key ", keys.Key("max_position_embeddings"), " is ", config.context, ", more than ", kMaxContext);
  config.embedding = keys.Int("hidden_size", 1, kMaxWidth);
  config.norm_eps = ReadNormEps(keys, "rms_norm_eps", 1e-5);
  ReadHeads(keys, config);
  ReadFeedForward(keys, config);
  ReadLayerKinds(keys, config);
  ReadRope(metadata, keys, config);

  const Names names(checkpoint);
  const io::TensorInfo& table = *checkpoint.FindTensor(names.Of(Role::kEmbedding));
  if (table.shape.rank != 2)
    Fail(ErrorCode::kFormat, "tensor ", Escape(table.name), " has shape ", ToString(table.shape), ", expected [vocabulary, ",
         config.embedding, "]");
  const auto said = keys.FindInt("vocab_size", 1, std::numeric_limits<int64_t>::max());
  if (said && static_cast<uint64_t>(*said) != table.shape[0])
    Fail(ErrorCode::kFormat, "the vocabulary disagrees: key ", keys.Key("vocab_size"), " is ", *said, ", tensor ",
         Escape(table.name), " has ", table.shape[0], " rows");
  if (table.shape[0] > static_cast<uint64_t>(kMaxVocabulary))
    Fail(ErrorCode::kLimit, "tensor ", Escape(table.name), " has ", table.shape[0], " rows, more than ", kMaxVocabulary);
  config.vocabulary = static_cast<int64_t>(table.shape[0]);
  const bool tied = keys.FindBool("tie_word_embeddings").value_or(metadata.FindBool("tie_word_embeddings").value_or(false));
  config.tied_head = tied || checkpoint.FindTensor(names.Of(Role::kHead)) == nullptr;
}

}  // namespace scout::model
