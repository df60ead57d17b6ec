// A picture in a prompt. The engine knows which tokens are its patches and what names its content; its features are the model's and
// are only handed on.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "model/features.h"

namespace scout::engine {

// SHA-256 of everything that a picture's features depend on beside the model: its tiles, and how they were made.
using PictureKey = std::array<uint32_t, 8>;

// `count` tokens from index `first` of the prompt on.
struct PatchRun {
  int64_t first = 0;
  int64_t count = 0;
};

struct Picture {
  std::vector<PatchRun> patches;                      // ascending; they take the rows of the picture's features in order
  std::shared_ptr<const std::vector<uint8_t>> tiles;  // [T, C, S, S], as model::Vision takes them
  PictureKey key{};
};

// Says that a position holds more than its token: the content of the picture whose first patch it is.
struct ContentMark {
  int64_t position = 0;
  PictureKey content{};
};

// As a request keeps it.
struct RequestPicture {
  Picture picture;
  std::shared_ptr<const model::Features> features;  // null until they are needed, and again when all its patches are computed

  int64_t first() const { return picture.patches.front().first; }
  int64_t end() const { return picture.patches.back().first + picture.patches.back().count; }
};

constexpr int64_t kMostPictures = 1024;  // in a prompt

}  // namespace scout::engine
