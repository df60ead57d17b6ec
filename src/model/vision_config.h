// Hyper-parameters of a vision tower, from the file: "vision_config" of config.json, "clip.vision." of a projector file as
// llama.cpp's converter writes it, "llama4.vision." of a file that holds text and vision together as Ollama writes it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "io/checkpoint.h"
#include "model/config.h"

namespace scout::model {

struct VisionConfig {
  int64_t layers = 0;
  int64_t width = 0;        // D
  int64_t heads = 0;        // H
  int64_t head_dim = 0;     // d, a multiple of 4
  int64_t hidden = 0;       // of a layer's feed-forward block
  int64_t colours = 3;      // C
  int64_t tile_size = 0;    // S, pixels
  int64_t patch_size = 0;   // s, pixels
  int64_t shuffle = 0;      // f: squares of f x f patches become one row
  int64_t adapter = 0;      // width between the adapter's two products
  int64_t adapter_out = 0;  // width behind them
  int64_t out = 0;          // width of the text model
  double norm_eps = 1e-5;
  double rope_base = 10000;

  int64_t side() const { return tile_size / patch_size; }  // patches
  int64_t patches() const { return side() * side(); }      // P
  int64_t rows() const { return patches() + 1; }           // of a tile inside the tower: the class row comes last
  int64_t feature_rows() const { return patches() / (shuffle * shuffle); }
  int64_t patch_values() const { return colours * patch_size * patch_size; }
  int64_t tile_bytes() const { return colours * tile_size * tile_size; }
};

// Nothing where the checkpoint has no vision tower. `text_width` is the width of the text model that the features are for. Throws
// kFormat, kUnsupported, kLimit naming key or tensor, value and limit.
std::optional<VisionConfig> ReadVisionConfig(const io::Checkpoint& checkpoint, int64_t text_width);

// cos and sin of every pair of a head, side by side: the first half of the pairs turns by the column, the second by the row, both
// counted from 1; the class row does not turn. [rows, d]
std::vector<float> VisionTurns(const VisionConfig& config);

constexpr int64_t kMaxPatches = 1 << 16;  // of a tile

}  // namespace scout::model
