// The header of one GGUF file: versions 2 and 3, little-endian.
//
//   magic "GGUF", u32 version, u64 tensors, u64 keys
//   keys x    { string key, u32 type, value }           string: u64 bytes, then the bytes; array: u32 type, u64 count, items
//   tensors x { string name, u32 rank, u64 dimensions, fastest first, u32 type, u64 offset from the data's begin }
//   padding to general.alignment (32 unless the key says otherwise), then the data
//
// What is accepted is what writers produce: tensors lie in the order of the table, each begins at the next aligned offset
// after the one before. The padding after the last tensor may be missing, and bytes after it are ignored, however many.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "io/checkpoint.h"
#include "io/file_reader.h"
#include "io/metadata_store.h"
#include "io/pack_file.h"

namespace scout::io {

// Limits. Real files stay far below; they bound what a header can cost before its data is looked at.
constexpr uint64_t kMaxGgufKeys = 65536;
constexpr uint64_t kMaxGgufTensors = 65536;
constexpr uint64_t kMaxGgufKeyBytes = 64 * 1024;
constexpr uint64_t kMaxGgufStringBytes = 16 * 1024 * 1024;
constexpr uint64_t kMaxGgufTensorName = 63;
constexpr uint64_t kMaxGgufArray = uint64_t{1} << 32;
constexpr uint64_t kMinGgufAlignment = 8, kMaxGgufAlignment = 1024 * 1024;

struct GgufHeader {
  uint32_t version = 0;
  uint64_t alignment = 32;
  uint64_t data_begin = 0;
  std::unique_ptr<MetadataStore> metadata;
  std::vector<TensorInfo> tensors;  // with absolute offsets; file = `file_index`
  std::vector<PackSkip> large;      // the tokenizer's long arrays, for a packed side-file
};

// Throws kFormat, kTruncated, kLimit or kUnsupported, naming file, offset, field, value and limit. Values that begin at one of
// `skips` are passed over: their keys are as if they were not there.
GgufHeader ReadGgufHeader(const FileReader& file, uint32_t file_index, std::span<const PackSkip> skips = {});

}  // namespace scout::io
