// A checkpoint as its readers leave it: open files, a tensor table and metadata, all plain data.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "io/checkpoint.h"
#include "io/file_reader.h"
#include "io/metadata_store.h"
#include "io/pack_file.h"

namespace scout::io {

struct StoredCheckpoint {
  CheckpointFormat format = CheckpointFormat::kGguf;
  std::string path;       // as given by the caller
  std::string directory;  // where side files lie
  std::vector<std::unique_ptr<FileReader>> files;
  std::vector<uint64_t> header_bytes;  // [files] of those that a packed side-file can be made of; else empty
  std::vector<PackSkip> large;         // the tokenizer's long arrays
  std::vector<TensorInfo> tensors;     // `file` indexes files; every range lies inside its file
  std::unique_ptr<MetadataStore> metadata;
};

// Throws kFormat when two tensors share a name.
std::shared_ptr<const Checkpoint> MakeCheckpoint(StoredCheckpoint stored);

}  // namespace scout::io
