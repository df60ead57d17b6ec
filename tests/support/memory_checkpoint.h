// A checkpoint made in memory, for tests that want a model without a file, or with one thing wrong about it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/checkpoint.h"

namespace scout::test {

class MemoryMetadata final : public io::Metadata {
 public:
  const io::MetaValue* Find(std::string_view key) const override;
  std::vector<std::string_view> Keys() const override;
  bool IsNull(std::string_view key) const override { return null_.contains(std::string(key)); }
  const std::set<std::string>& nulls() const { return null_; }

  // Each replaces what was there.
  void SetInt(const std::string& key, int64_t value) { Put(key, value); }
  void SetUint(const std::string& key, uint64_t value) { Put(key, value); }
  void SetFloat(const std::string& key, double value) { Put(key, value); }
  void SetBool(const std::string& key, bool value) { Put(key, value); }
  void SetString(const std::string& key, const std::string& value);
  void SetInts(const std::string& key, const std::vector<int64_t>& values);
  void SetFloats(const std::string& key, const std::vector<double>& values);
  void SetStrings(const std::string& key, const std::vector<std::string>& values);
  void SetNull(const std::string& key);
  void Erase(const std::string& key);

 private:
  template <typename T>
  void Put(const std::string& key, T value) {
    null_.erase(key);
    values_.insert_or_assign(key, io::MetaValue(value));
  }
  std::string_view Keep(const std::string& text);

  std::map<std::string, io::MetaValue, std::less<>> values_;
  std::set<std::string> null_;
  std::vector<std::unique_ptr<std::string>> texts_;
};

class MemoryCheckpoint final : public io::Checkpoint {
 public:
  explicit MemoryCheckpoint(io::CheckpointFormat format) : format_(format) {}

  io::CheckpointFormat format() const override { return format_; }
  const std::string& path() const override { return path_; }
  const io::Metadata& metadata() const override { return metadata_; }
  std::span<const io::TensorInfo> tensors() const override { return tensors_; }
  const io::TensorInfo* FindTensor(std::string_view name) const override;
  uint64_t file_bytes() const override;
  void Read(const io::TensorInfo& tensor, uint64_t offset, std::span<std::byte> out) const override;
  const std::byte* Mapped(const io::TensorInfo&) const override { return nullptr; }
  void DropPages(const io::TensorInfo&) const override {}
  std::optional<std::string> ReadSideFile(std::string_view, uint64_t) const override { return std::nullopt; }

  MemoryMetadata& meta() { return metadata_; }
  const std::set<std::string>& nulls() const { return metadata_.nulls(); }
  // Shapes row-major, as TensorInfo has them. The bytes' number must fit format and shape.
  void AddTensor(const std::string& name, DType format, std::initializer_list<int64_t> shape, std::vector<std::byte> bytes);
  void AddFloats(const std::string& name, std::initializer_list<int64_t> shape, std::span<const float> values);
  void RemoveTensor(std::string_view name);
  void Truncate(std::string_view name, size_t bytes);  // what the header says stays
  io::TensorInfo& Info(std::string_view name);         // to break it
  std::span<std::byte> Bytes(std::string_view name);   // to break them

 private:
  size_t IndexOf(std::string_view name) const;

  io::CheckpointFormat format_;
  std::string path_ = "memory";
  MemoryMetadata metadata_;
  std::vector<io::TensorInfo> tensors_;
  std::vector<std::vector<std::byte>> bytes_;
};

// The shape of a tiny random model.
struct TinySpec {
  int64_t layers = 4, embedding = 32, heads = 4, kv_heads = 2, head_dim = 8, vocabulary = 64;
  int64_t dense_hidden = 48, expert_hidden = 24, experts = 4, experts_used = 1, moe_step = 1;
  int64_t chunk = 8, context = 4096;
  bool qk_norm = true, tied = false;
  double temperature_length = 4, temperature_scale = 0.1;
  uint64_t seed = 1;
};

// The same F32 weights in either container; equal specs give equal models.
std::unique_ptr<MemoryCheckpoint> MakeTinyGguf(const TinySpec& spec);
std::unique_ptr<MemoryCheckpoint> MakeTinyHuggingFace(const TinySpec& spec);

}  // namespace scout::test
