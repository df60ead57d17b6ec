#include <algorithm>

#include "support/clip_writer.h"

namespace clips {

std::vector<uint8_t> Plain(int width, int height, Rgb colour) {
  std::vector<uint8_t> pixels(size_t{3} * static_cast<size_t>(width * height));
  for (size_t i = 0; i < pixels.size(); i += 3) {
    pixels[i] = colour.red;
    pixels[i + 1] = colour.green;
    pixels[i + 2] = colour.blue;
  }
  return pixels;
}

std::vector<uint8_t> Grid(int width, int height, int rows, int columns, Rgb ground, const std::vector<Thing>& things) {
  std::vector<uint8_t> pixels = Plain(width, height, ground);
  for (const Thing& thing : things) {
    const int left = width * thing.column / columns, right = width * (thing.column + 1) / columns;
    const int top = height * thing.row / rows, bottom = height * (thing.row + 1) / rows;
    const int side = std::min(right - left, bottom - top) * 8 / 10;
    const int x0 = (left + right - side) / 2, y0 = (top + bottom - side) / 2;
    for (int y = 0; y < side; ++y) {
      for (int x = 0; x < side; ++x) {
        const int u = 2 * x + 1 - side, v = 2 * y + 1 - side;
        if (thing.kind == Thing::kCircle && u * u + v * v > side * side) continue;
        uint8_t* const pixel = pixels.data() + size_t{3} * static_cast<size_t>((y0 + y) * width + x0 + x);
        pixel[0] = thing.colour.red;
        pixel[1] = thing.colour.green;
        pixel[2] = thing.colour.blue;
      }
    }
  }
  return pixels;
}

std::vector<uint8_t> CircleGoesRight(int width, int height, int frame) {
  constexpr int kFramesASecond = 10;
  return Grid(width, height, 3, 3, {244, 244, 244},
              {{Thing::kCircle, 0, frame / kFramesASecond % 3, {220, 30, 30}}, {Thing::kSquare, 2, 1, {40, 70, 225}}});
}

}  // namespace clips
