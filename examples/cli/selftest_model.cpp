#include "selftest_model.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

namespace cli {
namespace {

constexpr WeightFormat::Field kNone = {-1, 0};
constexpr WeightFormat kFormats[] = {
    {"F32", 0, 1, 4, {kNone, kNone}},
    {"F16", 1, 1, 2, {kNone, kNone}},
    {"BF16", 30, 1, 2, {kNone, kNone}},
    {"Q4_0", 2, 32, 18, {{0, 0.03f}, kNone}},
    {"Q4_1", 3, 32, 20, {{0, 0.03f}, {2, -0.2f}}},
    {"Q5_0", 6, 32, 22, {{0, 0.015f}, kNone}},
    {"Q5_1", 7, 32, 24, {{0, 0.015f}, {2, -0.2f}}},
    {"Q8_0", 8, 32, 34, {{0, 0.002f}, kNone}},
    {"Q2_K", 10, 256, 84, {{80, 0.01f}, {82, 0.015f}}},
    {"Q3_K", 11, 256, 110, {{108, 0.002f}, kNone}},
    {"Q4_K", 12, 256, 144, {{0, 0.0005f}, {2, 0.003f}}},
    {"Q5_K", 13, 256, 176, {{0, 0.0003f}, {2, 0.003f}}},
    {"Q6_K", 14, 256, 210, {{208, 0.0001f}, kNone}},
};

constexpr uint64_t kWidth = 256, kHidden = 256, kHeads = 4, kKvHeads = 2, kHeadDim = 64, kExperts = 4, kLayers = 4;

// splitmix64
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Bits() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
  }
  float Next(float low, float high) { return low + (high - low) * static_cast<float>(Bits() >> 40) * 0x1p-24f; }

 private:
  uint64_t state_;
};

// Towards zero, and zero below the normal numbers: any half will do here.
uint16_t Half(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
  if (magnitude < 113u << 23) return static_cast<uint16_t>(sign);
  return static_cast<uint16_t>(sign | (magnitude - (112u << 23)) >> 13);
}

template <typename T>
void Put(std::string& to, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  to.append(bytes, sizeof value);
}
void PutText(std::string& to, const std::string& text) {
  Put<uint64_t>(to, text.size());
  to += text;
}

class File {
 public:
  void U32(const std::string& key, uint64_t value) { Entry(key, 4), Put(entries_, static_cast<uint32_t>(value)); }
  void F32(const std::string& key, float value) { Entry(key, 6), Put(entries_, value); }
  void Text(const std::string& key, const std::string& value) { Entry(key, 8), PutText(entries_, value); }
  void Tensor(const std::string& name, const std::vector<uint64_t>& dimensions, uint32_t type, const std::string& bytes) {
    PutText(tensors_, name);
    Put(tensors_, static_cast<uint32_t>(dimensions.size()));
    for (const uint64_t n : dimensions) Put(tensors_, n);
    Put(tensors_, type);
    Put<uint64_t>(tensors_, data_.size());
    data_ += bytes;
    data_.resize((data_.size() + 31) / 32 * 32);
    ++tensor_count_;
  }
  std::string Build() const {
    std::string file = "GGUF";
    Put<uint32_t>(file, 3);
    Put(file, tensor_count_);
    Put(file, entry_count_);
    file += entries_ + tensors_;
    file.resize((file.size() + 31) / 32 * 32);
    return file + data_;
  }

 private:
  void Entry(const std::string& key, uint32_t type) {
    PutText(entries_, key);
    Put(entries_, type);
    ++entry_count_;
  }
  std::string entries_, tensors_, data_;
  uint64_t entry_count_ = 0, tensor_count_ = 0;
};

