// Pictures for tests: tiles from fixtures, the table of bytes, a tower run to its end.
#pragma once

#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "backend/host_buffer.h"
#include "model/vision.h"
#include "quant/bf16.h"
#include "support/goldens.h"

namespace scout::test {

// All bytes of a little-endian uint8 .npy file.
inline std::vector<uint8_t> ReadTiles(const std::string& path) {
  const std::string bytes = goldens::Slurp(path);
  if (bytes.size() < 10 || bytes.compare(0, 6, "\x93NUMPY") != 0) throw std::runtime_error(path + " is no .npy file");
  const size_t header = static_cast<unsigned char>(bytes[8]) + 256u * static_cast<unsigned char>(bytes[9]);
  if (bytes.find("'|u1'") > 10 + header) throw std::runtime_error(path + " is not uint8");
  return std::vector<uint8_t>(bytes.begin() + 10 + static_cast<ptrdiff_t>(header), bytes.end());
}

// What transformers makes of a byte: (u / 255 - 0.5) / 0.5, rounded to bfloat16 at each step.
inline std::vector<float> PixelTable() {
  const auto round = [](float x) { return quant::Bf16ToF32(quant::F32ToBf16(x)); };
  std::vector<float> table(256);
  for (size_t u = 0; u < 256; ++u) table[u] = round(round(round(static_cast<float>(u) * (1.0f / 255.0f)) - 0.5f) / 0.5f);
  return table;
}

inline std::vector<std::shared_ptr<const model::Features>> SeePictures(model::Vision& tower,
                                                                       const std::vector<std::span<const uint8_t>>& pictures) {
  const std::vector<float> table = PixelTable();
  tower.Begin(pictures, table);
  while (!tower.Advance()) {
  }
  std::vector<std::shared_ptr<const model::Features>> features;
  if (const auto error = tower.Finish(&features)) throw *error;
  return features;
}

inline std::shared_ptr<const model::Features> SeeTiles(model::Vision& tower, std::span<const uint8_t> tiles) {
  return SeePictures(tower, {tiles})[0];
}

// Of a backend whose memory is the process's own.
inline std::vector<float> ReadFeatures(const model::Features& features) {
  const Act act = features.act();
  std::vector<float> values(static_cast<size_t>(act.rows * act.cols));
  if (!values.empty()) std::memcpy(values.data(), HostF32(act), values.size() * 4);
  return values;
}

}  // namespace scout::test
