// What a fuzz target does with a checkpoint that opened: asks for everything, reads every tensor's first and last bytes, and
// loads it as a model.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "io/checkpoint.h"
#include "model/model.h"
#include "quant/formats.h"

namespace scout::fuzz {

inline void UseCheckpoint(const std::string& path) {
  std::shared_ptr<const io::Checkpoint> checkpoint;
  try {
    checkpoint = io::OpenCheckpoint(path, {});
  } catch (const Error&) {
    return;  // a refusal is an answer; anything else that is thrown is a finding
  }
  const io::Metadata& metadata = checkpoint->metadata();
  for (const std::string_view key : metadata.Keys()) {
    if (!metadata.Find(key)) std::abort();
    const auto ask = [](auto&& question) {
      try {
        question();
      } catch (const Error&) {
      }
    };
    ask([&] { metadata.FindUint(key, 0, 1000); });
    ask([&] { metadata.FindFloat(key); });
    ask([&] { metadata.FindBool(key); });
    ask([&] { metadata.FindString(key); });
    ask([&] { metadata.FindArray(key); });
  }
  for (const io::TensorInfo& tensor : checkpoint->tensors()) {
    if (checkpoint->FindTensor(tensor.name) != &tensor) std::abort();
    std::byte bytes[64];
    const auto size = static_cast<size_t>(std::min<uint64_t>(tensor.bytes, sizeof bytes));
    checkpoint->Read(tensor, 0, {bytes, size});  // a range inside the file: must not fail
    checkpoint->Read(tensor, tensor.bytes - size, {bytes, size});
    const uint64_t values = ElementCount(tensor.shape);
    if (quant::CanDecode(tensor.dtype) && values > 0 && values <= 1024 && tensor.bytes <= 4096) {
      std::string data(tensor.bytes, '\0');
      checkpoint->Read(tensor, 0, std::as_writable_bytes(std::span(data)));
      float out[1024];
      quant::DecodeRow(tensor.dtype, reinterpret_cast<const std::byte*>(data.data()), out, values);
      quant::FirstNonFiniteBlock(tensor.dtype, reinterpret_cast<const std::byte*>(data.data()), values);
    }
  }
  // Hyper-parameters, names and shapes; where all agree, the weights too.
  try {
    model::LoadOptions options;
    options.device = "ref";
    model::LoadProgress progress;
    model::Model::Load(checkpoint, options, progress);
  } catch (const Error&) {
  }
}

}  // namespace scout::fuzz
