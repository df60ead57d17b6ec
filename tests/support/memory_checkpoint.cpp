#include "support/memory_checkpoint.h"

#include <cmath>
#include <cstring>
#include <random>
#include <stdexcept>

#include "base/error.h"

namespace scout::test {

const io::MetaValue* MemoryMetadata::Find(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

std::vector<std::string_view> MemoryMetadata::Keys() const {
  std::vector<std::string_view> keys;
  for (const auto& [key, value] : values_) keys.push_back(key);
  return keys;
}

std::string_view MemoryMetadata::Keep(const std::string& text) {
  texts_.push_back(std::make_unique<std::string>(text));
  return *texts_.back();
}

void MemoryMetadata::SetString(const std::string& key, const std::string& value) { Put(key, Keep(value)); }

void MemoryMetadata::SetInts(const std::string& key, const std::vector<int64_t>& values) {
  auto array = std::make_unique<io::MetaArray>();
  array->kind = io::MetaArray::Kind::kInt;
  array->ints = values;
  null_.erase(key);
  values_.insert_or_assign(key, io::MetaValue(std::unique_ptr<const io::MetaArray>(std::move(array))));
}

void MemoryMetadata::SetFloats(const std::string& key, const std::vector<double>& values) {
  auto array = std::make_unique<io::MetaArray>();
  array->kind = io::MetaArray::Kind::kFloat;
  array->floats = values;
  null_.erase(key);
  values_.insert_or_assign(key, io::MetaValue(std::unique_ptr<const io::MetaArray>(std::move(array))));
}

void MemoryMetadata::SetStrings(const std::string& key, const std::vector<std::string>& values) {
  auto array = std::make_unique<io::MetaArray>();
  array->kind = io::MetaArray::Kind::kString;
  for (const std::string& value : values) array->strings.push_back(Keep(value));
  null_.erase(key);
  values_.insert_or_assign(key, io::MetaValue(std::unique_ptr<const io::MetaArray>(std::move(array))));
}

void MemoryMetadata::SetNull(const std::string& key) {
  Erase(key);
  null_.insert(key);
}

void MemoryMetadata::Erase(const std::string& key) {
  values_.erase(key);
  null_.erase(key);
}

size_t MemoryCheckpoint::IndexOf(std::string_view name) const {
  for (size_t i = 0; i < tensors_.size(); ++i)
    if (tensors_[i].name == name) return i;
  throw std::runtime_error("the test has no tensor " + std::string(name));
}

const io::TensorInfo* MemoryCheckpoint::FindTensor(std::string_view name) const {
  for (const io::TensorInfo& tensor : tensors_)
    if (tensor.name == name) return &tensor;
  return nullptr;
}

uint64_t MemoryCheckpoint::file_bytes() const {
  uint64_t total = 0;
  for (const auto& bytes : bytes_) total += bytes.size();
  return total;
}

void MemoryCheckpoint::Read(const io::TensorInfo& tensor, uint64_t offset, std::span<std::byte> out) const {
  const std::vector<std::byte>& bytes = bytes_[IndexOf(tensor.name)];
  if (offset > bytes.size() || out.size() > bytes.size() - offset)
    Fail(ErrorCode::kTruncated, "memory: tensor ", tensor.name, " ends before offset ", offset + out.size());
  std::memcpy(out.data(), bytes.data() + offset, out.size());
}

void MemoryCheckpoint::AddTensor(const std::string& name, DType format, std::initializer_list<int64_t> shape,
                                 std::vector<std::byte> bytes) {
  io::TensorInfo info;
  info.name = name;
  info.dtype = format;
  info.dtype_name = InfoOf(format).name;
  for (const int64_t dim : shape) info.shape.dims[static_cast<size_t>(info.shape.rank++)] = static_cast<uint64_t>(dim);
  info.offset = file_bytes();
  info.bytes = bytes.size();
  tensors_.push_back(info);
  bytes_.push_back(std::move(bytes));
}

void MemoryCheckpoint::AddFloats(const std::string& name, std::initializer_list<int64_t> shape, std::span<const float> values) {
  const auto bytes = std::as_bytes(values);
  AddTensor(name, DType::kF32, shape, {bytes.begin(), bytes.end()});
}

void MemoryCheckpoint::RemoveTensor(std::string_view name) {
  const auto i = static_cast<std::ptrdiff_t>(IndexOf(name));
  tensors_.erase(tensors_.begin() + i);
  bytes_.erase(bytes_.begin() + i);
}

void MemoryCheckpoint::Truncate(std::string_view name, size_t bytes) { bytes_[IndexOf(name)].resize(bytes); }

io::TensorInfo& MemoryCheckpoint::Info(std::string_view name) { return tensors_[IndexOf(name)]; }
std::span<std::byte> MemoryCheckpoint::Bytes(std::string_view name) { return bytes_[IndexOf(name)]; }

namespace {

// Values that depend on the tensor's own name, so that both containers get the same ones in any order.
std::vector<float> Random(const TinySpec& spec, const std::string& name, int64_t count, float scale, float mean = 0) {
  uint64_t seed = spec.seed;
  for (const char c : name) seed = seed * 1099511628211ull + static_cast<unsigned char>(c);
  std::mt19937_64 engine(seed);
  std::vector<float> values(static_cast<size_t>(count));
  // Sums of uniform numbers: std::normal_distribution differs between standard libraries.
  for (float& value : values) {
    double sum = 0;
    for (int i = 0; i < 4; ++i) sum += static_cast<double>(engine() >> 11) * 0x1p-53 - 0.5;
    value = mean + scale * static_cast<float>(sum * 1.7320508);
  }
  return values;
}

std::vector<float> Norm(const TinySpec& spec, const std::string& name) { return Random(spec, name, spec.embedding, 0.1f, 1.0f); }
std::vector<float> Matrix(const TinySpec& spec, const std::string& name, int64_t rows, int64_t cols, int64_t experts = 1) {
  return Random(spec, name, experts * rows * cols, 1.5f / std::sqrt(static_cast<float>(cols)));
}

bool IsMoe(const TinySpec& spec, int64_t layer) { return spec.experts > 0 && (layer + 1) % spec.moe_step == 0; }

// [E, rows, cols] -> [E, cols, width] at column `first` of the result
void TransposeInto(std::vector<float>& to, const std::vector<float>& from, int64_t experts, int64_t rows, int64_t cols,
                   int64_t width, int64_t first) {
  for (int64_t e = 0; e < experts; ++e)
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < cols; ++c)
        to[static_cast<size_t>((e * cols + c) * width + first + r)] = from[static_cast<size_t>((e * rows + r) * cols + c)];
}

}  // namespace

std::unique_ptr<MemoryCheckpoint> MakeTinyGguf(const TinySpec& s) {
  auto checkpoint = std::make_unique<MemoryCheckpoint>(io::CheckpointFormat::kGguf);
  MemoryMetadata& meta = checkpoint->meta();
  meta.SetString("general.architecture", "llama4");
  meta.SetString("general.name", "tiny");
  meta.SetUint("llama4.block_count", static_cast<uint64_t>(s.layers));
  meta.SetUint("llama4.context_length", static_cast<uint64_t>(s.context));
  meta.SetUint("llama4.embedding_length", static_cast<uint64_t>(s.embedding));
  meta.SetUint("llama4.feed_forward_length", static_cast<uint64_t>(s.dense_hidden));
  meta.SetUint("llama4.expert_feed_forward_length", static_cast<uint64_t>(s.expert_hidden));
  meta.SetUint("llama4.attention.head_count", static_cast<uint64_t>(s.heads));
  meta.SetUint("llama4.attention.head_count_kv", static_cast<uint64_t>(s.kv_heads));
  meta.SetUint("llama4.attention.key_length", static_cast<uint64_t>(s.head_dim));
  meta.SetUint("llama4.attention.value_length", static_cast<uint64_t>(s.head_dim));
  meta.SetFloat("llama4.attention.layer_norm_rms_epsilon", 1e-5f);
  meta.SetFloat("llama4.rope.freq_base", 500000);
  meta.SetUint("llama4.rope.dimension_count", static_cast<uint64_t>(s.head_dim));
  meta.SetUint("llama4.expert_count", static_cast<uint64_t>(s.experts));
  meta.SetUint("llama4.expert_used_count", static_cast<uint64_t>(s.experts_used));
  meta.SetUint("llama4.interleave_moe_layer_step", static_cast<uint64_t>(s.moe_step));
  meta.SetUint("llama4.vocab_size", static_cast<uint64_t>(s.vocabulary));
  meta.SetUint("llama4.attention.chunk_size", static_cast<uint64_t>(s.chunk));
  meta.SetFloat("llama4.attention.temperature_length", s.temperature_length);
  meta.SetFloat("llama4.attention.temperature_scale", s.temperature_scale);
  meta.SetBool("llama4.use_qk_norm", s.qk_norm);

  const int64_t d = s.embedding, q = s.heads * s.head_dim, kv = s.kv_heads * s.head_dim, e = s.experts, f = s.expert_hidden,
                g = s.dense_hidden;
  checkpoint->AddFloats("token_embd.weight", {s.vocabulary, d}, Matrix(s, "embedding", s.vocabulary, d));
  for (int64_t i = 0; i < s.layers; ++i) {
    const std::string file = "blk." + std::to_string(i) + ".", name = std::to_string(i) + ".";
    checkpoint->AddFloats(file + "attn_norm.weight", {d}, Norm(s, name + "attn_norm"));
    checkpoint->AddFloats(file + "attn_q.weight", {q, d}, Matrix(s, name + "q", q, d));
    checkpoint->AddFloats(file + "attn_k.weight", {kv, d}, Matrix(s, name + "k", kv, d));
    checkpoint->AddFloats(file + "attn_v.weight", {kv, d}, Matrix(s, name + "v", kv, d));
    checkpoint->AddFloats(file + "attn_output.weight", {d, q}, Matrix(s, name + "o", d, q));
    checkpoint->AddFloats(file + "ffn_norm.weight", {d}, Norm(s, name + "ffn_norm"));
    if (IsMoe(s, i)) {
      checkpoint->AddFloats(file + "ffn_gate_inp.weight", {e, d}, Matrix(s, name + "router", e, d));
      checkpoint->AddFloats(file + "ffn_gate_exps.weight", {e, f, d}, Matrix(s, name + "gate", f, d, e));
      checkpoint->AddFloats(file + "ffn_up_exps.weight", {e, f, d}, Matrix(s, name + "up", f, d, e));
      checkpoint->AddFloats(file + "ffn_down_exps.weight", {e, d, f}, Matrix(s, name + "down", d, f, e));
      checkpoint->AddFloats(file + "ffn_gate_shexp.weight", {f, d}, Matrix(s, name + "shared_gate", f, d));
      checkpoint->AddFloats(file + "ffn_up_shexp.weight", {f, d}, Matrix(s, name + "shared_up", f, d));
      checkpoint->AddFloats(file + "ffn_down_shexp.weight", {d, f}, Matrix(s, name + "shared_down", d, f));
    } else {
      checkpoint->AddFloats(file + "ffn_gate.weight", {g, d}, Matrix(s, name + "dense_gate", g, d));
      checkpoint->AddFloats(file + "ffn_up.weight", {g, d}, Matrix(s, name + "dense_up", g, d));
      checkpoint->AddFloats(file + "ffn_down.weight", {d, g}, Matrix(s, name + "dense_down", d, g));
    }
  }
  checkpoint->AddFloats("output_norm.weight", {d}, Norm(s, "norm"));
  if (!s.tied) checkpoint->AddFloats("output.weight", {s.vocabulary, d}, Matrix(s, "head", s.vocabulary, d));
  return checkpoint;
}

std::unique_ptr<MemoryCheckpoint> MakeTinyHuggingFace(const TinySpec& s) {
  auto checkpoint = std::make_unique<MemoryCheckpoint>(io::CheckpointFormat::kHuggingFace);
  MemoryMetadata& meta = checkpoint->meta();
  meta.SetString("model_type", "llama4_text");
  meta.SetInt("num_hidden_layers", s.layers);
  meta.SetInt("hidden_size", s.embedding);
  meta.SetInt("intermediate_size", s.expert_hidden);
  meta.SetInt("intermediate_size_mlp", s.dense_hidden);
  meta.SetInt("num_attention_heads", s.heads);
  meta.SetInt("num_key_value_heads", s.kv_heads);
  meta.SetInt("head_dim", s.head_dim);
  meta.SetInt("vocab_size", s.vocabulary);
  meta.SetInt("num_local_experts", s.experts);
  meta.SetInt("num_experts_per_tok", s.experts_used);
  meta.SetInt("interleave_moe_layer_step", s.moe_step);
  meta.SetInt("max_position_embeddings", s.context);
  meta.SetFloat("rms_norm_eps", 1e-5);
  meta.SetFloat("rope_theta", 500000);
  meta.SetNull("rope_scaling");
  meta.SetInts("no_rope_layers", {});
  meta.SetInt("attention_chunk_size", s.chunk);
  meta.SetBool("use_qk_norm", s.qk_norm);
  meta.SetInt("attn_temperature_tuning", s.temperature_length > 0 ? 4 : 0);
  meta.SetFloat("floor_scale", s.temperature_length);
  meta.SetFloat("attn_scale", s.temperature_scale);
  meta.SetBool("tie_word_embeddings", s.tied);

  const int64_t d = s.embedding, q = s.heads * s.head_dim, kv = s.kv_heads * s.head_dim, e = s.experts, f = s.expert_hidden,
                g = s.dense_hidden;
  checkpoint->AddFloats("model.embed_tokens.weight", {s.vocabulary, d}, Matrix(s, "embedding", s.vocabulary, d));
  for (int64_t i = 0; i < s.layers; ++i) {
    const std::string file = "model.layers." + std::to_string(i) + ".", name = std::to_string(i) + ".";
    checkpoint->AddFloats(file + "input_layernorm.weight", {d}, Norm(s, name + "attn_norm"));
    checkpoint->AddFloats(file + "self_attn.q_proj.weight", {q, d}, Matrix(s, name + "q", q, d));
    checkpoint->AddFloats(file + "self_attn.k_proj.weight", {kv, d}, Matrix(s, name + "k", kv, d));
    checkpoint->AddFloats(file + "self_attn.v_proj.weight", {kv, d}, Matrix(s, name + "v", kv, d));
    checkpoint->AddFloats(file + "self_attn.o_proj.weight", {d, q}, Matrix(s, name + "o", d, q));
    checkpoint->AddFloats(file + "post_attention_layernorm.weight", {d}, Norm(s, name + "ffn_norm"));
    if (IsMoe(s, i)) {
      checkpoint->AddFloats(file + "feed_forward.router.weight", {e, d}, Matrix(s, name + "router", e, d));
      std::vector<float> gate_up(static_cast<size_t>(e * d * 2 * f)), down(static_cast<size_t>(e * f * d));
      TransposeInto(gate_up, Matrix(s, name + "gate", f, d, e), e, f, d, 2 * f, 0);
      TransposeInto(gate_up, Matrix(s, name + "up", f, d, e), e, f, d, 2 * f, f);
      TransposeInto(down, Matrix(s, name + "down", d, f, e), e, d, f, d, 0);
      checkpoint->AddFloats(file + "feed_forward.experts.gate_up_proj", {e, d, 2 * f}, gate_up);
      checkpoint->AddFloats(file + "feed_forward.experts.down_proj", {e, f, d}, down);
      checkpoint->AddFloats(file + "feed_forward.shared_expert.gate_proj.weight", {f, d}, Matrix(s, name + "shared_gate", f, d));
      checkpoint->AddFloats(file + "feed_forward.shared_expert.up_proj.weight", {f, d}, Matrix(s, name + "shared_up", f, d));
      checkpoint->AddFloats(file + "feed_forward.shared_expert.down_proj.weight", {d, f}, Matrix(s, name + "shared_down", d, f));
    } else {
      checkpoint->AddFloats(file + "feed_forward.gate_proj.weight", {g, d}, Matrix(s, name + "dense_gate", g, d));
      checkpoint->AddFloats(file + "feed_forward.up_proj.weight", {g, d}, Matrix(s, name + "dense_up", g, d));
      checkpoint->AddFloats(file + "feed_forward.down_proj.weight", {d, g}, Matrix(s, name + "dense_down", d, g));
    }
  }
  checkpoint->AddFloats("model.norm.weight", {d}, Norm(s, "norm"));
  if (!s.tied) checkpoint->AddFloats("lm_head.weight", {s.vocabulary, d}, Matrix(s, "head", s.vocabulary, d));
  return checkpoint;
}

}  // namespace scout::test