std::string Blocks(const WeightFormat& format, uint64_t values, Random& random) {
  std::string bytes;
  if (format.values == 1) {
    for (uint64_t i = 0; i < values; ++i) {
      const float value = random.Next(-0.2f, 0.2f);
      if (format.bytes == 4)
        Put(bytes, value);
      else if (format.type == 1)
        Put(bytes, Half(value));
      else
        Put(bytes, static_cast<uint16_t>(std::bit_cast<uint32_t>(value) >> 16));
    }
    return bytes;
  }
  bytes.resize(values / format.values * format.bytes);
  for (char& byte : bytes) byte = static_cast<char>(random.Bits() >> 56);
  for (size_t at = 0; at < bytes.size(); at += format.bytes) {
    for (const WeightFormat::Field& field : format.fields) {
      if (field.offset < 0) continue;
      const uint16_t half = Half(field.size * random.Next(0.5f, 1.5f));
      std::memcpy(bytes.data() + at + field.offset, &half, sizeof half);
    }
  }
  return bytes;
}

}  // namespace

std::span<const WeightFormat> WeightFormats() { return kFormats; }

std::string SelftestModel(const WeightFormat& format, uint64_t seed) {
  File file;
  const std::string a = "llama4.";
  file.Text("general.architecture", "llama4");
  file.Text("general.name", std::string("selftest ") + format.name);
  file.U32(a + "block_count", kLayers);
  file.U32(a + "context_length", 4096);
  file.U32(a + "embedding_length", kWidth);
  file.U32(a + "feed_forward_length", kHidden);
  file.U32(a + "expert_feed_forward_length", kHidden);
  file.U32(a + "attention.head_count", kHeads);
  file.U32(a + "attention.head_count_kv", kKvHeads);
  file.U32(a + "attention.key_length", kHeadDim);
  file.U32(a + "attention.value_length", kHeadDim);
  file.F32(a + "attention.layer_norm_rms_epsilon", 1e-5f);
  file.F32(a + "rope.freq_base", 10000.0f);
  file.U32(a + "rope.dimension_count", kHeadDim);
  file.U32(a + "expert_count", kExperts);
  file.U32(a + "expert_used_count", 1);
  file.U32(a + "interleave_moe_layer_step", 1);
  file.U32(a + "vocab_size", kSelftestVocabulary);
  file.U32(a + "attention.chunk_size", 32);

  Random random(seed);
  const auto large = [&](const std::string& name, const std::vector<uint64_t>& dimensions) {
    uint64_t values = 1;
    for (const uint64_t n : dimensions) values *= n;
    file.Tensor(name, dimensions, format.type, Blocks(format, values, random));
  };
  const auto small = [&](const std::string& name, const std::vector<uint64_t>& dimensions, float low, float high) {
    uint64_t values = 1;
    for (const uint64_t n : dimensions) values *= n;
    std::string bytes;
    for (uint64_t i = 0; i < values; ++i) Put(bytes, random.Next(low, high));
    file.Tensor(name, dimensions, 0, bytes);
  };
  large("token_embd.weight", {kWidth, static_cast<uint64_t>(kSelftestVocabulary)});
  for (uint64_t i = 0; i < kLayers; ++i) {
    const std::string b = "blk." + std::to_string(i) + ".";
    small(b + "attn_norm.weight", {kWidth}, 0.9f, 1.1f);
    large(b + "attn_q.weight", {kWidth, kHeads * kHeadDim});
    large(b + "attn_k.weight", {kWidth, kKvHeads * kHeadDim});
    large(b + "attn_v.weight", {kWidth, kKvHeads * kHeadDim});
    large(b + "attn_output.weight", {kHeads * kHeadDim, kWidth});
    small(b + "ffn_norm.weight", {kWidth}, 0.9f, 1.1f);
    small(b + "ffn_gate_inp.weight", {kWidth, kExperts}, -0.3f, 0.3f);
    large(b + "ffn_gate_exps.weight", {kWidth, kHidden, kExperts});
    large(b + "ffn_up_exps.weight", {kWidth, kHidden, kExperts});
    large(b + "ffn_down_exps.weight", {kHidden, kWidth, kExperts});
    large(b + "ffn_gate_shexp.weight", {kWidth, kHidden});
    large(b + "ffn_up_shexp.weight", {kWidth, kHidden});
    large(b + "ffn_down_shexp.weight", {kHidden, kWidth});
  }
  small("output_norm.weight", {kWidth}, 0.9f, 1.1f);
  large("output.weight", {kWidth, static_cast<uint64_t>(kSelftestVocabulary)});
  return file.Build();
}

}  // namespace cli
