#include "support/gguf_writer.h"

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>

namespace scout::test {

std::string RawString(std::string_view text) { return Raw(static_cast<uint64_t>(text.size())) + std::string(text); }

GgufWriter& GgufWriter::Key(std::string_view key, uint32_t type, std::string value_bytes) {
  keys_ += RawString(key) + Raw(type) + value_bytes;
  ++key_count_;
  return *this;
}

GgufWriter& GgufWriter::Array(std::string_view key, uint32_t item_type, uint64_t count, std::string_view item_bytes) {
  return Key(key, kGgufArray, Raw(item_type) + Raw(count) + std::string(item_bytes));
}

GgufWriter& GgufWriter::Strings(std::string_view key, const std::vector<std::string>& values) {
  std::string bytes;
  for (const std::string& value : values) bytes += RawString(value);
  return Array(key, kGgufString, values.size(), bytes);
}

GgufWriter::TensorEntry& GgufWriter::Tensor(std::string_view name, std::vector<uint64_t> ne, uint32_t type, std::string data) {
  TensorEntry& entry = TensorOfSize(name, std::move(ne), type, data.size());
  entry.data = std::move(data);
  return entry;
}

GgufWriter::TensorEntry& GgufWriter::TensorOfSize(std::string_view name, std::vector<uint64_t> ne, uint32_t type, uint64_t size) {
  TensorEntry entry;
  entry.name = name;
  entry.ne = std::move(ne);
  entry.type = type;
  entry.size = size;
  return tensors_.emplace_back(std::move(entry));
}

std::string GgufWriter::Header() const {
  std::string out =
      magic + Raw(version) + Raw(n_tensors.value_or(tensors_.size())) + Raw(n_kv.value_or(key_count_)) + keys_ + after_keys;
  uint64_t offset = 0;
  for (const TensorEntry& t : tensors_) {
    out += Raw(t.name_length.value_or(t.name.size())) + t.name + Raw(t.n_dims.value_or(static_cast<uint32_t>(t.ne.size())));
    out += RawAll(t.ne) + Raw(t.type) + Raw(t.offset.value_or(offset));
    offset += (t.size + alignment - 1) / alignment * alignment;
  }
  out.resize((out.size() + alignment - 1) / alignment * alignment);
  return out;
}

std::string GgufWriter::Build() const {
  std::string out = Header();
  for (const TensorEntry& t : tensors_) {
    out += t.data;
    out.resize((out.size() + alignment - 1) / alignment * alignment);
  }
  return out;
}

void WriteFile(const std::string& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

std::string ReadFileBytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace scout::test
