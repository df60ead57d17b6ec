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
constexpr size_t kMaxGridEntries = 1024;

// The same facts under the names of each container.
struct Keys {
  const char* prefix;
  const char* layers;
  const char* width;
  const char* hidden;
  const char* heads;
  const char* eps;
  const char* rope_base;
  const char* projection;  // the text model's width; null where the container says it by a tensor only
};
constexpr Keys kHuggingFace = {"vision_config.",      "num_hidden_layers", "hidden_size", "intermediate_size",
                               "num_attention_heads", "norm_eps",          "rope_theta",  nullptr};
constexpr Keys kProjector = {"clip.vision.",        "block_count",          "embedding_length",
                             "feed_forward_length", "attention.head_count", "attention.layer_norm_epsilon",
                             "rope.freq_base",      "projection_dim"};
constexpr Keys kTogether = {"llama4.vision.",       "block_count",        "embedding_length", "feed_forward_length",
                            "attention.head_count", "layer_norm_epsilon", "rope.freq_base",   "projection_dim"};

const Keys& KeysOf(const io::Checkpoint& checkpoint) {
  if (checkpoint.format() == io::CheckpointFormat::kHuggingFace) return kHuggingFace;
  return checkpoint.metadata().Find("clip.vision.block_count") ? kProjector : kTogether;
}

// What the keys of a tower say, each in its range and none against another; a file without a tower may say some of it.
struct Said {
  std::optional<int64_t> layers, width, hidden, heads, tile_size, patch_size;
  std::optional<int64_t> shuffle;  // how many patches a side of the squares has that become one row
  std::optional<double> norm_eps, rope_base;
};

// A ratio or a factor says the same; they must agree.
std::optional<int64_t> ReadShuffle(const KeyReader& keys) {
  const auto factor = keys.FindInt("projector.scale_factor", 1, 64);
  const auto ratio = keys.FindNumber("pixel_shuffle_ratio", 1.0 / 64, 1.0);
  if (!ratio) return factor;
  const double side = std::round(1.0 / *ratio);
  if (std::abs(side * *ratio - 1.0) > 1e-6)
    Fail(ErrorCode::kFormat, "key ", keys.Key("pixel_shuffle_ratio"), " is ", *ratio, ", expected one over a whole number");
  if (factor && *factor != static_cast<int64_t>(side))
    Fail(ErrorCode::kFormat, "key ", keys.Key("projector.scale_factor"), " is ", *factor, ", but ", keys.Key("pixel_shuffle_ratio"),
         " is ", *ratio);
  return static_cast<int64_t>(side);
}

void CheckShuffle(const KeyReader& keys, int64_t side, int64_t shuffle) {
  if (side % shuffle != 0)
    Fail(ErrorCode::kFormat, "the patch grid's side is ", side, ", which is not a multiple of the ", shuffle,
         " that one row takes together (", keys.Key("pixel_shuffle_ratio"), " or ", keys.Key("projector.scale_factor"), ")");
}

void ExpectKey(const KeyReader& keys, const char* name, int64_t value, const char* what) {
  const auto said = keys.FindInt(name, 1, kMaxWidth);
  if (said && *said != value)
    Fail(ErrorCode::kFormat, "key ", keys.Key(name), " is ", *said, ", but ", what, " is ", value, " wide");
}

Said ReadKeys(const Keys& key, const KeyReader& keys, int64_t text_width) {
  Said said;
  said.layers = keys.FindInt(key.layers, 1, kMaxLayers);
  said.width = keys.FindInt(key.width, 1, kMaxWidth);
  said.heads = keys.FindInt(key.heads, 1, said.width.value_or(kMaxWidth));
  if (said.width && said.heads && *said.width % *said.heads != 0)
    Fail(ErrorCode::kFormat, "key ", keys.Key(key.width), " is ", *said.width, ", which is not a multiple of ", keys.Key(key.heads),
         " = ", *said.heads);
  said.hidden = keys.FindInt(key.hidden, 1, kMaxWidth);
  said.tile_size = keys.FindInt("image_size", 1, kMaxTileSize);
  said.patch_size = keys.FindInt("patch_size", 1, said.tile_size.value_or(kMaxTileSize));
  if (said.tile_size && said.patch_size && *said.tile_size % *said.patch_size != 0)
    Fail(ErrorCode::kFormat, "key ", keys.Key("image_size"), " is ", *said.tile_size, ", which is not a multiple of ",
         keys.Key("patch_size"), " = ", *said.patch_size);
  said.shuffle = ReadShuffle(keys);
  if (said.tile_size && said.patch_size && said.shuffle) CheckShuffle(keys, *said.tile_size / *said.patch_size, *said.shuffle);
  said.norm_eps = keys.FindNumber(key.eps, 1.18e-38, 1.0);
  said.rope_base = keys.FindNumber(key.rope_base, 1, 1e30);
  if (key.projection != nullptr) ExpectKey(keys, key.projection, text_width, "the text model");
  return said;
}

