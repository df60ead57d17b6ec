// A whole model small enough for every test: Llama 4 in all its parts with random weights, and a tokenizer of single bytes with the
// control tokens of the chat format. Its answers are noise, always the same.
#pragma once

#include <cstdint>
#include <string>

namespace scout::test {

struct TinyModel {
  uint32_t layers = 4;  // every fourth attends to everything
  uint32_t chunk = 16;
  uint32_t context = 4096;
  bool tokenizer = true;
  bool chat = true;     // with the control tokens that the chat format needs
  bool images = false;  // with the control tokens that pictures need, behind the others
  uint32_t width = kWidth;
  std::string architecture = "llama4";
  uint64_t seed = 1;

  static constexpr uint32_t kWidth = 64, kHeads = 4, kKvHeads = 2, kHeadDim = 16, kHidden = 32, kExperts = 4;
  static constexpr uint32_t kBytes = 256, kControls = 6, kImageControls = 6,
                            kVocabulary = 264;  // two rows more than the tokenizer has entries

  uint32_t vocabulary() const { return kVocabulary + (images ? kImageControls : 0); }
  std::string Build() const;  // the bytes of a GGUF file
  // Token ids of the controls.
  static constexpr int32_t kBeginOfText = 256, kEndOfText = 257, kHeaderStart = 258, kHeaderEnd = 259, kEom = 260, kEot = 261;
  static constexpr int32_t kImageStart = 262, kImageEnd = 263, kImage = 264, kPatch = 265, kColumn = 266, kRow = 267;
};

}  // namespace scout::test
