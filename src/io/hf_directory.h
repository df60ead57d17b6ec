// Hugging Face directories: config.json and one or many safetensors files.
//
// The weights are in model.safetensors, or in the files that model.safetensors.index.json lists. Nothing in these files is
// ever executed, imported or fetched; keys that ask for it are text like any other.
#pragma once

#include <memory>
#include <string>

#include "io/checkpoint.h"

namespace scout::io {

std::shared_ptr<const Checkpoint> OpenHfDirectory(const std::string& path, const OpenOptions& options);

}  // namespace scout::io
