// A vision tower of the real shape (34 layers, 1408 wide) beside a tiny text model, whose weights follow from names and places by
// integers alone (tests/fixtures/vision/real.py has the same recipe). Nothing is stored: values are made as they are read.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "quant/bf16.h"
#include "quant/f16.h"
#include "support/memory_checkpoint.h"

namespace scout::test {

class RealVision final : public io::Checkpoint {
 public:
  static constexpr int64_t kTextWidth = 64;

  // `format`: of the matrices, F16 or BF16, which hold every value exactly; vectors and positions are F32.
  explicit RealVision(DType format, int64_t layers = 34) {
    TinySpec spec;
    spec.embedding = kTextWidth;
    spec.layers = 1;
    text_ = MakeTinyHuggingFace(spec);
    const auto set = [&](const char* key, int64_t value) { text_->meta().SetInt(std::string("vision_config.") + key, value); };
    set("num_hidden_layers", layers), set("hidden_size", 1408), set("intermediate_size", 5632), set("num_attention_heads", 16);
    set("image_size", 336), set("patch_size", 14), set("projector_input_dim", 4096), set("projector_output_dim", 4096);
    set("vision_output_dim", 4096), set("rope_theta", 10000);
    text_->meta().SetFloat("vision_config.pixel_shuffle_ratio", 0.5);
    tensors_.assign(text_->tensors().begin(), text_->tensors().end());
    const std::string v = "vision_model.";
    const auto matrix = [&](const std::string& name, int64_t rows, int64_t cols) { Add(name, format, {rows, cols}); };
    const auto both = [&](const std::string& name, int64_t rows, int64_t cols) {  // a product or, with cols 0, a norm
      if (cols > 0)
        matrix(name + ".weight", rows, cols);
      else
        Add(name + ".weight", DType::kF32, {rows});
      Add(name + ".bias", DType::kF32, {rows});
    };
    matrix(v + "patch_embedding.linear.weight", 1408, 588);
    Add(v + "class_embedding", DType::kF32, {1408});
    Add(v + "positional_embedding_vlm", DType::kF32, {577, 1408});
    both(v + "layernorm_pre", 1408, 0);
    both(v + "layernorm_post", 1408, 0);
    for (int64_t i = 0; i < layers; ++i) {
      const std::string b = v + "model.layers." + std::to_string(i) + ".";
      both(b + "input_layernorm", 1408, 0);
      both(b + "post_attention_layernorm", 1408, 0);
      for (const char* name : {"q_proj", "k_proj", "v_proj", "o_proj"}) both(b + "self_attn." + name, 1408, 1408);
      both(b + "mlp.fc1", 5632, 1408);
      both(b + "mlp.fc2", 1408, 5632);
    }
    matrix(v + "vision_adapter.mlp.fc1.weight", 4096, 5632);
    matrix(v + "vision_adapter.mlp.fc2.weight", 4096, 4096);
    matrix("multi_modal_projector.linear_1.weight", kTextWidth, 4096);
    for (const io::TensorInfo& tensor : tensors_) names_.insert({tensor.name, &tensor});
  }

  // [3, 336, 336]: half noise, half a ramp.
  static std::vector<uint8_t> Tile() {
    std::vector<uint8_t> tile(size_t{3} * 336 * 336);
    const uint32_t seed = Seed("tile");
    for (size_t i = 0; i < tile.size(); ++i) tile[i] = static_cast<uint8_t>((Hash(seed, i) + i % 336 * 255 / 335) / 2);
    return tile;
  }

  io::CheckpointFormat format() const override { return text_->format(); }
  const std::string& path() const override { return text_->path(); }
  const io::Metadata& metadata() const override { return text_->metadata(); }
  std::span<const io::TensorInfo> tensors() const override { return tensors_; }
  const io::TensorInfo* FindTensor(std::string_view name) const override {
    const auto found = names_.find(std::string(name));
    return found == names_.end() ? nullptr : found->second;
  }
  uint64_t file_bytes() const override { return text_->file_bytes(); }
  void Read(const io::TensorInfo& tensor, uint64_t offset, std::span<std::byte> out) const override {
    if (const io::TensorInfo* of_text = text_->FindTensor(tensor.name)) return text_->Read(*of_text, offset, out);
    const size_t value_bytes = tensor.dtype == DType::kF32 ? 4 : 2;
    SCOUT_CHECK(offset % value_bytes == 0 && out.size() % value_bytes == 0, "half a value");
    const std::string& name = tensor.name;
    const bool vector = tensor.dtype == DType::kF32;
    const bool thirteen =
        (name.ends_with("mlp.fc1.weight") || name.ends_with("mlp.fc2.weight")) && !name.ends_with("adapter.mlp.fc2.weight");
    const float unit = vector ? 0x1p-10f : thirteen ? 0x1p-13f : 0x1p-12f;
    const float base = vector && name.ends_with(".weight") ? 1.0f : 0.0f;
    const uint32_t seed = Seed(name);
    for (size_t i = 0; i < out.size() / value_bytes; ++i) {
      const float value = static_cast<float>(2 * static_cast<int>(Hash(seed, offset / value_bytes + i)) - 255) * unit + base;
      const uint16_t half = tensor.dtype == DType::kBF16 ? quant::F32ToBf16(value) : quant::F32ToF16(value);
      if (vector)
        std::memcpy(out.data() + 4 * i, &value, 4);
      else
        std::memcpy(out.data() + 2 * i, &half, 2);
    }
  }
  const std::byte* Mapped(const io::TensorInfo&) const override { return nullptr; }
  void DropPages(const io::TensorInfo&) const override {}
  std::optional<std::string> ReadSideFile(std::string_view, uint64_t) const override { return std::nullopt; }

 private:
  static uint32_t Seed(std::string_view name) {
    uint32_t h = 2166136261u;
    for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 16777619u;
    return h;
  }
  static uint32_t Hash(uint32_t seed, uint64_t i) {
    uint32_t h = static_cast<uint32_t>(i + 1) * 2654435761u;
    h ^= seed;
    h ^= h >> 15;
    h *= 2246822519u;
    h ^= h >> 13;
    h *= 3266489917u;
    h ^= h >> 16;
    return h & 255;
  }
  void Add(const std::string& name, DType dtype, std::initializer_list<int64_t> shape) {
    io::TensorInfo& tensor = tensors_.emplace_back();
    tensor.name = name;
    tensor.dtype = dtype;
    tensor.dtype_name = InfoOf(dtype).name;
    tensor.bytes = dtype == DType::kF32 ? 4 : 2;
    for (const int64_t dim : shape) {
      tensor.shape.dims[static_cast<size_t>(tensor.shape.rank++)] = static_cast<uint64_t>(dim);
      tensor.bytes *= static_cast<uint64_t>(dim);
    }
  }

  std::unique_ptr<MemoryCheckpoint> text_;
  std::vector<io::TensorInfo> tensors_;
  std::map<std::string, const io::TensorInfo*> names_;
};

}  // namespace scout::test
