// Writes in-memory checkpoints to disk, so that one table of broken models runs through the real readers.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "support/gguf_writer.h"
#include "support/memory_checkpoint.h"

namespace scout::test {

// A GGUF file's bytes. Integers are written as 32-bit ones of their sign class where they fit, floats as f32 where that is exact.
// `instead_of`: the key that `write` writes in another way.
std::string GgufBytes(const MemoryCheckpoint& checkpoint, std::string_view instead_of = {},
                      const std::function<void(GgufWriter&)>& write = {});

// A Hugging Face folder's texts: config.json, the header of model.safetensors, and the data behind it.
struct HuggingFaceTexts {
  std::string config, header, data;
};
HuggingFaceTexts TextsOf(const MemoryCheckpoint& checkpoint);

// config.json and model.safetensors in a folder that exists.
void WriteHuggingFace(const MemoryCheckpoint& checkpoint, const std::string& folder);

}  // namespace scout::test
