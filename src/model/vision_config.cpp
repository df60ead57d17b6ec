#include "model/vision_config.h"

#include <cmath>

#include "base/error.h"
#include "base/math.h"
#include "model/config_reader.h"
#include "model/rope.h"
#include "model/vision_names.h"

namespace scout::model {
namespace {

constexpr int64_t kMaxTileSize = 8192;

// The same facts under the names of each container.
struct Keys {
  const char* prefix;
  const char* layers;
  const char* width;
  const char* hidden;
  const char* heads;
  const char* eps;
  const char* rope_base;
};
constexpr Keys kHuggingFace = {"vision_config.",      "num_hidden_layers", "hidden_size", "intermediate_size",
                               "num_attention_heads", "norm_eps",          "rope_theta"};
constexpr Keys kProjector = {"clip.vision.",        "block_count",          "embedding_length",
                             "feed_forward_length", "attention.head_count", "attention.layer_norm_epsilon",
                             "rope.freq_base"};
constexpr Keys kTogether = {"llama4.vision.",       "block_count",        "embedding_length", "feed_forward_length",
                            "attention.head_count", "layer_norm_epsilon", "rope.freq_base"};

const Keys& KeysOf(const io::Checkpoint& checkpoint) {
  if (checkpoint.format() == io::CheckpointFormat::kHuggingFace) return kHuggingFace;
  return checkpoint.metadata().Find("clip.vision.block_count") ? kProjector : kTogether;
}

void RefuseWhatIsNotServed(const io::Metadata& metadata, const KeyReader& keys) {
  for (const char* key : {"clip.projector_type", "clip.vision.projector_type"}) {
    const auto type = metadata.FindString(key);
    if (type && *type != "llama4") Fail(ErrorCode::kUnsupported, "key ", key, " is \"", Escape(*type), "\"; served is \"llama4\"");
  }
  if (!metadata.FindBool("clip.use_gelu").value_or(true))
    Fail(ErrorCode::kUnsupported, "key clip.use_gelu is false; served is true");
  const auto act = keys.FindString("hidden_act");
  if (act && *act != "gelu")
    Fail(ErrorCode::kUnsupported, "key ", keys.Key("hidden_act"), " is \"", Escape(*act), "\"; served is \"gelu\"");
  const auto strategy = keys.FindString("vision_feature_select_strategy");
  if (strategy && *strategy != "default")
    Fail(ErrorCode::kUnsupported, "key ", keys.Key("vision_feature_select_strategy"), " is \"", Escape(*strategy),
         "\"; served is \"default\"");
  if (keys.FindBool("multi_modal_projector_bias").value_or(false))
    Fail(ErrorCode::kUnsupported, "key ", keys.Key("multi_modal_projector_bias"),
         " is true; a projector with a bias is not served");
}

// How many patches a side of the squares has that become one row; its ratio or factor must be said by one key at most.
int64_t ReadShuffle(const KeyReader& keys) {
  const auto factor = keys.FindInt("projector.scale_factor", 1, 64);
  const auto ratio = keys.FindNumber("pixel_shuffle_ratio", 1.0 / 64, 1.0);
  if (!ratio) return factor.value_or(2);
  const double side = std::round(1.0 / *ratio);
  if (std::abs(side * *ratio - 1.0) > 1e-6)
    Fail(ErrorCode::kFormat, "key ", keys.Key("pixel_shuffle_ratio"), " is ", *ratio, ", expected one over a whole number");
  if (factor && *factor != static_cast<int64_t>(side))
    Fail(ErrorCode::kFormat, "key ", keys.Key("projector.scale_factor"), " is ", *factor, ", but ", keys.Key("pixel_shuffle_ratio"),
         " is ", *ratio);
  return static_cast<int64_t>(side);
}

// Widths that only the tensors say for certain; keys that say them too must agree.
int64_t RowsOf(const io::Checkpoint& checkpoint, const VisionNames& names, VisionRole role) {
  const std::string name = names.Of(role);
  const io::TensorInfo* tensor = checkpoint.FindTensor(name);
  if (!tensor) Fail(ErrorCode::kFormat, "tensor ", name, " is missing");
  if (tensor->shape.rank != 2 || tensor->shape[0] < 1 || tensor->shape[0] > static_cast<uint64_t>(kMaxWidth))
    Fail(ErrorCode::kFormat, "tensor ", name, " has shape ", ToString(tensor->shape), ", expected 2 dimensions, the first of 1..",
         kMaxWidth);
  return static_cast<int64_t>(tensor->shape[0]);
}

void ExpectKey(const KeyReader& keys, const char* name, int64_t value, const char* what) {
  const auto said = keys.FindInt(name, 1, kMaxWidth);
  if (said && *said != value)
    Fail(ErrorCode::kFormat, "key ", keys.Key(name), " is ", *said, ", but ", what, " is ", value, " wide");
}

}  // namespace

std::optional<VisionConfig> ReadVisionConfig(const io::Checkpoint& checkpoint, int64_t text_width) {
  const auto names = VisionNames::Find(checkpoint);
  if (!names) return std::nullopt;
  const Keys& key = KeysOf(checkpoint);
  const KeyReader keys(checkpoint.metadata(), key.prefix);
  RefuseWhatIsNotServed(checkpoint.metadata(), keys);
  VisionConfig c;
  c.layers = keys.Int(key.layers, 1, kMaxLayers);
  c.width = keys.Int(key.width, 1, kMaxWidth);
  c.heads = keys.Int(key.heads, 1, c.width);
  if (c.width % c.heads != 0 || c.width / c.heads % 4 != 0)
    Fail(ErrorCode::kFormat, "key ", keys.Key(key.width), " is ", c.width, ", expected ", keys.Key(key.heads), " = ", c.heads,
         " heads of a multiple of 4");
  c.head_dim = c.width / c.heads;
  c.hidden = keys.Int(key.hidden, 1, kMaxWidth);
  c.colours = keys.FindInt("num_channels", 1, 4).value_or(3);
  if (c.colours != 3) Fail(ErrorCode::kUnsupported, "key ", keys.Key("num_channels"), " is ", c.colours, "; served is 3");
  c.tile_size = keys.Int("image_size", 1, kMaxTileSize);
  c.patch_size = keys.Int("patch_size", 1, c.tile_size);
  if (c.tile_size % c.patch_size != 0)
    Fail(ErrorCode::kFormat, "key ", keys.Key("image_size"), " is ", c.tile_size, ", which is not a multiple of ",
         keys.Key("patch_size"), " = ", c.patch_size);
  if (c.patches() > kMaxPatches)
    Fail(ErrorCode::kLimit, "key ", keys.Key("image_size"), " is ", c.tile_size, ", ", c.patches(), " patches of ", c.patch_size,
         ", more than ", kMaxPatches);
  c.shuffle = ReadShuffle(keys);
  if (c.side() % c.shuffle != 0)
    Fail(ErrorCode::kFormat, "the patch grid's side is ", c.side(), ", which is not a multiple of the ", c.shuffle,
         " that one row takes together (", keys.Key("pixel_shuffle_ratio"), " or ", keys.Key("projector.scale_factor"), ")");
  if (c.width * c.shuffle * c.shuffle > kMaxWidth)
    Fail(ErrorCode::kLimit, "key ", keys.Key(key.width), " is ", c.width, ": ", c.shuffle, " x ", c.shuffle,
         " patches in one row are wider than ", kMaxWidth);
  c.norm_eps = keys.FindNumber(key.eps, 1.18e-38, 1.0).value_or(1e-5);
  c.rope_base =
      keys.FindNumber(key.rope_base, 1, 1e30).value_or(keys.FindNumber("rope_parameters.rope_theta", 1, 1e30).value_or(10000));

  c.adapter = RowsOf(checkpoint, *names, VisionRole::kAdapterUp);
  c.adapter_out = RowsOf(checkpoint, *names, VisionRole::kAdapterDown);
  c.out = text_width;
  ExpectKey(keys, "projector_input_dim", c.adapter, "the adapter's first product");
  ExpectKey(keys, "projector_output_dim", c.adapter_out, "the adapter's second product");
  ExpectKey(keys, "vision_output_dim", c.adapter_out, "the adapter's second product");
  ExpectKey(keys, "projection_dim", c.out, "the text model");
  return c;
}

std::vector<float> VisionTurns(const VisionConfig& c) {
  const int64_t pairs = c.head_dim / 2, half = pairs / 2, side = c.side();
  const std::vector<float> inv_freq = BaseFrequencies(c.rope_base, pairs, pairs);  // [half]
  std::vector<float> turns(static_cast<size_t>(c.rows() * c.head_dim));
  for (int64_t p = 0; p < c.rows(); ++p) {
    for (int64_t i = 0; i < pairs; ++i) {
      const int64_t place = i < half ? p % side + 1 : p / side + 1;
      const float angle = p == c.patches() ? 0.0f : static_cast<float>(place) * inv_freq[static_cast<size_t>(i % half)];
      const SinCos turn = SinCosOf(angle);
      turns[static_cast<size_t>(p * c.head_dim + 2 * i)] = turn.cos;
      turns[static_cast<size_t>(p * c.head_dim + 2 * i + 1)] = turn.sin;
    }
  }
  return turns;
}

}  // namespace scout::model