// Means and deviations of the three colours, and the list of tile grids as width, height pairs.
void CheckLists(const KeyReader& keys) {
  for (const char* name : {"image_mean", "image_std"}) {
    const io::MetaArray* list = keys.FindArray(name);
    if (!list) continue;
    if (list->kind != io::MetaArray::Kind::kFloat || list->size() != 3)
      Fail(ErrorCode::kFormat, "key ", keys.Key(name), " has ", list->size(), " entries, expected 3 numbers");
    for (const double value : list->floats)
      if (!std::isfinite(value) || (name[6] == 's' && value <= 0))
        Fail(ErrorCode::kFormat, "key ", keys.Key(name), " holds ", value, ", expected a ", name[6] == 's' ? "positive" : "finite",
             " number");
  }
  const io::MetaArray* grid = keys.FindArray("image_grid_pinpoints");
  if (!grid) return;
  if (grid->size() == 0 || grid->size() % 2 != 0 || grid->size() > kMaxGridEntries)
    Fail(ErrorCode::kFormat, "key ", keys.Key("image_grid_pinpoints"), " has ", grid->size(), " entries, expected pairs, 2..",
         kMaxGridEntries);
  for (size_t i = 0; i < grid->size(); ++i) (void)keys.At("image_grid_pinpoints", *grid, i, 1, 1 << 20);
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
  for (const char* name : {"image_mean", "image_std"}) {
    const io::MetaArray* list = keys.FindArray(name);
    if (!list) continue;
    for (const double value : list->floats)
      if (std::abs(value - 0.5) > 1e-6) Fail(ErrorCode::kUnsupported, "key ", keys.Key(name), " holds ", value, "; served is 0.5");
  }
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

// A required key; its range was checked where it is there.
int64_t Needed(const std::optional<int64_t>& said, const KeyReader& keys, const char* name, int64_t most) {
  return said ? *said : keys.Int(name, 1, most);
}

}  // namespace

std::optional<VisionConfig> ReadVisionConfig(const io::Checkpoint& checkpoint, int64_t text_width) {
  const auto names = VisionNames::Find(checkpoint);
  if (!names) return std::nullopt;
  const Keys& key = KeysOf(checkpoint);
  const KeyReader keys(checkpoint.metadata(), key.prefix);
  CheckLists(keys);
  RefuseWhatIsNotServed(checkpoint.metadata(), keys);
  VisionConfig c;
  const Said said = ReadKeys(key, keys, text_width);
  c.layers = Needed(said.layers, keys, key.layers, kMaxLayers);
  c.width = Needed(said.width, keys, key.width, kMaxWidth);
  c.heads = Needed(said.heads, keys, key.heads, c.width);
  c.head_dim = c.width / c.heads;
  if (c.head_dim % 4 != 0)
    Fail(ErrorCode::kFormat, "key ", keys.Key(key.width), " is ", c.width, ", expected ", keys.Key(key.heads), " = ", c.heads,
         " heads of a multiple of 4");
  c.hidden = Needed(said.hidden, keys, key.hidden, kMaxWidth);
  c.colours = keys.FindInt("num_channels", 1, 4).value_or(3);
  if (c.colours != 3) Fail(ErrorCode::kUnsupported, "key ", keys.Key("num_channels"), " is ", c.colours, "; served is 3");
  c.tile_size = Needed(said.tile_size, keys, "image_size", kMaxTileSize);
  c.patch_size = Needed(said.patch_size, keys, "patch_size", c.tile_size);
  if (c.patches() > kMaxPatches)
    Fail(ErrorCode::kLimit, "key ", keys.Key("image_size"), " is ", c.tile_size, ", ", c.patches(), " patches of ", c.patch_size,
         ", more than ", kMaxPatches);
  c.shuffle = said.shuffle.value_or(2);
  CheckShuffle(keys, c.side(), c.shuffle);
  if (c.width * c.shuffle * c.shuffle > kMaxWidth)
    Fail(ErrorCode::kLimit, "key ", keys.Key(key.width), " is ", c.width, ": ", c.shuffle, " x ", c.shuffle,
         " patches in one row are wider than ", kMaxWidth);
  c.norm_eps = said.norm_eps.value_or(1e-5);
  c.rope_base = said.rope_base.value_or(keys.FindNumber("rope_parameters.rope_theta", 1, 1e30).value_or(10000));

  c.adapter = RowsOf(checkpoint, *names, VisionRole::kAdapterUp);
  c.adapter_out = RowsOf(checkpoint, *names, VisionRole::kAdapterDown);
  c.out = text_width;
  ExpectKey(keys, "projector_input_dim", c.adapter, "the adapter's first product");
  ExpectKey(keys, "projector_output_dim", c.adapter_out, "the adapter's second product");
  ExpectKey(keys, "vision_output_dim", c.adapter_out, "the adapter's second product");
  return c;
}

void CheckVision(const io::Checkpoint& checkpoint, const Config& config) {
  for (const Keys& key : {kTogether, kProjector, kHuggingFace}) {
    const KeyReader keys(checkpoint.metadata(), key.prefix);
    (void)ReadKeys(key, keys, config.embedding);
    CheckLists(keys);
  }
  for (const char* name : {"mm.linear_1.weight", "mm.model.fc.weight", "multi_modal_projector.linear_1.weight",
                           "model.multi_modal_projector.linear_1.weight"}) {
    const io::TensorInfo* tensor = checkpoint.FindTensor(name);
    if (tensor && (tensor->shape.rank != 2 || tensor->shape[0] != static_cast<uint64_t>(config.embedding)))
      Fail(ErrorCode::kFormat, "tensor ", name, " has shape ", ToString(tensor->shape), ", expected [", config.embedding,
           ", its input]");
  }
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
