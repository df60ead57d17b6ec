// Hyper-parameters from the metadata of a GGUF file, as llama.cpp's converter and Ollama write them.
//
// Much of Llama 4 is not in the converter's files and follows from the architecture: every fourth layer position-free, chunks of
// 8,192, temperature tuning with 8,192 and 0.1, q/k norm on unless the model has 128 experts (Maverick). Keys that say so
// nevertheless (Ollama's, and this project's own files) win.
#include <cmath>
#include <cstring>
#include <limits>
#include <span>

#include "base/error.h"
#include "model/config_reader.h"
#include "model/names.h"
#include "model/rope.h"

namespace scout::model {
namespace {

constexpr int64_t kDefaultInterval = 4;
constexpr int64_t kDefaultChunk = 8192;
constexpr double kDefaultTemperatureLength = 8192;
constexpr double kDefaultTemperatureScale = 0.1;
constexpr int64_t kExpertsWithoutQkNorm = 128;
constexpr int64_t kMaxContext = std::numeric_limits<int32_t>::max();

void ReadHeads(const KeyReader& keys, Config& config) {
  config.heads = keys.Int("attention.head_count", 1, kMaxWidth);
  config.kv_heads = keys.FindInt("attention.head_count_kv", 1, config.heads).value_or(config.heads);
  const auto key_length = keys.FindInt("attention.key_length", 1, kMaxWidth);
  const auto head_dim = keys.FindInt("attention.head_dim", 1, kMaxWidth);  // Ollama's word for the same
  if (key_length && head_dim && *key_length != *head_dim)
    Fail(ErrorCode::kFormat, "key ", keys.Key("attention.key_length"), " is ", *key_length, ", but ",
         keys.Key("attention.head_dim"), " is ", *head_dim);
  if (key_length || head_dim) {
    config.head_dim = key_length ? *key_length : *head_dim;
  } else {
    if (config.embedding % config.heads != 0)
      Fail(ErrorCode::kFormat, "key ", keys.Key("embedding_length"), " is ", config.embedding, ", which is not a multiple of ",
           keys.Key("attention.head_count"), " = ", config.heads, ", and no attention.key_length says the head size");
    config.head_dim = config.embedding / config.heads;
  }
  const auto value_length = keys.FindInt("attention.value_length", 1, kMaxWidth);
  if (value_length && *value_length != config.head_dim)
    Fail(ErrorCode::kUnsupported, "key ", keys.Key("attention.value_length"), " is ", *value_length, ", but keys have ",
         config.head_dim, " values: heads of two sizes are not served");
  CheckHeads(config, keys, "attention.head_count", "attention.head_count_kv");
}

void ReadFeedForward(const KeyReader& keys, Config& config) {
  config.dense_hidden = keys.FindInt("feed_forward_length", 1, kMaxWidth).value_or(0);
  config.expert_hidden = keys.FindInt("expert_feed_forward_length", 1, kMaxWidth).value_or(0);
  config.experts = keys.FindInt("expert_count", 0, kMaxExperts).value_or(0);
  config.experts_used = keys.FindInt("expert_used_count", 0, kMaxExperts).value_or(config.experts > 0 ? 1 : 0);
  CheckExperts(config, keys, "expert_count", "expert_used_count");
  config.moe_step = keys.FindInt("interleave_moe_layer_step", config.experts > 0 ? 1 : 0, kMaxLayers).value_or(1);
  SetExpertsByStep(config);
}

void ReadLayerKinds(const KeyReader& keys, Config& config) {
  SetLayersByInterval(config, kDefaultInterval);
  if (keys.Has("attention.sliding_window_pattern")) {
    // One number, the interval of position-free layers, or a flag per layer: 1 = rotates and is chunked.
    const std::string name = "attention.sliding_window_pattern";
    if (keys.IsArray(name)) {
      const io::MetaArray* array = keys.FindArray(name);
      if (array->size() != static_cast<size_t>(config.layers))
        Fail(ErrorCode::kFormat, "key ", keys.Key(name), " has ", array->size(), " entries for ", config.layers, " layers");
      for (size_t i = 0; i < config.layer.size(); ++i)
        config.layer[i].rope = config.layer[i].chunked = keys.At(name, *array, i, 0, 1) != 0;
    } else {
      SetLayersByInterval(config, keys.Int(name, 1, kMaxLayers));
    }
  }

  config.attention_chunk = kDefaultChunk;
  config.temperature_length = kDefaultTemperatureLength;
  config.temperature_scale = kDefaultTemperatureScale;
  const auto window = keys.FindInt("attention.sliding_window", 0, kMaxContext);
  if (window && *window == 0) {
    // All layers see everything, all rotate, none is tuned: small dense models of this architecture say so.
    for (LayerKind& layer : config.layer) {
      layer.rope = true;
      layer.chunked = false;
    }
    config.temperature_length = 0;
  } else if (window) {
    config.attention_chunk = *window;
  }
  if (const auto chunk = keys.FindInt("attention.chunk_size", 1, kMaxContext)) {
    if (*chunk > config.context)
      Fail(ErrorCode::kFormat, "key ", keys.Key("attention.chunk_size"), " is ", *chunk, ", expected at most ",
           keys.Key("context_length"), " = ", config.context);
    config.attention_chunk = *chunk;
  }
  if (const auto length = keys.FindNumber("attention.temperature_length", 0, 1e15)) config.temperature_length = *length;
  if (const auto scale = keys.FindNumber("attention.temperature_scale", 0, 1e6)) config.temperature_scale = *scale;
  config.qk_norm = keys.FindBool("use_qk_norm").value_or(config.experts != kExpertsWithoutQkNorm);
}

void ReadRope(const io::Checkpoint& checkpoint, const KeyReader& keys, Config& config) {
  const auto base = checkpoint.metadata().FindFloat(keys.Key("rope.freq_base"));
  if (!base) Fail(ErrorCode::kFormat, "key ", keys.Key("rope.freq_base"), " is missing");
  config.rope_base = CheckedRopeBase(keys.Key("rope.freq_base"), *base);
  const int64_t rotary = keys.FindInt("rope.dimension_count", 2, config.head_dim).value_or(config.head_dim);
  if (rotary % 2 != 0)
    Fail(ErrorCode::kFormat, "key ", keys.Key("rope.dimension_count"), " is ", rotary, ", expected an even number up to ",
         config.head_dim);
  config.inv_freq = BaseFrequencies(config.rope_base, rotary, config.head_dim);
  config.rope_scaling = "none";

  const auto type = keys.FindString("rope.scaling.type");
  const auto factor = keys.FindNumber("rope.scaling.factor", 1e-6, 1e9);
  if (type && *type != "none" && *type != "linear")
    Fail(ErrorCode::kUnsupported, "key ", keys.Key("rope.scaling.type"), " is \"", Escape(*type),
         "\"; served are none and linear, and the ", "tensor rope_freqs.weight");
  if (factor && *factor != 1 && (!type || *type == "linear")) {
    for (float& f : config.inv_freq) f = f / static_cast<float>(*factor);
    config.rope_scaling = StrCat("linear ", *factor);
  }

  // What the converter makes of the "llama3" scaling: one divisor per pair.
  const io::TensorInfo* tensor = checkpoint.FindTensor("rope_freqs.weight");
  if (!tensor) return;
  const auto pairs = static_cast<uint64_t>(rotary / 2);
  if (tensor->dtype != DType::kF32) Fail(ErrorCode::kFormat, "tensor rope_freqs.weight is ", tensor->dtype_name, ", expected F32");
  if (tensor->shape.rank != 1 || tensor->shape[0] != pairs)
    Fail(ErrorCode::kFormat, "tensor rope_freqs.weight has shape ", ToString(tensor->shape), ", expected [", pairs, "]");
  std::vector<float> divisors(pairs);
  checkpoint.Read(*tensor, 0, std::as_writable_bytes(std::span<float>(divisors)));
  for (size_t i = 0; i < divisors.size(); ++i) {
    if (!std::isfinite(divisors[i]) || divisors[i] < 1e-6f)
      Fail(ErrorCode::kCorrupt, "tensor rope_freqs.weight[", i, "] at file offset ", tensor->offset + 4 * i, " is ", divisors[i],
           ", expected a positive number");
    config.inv_freq[i] = config.inv_freq[i] / divisors[i];
  }
  config.rope_scaling = "from rope_freqs.weight";
}

void ReadVocabulary(const io::Checkpoint& checkpoint, const KeyReader& keys, Config& config) {
  const io::TensorInfo& table = *checkpoint.FindTensor("token_embd.weight");
  if (table.shape.rank != 2)
    Fail(ErrorCode::kFormat, "tensor token_embd.weight has shape ", ToString(table.shape), ", expected [vocabulary, ",
         config.embedding, "]");
  const uint64_t rows = table.shape[0];
  const io::MetaArray* tokens = checkpoint.metadata().FindArray("tokenizer.ggml.tokens");
  const auto said = keys.FindInt("vocab_size", 1, std::numeric_limits<int64_t>::max());
  if ((said && static_cast<uint64_t>(*said) != rows) || (tokens && tokens->size() > rows))
    Fail(ErrorCode::kFormat, "the vocabulary disagrees: token_embd.weight has ", rows, " rows, key ", keys.Key("vocab_size"),
         " is ", said ? StrCat(*said) : std::string("absent"), ", tokenizer.ggml.tokens has ",
         tokens ? StrCat(tokens->size()) : std::string("no"), " entries; fewer entries than rows is fine, all else is not");
  if (rows > static_cast<uint64_t>(kMaxVocabulary))
    Fail(ErrorCode::kLimit, "tensor token_embd.weight has ", rows, " rows, more than ", kMaxVocabulary);
  config.vocabulary = static_cast<int64_t>(rows);
}

}  // namespace

void ReadGgufConfig(const io::Checkpoint& checkpoint, Config& config) {
  const io::Metadata& metadata = checkpoint.metadata();
  const auto architecture = metadata.FindString("general.architecture");
  if (!architecture) Fail(ErrorCode::kFormat, "key general.architecture is missing");
  if (*architecture != "llama4")
    Fail(ErrorCode::kUnsupported, "general.architecture is \"", Escape(*architecture), "\"; served is \"llama4\"");
  config.name = std::string(metadata.FindString("general.name").value_or(""));
  config.version = std::string(metadata.FindString("general.version").value_or(""));

  const KeyReader keys(metadata, "llama4.");
  config.layers = keys.Int("block_count", 1, std::numeric_limits<uint32_t>::max());
  if (config.layers > kMaxLayers) Fail(ErrorCode::kLimit, "key llama4.block_count is ", config.layers, ", more than ", kMaxLayers);
  config.layer.resize(static_cast<size_t>(config.layers));
  config.context = keys.Int("context_length", 1, std::numeric_limits<int64_t>::max());
  if (config.context > kMaxContext)
    Fail(ErrorCode::kLimit, "key llama4.context_length is ", config.context, ", more than ", kMaxContext);
  config.embedding = keys.Int("embedding_length", 1, kMaxWidth);
  config.norm_eps = ReadNormEps(keys, "attention.layer_norm_rms_epsilon", std::nullopt);
  ReadHeads(keys, config);
  ReadFeedForward(keys, config);
  ReadLayerKinds(keys, config);
  (void)Names(checkpoint);  // there is an embedding
  ReadVocabulary(checkpoint, keys, config);
  ReadRope(checkpoint, keys, config);
  config.tied_head = checkpoint.FindTensor("output.weight") == nullptr;
}

}  // namespace scout::model
