// Checks of the vision tower's hyper-parameters where a file brings them. The text model does not use them, but a file that
// contradicts itself there is refused when it is opened and not when the first picture comes.
#include <cmath>

#include "base/error.h"
#include "model/config_reader.h"

namespace scout::model {
namespace {

// The same facts under the names of each container.
struct VisionKeys {
  const char* prefix;
  const char* layers;
  const char* width;
  const char* hidden;
  const char* heads;
  const char* image_size;
  const char* patch_size;
  const char* shuffle;
  const char* eps;
  const char* rope_base;
  const char* projection;  // width of what reaches the text model; "" = the container says it by a tensor only
};
constexpr VisionKeys kVisionKeys[] = {
    {"llama4.vision.", "block_count", "embedding_length", "feed_forward_length", "attention.head_count", "image_size", "patch_size",
     "pixel_shuffle_ratio", "layer_norm_epsilon", "rope.freq_base", "projection_dim"},
    {"clip.vision.", "block_count", "embedding_length", "feed_forward_length", "attention.head_count", "image_size", "patch_size",
     "pixel_shuffle_ratio", "attention.layer_norm_epsilon", "rope.freq_base", "projection_dim"},
    {"vision_config.", "num_hidden_layers", "hidden_size", "intermediate_size", "num_attention_heads", "image_size", "patch_size",
     "pixel_shuffle_ratio", "norm_eps", "rope_theta", ""},
};
constexpr int64_t kMaxImageSize = 8192;
constexpr size_t kMaxGridEntries = 1024;

void CheckGrid(const VisionKeys& names, const KeyReader& keys) {
  const auto image = keys.FindInt(names.image_size, 1, kMaxImageSize);
  const auto patch = keys.FindInt(names.patch_size, 1, image.value_or(kMaxImageSize));
  if (image && patch && *image % *patch != 0)
    Fail(ErrorCode::kFormat, "key ", keys.Key(names.image_size), " is ", *image, ", which is not a multiple of ",
         keys.Key(names.patch_size), " = ", *patch);
  const auto ratio = keys.FindNumber(names.shuffle, 1.0 / 64, 1.0);
  if (!ratio) return;
  const double side = std::round(1.0 / *ratio);
  if (std::abs(side * *ratio - 1.0) > 1e-6 || (image && patch && *image / *patch % static_cast<int64_t>(side) != 0))
    Fail(ErrorCode::kFormat, "key ", keys.Key(names.shuffle), " is ", *ratio,
         ", expected one over a whole number that divides the side of ", "the patch grid",
         image && patch ? StrCat(", ", *image / *patch) : std::string());
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

}  // namespace

void CheckVision(const io::Checkpoint& checkpoint, const Config& config) {
  for (const VisionKeys& names : kVisionKeys) {
    const KeyReader keys(checkpoint.metadata(), names.prefix);
    (void)keys.FindInt(names.layers, 1, kMaxLayers);
    const auto width = keys.FindInt(names.width, 1, kMaxWidth);
    const auto heads = keys.FindInt(names.heads, 1, width.value_or(kMaxWidth));
    (void)keys.FindInt(names.hidden, 1, kMaxWidth);
    if (width && heads && *width % *heads != 0)
      Fail(ErrorCode::kFormat, "key ", keys.Key(names.width), " is ", *width, ", which is not a multiple of ",
           keys.Key(names.heads), " = ", *heads);
    CheckGrid(names, keys);
    CheckLists(keys);
    (void)keys.FindNumber(names.eps, 1.18e-38, 1.0);
    (void)keys.FindNumber(names.rope_base, 1, 1e30);
    if (*names.projection) {
      const auto projection = keys.FindInt(names.projection, 1, kMaxWidth);
      if (projection && *projection != config.embedding)
        Fail(ErrorCode::kFormat, "key ", keys.Key(names.projection), " is ", *projection, ", but the text model is ",
             config.embedding, " wide");
    }
  }
  for (const char* name : {"mm.linear_1.weight", "mm.model.fc.weight", "multi_modal_projector.linear_1.weight",
                           "model.multi_modal_projector.linear_1.weight"}) {
    const io::TensorInfo* tensor = checkpoint.FindTensor(name);
    if (tensor && (tensor->shape.rank != 2 || tensor->shape[0] != static_cast<uint64_t>(config.embedding)))
      Fail(ErrorCode::kFormat, "tensor ", name, " has shape ", ToString(tensor->shape), ", expected [", config.embedding,
           ", its input]");
  }
}

}  // namespace scout::model
