// Projector files that contradict themselves or were damaged: each is refused with one sentence that names what is wrong, and a
// text model beside them is left alone.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "io/checkpoint.h"
#include "model/model.h"
#include "support/gguf_writer.h"
#include "support/temp_dir.h"
#include "support/vision.h"

namespace scout::model {
namespace {

const std::string kText = SCOUT_SOURCE_DIR "/tests/fixtures/vision/narrow/model.gguf";
constexpr uint64_t kWidth = 8, kHidden = 32, kAdapter = 12;

struct Entry {
  std::string name;
  std::vector<uint64_t> ne;  // fastest first
  uint32_t type = 0;         // F32
};

// A tower of two layers, two heads, tiles of 8 pixels in patches of 2, squares of 2 x 2; everything in it may be changed.
struct File {
  std::map<std::string, uint32_t> keys = {{"block_count", 2},
                                          {"embedding_length", kWidth},
                                          {"feed_forward_length", kHidden},
                                          {"attention.head_count", 2},
                                          {"image_size", 8},
                                          {"patch_size", 2},
                                          {"projector.scale_factor", 2}};
  std::vector<float> mean = {0.5f, 0.5f, 0.5f};
  std::vector<Entry> tensors;
  float value = 0.01f;  // of every weight

  explicit File(uint64_t text_width) {
    const auto both = [&](const std::string& name, std::vector<uint64_t> ne) {
      tensors.push_back({name + ".bias", {ne.back()}});
      tensors.push_back({name + ".weight", std::move(ne)});
    };
    tensors = {{"v.patch_embd.weight", {12, kWidth}},           {"v.class_embd", {kWidth}},
               {"v.position_embd.weight", {kWidth, 17}},        {"mm.model.mlp.1.weight", {4 * kWidth, kAdapter}},
               {"mm.model.mlp.2.weight", {kAdapter, kAdapter}}, {"mm.model.fc.weight", {kAdapter, text_width}}};
    both("v.pre_ln", {kWidth});
    both("v.post_ln", {kWidth});
    for (const std::string layer : {"v.blk.0.", "v.blk.1."}) {
      both(layer + "ln1", {kWidth});
      both(layer + "ln2", {kWidth});
      for (const char* name : {"attn_q", "attn_k", "attn_v", "attn_out"}) both(layer + name, {kWidth, kWidth});
      both(layer + "ffn_up", {kWidth, kHidden});
      both(layer + "ffn_down", {kHidden, kWidth});
    }
  }
  std::string Bytes() const {
    test::GgufWriter file;
    file.String("general.architecture", "clip").String("clip.projector_type", "llama4").Bool("clip.use_gelu", true);
    for (const auto& [key, number] : keys) file.U32("clip.vision." + key, number);
    file.F32("clip.vision.attention.layer_norm_epsilon", 1e-5f).F32s("clip.vision.image_mean", mean);
    for (const Entry& entry : tensors) {
      uint64_t count = 1;
      for (const uint64_t n : entry.ne) count *= n;
      std::string data;
      for (uint64_t i = 0; i < count; ++i) data += test::Raw(value);
      file.Tensor(entry.name, entry.ne, entry.type, std::move(data));
    }
    return file.Build();
  }
  Entry& Of(const std::string& name) {
    for (Entry& entry : tensors)
      if (entry.name == name) return entry;
    throw std::out_of_range(name);
  }
  void Drop(const std::string& name) {
    std::erase_if(tensors, [&](const Entry& entry) { return entry.name == name; });
  }
};

class Projectors : public testing::Test {
 protected:
  std::shared_ptr<const Model> Load(std::string_view bytes) const {
    test::WriteFile(folder_ / "mmproj.gguf", bytes);
    LoadOptions options;
    options.device = "ref";
    options.vision = true;
    options.projector = folder_ / "mmproj.gguf";
    LoadProgress progress;
    return Model::Load(io::OpenCheckpoint(kText, {}), options, progress);
  }
  // The refusal's sentence, which must be one line; "" where the file is taken.
  std::string Refusal(std::string_view bytes) const {
    try {
      Load(bytes);
    } catch (const Error& error) {
      const std::string what = error.what();
      EXPECT_NE(error.code(), ErrorCode::kInternal) << what;
      EXPECT_FALSE(what.empty());
      EXPECT_EQ(what.find('\n'), std::string::npos) << what;
      return what;
    }
    return "";
  }
  void ExpectRefusal(const File& file, const std::string& names) const {
    const std::string what = Refusal(file.Bytes());
    EXPECT_NE(what.find(names), std::string::npos) << names << ": \"" << what << '"';
  }
  File Good() const { return File(width_); }

