// The header of one safetensors file.
//
//   u64 bytes of the header, the header (JSON, spaces may follow), the data
//   header: { name: { "dtype": text, "shape": [...], "data_offsets": [begin, end) from the data's begin }, ... }
//
// and optionally "__metadata__", a map of strings, which is checked and dropped. The data is exactly the tensors: no hole, no
// overlap, nothing after the last one.
#pragma once

#include <cstdint>
#include <vector>

#include "io/checkpoint.h"
#include "io/file_reader.h"

namespace scout::io {

constexpr uint64_t kMaxSafetensorsHeader = 100'000'000;  // bytes; that of the reference implementation
constexpr uint64_t kMaxSafetensorsTensors = 65536;
constexpr uint64_t kMaxSafetensorsName = 1024;    // bytes
constexpr uint64_t kMaxSafetensorsKeys = 131072;  // in one object

// The file's tensors in the order of their data, with absolute offsets. A shape may be [] (one value) and may hold zeros
// (no bytes); rank is at most 4. Throws kFormat, kTruncated, kLimit or kUnsupported.
std::vector<TensorInfo> ReadSafetensorsHeader(const FileReader& file, uint32_t file_index);

}  // namespace scout::io
