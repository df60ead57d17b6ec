// The numbering of tensor types in GGUF files.
//
// All types of the format are listed with their geometry, also those that nothing here decodes: a file that holds them can
// be opened, sized, checked and inspected, and the refusal comes when such a tensor is needed, with its name.
#pragma once

#include <cstdint>
#include <string_view>

#include "tensor/dtype.h"

namespace scout::io {

struct GgufType {
  uint32_t id;
  std::string_view name;
  DType dtype;  // kUnknown: listed and sized, not decoded
  uint32_t values_per_block;
  uint32_t bytes_per_block;
};

// Null for numbers that are retired or were never given out.
const GgufType* FindGgufType(uint32_t id);

}  // namespace scout::io
