// Pictures of coloured shapes and digits, drawn by the rules at the top of examples/models/pictures.py.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace scout::testing_shapes {

using Rgb = std::array<uint8_t, 3>;

// Of side `side`, in the box whose upper left corner is (x, y), all in pixels.
struct Thing {
  std::string kind;  // "circle", "square", "triangle", "cross", "ring", "moon", "0" to "9"
  int x = 0;
  int y = 0;
  int side = 0;
  Rgb rgb = {};
};

// [height][width][3]; later things lie over earlier ones. A kind that is none of those above draws nothing.
std::vector<uint8_t> Draw(int width, int height, const Rgb& ground, const std::vector<Thing>& things);

}  // namespace scout::testing_shapes
