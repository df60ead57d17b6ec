// Writes GGUF files for tests and benchmarks: any key, any tensor, and every lie a hostile file could tell.
//
//   GgufWriter file;
//   file.String("general.architecture", "llama4");
//   file.U32("llama4.block_count", 2);
//   file.Tensor("output_norm.weight", {64}, 0, bytes);      // ggml type 0: F32; dimensions fastest first
//   WriteFile(path, file.Build());
//
// Without overrides the result is a valid file. Overrides change what is *said*, never what is there.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace scout::test {

// Value types of GGUF by number.
enum GgufValue : uint32_t {
  kGgufU8,
  kGgufI8,
  kGgufU16,
  kGgufI16,
  kGgufU32,
  kGgufI32,
  kGgufF32,
  kGgufBool,
  kGgufString,
  kGgufArray,
  kGgufU64,
  kGgufI64,
  kGgufF64
};

// The little-endian bytes of a number.
template <typename T>
std::string Raw(T value) {
  static_assert(std::is_trivially_copyable_v<T>);
  std::string out(sizeof value, '\0');
  std::memcpy(out.data(), &value, sizeof value);
  return out;
}
// u64 length, then the bytes.
std::string RawString(std::string_view text);
template <typename T>
std::string RawAll(const std::vector<T>& values) {
  std::string out;
  for (const T& value : values) out += Raw(value);
  return out;
}

class GgufWriter {
 public:
  struct TensorEntry {
    std::string name;
    std::vector<uint64_t> ne;  // fastest first
    uint32_t type = 0;
    uint64_t size = 0;                    // bytes of data
    std::string data;                     // empty, or `size` bytes
    std::optional<uint64_t> offset;       // says another offset than the true one
    std::optional<uint32_t> n_dims;       // says another rank
    std::optional<uint64_t> name_length;  // says another length of the name
  };

  // A key with any type number and any bytes.
  GgufWriter& Key(std::string_view key, uint32_t type, std::string value_bytes);
  template <typename T>
  GgufWriter& Number(std::string_view key, uint32_t type, T value) {
    return Key(key, type, Raw(value));
  }
  GgufWriter& U32(std::string_view key, uint32_t value) { return Number(key, kGgufU32, value); }
  GgufWriter& F32(std::string_view key, float value) { return Number(key, kGgufF32, value); }
  GgufWriter& Bool(std::string_view key, bool value) { return Number(key, kGgufBool, static_cast<uint8_t>(value)); }
  GgufWriter& String(std::string_view key, std::string_view value) { return Key(key, kGgufString, RawString(value)); }
  GgufWriter& Array(std::string_view key, uint32_t item_type, uint64_t count, std::string_view item_bytes);
  GgufWriter& Strings(std::string_view key, const std::vector<std::string>& values);
  GgufWriter& I32s(std::string_view key, const std::vector<int32_t>& values) {
    return Array(key, kGgufI32, values.size(), RawAll(values));
  }
  GgufWriter& F32s(std::string_view key, const std::vector<float>& values) {
    return Array(key, kGgufF32, values.size(), RawAll(values));
  }

  // A tensor with its data, or (for files too large for memory) with its size alone: then the caller writes the data after
  // Header(), each tensor padded to the alignment.
  TensorEntry& Tensor(std::string_view name, std::vector<uint64_t> ne, uint32_t type, std::string data);
  TensorEntry& TensorOfSize(std::string_view name, std::vector<uint64_t> ne, uint32_t type, uint64_t size);

  // Everything before the data, padded to the alignment.
  std::string Header() const;
  // Header and data; data is padded after every tensor, the last one too.
  std::string Build() const;

  std::string magic = "GGUF";
  uint32_t version = 3;
  uint64_t alignment = 32;                  // used for the layout; say it with U32("general.alignment", ...)
  std::optional<uint64_t> n_tensors, n_kv;  // say other counts
  std::string after_keys;                   // raw bytes between the keys and the tensor table

 private:
  std::string keys_;
  uint64_t key_count_ = 0;
  std::vector<TensorEntry> tensors_;
};

void WriteFile(const std::string& path, std::string_view bytes);
std::string ReadFileBytes(const std::string& path);

}  // namespace scout::test
