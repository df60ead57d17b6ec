// Hyper-parameters of a vision tower: what each container says, and what is refused.
#include "model/vision_config.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/error.h"
#include "model/vision_names.h"
#include "support/memory_checkpoint.h"

namespace scout::model {
namespace {

using test::MemoryCheckpoint;

constexpr int64_t kTextWidth = 16;

void AddShape(MemoryCheckpoint& checkpoint, const std::string& name, int64_t rows, int64_t cols) {
  checkpoint.AddFloats(name, {rows, cols}, std::vector<float>(static_cast<size_t>(rows * cols)));
}

// A tower of 8 wide rows, 2 heads, tiles of 8 pixels in patches of 2, squares of 2 x 2.
MemoryCheckpoint Projector() {
  MemoryCheckpoint checkpoint(io::CheckpointFormat::kGguf);
  auto& meta = checkpoint.meta();
  meta.SetString("general.architecture", "clip");
  meta.SetString("clip.projector_type", "llama4");
  meta.SetBool("clip.use_gelu", true);
  const auto set = [&](const char* key, uint64_t value) { meta.SetUint(std::string("clip.vision.") + key, value); };
  set("block_count", 2), set("embedding_length", 8), set("feed_forward_length", 32), set("attention.head_count", 2);
  set("image_size", 8), set("patch_size", 2), set("projector.scale_factor", 2), set("projection_dim", kTextWidth);
  meta.SetFloat("clip.vision.attention.layer_norm_epsilon", 1e-5);
  AddShape(checkpoint, "v.patch_embd.weight", 8, 12);
  AddShape(checkpoint, "mm.model.mlp.1.weight", 5, 32);
  AddShape(checkpoint, "mm.model.mlp.2.weight", 6, 5);
  return checkpoint;
}
MemoryCheckpoint HuggingFace() {
  MemoryCheckpoint checkpoint(io::CheckpointFormat::kHuggingFace);
  auto& meta = checkpoint.meta();
  const auto set = [&](const char* key, int64_t value) { meta.SetInt(std::string("vision_config.") + key, value); };
  set("num_hidden_layers", 2), set("hidden_size", 8), set("intermediate_size", 32), set("num_attention_heads", 2);
  set("image_size", 8), set("patch_size", 2), set("num_channels", 3), set("projector_input_dim", 5), set("projector_output_dim", 6);
  set("vision_output_dim", 6), set("rope_theta", 10000);
  meta.SetFloat("vision_config.pixel_shuffle_ratio", 0.5);
  meta.SetFloat("vision_config.norm_eps", 1e-5);
  meta.SetString("vision_config.hidden_act", "gelu");
  meta.SetString("vision_config.vision_feature_select_strategy", "default");
  AddShape(checkpoint, "vision_model.patch_embedding.linear.weight", 8, 12);
  AddShape(checkpoint, "vision_model.vision_adapter.mlp.fc1.weight", 5, 32);
  AddShape(checkpoint, "vision_model.vision_adapter.mlp.fc2.weight", 6, 5);
  return checkpoint;
}

TEST(VisionConfig, BothContainersSayTheSame) {
  for (const auto& checkpoint : {Projector(), HuggingFace()}) {
    const auto c = ReadVisionConfig(checkpoint, kTextWidth);
    ASSERT_TRUE(c.has_value());
    EXPECT_EQ(c->layers, 2);
    EXPECT_EQ(c->width, 8);
    EXPECT_EQ(c->heads, 2);
    EXPECT_EQ(c->head_dim, 4);
    EXPECT_EQ(c->hidden, 32);
    EXPECT_EQ(c->side(), 4);
    EXPECT_EQ(c->rows(), 17);
    EXPECT_EQ(c->feature_rows(), 4);
    EXPECT_EQ(c->adapter, 5);
    EXPECT_EQ(c->adapter_out, 6);
    EXPECT_EQ(c->out, kTextWidth);
    EXPECT_EQ(c->norm_eps, 1e-5);
    EXPECT_EQ(c->rope_base, 10000);
  }
}

TEST(VisionConfig, AFileWithoutATowerHasNone) {
  EXPECT_FALSE(ReadVisionConfig(*test::MakeTinyGguf({}), kTextWidth).has_value());
  EXPECT_FALSE(ReadVisionConfig(*test::MakeTinyHuggingFace({}), kTextWidth).has_value());
}

TEST(VisionConfig, TwoTowersAreRefused) {
  MemoryCheckpoint checkpoint = Projector();
  AddShape(checkpoint, "v.patch_embedding.weight", 8, 12);
  EXPECT_THROW(ReadVisionConfig(checkpoint, kTextWidth), Error);
}

struct Hostile {
  const char* key;
  std::function<void(test::MemoryMetadata&, const std::string&)> change;
  ErrorCode code;
  const char* message;
};

void SetTo(test::MemoryMetadata& meta, const std::string& key, int64_t value) { meta.SetInt(key, value); }
auto To(int64_t value) {
  return [value](test::MemoryMetadata& meta, const std::string& key) { SetTo(meta, key, value); };
}
auto ToNumber(double value) {
  return [value](test::MemoryMetadata& meta, const std::string& key) { meta.SetFloat(key, value); };
}
auto ToText(const char* value) {
  return [value](test::MemoryMetadata& meta, const std::string& key) { meta.SetString(key, value); };
}
void Gone(test::MemoryMetadata& meta, const std::string& key) { meta.Erase(key); }

void Check(const std::function<MemoryCheckpoint()>& make, const std::string& prefix, const std::vector<Hostile>& all) {
  for (const Hostile& hostile : all) {
    MemoryCheckpoint checkpoint = make();
    const std::string key = std::string(hostile.key).starts_with("clip.") ? hostile.key : prefix + hostile.key;
    hostile.change(checkpoint.meta(), key);
    try {
      (void)ReadVisionConfig(checkpoint, kTextWidth);
      ADD_FAILURE() << key << ": was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), hostile.code) << key << ": " << error.what();
      EXPECT_NE(std::string(error.what()).find(hostile.message), std::string::npos) << error.what();
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    }
  }
}

TEST(VisionConfig, HostileProjectorsAreRefusedWithOneSentence) {
  Check(Projector, "clip.vision.",
        {{"embedding_length", Gone, ErrorCode::kFormat, "embedding_length"},
         {"block_count", To(0), ErrorCode::kFormat, "block_count holds the signed integer 0,"},
         {"block_count", To(1 << 30), ErrorCode::kFormat, "block_count"},
         {"embedding_length", To(-8), ErrorCode::kFormat, "embedding_length holds the signed integer -8,"},
         {"embedding_length", To(10), ErrorCode::kFormat, "heads of a multiple of 4"},
         {"embedding_length", To(int64_t{1} << 62), ErrorCode::kFormat, "embedding_length"},
         {"embedding_length", To(1 << 20), ErrorCode::kLimit, "wider than"},
         {"attention.head_count", To(0), ErrorCode::kFormat, "head_count holds the signed integer 0,"},
         {"attention.head_count", To(3), ErrorCode::kFormat, "head_count = 3"},
         {"attention.head_count", To(4), ErrorCode::kFormat, "heads of a multiple of 4"},
         {"feed_forward_length", To(0), ErrorCode::kFormat, "feed_forward_length holds the signed integer 0,"},
         {"image_size", To(0), ErrorCode::kFormat, "image_size holds the signed integer 0,"},
         {"image_size", To(1 << 20), ErrorCode::kFormat, "image_size"},
         {"image_size", To(8192), ErrorCode::kLimit, "patches of 2, more than"},
         {"image_size", To(10), ErrorCode::kFormat, "side is 5"},
         {"patch_size", To(3), ErrorCode::kFormat, "not a multiple of clip.vision.patch_size = 3"},
         {"patch_size", To(9), ErrorCode::kFormat, "patch_size holds the signed integer 9,"},
         {"projector.scale_factor", To(0), ErrorCode::kFormat, "scale_factor holds the signed integer 0,"},
         {"projector.scale_factor", To(3), ErrorCode::kFormat, "not a multiple of the 3"},
         {"projection_dim", To(17), ErrorCode::kFormat, "projection_dim is 17"},
         {"attention.layer_norm_epsilon", ToNumber(0), ErrorCode::kFormat, "layer_norm_epsilon"},
         {"attention.layer_norm_epsilon", ToNumber(NAN), ErrorCode::kFormat, "layer_norm_epsilon"},
         {"rope.freq_base", ToNumber(0.5), ErrorCode::kFormat, "rope.freq_base"},
         {"clip.projector_type", ToText("mlp\n\x1b"), ErrorCode::kUnsupported, "served is \"llama4\""},
         {"clip.use_gelu", To(0), ErrorCode::kUnsupported, "use_gelu"}});
}

TEST(VisionConfig, HostileConfigurationsAreRefusedWithOneSentence) {
  Check(HuggingFace, "vision_config.",
        {{"hidden_size", Gone, ErrorCode::kFormat, "hidden_size"},
         {"num_hidden_layers", To(100000), ErrorCode::kFormat, "num_hidden_layers holds the signed integer 100000,"},
         {"num_channels", To(1), ErrorCode::kUnsupported, "num_channels is 1"},
         {"num_channels", To(99), ErrorCode::kFormat, "num_channels holds the signed integer 99,"},
         {"pixel_shuffle_ratio", ToNumber(0.4), ErrorCode::kFormat, "one over a whole number"},
         {"pixel_shuffle_ratio", ToNumber(0), ErrorCode::kFormat, "pixel_shuffle_ratio"},
         {"pixel_shuffle_ratio", ToNumber(1.0 / 3), ErrorCode::kFormat, "not a multiple of the 3"},
         {"projector_input_dim", To(6), ErrorCode::kFormat, "projector_input_dim is 6"},
         {"vision_output_dim", To(7), ErrorCode::kFormat, "vision_output_dim is 7"},
         {"hidden_act", ToText("quick_gelu"), ErrorCode::kUnsupported, "quick_gelu"},
         {"vision_feature_select_strategy", ToText("full"), ErrorCode::kUnsupported, "full"},
         {"multi_modal_projector_bias", To(1), ErrorCode::kUnsupported, "multi_modal_projector_bias"}});
}

TEST(VisionConfig, AnAdapterWithoutAShapeIsRefused) {
  for (const char* name : {"mm.model.mlp.1.weight", "mm.model.mlp.2.weight"}) {
    MemoryCheckpoint checkpoint = Projector();
    checkpoint.RemoveTensor(name);
    EXPECT_THROW(ReadVisionConfig(checkpoint, kTextWidth), Error);
    checkpoint.AddFloats(name, {30}, std::vector<float>(30));
    EXPECT_THROW(ReadVisionConfig(checkpoint, kTextWidth), Error);
  }
}

// cos and sin of a head of 8, by the definition in doubles.
TEST(VisionTurns, TurnByColumnThenByRowFromOneOn) {
  VisionConfig c;
  c.head_dim = 8;
  c.tile_size = 12;
  c.patch_size = 4;
  c.rope_base = 100;
  const std::vector<float> turns = VisionTurns(c);
  ASSERT_EQ(turns.size(), 10u * 8);
  for (int p = 0; p < 10; ++p)
    for (int i = 0; i < 4; ++i) {
      const double place = i < 2 ? p % 3 + 1 : p / 3 + 1;
      const double angle = p == 9 ? 0 : place * std::pow(100.0, -(i % 2) / 2.0);
      EXPECT_NEAR(turns[static_cast<size_t>(p * 8 + 2 * i)], std::cos(angle), 1e-6) << p << " " << i;
      EXPECT_NEAR(turns[static_cast<size_t>(p * 8 + 2 * i + 1)], std::sin(angle), 1e-6) << p << " " << i;
    }
}

}  // namespace
}  // namespace scout::model
