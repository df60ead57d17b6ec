// GGUF checkpoints: one file, or the shards NAME-00001-of-0000N.gguf of one.
#pragma once

#include <memory>
#include <string>

#include "io/checkpoint.h"

namespace scout::io {

// `path` is the file or any of its shards. The metadata are the first shard's.
std::shared_ptr<const Checkpoint> OpenGguf(const std::string& path, const OpenOptions& options);

}  // namespace scout::io
