#include "model/fingerprint.h"

#include <algorithm>
#include <bit>
#include <string_view>
#include <vector>

namespace scout::model {
namespace {

// FNV-1a with 64 bits.
class Hash {
 public:
  void Bytes(std::span<const std::byte> bytes) {
    for (const std::byte byte : bytes) value_ = (value_ ^ static_cast<uint64_t>(byte)) * 0x100000001b3ull;
  }
  void Number(uint64_t number) { Bytes(std::as_bytes(std::span(&number, 1))); }
  void Number(double number) { Number(std::bit_cast<uint64_t>(number)); }
  void Text(std::string_view text) {
    Number(static_cast<uint64_t>(text.size()));
    Bytes(std::as_bytes(std::span(text)));
  }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0xcbf29ce484222325ull;
};

}  // namespace

uint64_t Fingerprint(const io::Checkpoint& checkpoint, const Config& c, std::span<const io::TensorInfo* const> tensors) {
  Hash hash;
  for (const int64_t number : {c.layers, c.embedding, c.heads, c.kv_heads, c.head_dim, c.vocabulary, c.dense_hidden,
                               c.expert_hidden, c.experts, c.experts_used, c.attention_chunk})
    hash.Number(static_cast<uint64_t>(number));
  for (const double number : {c.norm_eps, c.temperature_length, c.temperature_scale}) hash.Number(number);
  hash.Number(static_cast<uint64_t>(c.qk_norm ? 2 : 0) + (c.tied_head ? 1 : 0));
  for (const float f : c.inv_freq) hash.Number(static_cast<double>(f));
  for (const LayerKind& layer : c.layer) hash.Number(static_cast<uint64_t>(layer.moe * 4 + layer.rope * 2 + layer.chunked));
  std::vector<std::byte> sample;
  for (const io::TensorInfo* tensor : tensors) {
    hash.Text(tensor->name);
    hash.Text(tensor->dtype_name);
    for (int i = 0; i < tensor->shape.rank; ++i) hash.Number(tensor->shape[i]);
    sample.resize(static_cast<size_t>(std::min<uint64_t>(4096, tensor->bytes)));
    checkpoint.Read(*tensor, 0, sample);
    hash.Bytes(sample);
    checkpoint.Read(*tensor, tensor->bytes - sample.size(), sample);
    hash.Bytes(sample);
  }
  return hash.value();
}

}  // namespace scout::model
