#include "model/config.h"

#include <cmath>

#include "base/error.h"
#include "base/log.h"
#include "model/config_reader.h"
#include "model/rope.h"

namespace scout::model {

int64_t KeyReader::Int(std::string_view name, int64_t min, int64_t max) const {
  const auto value = FindInt(name, min, max);
  if (!value) Fail(ErrorCode::kFormat, "key ", Key(name), " is missing; expected an integer in ", min, "..", max);
  return *value;
}

std::optional<int64_t> KeyReader::FindInt(std::string_view name, int64_t min, int64_t max) const {
  const auto value = metadata_.FindUint(Key(name), static_cast<uint64_t>(min), static_cast<uint64_t>(max));
  if (!value) return std::nullopt;
  return static_cast<int64_t>(*value);
}

std::optional<double> KeyReader::FindNumber(std::string_view name, double min, double max) const {
  const auto value = metadata_.FindFloat(Key(name));
  if (!value) return std::nullopt;
  if (!std::isfinite(*value) || *value < min || *value > max)
    Fail(ErrorCode::kFormat, "key ", Key(name), " is ", *value, ", expected a number in ", min, "..", max);
  return value;
}

bool KeyReader::IsArray(std::string_view name) const {
  const io::MetaValue* value = metadata_.Find(Key(name));
  return value && std::holds_alternative<std::unique_ptr<const io::MetaArray>>(*value);
}

std::optional<bool> KeyReader::FindTruth(std::string_view name) const {
  const io::MetaValue* value = metadata_.Find(Key(name));
  if (!value) return std::nullopt;
  if (const auto* number = std::get_if<int64_t>(value)) return *number != 0;
  if (const auto* number = std::get_if<uint64_t>(value)) return *number != 0;
  return FindBool(name);
}

int64_t KeyReader::At(std::string_view name, const io::MetaArray& array, size_t i, int64_t min, int64_t max) const {
  using Kind = io::MetaArray::Kind;
  int64_t value = 0;
  if (array.kind == Kind::kInt || array.kind == Kind::kBool) {
    value = array.ints[i];
  } else if (array.kind == Kind::kUint) {
    if (array.uints[i] > static_cast<uint64_t>(max))
      Fail(ErrorCode::kFormat, "key ", Key(name), "[", i, "] is ", array.uints[i], ", expected ", min, "..", max);
    value = static_cast<int64_t>(array.uints[i]);
  } else {
    Fail(ErrorCode::kFormat, "key ", Key(name), " must hold integers");
  }
  if (value < min || value > max)
    Fail(ErrorCode::kFormat, "key ", Key(name), "[", i, "] is ", value, ", expected ", min, "..", max);
  return value;
}

void CheckHeads(const Config& config, const KeyReader& keys, std::string_view heads, std::string_view kv_heads) {
  if (config.heads % config.kv_heads != 0)
    Fail(ErrorCode::kFormat, "key ", keys.Key(kv_heads), " is ", config.kv_heads, ", which must divide ", keys.Key(heads), " = ",
         config.heads);
  if (config.head_dim % 2 != 0)
    Fail(ErrorCode::kFormat, "the head size is ", config.head_dim, ", which must be even: pairs of values rotate");
  if (config.heads * config.head_dim > kMaxWidth)
    Fail(ErrorCode::kLimit, "key ", keys.Key(heads), " = ", config.heads, " heads of ", config.head_dim, " values are wider than ",
         kMaxWidth);
}

void CheckExperts(const Config& config, const KeyReader& keys, std::string_view experts, std::string_view used) {
  if (config.experts == 0 && config.experts_used > 0)
    Fail(ErrorCode::kFormat, "key ", keys.Key(used), " is ", config.experts_used, ", but ", keys.Key(experts), " is 0");
  if (config.experts > 0 && config.experts_used == 0)
    Fail(ErrorCode::kFormat, "key ", keys.Key(used), " is 0, expected 1..", config.experts, " (", keys.Key(experts), ")");
  if (config.experts_used > config.experts)
    Fail(ErrorCode::kFormat, "key ", keys.Key(used), " is ", config.experts_used, ", expected at most ", keys.Key(experts), " = ",
         config.experts);
}

double ReadNormEps(const KeyReader& keys, std::string_view name, std::optional<double> absent) {
  // The smallest normal float32: anything below would vanish beside the mean of squares, or divide by zero for a row of zeros.
  const auto value = keys.FindNumber(name, 1.18e-38, 1.0);
  if (!value && !absent) Fail(ErrorCode::kFormat, "key ", keys.Key(name), " is missing");
  return value ? *value : *absent;
}

double CheckedRopeBase(const std::string& key, double base) {
  if (!std::isfinite(base) || base < 1.0 || base > 1e30)
    Fail(ErrorCode::kFormat, "key ", key, " is ", base, ", expected a number in 1..1e30");
  return base;
}

void SetLayersByInterval(Config& config, int64_t interval) {
  for (int64_t i = 0; i < config.layers; ++i) {
    LayerKind& layer = config.layer[static_cast<size_t>(i)];
    layer.rope = (i + 1) % interval != 0;
    layer.chunked = layer.rope;
  }
}

void SetExpertsByStep(Config& config) {
  for (int64_t i = 0; i < config.layers; ++i)
    config.layer[static_cast<size_t>(i)].moe = config.experts > 0 && (i + 1) % config.moe_step == 0;
}

// Scout was first published with the rotary scaling 8/1/4 and corrected to 16/1/1 days later; files made before still go round.
// The file is obeyed, for a fine-tune may mean it.
static void WarnOfTheFirstScaling(const Config& config) {
  if (config.experts != 16 || config.head_dim != 128 || config.rope_base != 500000) return;
  const std::vector<float> base = BaseFrequencies(config.rope_base, config.head_dim, config.head_dim);
  if (config.inv_freq[35] == base[35] / 8)
    Log(LogLevel::kWarning, "the file's rotary scaling is that of Scout's first release (factor 8), which was corrected to 16 on ",
        "2025-04-11: long prompts may suffer; a newer copy of the file has the right one");
}

Config ReadConfig(const io::Checkpoint& checkpoint) {
  Config config;
  config.architecture = "llama4";
  if (checkpoint.format() == io::CheckpointFormat::kGguf) {
    ReadGgufConfig(checkpoint, config);
  } else {
    ReadHuggingFaceConfig(checkpoint, config);
  }
  CheckVision(checkpoint, config);
  bool chunked = false, moe = false, dense = false;
  for (LayerKind& layer : config.layer) {
    layer.chunked = layer.chunked && config.attention_chunk > 0;
    chunked = chunked || layer.chunked;
    moe = moe || layer.moe;
    dense = dense || !layer.moe;
  }
  if (!chunked) config.attention_chunk = 0;
  if (config.temperature_length == 0 || config.temperature_scale == 0) config.temperature_length = config.temperature_scale = 0;
  if (moe && config.expert_hidden == 0) Fail(ErrorCode::kFormat, "the model has experts, but their width is missing");
  if (dense && config.dense_hidden == 0) Fail(ErrorCode::kFormat, "the model has dense layers, but their width is missing");
  WarnOfTheFirstScaling(config);
  return config;
}

}  // namespace scout::model
