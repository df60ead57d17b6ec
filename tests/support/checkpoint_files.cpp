#include "support/checkpoint_files.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>

namespace scout::test {
namespace {

struct Overload {
  GgufWriter& file;
  std::string_view key;
  void operator()(int64_t v) const {
    if (v == static_cast<int32_t>(v)) {
      file.Number(key, kGgufI32, static_cast<int32_t>(v));
    } else {
      file.Number(key, kGgufI64, v);
    }
  }
  void operator()(uint64_t v) const {
    if (v <= UINT32_MAX) {
      file.U32(key, static_cast<uint32_t>(v));
    } else {
      file.Number(key, kGgufU64, v);
    }
  }
  void operator()(double v) const {
    if (static_cast<double>(static_cast<float>(v)) == v || v != v) {
      file.F32(key, static_cast<float>(v));
    } else {
      file.Number(key, kGgufF64, v);
    }
  }
  void operator()(bool v) const { file.Bool(key, v); }
  void operator()(std::string_view v) const { file.String(key, v); }
  void operator()(const std::unique_ptr<const io::MetaArray>& v) const {
    using Kind = io::MetaArray::Kind;
    if (v->kind == Kind::kString) {
      file.Strings(key, {v->strings.begin(), v->strings.end()});
    } else if (v->kind == Kind::kFloat) {
      file.Array(key, kGgufF64, v->floats.size(), RawAll(v->floats));
    } else {
      file.Array(key, kGgufI64, v->ints.size(), RawAll(v->ints));
    }
  }
};

uint32_t GgufType(const io::TensorInfo& tensor) {
  switch (tensor.dtype) {
    case DType::kF32:
      return 0;
    case DType::kF16:
      return 1;
    case DType::kQ4_0:
      return 2;
    case DType::kQ8_0:
      return 8;
    case DType::kI32:
      return 26;
    case DType::kBF16:
      return 30;
    default:
      if (tensor.dtype_name == "IQ4_NL") return 20;
      throw std::runtime_error("no GGUF type number for " + tensor.name);
  }
}

nlohmann::json ToJson(const io::MetaValue& value) {
  if (const auto* i = std::get_if<int64_t>(&value)) return *i;
  if (const auto* u = std::get_if<uint64_t>(&value)) return *u;
  if (const auto* f = std::get_if<double>(&value)) return *f;
  if (const auto* b = std::get_if<bool>(&value)) return *b;
  if (const auto* s = std::get_if<std::string_view>(&value)) return *s;
  const auto& array = *std::get<std::unique_ptr<const io::MetaArray>>(value);
  if (array.kind == io::MetaArray::Kind::kString) return array.strings;
  if (array.kind == io::MetaArray::Kind::kFloat) return array.floats;
  return array.ints;
}

nlohmann::json& At(nlohmann::json& root, std::string_view key) {
  nlohmann::json* at = &root;
  while (true) {
    const size_t dot = key.find('.');
    at = &(*at)[std::string(key.substr(0, dot))];
    if (dot == std::string_view::npos) return *at;
    key.remove_prefix(dot + 1);
  }
}

std::string BytesOf(const MemoryCheckpoint& checkpoint, const io::TensorInfo& tensor) {
  std::string bytes(tensor.bytes, '\0');
  checkpoint.Read(tensor, 0, std::as_writable_bytes(std::span(bytes.data(), bytes.size())));
  return bytes;
}

}  // namespace

std::string GgufBytes(const MemoryCheckpoint& checkpoint, std::string_view instead_of,
                      const std::function<void(GgufWriter&)>& write) {
  GgufWriter file;
  for (const std::string_view key : checkpoint.metadata().Keys())
    if (key != instead_of) std::visit(Overload{file, key}, *checkpoint.metadata().Find(key));
  if (write) write(file);
  for (const io::TensorInfo& tensor : checkpoint.tensors()) {
    std::vector<uint64_t> ne(tensor.shape.dims.begin(), tensor.shape.dims.begin() + tensor.shape.rank);
    std::reverse(ne.begin(), ne.end());
    file.Tensor(tensor.name, ne, GgufType(tensor), BytesOf(checkpoint, tensor));
  }
  return file.Build();
}

HuggingFaceTexts TextsOf(const MemoryCheckpoint& checkpoint) {
  nlohmann::json config = nlohmann::json::object();
  for (const std::string& key : checkpoint.nulls()) At(config, key) = nullptr;
  for (const std::string_view key : checkpoint.metadata().Keys()) At(config, key) = ToJson(*checkpoint.metadata().Find(key));

  HuggingFaceTexts out;
  nlohmann::json header = nlohmann::json::object();
  for (const io::TensorInfo& tensor : checkpoint.tensors()) {
    header[tensor.name]["dtype"] = tensor.dtype_name;
    header[tensor.name]["shape"] = std::vector<uint64_t>(tensor.shape.dims.begin(), tensor.shape.dims.begin() + tensor.shape.rank);
    header[tensor.name]["data_offsets"] = {out.data.size(), out.data.size() + tensor.bytes};
    out.data += BytesOf(checkpoint, tensor);
  }
  out.config = config.dump(1);
  out.header = header.dump();
  return out;
}

void WriteHuggingFace(const MemoryCheckpoint& checkpoint, const std::string& folder) {
  const HuggingFaceTexts texts = TextsOf(checkpoint);
  WriteFile(folder + "/config.json", texts.config);
  WriteFile(folder + "/model.safetensors", Raw(static_cast<uint64_t>(texts.header.size())) + texts.header + texts.data);
}

}  // namespace scout::test
