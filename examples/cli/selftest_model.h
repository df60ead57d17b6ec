// Small models with random weights in one number format, for comparing devices. Their answers are noise, always the same.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace cli {

struct WeightFormat {
  const char* name;
  uint32_t type;  // of GGUF
  uint32_t values, bytes;
  // Where a block keeps halves that scale it, and their size.
  struct Field {
    int offset;
    float size;
  } fields[2];
};

std::span<const WeightFormat> WeightFormats();

// The bytes of a GGUF file: four layers, 256 wide, four experts, a vocabulary of 512, all large weights in `format`.
std::string SelftestModel(const WeightFormat& format, uint64_t seed);
constexpr int32_t kSelftestVocabulary = 512;

}  // namespace cli
