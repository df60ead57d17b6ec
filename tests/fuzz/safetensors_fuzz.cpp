// Any bytes as the files of a Hugging Face folder. The first byte says which one the rest is: 0 model.safetensors,
// 1 its header (the length is put before it and data behind it), 2 config.json, 3 the index of two good shards.
#include <cstdint>
#include <cstring>

#include "memory_files.h"
#include "use_checkpoint.h"

static std::string WithLength(std::string_view header, size_t data_bytes) {
  const uint64_t length = header.size();
  std::string out(8, '\0');
  std::memcpy(out.data(), &length, 8);
  out += header;
  out.resize(out.size() + data_bytes, 'x');
  return out;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const scout::ScopedIoOps scope(&scout::fuzz::MemoryIo());
  if (size == 0) return 0;
  const std::string rest(reinterpret_cast<const char*>(data + 1), size - 1);
  const std::string good = WithLength(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8);
  auto& files = scout::fuzz::Files();
  files = {{"/m/config.json", "{}"}};
  switch (data[0] & 3) {
    case 0:
      files["/m/model.safetensors"] = rest;
      break;
    case 1:
      files["/m/model.safetensors"] = WithLength(rest, 16);
      break;
    case 2:
      files["/m/config.json"] = rest;
      files["/m/model.safetensors"] = good;
      break;
    default:
      files["/m/model.safetensors.index.json"] = rest;
      files["/m/one.safetensors"] = good;
      files["/m/two.safetensors"] = WithLength(R"({"b":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 4);
  }
  scout::fuzz::UseCheckpoint("/m");
  return 0;
}