  const test::TempDir folder_;
  const uint64_t width_ = [] {
    LoadOptions options;
    options.device = "ref";
    LoadProgress progress;
    return static_cast<uint64_t>(Model::Load(io::OpenCheckpoint(kText, {}), options, progress)->config().embedding);
  }();
};

TEST_F(Projectors, TheGoodOneIsTakenAndSees) {
  const auto model = Load(Good().Bytes());
  ASSERT_NE(model->vision(), nullptr);
  const std::vector<uint8_t> tile(static_cast<size_t>(model->vision()->tile_bytes()), 7);
  for (const float value : test::ReadFeatures(*test::SeeTiles(*model->NewVision({}), tile))) EXPECT_TRUE(std::isfinite(value));
}

TEST_F(Projectors, EveryMissingTensorIsNamed) {
  for (const Entry& entry : Good().tensors) {
    File file = Good();
    file.Drop(entry.name);
    if (entry.name == "v.patch_embd.weight")
      ExpectRefusal(file, "there is no vision tower in this file");
    else
      ExpectRefusal(file, entry.name);
  }
}

TEST_F(Projectors, EveryWrongShapeIsNamed) {
  for (const Entry& entry : Good().tensors) {
    for (size_t i = 0; i < entry.ne.size(); ++i) {
      for (const int change : {-1, 1}) {
        File file = Good();
        file.Of(entry.name).ne[i] += static_cast<uint64_t>(change);
        // The rows of the adapter's products say how wide the adapter is: what meets them is then wrong.
        const bool says = i == 1 && entry.name.starts_with("mm.model.mlp.");
        ExpectRefusal(file, says ? "mm.model." : entry.name);
      }
    }
    File turned = Good();
    std::vector<uint64_t>& ne = turned.Of(entry.name).ne;
    if (ne.size() == 2 && ne[0] != ne[1]) {
      std::swap(ne[0], ne[1]);
      ExpectRefusal(turned, entry.name.starts_with("mm.model.mlp.") ? "mm.model." : entry.name);
    }
    File flat = Good();
    flat.Of(entry.name).ne.push_back(2);
    ExpectRefusal(flat, entry.name);
  }
}

TEST_F(Projectors, FormatsThatAreNotServedAreNamed) {
  constexpr uint32_t kI32 = 26;
  for (const Entry& entry : Good().tensors) {
    File file = Good();
    file.Of(entry.name).type = kI32;
    ExpectRefusal(file, entry.name);
  }
}

TEST_F(Projectors, CountsThatTheTensorsContradictAreRefused) {
  File file = Good();
  file.keys["block_count"] = 3;
  ExpectRefusal(file, "v.blk.2.ln1.weight is missing");
  file.keys["block_count"] = 1;
  ExpectRefusal(file, "v.blk.1.ln1.weight is there, but");
  for (const auto& [key, good] : Good().keys) {
    for (const uint32_t count : {0u, 1u << 20, 0x7fffffffu, 0xffffffffu}) {
      file = Good();
      file.keys[key] = count;
      EXPECT_NE(Refusal(file.Bytes()), "") << key << " " << count;
    }
    file = Good();
    file.keys.erase(key);
    if (key != "projector.scale_factor") ExpectRefusal(file, key);
  }
  file = Good();
  file.keys["projection_dim"] = static_cast<uint32_t>(width_ + 1);
  ExpectRefusal(file, "projection_dim");
  for (const size_t count : {0, 1, 2, 4}) {
    file = Good();
    file.mean.assign(count, 0.5f);
    ExpectRefusal(file, "image_mean");
  }
  for (const float mean : {0.4f, std::nanf(""), HUGE_VALF}) {
    file = Good();
    file.mean[1] = mean;
    ExpectRefusal(file, "image_mean");
  }
}

TEST_F(Projectors, ValuesThatAreNotNumbersAreRefused) {
  for (const float value : {std::nanf(""), HUGE_VALF, -HUGE_VALF}) {
    File file = Good();
    file.value = value;
    EXPECT_NE(Refusal(file.Bytes()), "") << value;
  }
}

TEST_F(Projectors, AFileThatEndsEarlyIsRefused) {
  const std::string whole = Good().Bytes();
  for (size_t length = 0; length + 1 < whole.size(); length += 1 + whole.size() / 97) {
    const std::string what = Refusal(std::string_view(whole).substr(0, length));
    EXPECT_NE(what, "") << length << " of " << whole.size();
  }
}

}  // namespace
}  // namespace scout::model
