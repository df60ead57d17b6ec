// A projector file (mmproj) with a vision tower of random weights, as llama.cpp's converter names its tensors: tiles as large as
// those of the released models, and everything else as small as it can be.
#pragma once

#include <cstdint>
#include <string>

namespace scout::test {

struct TinyTower {
  uint32_t tile = 336, patch = 14, shuffle = 2;  // 144 rows of features for each tile
  uint32_t width = 32, heads = 2, hidden = 32, layers = 1;
  uint32_t adapter = 32;
  uint32_t out = 64;  // the text model's width
  uint64_t seed = 1;

  uint32_t feature_rows() const { return tile / patch / shuffle * (tile / patch / shuffle); }
  std::string Build() const;  // the bytes of a GGUF file
};

}  // namespace scout::test
